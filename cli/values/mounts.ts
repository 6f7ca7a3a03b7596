/** `--mount`, `--device`, `-v`, `--tmpfs`, `--restart` to the shapes of the wire; each throws Error with Docker's reason. */
import { parseSize } from "./size.ts";

export interface WireMount {
  Type: string;
  Source?: string;
  Target?: string;
  ReadOnly?: boolean;
  BindOptions?: { Propagation?: string; NonRecursive?: boolean; CreateMountpoint?: boolean };
  VolumeOptions?: { NoCopy?: boolean; Labels?: Record<string, string> };
  TmpfsOptions?: { SizeBytes?: number; Mode?: number };
}

/** "type=bind,source=/a,target=/b,readonly". */
export function parseMount(text: string): WireMount {
  const mount: WireMount = { Type: "volume" };
  for (const field of text.split(",")) setField(mount, field);
  if (mount.Type === "") throw new Error("type is required");
  if (mount.Target === undefined || mount.Target === "") throw new Error("target is required");
  return mount;
}

function setField(mount: WireMount, field: string): void {
  const at = field.indexOf("=");
  const key = (at < 0 ? field : field.slice(0, at)).toLowerCase();
  const value = at < 0 ? null : field.slice(at + 1);
  if (key === "readonly" || key === "ro") mount.ReadOnly = parseSwitch(key, value);
  else if (key === "volume-nocopy") mount.VolumeOptions = { NoCopy: parseSwitch(key, value) };
  else if (value === null) throw new Error(`invalid field '${field}' must be a key=value pair`);
  else setValue(mount, key, value);
}

function setValue(mount: WireMount, key: string, value: string): void {
  if (key === "type") mount.Type = value.toLowerCase();
  else if (key === "source" || key === "src") mount.Source = value;
  else if (key === "target" || key === "dst" || key === "destination") mount.Target = value;
  else if (key === "bind-propagation") mount.BindOptions = { ...mount.BindOptions, Propagation: value.toLowerCase() };
  else if (key === "tmpfs-size") mount.TmpfsOptions = { ...mount.TmpfsOptions, SizeBytes: parseSize(value) };
  else if (key === "tmpfs-mode") mount.TmpfsOptions = { ...mount.TmpfsOptions, Mode: parseMode(key, value) };
  else throw new Error(`unexpected key '${key}' in '${key}=${value}'`);
}

function parseSwitch(key: string, value: string | null): boolean {
  if (value === null || /^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw new Error(`invalid value for ${key}: ${value}`);
}

function parseMode(key: string, value: string): number {
  if (!/^[0-7]+$/.test(value)) throw new Error(`invalid value for ${key}: ${value}`);
  return Number.parseInt(value, 8);
}

export interface WireDevice {
  readonly PathOnHost: string;
  readonly PathInContainer: string;
  readonly CgroupPermissions: string;
}

/** "/dev/a", "/dev/a:/dev/b", "/dev/a:rw", "/dev/a:/dev/b:rwm". */
export function parseDevice(text: string): WireDevice {
  const [host = "", second, third, ...more] = text.split(":");
  if (host === "" || more.length > 0) throw new Error(`bad format for path: ${text}`);
  const permissions = third ?? (second !== undefined && /^[rwm]{1,3}$/.test(second) ? second : "rwm");
  const inside = second === undefined || (third === undefined && permissions === second) ? host : second;
  if (!host.startsWith("/")) throw new Error(`${text} is not an absolute path`);
  if (!inside.startsWith("/")) throw new Error(`${inside} is not an absolute path`);
  if (!/^[rwm]{1,3}$/.test(permissions)) throw new Error(`bad mode specified: ${permissions}`);
  return { PathOnHost: host, PathInContainer: inside, CgroupPermissions: permissions };
}

/** Volumes of `-v`: those with a source are binds, a lone path is an anonymous volume. */
export function splitVolumes(
  volumes: readonly string[],
  resolve: (path: string) => string,
): { binds: string[]; anonymous: Record<string, object> } {
  const lone = volumes.filter((volume) => !volume.includes(":"));
  const binds = volumes.filter((volume) => volume.includes(":"));
  return {
    binds: binds.map((bind) => (/^\.{1,2}(\/|:|$)/.test(bind) ? absolute(bind, resolve) : bind)),
    anonymous: Object.fromEntries(lone.map((path) => [path, {}])),
  };
}

/** A source that starts with "." is relative to where we are: the daemon is elsewhere. */
function absolute(bind: string, resolve: (path: string) => string): string {
  const at = bind.indexOf(":");
  return resolve(bind.slice(0, at)) + bind.slice(at);
}

/** "/run" or "/run:size=1m,mode=755". */
export function toTmpfs(flags: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    flags.map((text) => {
      const at = text.indexOf(":");
      return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

/** "on-failure:3". */
export function parseRestart(text: string): { Name: string; MaximumRetryCount: number } {
  const [name = "", count = "0", ...more] = text.split(":");
  if (text !== "" && name === "") throw new Error("invalid restart policy format: no policy provided before colon");
  if (more.length > 0) throw new Error("invalid restart policy format");
  if (!/^\d+$/.test(count)) throw new Error("invalid restart policy format: maximum retry count must be an integer");
  return { Name: name, MaximumRetryCount: Number(count) };
}
