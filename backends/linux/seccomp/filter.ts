/**
 * Compiles a seccomp profile to the classic BPF program that seccomp(2) loads: an array of struct
 * sock_filter (linux/filter.h), run by the kernel on struct seccomp_data { u32 nr; u32 arch; u64
 * ip; u64 args[6]; } (linux/seccomp.h).
 *
 * The program first finds the architecture of the call (a 64-bit kernel serves 32-bit programs
 * too), then the call's number by binary search over ranges that share a verdict; a verdict is an
 * action, or a jump to a block that looks at arguments. A libseccomp filter walks hundreds of
 * comparisons in the worst case; this one makes about ten.
 */
import { assert, unreachable } from "../../../core/base/assert.ts";
import {
  decidingRules,
  type SeccompAction,
  type SeccompArgument,
  type SeccompProfile,
  type SeccompRule,
} from "../../../core/runtime/seccomp.ts";
import type { HostTraits } from "../../../core/runtime/traits.ts";
import { type SyscallTable, syscallNumbers } from "./syscall-numbers.ts";

/** Instruction classes and modes (linux/bpf_common.h). */
const LOAD = 0x20; // BPF_LD | BPF_W | BPF_ABS
const AND = 0x54; // BPF_ALU | BPF_AND | BPF_K
const JUMP = 0x05; // BPF_JMP | BPF_JA
const IF_EQUAL = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const IF_GREATER = 0x25; // BPF_JMP | BPF_JGT | BPF_K
const IF_GREATER_OR_EQUAL = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const RETURN = 0x06; // BPF_RET | BPF_K

/** Where struct seccomp_data holds what. */
const numberOffset = 0;
const architectureOffset = 4;
const argumentOffset = (index: number): number => 16 + 8 * index;

const ENOSYS = 38;
/** Programs of the x32 ABI say x86_64 with this bit in the number (asm/unistd.h, __X32_SYSCALL_BIT). */
const x32Bit = 0x40000000;
const instructionLimit = 4096; // BPF_MAXINSNS

interface Abi {
  /** AUDIT_ARCH_* (linux/audit.h). */
  readonly audit: number;
  readonly table: SyscallTable;
}

const abis: Readonly<Record<HostTraits["architecture"], readonly Abi[]>> = {
  amd64: [
    { audit: 0xc000003e, table: syscallNumbers.x86_64 },
    { audit: 0x40000003, table: syscallNumbers.i386 },
  ],
  arm64: [{ audit: 0xc00000b7, table: syscallNumbers.arm64 }],
};

interface Instruction {
  readonly code: number;
  readonly k: number;
  /** How many instructions to skip when the condition holds, and when not. */
  readonly jt?: number;
  readonly jf?: number;
}

const compiled = new WeakMap<SeccompProfile, Map<HostTraits["architecture"], Uint8Array>>();

/** The filter's bytes; the same profile object is compiled once. */
export function compileFilter(profile: SeccompProfile, architecture: HostTraits["architecture"]): Uint8Array {
  const known = compiled.get(profile) ?? new Map<HostTraits["architecture"], Uint8Array>();
  compiled.set(profile, known);
  const bytes = known.get(architecture) ?? encode(program(profile, architecture));
  known.set(architecture, bytes);
  return bytes;
}

function program(profile: SeccompProfile, architecture: HostTraits["architecture"]): Instruction[] {
  const sections = abis[architecture].map((abi) => ({ abi, code: section(profile, abi) }));
  const dispatch = sections.reduceRight<Instruction[]>(
    (rest, { abi, code }) => [...branch(IF_EQUAL, abi.audit, code, rest)],
    // A call of an architecture we know nothing of.
    [give("kill", 0)],
  );
  return [{ code: LOAD, k: architectureOffset }, ...dispatch];
}

function section(profile: SeccompProfile, { audit, table }: Abi): Instruction[] {
  const search = searchTree(verdicts(profile, table));
  const isX86 = audit === 0xc000003e;
  return [
    { code: LOAD, k: numberOffset },
    ...(isX86 ? branch(IF_GREATER_OR_EQUAL, x32Bit, [give("errno", ENOSYS)], search) : search),
  ];
}

