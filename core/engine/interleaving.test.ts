/**
 * Goal: whatever is asked at the same time, in whatever order, and wherever the engine is cut off, the
 * containers stay consistent. Method: random rounds of orders, the orders of a round all at once;
 * after each round the invariants of the world are checked, at the end everybody who waited has an answer.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { messageOf, TsboxError } from "../base/error.ts";
import { type EngineInMemory, engineInMemory, leftovers, request } from "./testing/engine-in-memory.ts";

type Order =
  | { readonly kind: "create"; readonly name: string; readonly program: string; readonly autoRemove: boolean }
  | {
      readonly kind: "start" | "stop" | "kill" | "exit" | "lose" | "restart" | "wait" | "attach";
      readonly name: string;
    }
  | { readonly kind: "remove"; readonly name: string; readonly force: boolean }
  | { readonly kind: "rename"; readonly name: string; readonly to: string }
  | { readonly kind: "crash" };

const name = fc.constantFrom("aa", "bb", "cc");
const create = fc.record({
  kind: fc.constant("create" as const),
  name,
  program: fc.constantFrom("true", "server", "nosuch", "sleep"),
  autoRemove: fc.boolean(),
});
const order: fc.Arbitrary<Order> = fc.oneof(
  { arbitrary: create, weight: 4 },
  {
    arbitrary: fc.record({
      kind: fc.constantFrom("start", "start", "start", "stop", "kill", "exit", "lose", "restart", "wait", "attach"),
      name,
    }),
    weight: 10,
  },
  { arbitrary: fc.record({ kind: fc.constant("remove" as const), name, force: fc.boolean() }), weight: 2 },
  { arbitrary: fc.record({ kind: fc.constant("rename" as const), name, to: name }), weight: 1 },
  { arbitrary: fc.constant({ kind: "crash" as const }), weight: 1 },
);

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

class World {
  bed: EngineInMemory;
  /** Those who wait for something of this engine; an engine that is cut off answers nobody. */
  waiting = { count: 0 };

  constructor(bed: EngineInMemory) {
    this.bed = bed;
  }

  async carryOut(asked: Order): Promise<void> {
    const { containers } = this.bed.engine;
    switch (asked.kind) {
      case "create": {
        const { program, autoRemove } = asked;
        await containers.create(request([program], { name: asked.name, host: { autoRemove } }));
        return;
      }
      case "start":
        return containers.start(asked.name);
      case "stop":
        return containers.stop(asked.name, { timeoutSeconds: 0, signal: null });
      case "restart":
        return containers.restart(asked.name, { timeoutSeconds: 0, signal: null });
      case "kill":
        return containers.kill(asked.name, "KILL");
      case "remove":
        return containers.remove(asked.name, { force: asked.force, volumes: true });
      case "rename":
        return containers.rename(asked.name, asked.to);
      case "wait": {
        const { exit } = await containers.wait(asked.name, "removed");
        const { waiting } = this;
        waiting.count++;
        void exit.then(() => waiting.count--);
        return;
      }
      case "attach": {
        const attachment = await containers.attach(asked.name, { stdin: false, output: true, logs: false });
        const { waiting } = this;
        waiting.count++;
        for await (const _ of attachment.output) void _;
        waiting.count--;
        return;
      }
      case "exit":
      case "lose": {
        const { id } = await containers.get(asked.name);
        if (asked.kind === "exit") this.bed.machine.exit(id, 3);
        else this.bed.machine.lose(id);
        return;
      }
      case "crash":
        return;
    }
  }

  async round(orders: readonly Order[]): Promise<void> {
    if (orders.some(({ kind }) => kind === "crash")) {
      this.bed.machine.cutAfter(orders.length);
      for (const asked of orders) void this.carryOut(asked).catch(() => undefined);
      await settle();
      this.bed = await this.bed.reopen();
      this.waiting = { count: 0 };
    } else {
      const done = orders.map((asked) => this.carryOut(asked).catch(expected));
      const bounded = done.filter((_, at) => orders[at]?.kind !== "attach");
      for (let turn = 0; turn < 20; turn++) {
        this.bed.ports.clock.advance(1);
        await settle();
      }
      await Promise.all(bounded);
    }
    await settle();
    await this.check();
  }

  async check(): Promise<void> {
    const { engine, machine } = this.bed;
    const records = await engine.containers.list();
    const ids = records.map(({ id }) => id).sort();
    const up = records.filter(({ state }) => state === "running").map(({ id }) => id);
    assert.equal(new Set(records.map((record) => record.name)).size, records.length);
    assert.deepEqual(machine.running.sort(), up.sort());
    assert.deepEqual([...machine.world.prepared].sort(), ids);
    for (const cgroup of machine.world.cgroups)
      assert.ok(
        up.some((id) => cgroup.includes(id)),
        `${cgroup} is a leftover`,
      );
    for (const record of records) {
      const stored = JSON.parse(
        new TextDecoder().decode(
          await machine.disk.read(`${machine.disk.dataRoot}/containers/${record.id}/record.json` as never),
        ),
      ) as { state: string; name: string };
      assert.deepEqual([stored.state, stored.name], [record.state, record.name]);
    }
    assert.deepEqual(this.bed.warnings, []);
  }

  async end(): Promise<void> {
    for (const { id } of await this.bed.engine.containers.list())
      await this.bed.engine.containers.remove(id, { force: true, volumes: true });
    await settle();
    assert.deepEqual(leftovers(this.bed), { layers: [], cgroups: [], running: [], files: [] });
    assert.equal(this.waiting.count, 0, "somebody still waits");
  }
}

function expected(error: unknown): void {
  assert.ok(error instanceof TsboxError && error.code !== "failed", messageOf(error));
}

test("orders in any interleaving leave a consistent world, and every wait is answered", async () => {
  const rounds = fc.array(fc.array(order, { minLength: 1, maxLength: 4 }), { maxLength: 12 });
  const property = fc.asyncProperty(rounds, async (all) => {
    const world = new World(await engineInMemory());
    for (const orders of all) await world.round(orders);
    await world.end();
  });
  await fc.assert(property);
});
