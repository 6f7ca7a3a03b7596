/**
 * References name images: [domain/]path[:tag][@digest]. Users write the familiar form ("busybox",
 * "me/app:1"), which leaves out Docker's defaults; everything is compared in the full form
 * ("docker.io/library/busybox:latest").
 *
 * The grammar is distribution/reference's, and so are the texts of the errors: scripts grep them.
 */
import { TsboxError } from "../base/error.ts";
import { type Digest, isDigest } from "./digest.ts";

export interface Reference {
  /** "docker.io", "localhost:5000". */
  readonly domain: string;
  /** "library/busybox". */
  readonly path: string;
  readonly tag: string | null;
  readonly digest: Digest | null;
}

export const defaultTag = "latest";
const defaultDomain = "docker.io";
const legacyDomain = "index.docker.io";
const officialPrefix = "library/";
const nameLengthMax = 255;

const component = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
const domainLabel = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const domain = `(?:${domainLabel}(?:\\.${domainLabel})*|\\[(?:[a-fA-F0-9:]+)\\])(?::[0-9]+)?`;
const tag = "[\\w][\\w.-]{0,127}";
const digest = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}";
const grammar = new RegExp(`^(${domain})/(${component}(?:/${component})*)(?::(${tag}))?(?:@(${digest}))?$`);
const bareIdentifier = /^[a-f0-9]{64}$/;

/** Parses what a user typed; no tag is made up. Throws TsboxError "invalid" in Docker's words. */
export function parseReference(text: string): Reference {
  if (bareIdentifier.test(text))
    throw invalid(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  const [host, rest] = splitDomain(text);
  const colon = rest.indexOf(":");
  const repository = colon < 0 ? rest : rest.slice(0, colon);
  if (repository !== repository.toLowerCase())
    throw invalid(`invalid reference format: repository name (${repository}) must be lowercase`);
  const [, domain, path, tag = null, digest = null] = grammar.exec(`${host}/${rest}`) ?? [];
  if (domain === undefined || path === undefined) throw invalid("invalid reference format");
  if (path.length > nameLengthMax) throw invalid(`repository name must not be more than ${nameLengthMax} characters`);
  return { domain, path, tag, digest: checkDigest(digest) };
}

/** Null for what is not a reference. */
export function tryParseReference(text: string): Reference | null {
  try {
    return parseReference(text);
  } catch {
    return null;
  }
}

/** With tag "latest" when it names neither a tag nor a digest. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === null && reference.digest === null ? { ...reference, tag: defaultTag } : reference;
}

/** The full form. */
export function formatReference(reference: Reference): string {
  return `${reference.domain}/${reference.path}${suffix(reference)}`;
}

/** The form users write: "busybox:latest". */
export function formatFamiliar(reference: Reference): string {
  return `${familiarName(reference)}${suffix(reference)}`;
}

/** A full name, as formatReference gives it, in the form users write; cheap, for lists of many. */
export function familiarOf(name: string): string {
  const { domain, path } = splitFull(name);
  return domain === defaultDomain ? familiarName({ domain, path }) : name;
}

/**
 * Whether a familiar name, or its repository alone, fits a glob as path.Match of Go has it: "*" and "?" stop at "/",
 * "[a-z]" and "[^a-z]" are sets. Throws TsboxError "invalid" for a glob that is none.
 */
export function matchesFamiliar(glob: string, name: string): boolean {
  const expression = globExpression(glob);
  const end = name.includes("@") ? name.indexOf("@") : name.lastIndexOf(":");
  return expression.test(name) || (end > name.lastIndexOf("/") && expression.test(name.slice(0, end)));
}

function globExpression(glob: string): RegExp {
  const parts = glob.match(/\[\^?(?:\\.|[^\]\\])+\]|\\.|[^\\[]/gs) ?? [];
  if (parts.join("") !== glob || /\[\^?-|-\]/.test(glob))
    throw invalid(`invalid reference filter ${JSON.stringify(glob)}`);
  return new RegExp(`^${parts.map(globPart).join("")}$`, "s");
}

function globPart(part: string): string {
  if (part === "*") return "[^/]*";
  if (part === "?") return "[^/]";
  if (part.length > 1 && part.startsWith("[")) return part;
  return part.replace(/^\\/, "").replace(/[.+^${}()|[\]\\*?/]/, "\\$&");
}

function splitFull(name: string): { domain: string; path: string } {
  const slash = name.indexOf("/");
  return { domain: name.slice(0, slash), path: name.slice(slash + 1) };
}

/** The repository in the form users write: "busybox". */
export function familiarName({ domain, path }: Pick<Reference, "domain" | "path">): string {
  if (domain !== defaultDomain) return `${domain}/${path}`;
  const short = path.slice(officialPrefix.length);
  return path.startsWith(officialPrefix) && !short.includes("/") ? short : path;
}

function suffix({ tag, digest }: Reference): string {
  return `${tag === null ? "" : `:${tag}`}${digest === null ? "" : `@${digest}`}`;
}

/** What stands before the first "/" is a host only if it looks like one, as "localhost" and "a.b" do. */
function splitDomain(text: string): [domain: string, rest: string] {
  const slash = text.indexOf("/");
  const first = text.slice(0, Math.max(slash, 0));
  const isHost = /[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase();
  const [domain, rest] = slash > 0 && isHost ? [first, text.slice(slash + 1)] : [defaultDomain, text];
  if (domain !== defaultDomain && domain !== legacyDomain) return [domain, rest];
  return [defaultDomain, rest.includes("/") ? rest : `${officialPrefix}${rest}`];
}

function checkDigest(text: string | null): Digest | null {
  if (text === null || isDigest(text)) return text;
  throw invalid(text.startsWith("sha256:") ? "invalid checksum digest length" : "unsupported digest algorithm");
}

function invalid(message: string): TsboxError {
  return new TsboxError("invalid", message);
}
