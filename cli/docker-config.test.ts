import assert from "node:assert/strict";
import test from "node:test";
import { concat, streamOf } from "../core/base/bytes.ts";
import { header, hubServer, Logins, serverNamed, serverOf } from "./docker-config.ts";
import type { CliPorts, CredentialHelper } from "./ports.ts";

// Logins are kept where Docker's own clients keep and look for them.

interface Home {
  readonly logins: Logins;
  readonly file: () => unknown;
  readonly asked: string[];
}

function home(config: unknown, helper: CredentialHelper | null = null): Home {
  const files = new Map<string, Uint8Array>();
  if (config !== null) files.set("/home/.docker/config.json", new TextEncoder().encode(JSON.stringify(config)));
  const asked: string[] = [];
  const ports = {
    files: {
      read: (path: string) => streamOf(files.get(path) ?? new Uint8Array(0)),
      exists: async (path: string) => files.has(path),
      replace: async (path: string, bytes: AsyncIterable<Uint8Array>) => {
        const chunks: Uint8Array[] = [];
        for await (const chunk of bytes) chunks.push(chunk);
        files.set(path, concat(chunks));
      },
    },
    environment: { DOCKER_CONFIG: "/home/.docker" },
    credentialHelper:
      helper === null
        ? null
        : (name: string, action: "get" | "store" | "erase", input: string) => {
            asked.push(`${name} ${action} ${input}`);
            return helper(name, action, input);
          },
  };
  const file = (): unknown => JSON.parse(new TextDecoder().decode(files.get("/home/.docker/config.json"))) as unknown;
  return { logins: new Logins(ports as unknown as CliPorts), file, asked };
}

const maria = { username: "maria", password: "a:b", serveraddress: "host:5000" };

test("a login is kept in config.json, and everything else in it stays", async () => {
  const { logins, file } = home({ psFormat: "x", auths: { other: { auth: "eDp5" } } });
  await logins.store("host:5000", maria);
  assert.deepEqual(file(), {
    psFormat: "x",
    auths: { other: { auth: "eDp5" }, "host:5000": { auth: Buffer.from("maria:a:b").toString("base64") } },
  });
  assert.deepEqual(await logins.get("host:5000"), maria);
  await logins.erase("host:5000");
  await logins.erase("host:5000");
  assert.deepEqual(await logins.get("host:5000"), {});
  assert.deepEqual(file(), { psFormat: "x", auths: { other: { auth: "eDp5" } } });
});

test("without a file there is no login, and the first one makes it", async () => {
  const { logins, file } = home(null);
  assert.deepEqual(await logins.get(hubServer), {});
  await logins.store(hubServer, { username: "u", password: "p" });
  assert.deepEqual(file(), { auths: { [hubServer]: { auth: "dTpw" } } });
});

test("a server is found under the names that older clients gave it", async () => {
  for (const name of ["https://host:5000", "http://host:5000/v1/", "host:5000/v2/"]) {
    const { logins } = home({ auths: { [name]: { auth: "dTpw" } } });
    assert.equal((await logins.get("host:5000")).username, "u", name);
  }
});

test("a refresh token is kept in place of the password", async () => {
  const { logins, file } = home({});
  await logins.store("host", { username: "maria", password: "secret", identitytoken: "refresh" });
  assert.deepEqual(file(), {
    auths: { host: { auth: Buffer.from("maria:").toString("base64"), identitytoken: "refresh" } },
  });
  assert.deepEqual(await logins.get("host"), { username: "maria", identitytoken: "refresh", serveraddress: "host" });
});

test("a credential helper keeps what is named to it: one for all, or one a server", async () => {
  const helper: CredentialHelper = async (_, action) =>
    action === "get" ? JSON.stringify({ ServerURL: "x", Username: "maria", Secret: "s" }) : "";
  const { logins, file, asked } = home({ credsStore: "all", credHelpers: { "host:5000": "one" } }, helper);
  assert.equal((await logins.get("other")).password, "s");
  await logins.store("host:5000", maria);
  await logins.erase("host:5000");
  assert.deepEqual(asked, [
    "all get other",
    'one store {"ServerURL":"host:5000","Username":"maria","Secret":"a:b"}',
    "one erase host:5000",
  ]);
  assert.deepEqual(file(), { credsStore: "all", credHelpers: { "host:5000": "one" }, auths: {} });
});

test("a helper that has nothing is no login; one that fails is an error", async () => {
  const none = home({ credsStore: "x" }, () => Promise.reject(new Error("credentials not found in native keychain")));
  assert.deepEqual(await none.logins.get("host"), {});
  const broken = home({ credsStore: "x" }, () => Promise.reject(new Error("the keychain is locked")));
  await assert.rejects(broken.logins.get("host"), /locked/);
});

test("a helper's token is a refresh token, and a name that is no program's is refused", async () => {
  const { logins } = home({ credsStore: "x" }, async () => '{"Username":"<token>","Secret":"refresh"}');
  assert.deepEqual(await logins.get("host"), { identitytoken: "refresh", serveraddress: "host" });
  await assert.rejects(home({ credsStore: "../evil" }, async () => "").logins.get("host"), /cannot be run here/);
  await assert.rejects(home({ credsStore: "x" }).logins.get("host"), /cannot be run here/);
});

test("a file that is none is told, and left alone", async () => {
  await assert.rejects(home([]).logins.get("host"), /config\.json is not a Docker config file/);
});

test("an image's server is its domain, and the Hub's is the old address", () => {
  assert.equal(serverOf("busybox"), hubServer);
  assert.equal(serverOf("127.0.0.1:5000/a/b:1"), "127.0.0.1:5000");
  assert.equal(serverNamed(""), hubServer);
  assert.equal(serverNamed("docker.io"), hubServer);
  assert.equal(serverNamed("https://host:5000/"), "host:5000");
});

test("the header is base64url of JSON", () => {
  const { "x-registry-auth": text } = header({ username: "ü>?", password: "~~~" });
  assert.match(text, /^[\w=-]+$/);
  assert.deepEqual(JSON.parse(Buffer.from(text, "base64url").toString()), { username: "ü>?", password: "~~~" });
});
