import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { compare } from "bcryptjs";
import { linuxPorts } from "../../backends/linux/ports.ts";
import type { Fetch } from "../../core/image/registry/http.ts";
import { memoryDisk } from "../../core/image/registry/memory-disk.ts";
import { basicAuth } from "../../core/image/registry/server-auth.ts";
import { RegistryStore } from "../../core/image/registry/server-store.ts";
import { registryServer } from "../../core/image/registry/server.ts";
import { type Exchange, guarded, hold, passwords, sessions } from "./sessions.ts";

// Our registry answers as distribution's own does: what that one said was recorded (record-sessions.ts),
// and differences.json lists where ours says something else, and why.

interface Difference {
  readonly session: string;
  readonly request: string;
  readonly why: string;
}

const read = <T>(name: string): T => JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8")) as T;
const recorded = read<Record<string, readonly Exchange[]>>("recorded/sessions.json");
const differences = read<readonly Difference[]>("differences.json");

async function ours(isGuarded: boolean): Promise<Fetch> {
  const { hasher, random } = linuxPorts;
  const hash = passwords.trim().slice("maria:".length);
  const isRight = async (user: string, password: string) => user === "maria" && (await compare(password, hash));
  const auth = isGuarded ? basicAuth("tsbox registry", isRight) : null;
  return registryServer({
    store: await RegistryStore.open(memoryDisk(), "/registry"),
    hasher,
    random,
    auth,
    deletes: true,
  });
}

for (const [name, steps] of Object.entries(sessions)) {
  test(`our registry answers as distribution's does: ${name}`, async () => {
    const theirs = recorded[name] ?? [];
    const answers = await hold(await ours(guarded.has(name)), "http://registry.test", steps);
    const known = differences.filter(({ session }) => session === name);
    const differing = answers.flatMap((answer, at) => (isSame(answer, theirs[at]) ? [] : [answer.request]));
    for (const [at, answer] of answers.entries())
      if (!known.some(({ request }) => request === answer.request)) assert.deepEqual(answer, theirs[at]);
    assert.deepEqual(
      differing,
      known.map(({ request }) => request),
      "each listed difference is one, once",
    );
  });
}

test("every difference names a session and says why", () => {
  for (const { session, why } of differences) {
    assert.ok(Object.hasOwn(sessions, session), session);
    assert.match(why, /\w+ \w+ \w+/);
  }
});

function isSame(one: Exchange, other: Exchange | undefined): boolean {
  try {
    assert.deepEqual(one, other);
    return true;
  } catch {
    return false;
  }
}
