/** A store of images for tests of what stands above images: they are simply there, with one layer each. */
import { unlimited } from "../../runtime/resources.ts";
import { streamOf } from "../../base/bytes.ts";
import { TsboxError } from "../../base/error.ts";
import type { Config, HostConfig } from "../../container/config.ts";
import type { DiffId, Digest, ImageId } from "../../image/digest.ts";
import type { Image, ImageDefaults } from "../../image/image.ts";
import type { ImagesDependencies, ImageStore } from "../image-store.ts";

const noDefaults: ImageDefaults = {
  user: "",
  env: [],
  entrypoint: null,
  cmd: null,
  workingDir: "",
  volumes: [],
  exposedPorts: [],
  labels: {},
  stopSignal: null,
  onBuild: [],
  healthcheck: null,
};

/** An image of that familiar name, "busybox:latest". */
export function memoryImage(name: string, defaults: Partial<ImageDefaults> = {}): Image {
  const digest = `sha256:${Array.from(name, (char) => char.charCodeAt(0).toString(16))
    .join("")
    .padEnd(64, "f")
    .slice(0, 64)}`;
  return {
    id: digest as ImageId,
    names: [name],
    digests: [],
    created: "2026-01-01T00:00:00Z",
    author: "",
    comment: "",
    os: "linux",
    architecture: "amd64",
    variant: "",
    layers: [digest as DiffId],
    layerSizes: [1000],
    size: 1000,
    history: [],
    defaults: { ...noDefaults, ...defaults },
    config: digest as Digest,
    manifest: digest as Digest,
  };
}

/** For `openEngineOver`. */
export function memoryImages(...images: Image[]): (dependencies: ImagesDependencies) => Promise<ImageStore> {
  const get = async (ref: string): Promise<Image> => {
    const name = ref.includes(":") ? ref : `${ref}:latest`;
    const image = images.find(({ id, names }) => id === ref || names.includes(name));
    if (image === undefined) throw new TsboxError("not-found", `No such image: ${name}`);
    return image;
  };
  const refuse = (): Promise<never> => Promise.reject(new TsboxError("unsupported", "these images do not change"));
  return () =>
    Promise.resolve({
      async *load() {
        yield await refuse();
      },
      list: () =>
        Promise.resolve(
          images.map((image) => ({ ...image, createdSeconds: 1_767_225_600, labels: image.defaults.labels })),
        ),
      get,
      tag: refuse,
      remove: refuse,
      save: refuse,
      import: refuse,
      prune: refuse,
      usage: () => Promise.resolve({ layersSize: 0, images: [] }),
      explain: refuse,
      async *check() {
        yield await refuse();
      },
      resolve: get,
      collect: () => Promise.resolve(),
      stored: refuse,
      intake: () => {
        throw new TsboxError("unsupported", "these images do not change");
      },
      hasBlob: () => Promise.resolve(false),
      blob: () => streamOf(),
      document: refuse,
    });
}

export const noConfig: Config = {
  hostname: "",
  domainname: "",
  user: "",
  attachStdin: false,
  attachStdout: true,
  attachStderr: true,
  openStdin: false,
  stdinOnce: false,
  tty: false,
  env: [],
  entrypoint: null,
  cmd: null,
  image: "busybox",
  workingDir: "",
  labels: {},
  volumes: [],
  exposedPorts: [],
  stopSignal: null,
  stopTimeoutSeconds: null,
};

export const noHostConfig: HostConfig = {
  networkMode: "default",
  autoRemove: false,
  privileged: false,
  readonlyRootfs: false,
  capAdd: [],
  capDrop: [],
  securityOpt: [],
  mounts: [],
  binds: [],
  resources: unlimited,
  restartPolicy: { name: "no", maximumRetryCount: 0 },
  ulimits: [],
  devices: [],
  groupAdd: [],
  extraHosts: [],
  dns: [],
  dnsSearch: [],
  dnsOptions: [],
  sysctls: {},
  shmSizeBytes: 0,
  oomScoreAdj: 0,
  init: false,
  usernsMode: "",
  pidMode: "",
  ipcMode: "",
  utsMode: "",
  cgroupnsMode: "",
  cgroupParent: "",
  consoleSize: [0, 0],
  logOptions: {},
};
