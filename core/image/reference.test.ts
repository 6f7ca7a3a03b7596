import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import fc from "fast-check";
import { messageOf, TsboxError } from "../base/error.ts";
import { formatFamiliar, formatReference, parseReference, type Reference, withDefaultTag } from "./reference.ts";

// The docker command parses names before it speaks to a daemon: what it prints, and what it asks a
// daemon for, is the truth about names.

const docker = spawnSync("docker", ["--version"]).status === 0 ? false : "the docker command is not installed";

const valid = [
  "busybox",
  "busybox:1.36",
  "library/busybox",
  "docker.io/busybox",
  "docker.io/library/busybox:latest",
  "index.docker.io/busybox",
  "me/app",
  "docker.io/me/app:v1",
  "a/b/c/d:x_y-z.1",
  "localhost/x",
  "localhost:5000/x:y",
  "ghcr.io/owner/name:tag",
  "Foo/bar",
  "[::1]:5000/x",
  "a__b",
  "a--b---c",
  "a.b_c",
  "x:0",
  "library/a/b",
  `a@sha256:${"a".repeat(64)}`,
  `a:t@sha256:${"0".repeat(64)}`,
];

const invalid = [
  "",
  ":",
  "/",
  "UPPER",
  "a/B",
  "x.y/Z",
  "x:",
  ":x",
  "a//b",
  "/a",
  "a/",
  "a___b",
  "a..b",
  "a._b",
  "-a",
  "a-",
  "a:b:c",
  "foo:-x",
  `foo:${"t".repeat(129)}`,
  "a b",
  "a\u00e9",
  "a@",
  "a@sha256:123",
  `a@sha256:${"a".repeat(40)}`,
  `a@sha256:${"a".repeat(65)}`,
  `a@md5:${"a".repeat(40)}`,
  "a".repeat(260),
  "[::1/x",
  "https://a/b",
];

test("names that docker takes are normalised as docker does", { skip: docker }, async () => {
  const asked = await askedOfDaemon(valid);
  assert.deepEqual(
    valid.map((text) => formatReference(asPulled(withDefaultTag(parseReference(text))))),
    asked,
  );
});

test("names that docker refuses are refused in its words", { skip: docker }, async () => {
  const ours = invalid.map((text) => refusalOf(text));
  const theirs = await Promise.all(
    invalid.map((text) => cli(["create", "--pull", "never", "--", text], "/nonexistent")),
  );
  assert.deepEqual(
    ours,
    theirs.map((output) => output.split("\n")[0]),
  );
});

test("64 hex digits are an id, never a name", () => {
  assert.throws(() => parseReference("0".repeat(64)), { code: "invalid", message: /cannot specify 64-byte hex/ });
});

test("what is parsed and written again is the same reference", () => {
  const component = fc.stringMatching(/^[a-z0-9]{1,5}(?:(?:_|__|-{1,3})[a-z0-9]{1,5}){0,2}$/);
  const domain = fc.constantFrom("", "localhost/", "localhost:5000/", "a.example/", "docker.io/");
  const path = fc.array(component, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
  const tag = fc.option(fc.stringMatching(/^\w[\w.-]{0,9}$/), { nil: null });
  fc.assert(
    fc.property(domain, path, tag, (domain, path, tag) => {
      const reference = parseReference(`${domain}${path}${tag === null ? "" : `:${tag}`}`);
      assert.deepEqual(parseReference(formatReference(reference)), reference);
      assert.deepEqual(parseReference(formatFamiliar(reference)), reference);
    }),
  );
});

test("any text either is a reference or is refused as invalid", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 40 }), (text) => {
      try {
        parseReference(text);
      } catch (thrown) {
        assert.ok(thrown instanceof TsboxError && thrown.code === "invalid", messageOf(thrown));
      }
    }),
  );
});

/** A pull by digest does not tell the daemon of the tag. */
function asPulled(reference: Reference): Reference {
  return reference.digest === null ? reference : { ...reference, tag: null };
}

function refusalOf(text: string): string {
  try {
    return `accepted as ${formatReference(parseReference(text))}`;
  } catch (thrown) {
    return messageOf(thrown);
  }
}

/** What the docker command prints; all on standard error. */
function cli(args: readonly string[], socket: string): Promise<string> {
  return new Promise((resolve) => {
    const env = { ...process.env, DOCKER_HOST: `unix://${socket}`, DOCKER_CONFIG: "/nonexistent" };
    execFile("docker", args, { env }, (_error, _stdout, stderr) => resolve(stderr));
  });
}

/** The names `docker pull` asks a daemon for. */
async function askedOfDaemon(names: readonly string[]): Promise<string[]> {
  const directory = mkdtempSync(join(tmpdir(), "tsbox-reference-"));
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://daemon");
    if (pathname.endsWith("/images/create")) {
      const tag = searchParams.get("tag") ?? "";
      asked.push(`${searchParams.get("fromImage")}${tag.includes(":") ? "@" : ":"}${tag}`);
    }
    response.setHeader("Api-Version", "1.41").setHeader("Content-Type", "application/json").end("{}");
  });
  await new Promise<void>((resolve) => server.listen(join(directory, "s"), resolve));
  try {
    for (const name of names) await cli(["pull", "--quiet", name], join(directory, "s"));
  } finally {
    server.close();
    server.closeAllConnections();
    rmSync(directory, { recursive: true });
  }
  return asked;
}
