import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { scratch } from "../backends/linux/testing/scratch.ts";
import { hash } from "bcryptjs";
import type { RegistryServeOptions } from "../cli/ports.ts";
import { discard } from "../core/image/registry/http.ts";
import { registryFetch } from "./registry-fetch.ts";
import { serveRegistry } from "./registry-serve.ts";

// A registry on this machine: where it listens, whom it lets in, and what it refuses to be started with.

const usual: RegistryServeOptions = {
  address: "127.0.0.1:0",
  directory: "",
  htpasswd: "",
  certificate: "",
  key: "",
  deletes: true,
};

function scratchOf(t: TestContext): string {
  const directory = scratch("serve", tmpdir());
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

async function ask(url: string, headers: Readonly<Record<string, string>> = {}, insecure = false): Promise<number> {
  const fetch = registryFetch({ environment: {}, certificates: [] });
  const response = await fetch({ method: "GET", url, headers, body: null, insecure, signal: null });
  await discard(response);
  return response.status;
}

test("a registry serves from memory or from a directory until it is ended", async (t) => {
  const directory = join(scratchOf(t), "data");
  for (const options of [usual, { ...usual, directory }]) {
    const served = await serveRegistry(options);
    assert.equal(await ask(`http://${served.address}/v2/`), 200);
    assert.equal(served.isPrivate, true);
    await served.end();
    await assert.rejects(ask(`http://${served.address}/v2/`), /connection refused/);
  }
  assert.deepEqual(readdirSync(directory).toSorted(), ["blobs", "repositories", "uploads"]);
});

test("only those whose bcrypt lines stand in the file are let in", async (t) => {
  const htpasswd = join(scratchOf(t), "htpasswd");
  writeFileSync(htpasswd, `maria:${await hash("secret", 4)}\n`);
  const served = await serveRegistry({ ...usual, htpasswd });
  t.after(() => served.end());
  const login = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString("base64")}` });
  const url = `http://${served.address}/v2/`;
  assert.equal(await ask(url), 401);
  assert.equal(await ask(url, login("maria:wrong")), 401);
  assert.equal(await ask(url, login("nobody:secret")), 401);
  assert.equal(await ask(url, login("maria:secret")), 200);
});

test("with a certificate it speaks TLS", async (t) => {
  const directory = scratchOf(t);
  const [certificate, key] = [join(directory, "cert"), join(directory, "key")];
  const args = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  execFileSync("openssl", [...args, "-subj", "/CN=x", "-keyout", key, "-out", certificate], { stdio: "ignore" });
  const served = await serveRegistry({ ...usual, certificate, key });
  t.after(() => served.end());
  assert.equal(await ask(`https://${served.address}/v2/`, {}, true), 200);
});

test("what it is started with wrongly is named", async (t) => {
  const htpasswd = join(scratchOf(t), "htpasswd");
  writeFileSync(htpasswd, "maria:plain\n");
  await assert.rejects(serveRegistry({ ...usual, address: "5000" }), /invalid address "5000": expected HOST:PORT/);
  await assert.rejects(serveRegistry({ ...usual, address: "x:99999" }), /invalid address/);
  await assert.rejects(serveRegistry({ ...usual, certificate: "only" }), /--tls-cert and --tls-key go together/);
  await assert.rejects(
    serveRegistry({ ...usual, htpasswd }),
    /the password of maria is not bcrypt; make it with: htpasswd -B/,
  );
});
