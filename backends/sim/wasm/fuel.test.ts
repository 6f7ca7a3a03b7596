import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import fc from "fast-check";
import { added, addFuel } from "./fuel.ts";
import { setHooks } from "./hooks.ts";
import { calculator, code, smallModule } from "./testing/modules.ts";
import { type Global, type Instance, type Memory, Unrunnable, webAssembly } from "./web-assembly.ts";

const root = new URL("../../../", import.meta.url).pathname;
const samples = globSync(
  ["images/wasi/bin/*.wasm", "node_modules/source-map/lib/*.wasm", "node_modules/@wasmer/wasi/tests/*.wasm"],
  {
    cwd: root,
  },
).map((path) => ({ path, bytes: Uint8Array.from(readFileSync(`${root}${path}`)) }));

/** A module with its host's functions, and how many instructions it has counted. */
class Running {
  ticks = 0;
  #counted = 0;
  readonly #instance: Instance;
  readonly #grant: number;

  private constructor(instance: Instance, grant: number) {
    this.#instance = instance;
    this.#grant = grant;
  }

  /** `grant`: so many instructions from tick to tick. */
  static async start(bytes: Uint8Array, grant: number): Promise<Running> {
    const instance = await webAssembly.instantiate(await webAssembly.compile(addFuel(bytes).bytes), {});
    const running = new Running(instance, grant);
    const memory = instance.exports[added.memory] as Memory;
    await setHooks(
      instance,
      () => running.tick(),
      (pages) => growOr(memory, pages),
    );
    running.#fuel.value = grant;
    return running;
  }

  tick(): void {
    this.ticks++;
    this.#counted += this.#grant - this.#fuel.value;
    this.#fuel.value = this.#grant;
  }

  get counted(): number {
    return this.#counted + this.#grant - this.#fuel.value;
  }