/** From `first` up to the next range's first, the program does this. */
interface Range {
  readonly first: number;
  readonly code: readonly Instruction[];
}

/**
 * Calls younger than our table fail with ENOSYS, not EPERM, where the default is to refuse: C
 * libraries try new calls and fall back on ENOSYS only.
 */
function verdicts(profile: SeccompProfile, table: SyscallTable): Range[] {
  const codes = codeByName(profile);
  const names = new Map([...table].map(([name, number]) => [number, name]));
  const last = Math.max(...names.keys());
  const otherwise = codes.get("") ?? [];
  const ranges: Range[] = [];
  for (let first = 0; first <= last; first++) {
    const code = codes.get(names.get(first) ?? "") ?? otherwise;
    if (ranges.at(-1)?.code !== code) ranges.push({ first, code });
  }
  const younger = profile.defaultAction === "errno" ? [give("errno", ENOSYS)] : otherwise;
  return [...ranges, { first: last + 1, code: younger }];
}

/** The code of every system call that a rule names, and of "", any other. Equal code is one object. */
function codeByName(profile: SeccompProfile): Map<string, readonly Instruction[]> {
  const rules = new Map<string, SeccompRule[]>([["", []]]);
  for (const rule of profile.rules) {
    for (const name of rule.names) {
      const known = rules.get(name);
      if (known === undefined) rules.set(name, [rule]);
      else known.push(rule);
    }
  }
  const interned = new Map<string, readonly Instruction[]>();
  return new Map([...rules].map(([name, some]) => [name, intern(ruleBlock(decidingRules(some), profile), interned)]));
}

function intern(code: readonly Instruction[], known: Map<string, readonly Instruction[]>): readonly Instruction[] {
  const key = code.map((one) => `${one.code} ${one.k} ${one.jt ?? 0} ${one.jf ?? 0}`).join();
  const same = known.get(key) ?? code;
  known.set(key, same);
  return same;
}

/** Halves the ranges until one is left. */
function searchTree(ranges: readonly Range[]): Instruction[] {
  const [only, next] = ranges;
  assert(only !== undefined, "every system call number is in a range");
  if (next === undefined) return [...only.code];
  const middle = ranges.length >> 1;
  const upper = ranges[middle];
  assert(upper !== undefined, "the middle of two or more ranges is one of them");
  return branch(
    IF_GREATER_OR_EQUAL,
    upper.first,
    searchTree(ranges.slice(middle)),
    searchTree(ranges.slice(0, middle)),
  );
}

/** `yes` and `no` both end in a return. A condition skips at most 255 instructions; a jump any number. */
function branch(code: number, k: number, yes: readonly Instruction[], no: readonly Instruction[]): Instruction[] {
  if (yes.length <= 255) return [{ code, k, jt: 0, jf: yes.length }, ...yes, ...no];
  return [{ code, k, jt: 1, jf: 0 }, { code: JUMP, k: yes.length }, ...yes, ...no];
}

/** The rules for one call in turn; what none of them takes gets the default. */
function ruleBlock(rules: readonly SeccompRule[], profile: SeccompProfile): Instruction[] {
  return rules.reduceRight<Instruction[]>(
    (rest, rule) => conditions(rule.arguments ?? [], [give(rule.action, rule.errno ?? 1)], rest),
    [give(profile.defaultAction, profile.defaultErrno)],
  );
}

/** `then` when all conditions hold. Each condition leaves by a jump over what is left of the rule. */
function conditions(
  args: readonly SeccompArgument[],
  then: readonly Instruction[],
  otherwise: readonly Instruction[],
): Instruction[] {
  if (args.length === 0) return [...then];
  const matched = args.reduceRight<Instruction[]>(
    (rest, argument) => [...compare(argument, rest.length), ...rest],
    [...then],
  );
  return [...matched, ...otherwise];
}

