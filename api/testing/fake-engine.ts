/** An engine for tests of the API alone: it knows what the test gives it; everything else fails loudly. */
import type { ContainerId, HostPath } from "../../core/base/brand.ts";
import { concat, encodeText } from "../../core/base/bytes.ts";
import { TsboxError } from "../../core/base/error.ts";
import type { ContainerRecord } from "../../core/container/record.ts";
import type { Containers, Engine, Execs, Images, Volumes } from "../../core/engine/engine.ts";
import { defaultRegistryConfig } from "../../core/image/registry/endpoints.ts";
import type { Registry } from "../../core/engine/registry.ts";
import { memoryTraits } from "../../core/engine/testing/memory-machine.ts";
import type { DiffId, ImageId } from "../../core/image/digest.ts";
import type { Answer, Api, ApiRequest } from "../http.ts";
import { createApi } from "../index.ts";
import type { SystemInfo } from "../system-info.ts";
import { configFromWire, createSchema, hostConfigFromWire } from "../wire/create-request.ts";
import { checkShape } from "../body.ts";

export interface Known {
  readonly containers?: Partial<Containers>;
  readonly images?: Partial<Images>;
  readonly execs?: Partial<Execs>;
  readonly volumes?: Partial<Volumes>;
  readonly registry?: Partial<Registry>;
  readonly events?: Engine["events"];
}

export function fakeEngine(known: Known): Engine {
  return {
    containers: partial<Containers>("containers", { list: async () => [], ...known.containers }),
    images: partial<Images>("images", { list: async () => [], ...known.images }),
    execs: partial<Execs>("execs", known.execs ?? {}),
    registry: partial<Registry>("registry", { config: defaultRegistryConfig, ...known.registry }),
    volumes: partial<Volumes>("volumes", { list: async () => [], ...known.volumes }),
    traits: memoryTraits,
    events: known.events ?? (() => failing("events")()),
    close: async () => {},
  };
}

function partial<T extends object>(room: string, given: Partial<T>): T {
  const get = (target: Partial<T>, name: string | symbol) =>
    Reflect.get(target, name) ?? failing(`${room}.${String(name)}`);
  return new Proxy(given, { get }) as T;
}

function failing(name: string): () => never {
  return () => {
    throw new Error(`the test did not expect ${name}`);
  };
}

export const system: SystemInfo = {
  version: "0.1.0",
  commit: "",
  buildTime: "2026-01-01T00:00:00Z",
  runtime: "node v24",
  id: "e".repeat(64),
  hostName: "host",
  operatingSystem: "Testix 1",
  dataRoot: "/data",
  storageDriver: "overlay2",
  debug: false,
  advance: null,
  clock: { now: () => 1_800_000_000_000_000_000n, sleep: async () => {} },
};

export function fakeApi(known: Known): Api {
  return createApi(fakeEngine(known), system);
}

export function request(
  method: string,
  target: string,
  more: { body?: unknown; headers?: Record<string, string>; signal?: AbortSignal } = {},
): ApiRequest {
  const { body } = more;
  const bytes = body === undefined ? [] : [encodeText(typeof body === "string" ? body : JSON.stringify(body))];
  return {
    method,
    target,
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...more.headers },
    body: (async function* () {
      yield* bytes;
    })(),
    signal: more.signal ?? new AbortController().signal,
  };
}

/** Status and whole body of an answer, as text; of a hijack what it gives for the input. */
export async function read(
  answer: Answer,
  input: readonly Uint8Array[] = [],
): Promise<{ status: number; text: string }> {
  const body = answer.kind === "reply" ? answer.body : answer.duplex(streamOfAll(input));
  const chunks: Uint8Array[] = [];
  if (body instanceof Uint8Array) chunks.push(body);
  else if (body !== null) for await (const chunk of body) chunks.push(chunk);
  return { status: answer.status, text: new TextDecoder().decode(concat(chunks)) };
}

async function* streamOfAll(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
  yield* chunks;
}

/** A record as the create request of a client would make it. */
export function sampleRecord(body: object = {}, more: Partial<ContainerRecord> = {}): ContainerRecord {
  const checked = checkShape(createSchema, { Image: "busybox", Cmd: ["sh"], ...body });
  return {
    version: 1,
    id: "c".repeat(64) as ContainerId,
    name: "sample",
    createdAt: "2026-11-23T16:28:09.846265364Z",
    image: `sha256:${"1".repeat(64)}` as ImageId,
    layers: [`sha256:${"2".repeat(64)}` as DiffId],
    config: configFromWire(checked),
    hostConfig: hostConfigFromWire(checked.HostConfig),
    path: "sh",
    args: [],
    mounts: [],
    state: "created",
    pid: 0,
    exitCode: 0,
    error: "",
    oomKilled: false,
    startedAt: "0001-01-01T00:00:00Z",
    finishedAt: "0001-01-01T00:00:00Z",
    restartCount: 0,
    stoppedByUser: false,
    bootId: "boot",
    plan: null,
    undo: null,
    logPath: `/data/containers/${"c".repeat(64)}/log` as HostPath,
    ...more,
  };
}

export function notFound(message: string): never {
  throw new TsboxError("not-found", message);
}