  f(x: number, y: number): number {
    return (this.#instance.exports["f"] as (x: number, y: number) => number)(x, y);
  }

  get memory(): Uint8Array {
    return new Uint8Array((this.#instance.exports["memory"] as Memory).buffer);
  }

  get #fuel(): Global {
    return this.#instance.exports[added.fuel] as Global;
  }
}

function growOr(memory: Memory, pages: number): number {
  try {
    return memory.grow(pages);
  } catch {
    return -1;
  }
}

async function plain(bytes: Uint8Array): Promise<{ f: (x: number, y: number) => number; memory: Memory }> {
  const { exports } = await webAssembly.instantiate(await webAssembly.compile(bytes), {});
  return exports as unknown as { f: (x: number, y: number) => number; memory: Memory };
}

/** x is local 0, y local 1; 2 … 5 are variables; 6 … 9 count loops. Statements leave the stack as it was. */
const variables = 4;
const loopsDeep = 4;
const local = (index: number): number[] => [0x20, index];
const setLocal = (index: number): number[] => [0x21, index];
const constant = (value: number): number[] => [0x41, ...signedByte(value)];

function signedByte(value: number): number[] {
  return value >= -64 && value < 64 ? [value & 0x7f] : [(value & 0x7f) | 0x80, (value >> 7) & 0x7f];
}

const { expression, statements } = fc.letrec<{ expression: number[]; statement: number[]; statements: number[] }>(
  (tie) => ({
    expression: fc.oneof(
      { maxDepth: 3 },
      fc.nat(variables + 1).map(local),
      fc.integer({ min: -1000, max: 1000 }).map(constant),
      fc.constant<number[]>([0x3f, 0]), // memory.size
      fc
        .tuple(tie("expression"), tie("expression"), fc.constantFrom(0x6a, 0x6b, 0x6c, 0x71, 0x72, 0x73, 0x48, 0x4b))
        .map(([one, other, op]) => [...one, ...other, op]),
      // a loop with a value, which is run once
      tie("expression").map((value) => [0x03, 0x7f, ...value, 0x0b]),
      // memory.grow by 0 … 1 pages
      tie("expression").map((value) => [...value, ...constant(1), 0x71, 0x40, 0]),
      // select
      fc.tuple(tie("expression"), tie("expression"), tie("expression")).map(([a, b, c]) => [...a, ...b, ...c, 0x1b]),
    ),
    statement: fc.oneof(
      { maxDepth: 5 },
      fc
        .tuple(fc.integer({ min: 2, max: 1 + variables }), tie("expression"))
        .map(([index, value]) => [...value, ...setLocal(index)]),
      // i32.store at an address within the first page
      fc
        .tuple(tie("expression"), tie("expression"))
        .map(([at, value]) => [...at, ...constant(1020), 0x71, ...value, 0x36, 0, 0]),
      // memory.fill of at most 255 bytes at 2048
      fc
        .tuple(tie("expression"), tie("expression"))
        .map(([value, length]) => [
          ...[0x41, 0x80, 0x10, ...value, ...length, 0x41, 0xff, 0x01, 0x71],
          ...[0xfc, 11, 0],
        ]),
      fc
        .tuple(tie("expression"), tie("statements"), tie("statements"))
        .map(([when, yes, no]) => [...when, 0x04, 0x40, ...yes, 0x05, ...no, 0x0b]),
      fc
        .tuple(tie("expression"), tie("statements"))
        .map(([when, rest]) => [0x02, 0x40, ...when, 0x0d, 0, ...rest, 0x0b]),
      // a loop of 1 … 20 passes with a counter of its own depth
      fc
        .tuple(fc.nat(loopsDeep - 1), fc.integer({ min: 1, max: 20 }), tie("statements"))
        .map(([depth, passes, body]) => countedLoop(6 + depth, passes, body)),
      // a loop that goes round from its middle, and is left in its middle, by a switch, or by a return
      fc.tuple(tie("expression"), tie("statements")).map(([value, body]) => leftLoop(value, body)),
      // return
      fc
        .tuple(tie("expression"), tie("expression"))
        .map(([when, value]) => [...when, 0x04, 0x40, ...value, 0x0f, 0x0b]),
      // a call of itself with a smaller x
      tie("expression").map((y) => [
        ...rationed(0xa4, 60),
        ...local(0),
        ...constant(0),
        0x4a,
        0x71,
        0x04,
        0x40,
        ...local(0),
        ...constant(1),
        0x6b,
        ...constant(3),
        0x71,
        ...y,
        0x10,
        0,
        ...setLocal(2),
        0x0b,
      ]),
    ),
    statements: fc.array(tie("statement"), { maxLength: 4 }).map((list) => list.flat()),
  }),
);

/** Whatever the body does to it, the counter goes down, as each pass sets it from a copy of its own. */
function countedLoop(counter: number, passes: number, body: readonly number[]): number[] {
  const next = [...local(counter), ...constant(1), 0x6b, 0x22, counter];
  return [...constant(passes), ...setLocal(counter), 0x03, 0x40, ...body, ...next, ...constant(0), 0x4a, 0x0d, 0, 0x0b];
}

/** True so many times in all calls together, counted in memory: a program's run time is bounded. */
function rationed(at: number, most: number): number[] {
  const [address, load, store] = [
    [0x41, at, 0x1f],
    [0x28, 2, 0],
    [0x36, 2, 0],
  ];
  const counted = [...address, ...address, ...load, ...constant(1), 0x6a, ...store];
  return [...counted, ...address, ...load, ...constant(most), 0x4c];
}

function leftLoop(value: readonly number[], body: readonly number[]): number[] {
  const ends = [...rationed(0xa0, 60), 0x45, 0x0d, 1];
  const switched = [0x02, 0x40, ...value, ...constant(7), 0x71, 0x0e, 3, 0, 1, 2, 0, 0x0b];
  const returned = [...value, ...constant(1000), 0x46, 0x04, 0x40, ...value, 0x0f, 0x0b];
  const loop = [0x03, 0x40, ...ends, ...switched, ...returned, ...body, 0x0c, 0, 0x0b];
  return [0x02, 0x40, ...loop, 0x0b];
}

const program = fc.tuple(statements, expression).map(([body, result]) => [...body, ...result]);

describe("adding fuel", () => {
  test("makes a valid module of every sample", () => {
    assert.ok(samples.length >= 6);
    for (const { path, bytes } of samples) assert.ok(webAssembly.validate(addFuel(bytes).bytes), path);
  });

  test("adds at most a third to the code of a program", () => {
    for (const name of ["cat", "hello", "burn"]) {
      const { bytes } = samples.find(({ path }) => path.endsWith(`/bin/${name}.wasm`)) ?? { bytes: new Uint8Array(1) };
      assert.ok(
        addFuel(bytes).bytes.length < bytes.length * 1.34,
        `${name}: ${addFuel(bytes).bytes.length} of ${bytes.length}`,
      );
    }
  });

  test("changes nothing of what a program computes, with much or with little fuel", async () => {
    const given = fc.tuple(program, fc.integer({ min: -8, max: 8 }), fc.integer(), fc.constantFrom(1, 50, 1_000_000));
    await fc.assert(
      fc.asyncProperty(given, async ([body, x, y, grant]) => {
        const bytes = calculator(variables + loopsDeep, body);
        assert.ok(webAssembly.validate(bytes), "the generated module is valid");
        const before = await plain(bytes);
        const after = await Running.start(bytes, grant);
        const expected = outcomeOf(() => before.f(x, y));
        assert.deepEqual(
          outcomeOf(() => after.f(x, y)),
          expected,
        );
        assert.ok(Buffer.from(before.memory.buffer).equals(after.memory), "the memory is the same");
      }),
      { seed: 1, numRuns: 400 },
    );
  });

  test("counts nothing for the leaves of a recursion, which are counted where they are called", async () => {
    const leaf = [...local(0), ...constant(0), 0x4c, 0x04, 0x40, ...local(1), 0x0f, 0x0b];
    const call = [...local(0), ...constant(1), 0x6b, ...local(1), 0x10, 0];
    const running = await Running.start(calculator(0, [...leaf, ...call]), 1000);
    running.f(0, 1);
    assert.equal(running.counted, 0);
    running.f(100, 1);
    assert.ok(running.counted >= 300, `${running.counted}`);
  });

  test("asks in a recursion without loops, whose fuel goes along with its calls", async () => {
    const leaf = [...local(0), ...constant(2), 0x48, 0x04, 0x40, ...local(0), 0x0f, 0x0b];
    const call = (less: number): number[] => [...local(0), ...constant(less), 0x6b, ...local(1), 0x10, 0];
    const bytes = calculator(1, [...leaf, ...call(1), ...setLocal(2), ...local(2), ...call(2), 0x6a]);
    const [often, seldom] = [await Running.start(bytes, 10), await Running.start(bytes, 1_000_000)];
    assert.equal(often.f(20, 0), 6765);
    assert.equal(seldom.f(20, 0), 6765);
    assert.equal(often.counted, seldom.counted);
    assert.ok(often.ticks > 1000, `${often.ticks}`);
  });

  test("counts the same of a program that ends, however often it has to ask", async () => {
    const given = fc.tuple(program, fc.integer({ min: -8, max: 8 }), fc.integer());
    await fc.assert(
      fc.asyncProperty(given, async ([body, x, y]) => {
        const bytes = calculator(variables + loopsDeep, body);
        const [often, seldom] = [await Running.start(bytes, 20), await Running.start(bytes, 1_000_000)];
        if (typeof outcomeOf(() => often.f(x, y)) === "string") return;
        seldom.f(x, y);
        assert.equal(often.counted, seldom.counted);
      }),
      { seed: 3 },
    );
  });

  test("counts the same each time", async () => {
    const bytes = calculator(1, [...countedLoop(2, 60, [0x01]), ...local(0)]);
    const [one, other] = [await Running.start(bytes, 7), await Running.start(bytes, 1000)];
    one.f(1, 2);
    other.f(1, 2);
    assert.equal(one.counted, other.counted);
    assert.ok(one.counted >= 60, `${one.counted}`);
  });

  test("reads hostile bytes to an end: a valid module out of a valid one, or a reason", () => {
    const [sample] = samples.filter(({ path }) => path.endsWith("bin/upper.wasm"));
    const mutation = fc.tuple(fc.nat(), fc.nat(255));
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 6 }), (mutations) => {
        const bytes = Uint8Array.from(sample?.bytes ?? []);
        for (const [at, value] of mutations) bytes[at % bytes.length] = value;
        const isValid = webAssembly.validate(bytes);
        const made = fuelOrReason(bytes);
        if (isValid && made !== null) assert.ok(webAssembly.validate(made));
      }),
      { seed: 2 },
    );
  });

  test("of a module cut off anywhere there is a reason", () => {
    const bytes = smallModule({ start: code.forever });
    for (let length = 0; length < bytes.length; length++) fuelOrReason(bytes.subarray(0, length));
  });
});

function fuelOrReason(bytes: Uint8Array): Uint8Array | null {
  try {
    return addFuel(bytes).bytes;
  } catch (thrown) {
    assert.ok(thrown instanceof Unrunnable, String(thrown));
    return null;
  }
}

function outcomeOf(act: () => number): number | string {
  try {
    return act();
  } catch (thrown) {
    return thrown instanceof Error ? thrown.name : String(thrown);
  }
}
