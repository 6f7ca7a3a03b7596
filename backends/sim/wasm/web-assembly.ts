/**
 * WebAssembly as this room uses it: the JavaScript interface (webassembly.github.io/spec/js-api) and
 * promise integration (JSPI), by which an import that returns a promise suspends the program that
 * called it. Node 24, Chromium 137 and Firefox 153 have both; without JSPI no program starts.
 */
export interface Module {
  readonly module?: never;
}

export interface Memory {
  /** Another object after each growth. */
  readonly buffer: ArrayBuffer;
  /** By pages of 64 KiB; gives the old size, throws RangeError at the maximum. */
  grow(pages: number): number;
}

export interface Table {
  set(index: number, value: unknown): void;
}

export interface Global {
  value: number;
}

export interface Instance {
  readonly exports: Readonly<Record<string, unknown>>;
}

export type Imports = Record<string, Record<string, unknown>>;

interface ExportDescriptor {
  readonly name: string;
  readonly kind: string;
}

interface Engine {
  validate(bytes: Uint8Array): boolean;
  compile(bytes: Uint8Array): Promise<Module>;
  instantiate(module: Module, imports: Imports): Promise<Instance>;
  readonly Module: { exports(module: Module): ExportDescriptor[] };
  /** An import that may return a promise. */
  readonly Suspending?: new (
    body: (...values: never[]) => unknown,
  ) => object;
  /** An export that may be suspended: calling it gives a promise. */
  readonly promising?: (exported: unknown) => (...values: unknown[]) => Promise<unknown>;
}

export const webAssembly: Engine = (globalThis as unknown as { WebAssembly: Engine }).WebAssembly;

/** An import during which the program waits. */
export function suspending(body: (...values: never[]) => unknown): object {
  const { Suspending } = webAssembly;
  if (Suspending === undefined) throw new TypeError("this JavaScript engine has no WebAssembly.Suspending");
  return new Suspending(body);
}

export function promising(exported: unknown): (...values: unknown[]) => Promise<unknown> {
  const { promising: wrap } = webAssembly;
  if (wrap === undefined) throw new TypeError("this JavaScript engine has no WebAssembly.promising");
  return wrap(exported);
}

/** Whether programs can be suspended here. */
export function hasPromiseIntegration(): boolean {
  return webAssembly.Suspending !== undefined && webAssembly.promising !== undefined;
}

/** What cannot be run, and why: a sentence to be shown behind the program's name. */
export class Unrunnable extends Error {
  override readonly name = "Unrunnable";
}
