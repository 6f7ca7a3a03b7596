import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomUUID, sign } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { scratch } from "../../backends/linux/testing/scratch.ts";
import { linuxPorts } from "../../backends/linux/ports.ts";
import { registryFetch } from "../../bin/registry-fetch.ts";
import { type Asker, RegistryClient } from "../../core/image/registry/client.ts";
import { anonymous } from "../../core/image/registry/credentials.ts";
import { defaultRegistryConfig } from "../../core/image/registry/endpoints.ts";
import { uploadBlob } from "../../core/image/registry/upload.ts";
import { dockerRegistryMissing, startDockerRegistry } from "./docker-registry.ts";
import { digestOfBytes } from "./in-memory.ts";

// Distribution's own server with token authentication: our client gets its tokens from a service that signs them as
// the specification says, and the server lets it do what they are for, and nothing else.

const skip = dockerRegistryMissing() ?? false;

interface Service {
  readonly realm: string;
  /** "method scope user" of each token that was asked for. */
  readonly asked: string[];
}

/** Signs what maria asks for; everybody else may only pull. */
async function tokenService(t: TestContext, key: string, certificate: string): Promise<Service> {
  const chain = readFileSync(certificate, "utf8").replace(/-----[^-]+-----|\s/g, "");
  const asked: string[] = [];
  const answer = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const url = new URL(incoming.url ?? "", "http://service");
    const isRefresh = incoming.method === "POST";
    const query = isRefresh ? new URLSearchParams(Buffer.concat(chunks).toString()) : url.searchParams;
    const scopes = query
      .getAll("scope")
      .flatMap((scope) => scope.split(" "))
      .filter((scope) => scope !== "");
    const login = Buffer.from((incoming.headers.authorization ?? "").slice("Basic ".length), "base64").toString();
    const isMaria = isRefresh ? query.get("refresh_token") === "refresh" : login === "maria:secret";
    asked.push(`${incoming.method} ${scopes.join(" ")} ${isMaria ? "maria" : "somebody"}`);
    if (login !== "" && !isMaria) {
      outgoing.writeHead(401).end();
      return;
    }
    const token = signed(
      key,
      chain,
      scopes.map((scope) => accessOf(scope, isMaria)),
    );
    outgoing.end(
      JSON.stringify({ token, expires_in: 300, ...(query.has("offline_token") ? { refresh_token: "refresh" } : {}) }),
    );
  };
  const server = createServer((incoming, outgoing) => {
    answer(incoming, outgoing).catch(() => outgoing.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { realm: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`, asked };
}

function accessOf(scope: string, all: boolean) {
  const [type = "", name = "", actions = ""] = scope.split(":");
  return { type, name, actions: actions.split(",").filter((action) => all || action === "pull") };
}

/** A JSON web token with the certificate that vouches for it (distribution: token/jwt). */
function signed(key: string, chain: string, access: readonly object[]): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const seconds = Math.floor(Date.now() / 1000);
  const claims = {
    iss: "tests",
    sub: "maria",
    aud: "tests",
    exp: seconds + 300,
    nbf: seconds - 10,
    iat: seconds,
    jti: randomUUID(),
    access,
  };
  const body = `${part({ typ: "JWT", alg: "ES256", x5c: [chain] })}.${part(claims)}`;
  const signature = sign("sha256", Buffer.from(body), { key: readFileSync(key), dsaEncoding: "ieee-p1363" });
  return `${body}.${signature.toString("base64url")}`;
}

async function site(t: TestContext) {
  const directory = scratch("token");
  t.after(() => rmSync(directory, { recursive: true }));
  const [key, certificate] = [join(directory, "key"), join(directory, "cert")];
  const args = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  execFileSync("openssl", [...args, "-subj", "/CN=tests", "-keyout", key, "-out", certificate], { stdio: "ignore" });
  const service = await tokenService(t, key, certificate);
  const auth = [
    "token:",
    `  realm: ${service.realm}`,
    "  service: tests",
    "  issuer: tests",
    `  rootcertbundle: ${certificate}`,
  ];
  const registry = await startDockerRegistry({ auth });
  t.after(() => registry.stop());
  const fetch = registryFetch({ environment: {}, certificates: [] });
  const client = new RegistryClient({ ...linuxPorts, fetch }, defaultRegistryConfig);
  return { client, host: registry.host, asked: service.asked };
}

const maria: Asker = { credentials: { ...anonymous, username: "maria", password: "secret" }, signal: null };
const bytes = new TextEncoder().encode("a blob");
const blob = {
  digest: digestOfBytes(bytes),
  size: bytes.length,
  open: async function* (offset: number) {
    yield bytes.subarray(offset);
  },
};

test("distribution's registry takes the tokens our client brings, each for what it is for", { skip }, async (t) => {
  const { client, host, asked } = await site(t);
  const upload = (asker: Asker, name: string, mountFrom: string[] = []) =>
    client.at(host, asker, (connection) =>
      uploadBlob(client.repository(connection, name, "pull", "push"), blob, { mountFrom, onProgress: () => {} }),
    );
  assert.equal(await upload(maria, "team/app"), "uploaded");
  assert.deepEqual(asked, ["GET repository:team/app:pull,push maria"], "one token for all of it");
  assert.equal(await upload(maria, "team/app"), "exists");
  assert.equal(asked.length, 1);
  assert.equal(await upload(maria, "team/other", ["team/app"]), "mounted");
  const nobody: Asker = { credentials: anonymous, signal: null };
  const size = await client.at(host, nobody, (connection) =>
    client.repository(connection, "team/app").blobSize(blob.digest),
  );
  assert.equal(size, bytes.length, "everybody may pull");
  await assert.rejects(upload(nobody, "team/third"), /unauthorized|denied/);
});

test("a login brings a refresh token, which opens the registry without the password", { skip }, async (t) => {
  const { client, host, asked } = await site(t);
  assert.deepEqual(await client.login(host, maria), { identityToken: "refresh" });
  await assert.rejects(
    client.login(host, { ...maria, credentials: { ...maria.credentials, password: "wrong" } }),
    (thrown: { code?: string }) => thrown.code === "unauthorized",
  );
  asked.length = 0;
  const later: Asker = { credentials: { ...anonymous, username: "maria", identityToken: "refresh" }, signal: null };
  const tags = client.at(host, later, (connection) => client.catalog(connection));
  assert.deepEqual(await tags, []);
  assert.deepEqual(asked, ["POST registry:catalog:* maria"]);
});
