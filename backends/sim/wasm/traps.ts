/**
 * Traps in words of our own: engines word them differently, and what a program's end looks like must
 * not depend on the browser.
 */
const reasons: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/unreachable/, "it came to an instruction that is never to be reached (abort)"],
  [/memory access|index out of bounds|out of bounds memory/, "it accessed memory that it does not have"],
  [/divide by zero|division by zero|remainder by zero/, "it divided by zero"],
  [/unrepresentable|integer overflow/, "a number did not fit"],
  [/signature|indirect call|table index|null function/, "it called what is no function of that type"],
  [/call stack|recursion/, "it called itself too deep: its stack is used up"],
  [/out of memory|allocat/i, "there is not enough memory for it"],
];

const kinds = new Set(["RuntimeError", "RangeError", "InternalError"]);

/** Why WebAssembly ended with this; null: it was something else that threw. */
export function reasonOf(thrown: unknown): string | null {
  if (!(thrown instanceof Error) || !kinds.has(thrown.name)) return null;
  return reasons.find(([pattern]) => pattern.test(thrown.message))?.[1] ?? thrown.message;
}
