/** What the page's tests ask their own server for: real images, what skopeo says of them, hostile archives. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import type { TestRunnerConfig } from "@web/test-runner";
import { imageTar, wasi } from "../../images/archive.ts";
import { helloParts } from "../../images/hello/build.ts";
import { type UserlandName, userlandNames, userlandParts } from "../../images/userland/build.ts";
import { wasmerFile, wasmerModule } from "../../scripts/wasmer.ts";
import { hostileArchives } from "../images/hostile.ts";
import { busyboxLayersTar, busyboxOciTar, busyboxTar, debianTar, imagesMissing, isMade } from "../images/make.ts";

type Plugin = NonNullable<TestRunnerConfig["plugins"]>[number];

const images: Readonly<Record<string, { transport: string; make: () => Promise<string> }>> = {
  "busybox.tar": { transport: "docker-archive", make: busyboxTar },
  "busybox-oci.tar": { transport: "oci-archive", make: busyboxOciTar },
  "busybox-layers.tar": { transport: "docker-archive", make: busyboxLayersTar },
  "debian.tar": { transport: "docker-archive", make: debianTar },
};

/** What skopeo tells of an image: its id is the digest of its configuration's bytes. */
async function truthOf(name: string): Promise<unknown> {
  const image = images[name];
  if (image === undefined || !isThere(name)) return null;
  const source = `${image.transport}:${await image.make()}`;
  const skopeo = (...args: readonly string[]): Buffer =>
    execFileSync("skopeo", ["--insecure-policy", "inspect", ...args, source], { maxBuffer: 1 << 24 });
  const config = skopeo("--config", "--raw");
  const { Layers: layers } = JSON.parse(String(skopeo("--no-tags"))) as { Layers: string[] };
  const { rootfs } = JSON.parse(String(config)) as { rootfs: { diff_ids: string[] } };
  return { id: `sha256:${createHash("sha256").update(config).digest("hex")}`, layers, diffIds: rootfs.diff_ids };
}

/** Debian's takes a network and a minute: it is looked at where it is. */
function isThere(name: string): boolean {
  return name === "debian.tar" ? isMade(name) : imagesMissing() === null;
}

async function bodyOf(path: string): Promise<Readable | string | null> {
  const [, kind, name = ""] = path.split("/").slice(1);
  switch (kind) {
    case "images": {
      const image = images[name];
      return image !== undefined && isThere(name) ? createReadStream(await image.make()) : null;
    }
    case "truth":
      return JSON.stringify(await truthOf(name.replace(/json$/, "tar")));
    case "hostile.json":
      return JSON.stringify(hostile.map(({ name: called, says }) => ({ name: called, says: says.source })));
    case "hostile": {
      const archive = hostile[Number(name)];
      return archive === undefined ? null : Readable.from(await archive.make());
    }
    default:
      return null;
  }
}

const hostile = hostileArchives.filter(({ onDiskOnly }) => onDiskOnly !== true);

/** Where a worker of the page looks for what lies beside it: scripts/page-server.ts puts it there for users. */
const besideThePage = "/web/";

async function besideBody(path: string): Promise<Uint8Array | null> {
  if (path === wasmerFile) return wasmerModule();
  if (path === "images/hello.tar") return imageTar(await helloParts());
  const name = /^images\/wasi\/(.*)\.tar$/.exec(path)?.[1] as UserlandName | undefined;
  return name !== undefined && userlandNames.includes(name) ? imageTar(await userlandParts(name), wasi) : null;
}

/** A middleware of the tests' server. */
export const fixtures: NonNullable<TestRunnerConfig["middleware"]>[number] = async (context, next) => {
  const beside = context.path.startsWith(besideThePage)
    ? await besideBody(context.path.slice(besideThePage.length))
    : null;
  if (beside !== null) {
    context.type = context.path.endsWith(".wasm") ? "wasm" : "application/x-tar";
    context.body = Buffer.from(beside);
    return undefined;
  }
  if (!context.path.startsWith("/fixtures/")) return next();
  const body = await bodyOf(context.path);
  context.status = body === null ? 404 : 200;
  context.body = body ?? "no such fixture";
  if (typeof body === "string") context.type = "json";
};

/** Styles imported as text, as vite's `?inline` gives them. */
export function inlineStyles(): Plugin {
  return {
    name: "inline-styles",
    resolveMimeType: ({ path }) => (path.endsWith(".css") ? "js" : undefined),
    transform(context) {
      if (!context.path.endsWith(".css")) return undefined;
      return { body: `export default ${JSON.stringify(context.body)}` };
    },
  };
}