/** Falls through when the condition holds; otherwise skips the `rest` that follows. */
function compare({ index, operator, value, mask = 0 }: SeccompArgument, rest: number): Instruction[] {
  const [high, low] = halves(value);
  const low32: Instruction = { code: LOAD, k: argumentOffset(index) };
  const high32: Instruction = { code: LOAD, k: argumentOffset(index) + 4 };
  switch (operator) {
    case "eq":
      return link(
        [high32, { code: IF_EQUAL, k: high, no: "fail" }, low32, { code: IF_EQUAL, k: low, no: "fail" }],
        rest,
      );
    case "ne":
      return link(
        [high32, { code: IF_EQUAL, k: high, no: "pass" }, low32, { code: IF_EQUAL, k: low, yes: "fail" }],
        rest,
      );
    case "ge":
      return link(ordered(high32, low32, high, { code: IF_GREATER_OR_EQUAL, k: low, no: "fail" }, "pass"), rest);
    case "gt":
      return link(ordered(high32, low32, high, { code: IF_GREATER, k: low, no: "fail" }, "pass"), rest);
    case "lt":
      return link(ordered(high32, low32, high, { code: IF_GREATER_OR_EQUAL, k: low, yes: "fail" }, "fail"), rest);
    case "le":
      return link(ordered(high32, low32, high, { code: IF_GREATER, k: low, yes: "fail" }, "fail"), rest);
    case "masked-eq": {
      const [maskHigh, maskLow] = halves(mask);
      return link(
        [
          high32,
          { code: AND, k: maskHigh },
          { code: IF_EQUAL, k: high, no: "fail" },
          low32,
          { code: AND, k: maskLow },
          { code: IF_EQUAL, k: low, no: "fail" },
        ],
        rest,
      );
    }
    default:
      return unreachable(operator);
  }
}

type Exit = "pass" | "fail";

/** An instruction that may leave the comparison: with the argument accepted, or not. */
type Step = Instruction & { readonly yes?: Exit; readonly no?: Exit };

/** The upper halves decide unless they are equal. */
function ordered(high32: Instruction, low32: Instruction, high: number, lower: Step, whenGreater: Exit): Step[] {
  const whenLess: Exit = whenGreater === "pass" ? "fail" : "pass";
  return [
    high32,
    { code: IF_GREATER, k: high, yes: whenGreater },
    { code: IF_EQUAL, k: high, no: whenLess },
    low32,
    lower,
  ];
}

/** Puts distances on the exits: to the end of the comparison, or past the rest of the rule as well. */
function link(steps: readonly Step[], rest: number): Instruction[] {
  return steps.map(({ code, k, yes, no }, at) => {
    const distance = (exit: Exit | undefined): number => {
      if (exit === undefined) return 0;
      return steps.length - at - 1 + (exit === "fail" ? rest : 0);
    };
    if (yes === undefined && no === undefined) return { code, k };
    assert(distance("fail") <= 255, "a rule has few enough conditions for short jumps");
    return { code, k, jt: distance(yes), jf: distance(no) };
  });
}

function halves(value: number): [high: number, low: number] {
  assert(value >= 0 && value < 2 ** 64, `seccomp argument ${value} is an unsigned 64-bit number`);
  return [Math.floor(value / 2 ** 32), value % 2 ** 32];
}

/** SECCOMP_RET_* (linux/seccomp.h). */
function give(action: SeccompAction, errno: number): Instruction {
  switch (action) {
    case "allow":
      return { code: RETURN, k: 0x7fff0000 };
    case "errno":
      return { code: RETURN, k: 0x00050000 | (errno & 0xfff) };
    case "log":
      return { code: RETURN, k: 0x7ffc0000 };
    case "kill":
      return { code: RETURN, k: 0x80000000 };
    default:
      return unreachable(action);
  }
}

/** struct sock_filter { u16 code; u8 jt; u8 jf; u32 k; }, in the byte order of both architectures. */
function encode(instructions: readonly Instruction[]): Uint8Array {
  assert(instructions.length <= instructionLimit, `a filter of ${instructions.length} instructions is too long`);
  const bytes = new Uint8Array(8 * instructions.length);
  const view = new DataView(bytes.buffer);
  instructions.forEach(({ code, k, jt = 0, jf = 0 }, index) => {
    view.setUint16(8 * index, code, true);
    view.setUint8(8 * index + 2, jt);
    view.setUint8(8 * index + 3, jf);
    view.setUint32(8 * index + 4, k, true);
  });
  return bytes;
}
