/**
 * Where a registry is spoken to. docker.io lives at another host than its name says, mirrors stand
 * before a registry, and a registry that may be spoken to in plain HTTP is asked in TLS first.
 *
 * Plain HTTP is for loopback addresses and for what the configuration calls insecure, nothing else.
 * The configuration has the form of Docker's daemon.json, with one key of our own, "registries", for
 * mirrors of other registries than docker.io.
 */
import { decodeBytes } from "../../base/bytes.ts";
import { messageOf, TsboxError } from "../../base/error.ts";

export interface RegistryConfig {
  /** Of docker.io: "https://mirror.example". */
  readonly mirrors: readonly string[];
  /** "host", "host:port", "10.0.0.0/8". */
  readonly insecure: readonly string[];
  /** Mirrors by registry, "quay.io" → URLs. */
  readonly mirrorsOf: Readonly<Record<string, readonly string[]>>;
  readonly downloadsMax: number;
  readonly uploadsMax: number;
}

export const defaultRegistryConfig: RegistryConfig = {
  mirrors: [],
  insecure: [],
  mirrorsOf: {},
  downloadsMax: 3,
  uploadsMax: 5,
};

/** One base URL to try. */
export interface Endpoint {
  /** "https://registry.example:5000", with a path when a mirror has one; no slash at its end. */
  readonly base: string;
  /** Whether any certificate will do. */
  readonly insecure: boolean;
  readonly mirror: boolean;
}

const hubHost = "registry-1.docker.io";

/** In the order in which they are tried. */
export function endpointsOf(domain: string, config: RegistryConfig): Endpoint[] {
  const mirrors = domain === "docker.io" ? config.mirrors : (config.mirrorsOf[domain] ?? []);
  const own = domain === "docker.io" ? hubHost : domain;
  return [
    ...mirrors.flatMap((mirror) => mirrorEndpoints(mirror, config)),
    ...schemes(own, config).map((base) => ({ base, insecure: mayBeInsecure(own, config), mirror: false })),
  ];
}

function mirrorEndpoints(mirror: string, config: RegistryConfig): Endpoint[] {
  const { host } = new URL(mirror);
  return [{ base: mirror.replace(/\/+$/, ""), insecure: mayBeInsecure(host, config), mirror: true }];
}

function schemes(host: string, config: RegistryConfig): string[] {
  return mayBeInsecure(host, config) ? [`https://${host}`, `http://${host}`] : [`https://${host}`];
}

/** Whether a host may be spoken to without a certificate, or without TLS. */
export function mayBeInsecure(host: string, { insecure }: RegistryConfig): boolean {
  const name = hostName(host);
  return isLoopback(host) || insecure.some((entry) => entry === host || entry === name || isWithin(name, entry));
}

/** "localhost", 127.0.0.0/8, ::1. */
export function isLoopback(host: string): boolean {
  const name = hostName(host);
  return name === "localhost" || name === "::1" || isWithin(name, "127.0.0.0/8");
}

/** Loopback, and the addresses of one's own link, where clouds keep their secrets (RFC 3927, RFC 4291). */
export function isLocalOnly(host: string): boolean {
  const name = hostName(host);
  return isLoopback(host) || name.endsWith(".localhost") || isWithin(name, "169.254.0.0/16") || isLocalAddress6(name);
}

function isLocalAddress6(name: string): boolean {
  return /^(fe[89ab][0-9a-f]:|::ffff:|::$)/i.test(name) || name === "0.0.0.0";
}

/** Without port and brackets. */
export function hostName(host: string): string {
  return /^\[(.*)\]/.exec(host)?.[1] ?? (host.split(":").length > 2 ? host : host.replace(/:\d+$/, ""));
}

/** IPv4 only: Docker's insecure-registries are networks, hosts or host:port. */
function isWithin(address: string, network: string): boolean {
  const [base = "", width = "32"] = network.split("/");
  const [one, other] = [ipv4(address), ipv4(base)];
  if (one === null || other === null || !/^\d{1,2}$/.test(width) || Number(width) > 32) return false;
  const mask = Number(width) === 0 ? 0 : (-1 << (32 - Number(width))) >>> 0;
  return (one & mask) >>> 0 === (other & mask) >>> 0;
}

function ipv4(text: string): number | null {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number);
  if (parts === undefined || parts.some((part) => part > 255)) return null;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

/** Throws TsboxError "invalid" naming the key that is wrong; keys that are not about registries are left alone. */
export function parseRegistryConfig(bytes: Uint8Array, what: string): RegistryConfig {
  const json = parseObject(bytes, what);
  const count = (key: string, otherwise: number): number => {
    const value = json[key] ?? otherwise;
    if (typeof value !== "number" || !Number.isInteger(value) || value < 1)
      throw new TsboxError("invalid", `${what}: "${key}" is ${JSON.stringify(value)}, expected a number above 0`);
    return value;
  };
  return {
    mirrors: urls(json["registry-mirrors"], `${what}: "registry-mirrors"`),
    insecure: texts(json["insecure-registries"], `${what}: "insecure-registries"`),
    mirrorsOf: mirrorsOf(json["registries"], `${what}: "registries"`),
    downloadsMax: count("max-concurrent-downloads", defaultRegistryConfig.downloadsMax),
    uploadsMax: count("max-concurrent-uploads", defaultRegistryConfig.uploadsMax),
  };
}

function mirrorsOf(value: unknown, what: string): Record<string, readonly string[]> {
  const entries = Object.entries(asRecord(value ?? {}, what));
  return Object.fromEntries(
    entries.map(([domain, each]) => [
      domain,
      urls(asRecord(each, `${what}.${domain}`)["mirrors"], `${what}.${domain}`),
    ]),
  );
}

function parseObject(bytes: Uint8Array, what: string): Record<string, unknown> {
  try {
    return asRecord(JSON.parse(decodeBytes(bytes)), what);
  } catch (thrown) {
    throw thrown instanceof TsboxError
      ? thrown
      : new TsboxError("invalid", `${what} is not JSON: ${messageOf(thrown)}`);
  }
}

function asRecord(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new TsboxError("invalid", `${what} is not an object`);
}

function texts(value: unknown, what: string): readonly string[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw new TsboxError("invalid", `${what} is not a list of texts`);
}

function urls(value: unknown, what: string): readonly string[] {
  const list = texts(value, what);
  for (const url of list)
    if (!/^https?:\/\/[^/?#@\s]+(\/[^?#\s]*)?$/.test(url))
      throw new TsboxError(
        "invalid",
        `${what}: ${JSON.stringify(url)} is not a mirror's URL, as https://mirror.example`,
      );
  return list;
}
