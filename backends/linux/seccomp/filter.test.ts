import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { defaultCapabilities } from "../../../core/runtime/capabilities.ts";
import { defaultSeccomp } from "../../../core/runtime/default-seccomp.ts";
import {
  type SeccompArgument,
  type SeccompOutcome,
  type SeccompProfile,
  type SeccompRule,
  seccompOutcome,
} from "../../../core/runtime/seccomp.ts";
import { compileFilter } from "./filter.ts";
import { syscallNumbers } from "./syscall-numbers.ts";

interface Call {
  readonly audit: number;
  readonly number: number;
  readonly args: readonly bigint[];
}

const x86_64 = 0xc000003e;
const i386 = 0x40000003;
const arm64 = 0xc00000b7;

/** struct seccomp_data as the kernel fills it in. */
function seccompData({ audit, number, args }: Call): DataView {
  const view = new DataView(new ArrayBuffer(64));
  view.setUint32(0, number, true);
  view.setUint32(4, audit, true);
  args.forEach((value, index) => view.setBigUint64(16 + 8 * index, BigInt.asUintN(64, value), true));
  return view;
}

/** The kernel's classic BPF machine, as far as a seccomp filter may use it. */
function run(filter: Uint8Array, call: Call): { returned: number; steps: number } {
  const program = new DataView(filter.buffer, filter.byteOffset, filter.byteLength);
  const data = seccompData(call);
  let accumulator = 0;
  let at = 0;
  for (let steps = 1; ; steps++) {
    assert.ok(8 * at < filter.length, "the program ends in a return");
    const code = program.getUint16(8 * at, true);
    const [jt, jf, k] = [
      program.getUint8(8 * at + 2),
      program.getUint8(8 * at + 3),
      program.getUint32(8 * at + 4, true),
    ];
    at += 1;
    if (code === 0x06) return { returned: k, steps };
    if (code === 0x20) accumulator = data.getUint32(k, true);
    else if (code === 0x54) accumulator = (accumulator & k) >>> 0;
    else if (code === 0x05) at += k;
    else if (code === 0x15) at += accumulator === k ? jt : jf;
    else if (code === 0x25) at += accumulator > k ? jt : jf;
    else if (code === 0x35) at += accumulator >= k ? jt : jf;
    else assert.fail(`instruction ${code} is not in our set`);
  }
}

function returnValue({ action, errno }: SeccompOutcome): number {
  return { allow: 0x7fff0000, errno: 0x00050000 | errno, log: 0x7ffc0000, kill: 0x80000000 }[action];
}

const names = ["read", "openat", "clone", "clone3", "socket", "personality", "mount", "mseal", "execve"];
const interesting = fc.oneof(
  fc.constantFrom(0, 1, 40, 0x7e020000, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 40),
  fc.nat(),
);
const argument: fc.Arbitrary<SeccompArgument> = fc.record({
  index: fc.nat(5),
  operator: fc.constantFrom("eq", "ne", "lt", "le", "gt", "ge", "masked-eq"),
  value: interesting,
  mask: interesting,
});
const rule: fc.Arbitrary<SeccompRule> = fc.record({
  names: fc.uniqueArray(fc.constantFrom(...names), { minLength: 1 }),
  action: fc.constantFrom("allow", "errno", "kill", "log"),
  errno: fc.integer({ min: 1, max: 133 }),
  arguments: fc.oneof(fc.constant([]), fc.array(argument, { maxLength: 4 })),
});
const profile: fc.Arbitrary<SeccompProfile> = fc.record({
  name: fc.constant("generated"),
  defaultAction: fc.constantFrom("allow", "errno", "kill"),
  defaultErrno: fc.constantFrom(1, 38),
  rules: fc.array(rule, { maxLength: 8 }),
});
/** Values at and around those the rules compare with. */
const argumentValue = fc.oneof(
  interesting.map(BigInt),
  interesting.map((value) => BigInt.asUintN(64, BigInt(value) - 1n)),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
);
const sixArguments = fc.array(argumentValue, { minLength: 6, maxLength: 6 });

test("a filter decides every call as its profile means it, for any arguments", () => {
  fc.assert(
    fc.property(profile, fc.constantFrom(...names, "write", "ptrace"), sixArguments, (any, name, args) => {
      const number = syscallNumbers.x86_64.get(name) ?? assert.fail(name);
      const { returned } = run(compileFilter(any, "amd64"), { audit: x86_64, number, args });
      assert.equal(returned, returnValue(seccompOutcome(any, name, args)));
    }),
    { numRuns: 1500 },
  );
});

test("the default filter allows and refuses every system call of every architecture as the default profile says", () => {
  const cases = [
    { architecture: "amd64", audit: x86_64, table: syscallNumbers.x86_64 },
    { architecture: "amd64", audit: i386, table: syscallNumbers.i386 },
    { architecture: "arm64", audit: arm64, table: syscallNumbers.arm64 },
  ] as const;
  for (const { architecture, audit, table } of cases) {
    const any = defaultSeccomp(defaultCapabilities, architecture);
    const filter = compileFilter(any, architecture);
    for (const [name, number] of table) {
      for (const first of [0n, 1n, 40n, 38n, 0x7e020000n, 0xffffffffn]) {
        const args = [first, 0n, 0n, 0n, 0n, 0n];
        const { returned } = run(filter, { audit, number, args });
        assert.equal(returned, returnValue(seccompOutcome(any, name, args)), `${architecture} ${name}(${first})`);
      }
    }
  }
});

test("x32 calls and calls younger than the table fail with ENOSYS, foreign architectures end the process", () => {
  const filter = compileFilter(defaultSeccomp(defaultCapabilities, "amd64"), "amd64");
  const call = (audit: number, number: number): number => run(filter, { audit, number, args: [] }).returned;
  assert.deepEqual(
    { x32: call(x86_64, 0x40000000), young: call(x86_64, 600), gap: call(x86_64, 400), alien: call(arm64, 63) },
    { x32: 0x00050026, young: 0x00050026, gap: 0x00050001, alien: 0x80000000 },
  );
});

test("the default filter is short and reaches any verdict in few steps", () => {
  const filter = compileFilter(defaultSeccomp(defaultCapabilities, "amd64"), "amd64");
  const steps = [...syscallNumbers.x86_64.values()].map(
    (number) => run(filter, { audit: x86_64, number, args: [2n] }).steps,
  );
  assert.ok(filter.length / 8 < 800, `${filter.length / 8} instructions`);
  assert.ok(Math.max(...steps) < 40, `${Math.max(...steps)} steps`);
});

test("the same profile object is compiled once", () => {
  const any = defaultSeccomp(["CAP_KILL", "CAP_SYS_CHROOT"], "amd64");
  assert.equal(defaultSeccomp(["CAP_SYS_CHROOT"], "amd64"), any);
  assert.equal(compileFilter(any, "amd64"), compileFilter(any, "amd64"));
});
