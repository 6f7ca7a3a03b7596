/**
 * Run: how the interpreter waits. It is written as generators that yield the promises of system calls,
 * so that commands which wait for nothing (assignments, `test`, arithmetic) run without a single
 * promise, and a loop over them costs what its commands cost.
 */
export type Run<T> = Generator<Promise<unknown>, T, unknown>;

/** The value of a promise, as a step of a Run. */
export function* settled<T>(promise: Promise<T>): Run<T> {
  return (yield promise) as T;
}

/** Runs it to its end, waiting where it waits. */
export async function drive<T>(run: Run<T>): Promise<T> {
  let step = run.next();
  while (step.done !== true) {
    const waited = await outcomeOf(step.value);
    step = waited.ok ? run.next(waited.value) : run.throw(waited.thrown);
  }
  return step.value;
}

type Outcome = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly thrown: unknown };

async function outcomeOf(promise: Promise<unknown>): Promise<Outcome> {
  try {
    return { ok: true, value: await promise };
  } catch (thrown) {
    return { ok: false, thrown };
  }
}
