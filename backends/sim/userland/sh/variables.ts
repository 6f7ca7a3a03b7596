/**
 * The shell's variables: name → value, exported or not, read-only or not. A function's `local` saves
 * what was there and gives it back when the function returns (dash has no other scope).
 */
export interface Variable {
  /** null: marked for export or read-only, but not set. */
  value: string | null;
  exported: boolean;
  readonly: boolean;
  /** bash's: an array's elements by their keys, of which "0" is also its value. */
  elements?: Map<string, string>;
  associative?: boolean;
  /** Assignments are arithmetic, or change the letters' case; it stands for another variable. */
  integer?: boolean;
  letters?: "upper" | "lower" | undefined;
  reference?: boolean;
}

/** An attempt to change a read-only variable. */
export class ReadOnly extends Error {
  override readonly name = "ReadOnly";
  readonly variable: string;

  constructor(variable: string) {
    super(`${variable}: is read only`);
    this.variable = variable;
  }
}

export class Variables {
  readonly #variables: Map<string, Variable>;
  #scopes: Map<string, Variable | null>[] = [];
  /** Is told what was set; getopts and the history of paths depend on it. */
  changed: (name: string) => void = () => {};

  constructor(variables: ReadonlyMap<string, Variable> = new Map()) {
    this.#variables = new Map([...variables].map(([name, variable]) => [name, copyOf(variable)]));
  }

  copy(): Variables {
    const copy = new Variables(this.#variables);
    copy.#scopes = this.#scopes.map((scope) => new Map(scope));
    return copy;
  }

  get(name: string): string | null {
    return this.#variables.get(name)?.value ?? null;
  }

  set(name: string, value: string): void {
    const variable = this.#variables.get(name);
    if (variable === undefined) this.#variables.set(name, { value, exported: this.exportsAll, readonly: false });
    else if (variable.readonly) throw new ReadOnly(name);
    else {
      variable.value = value;
      variable.elements?.set("0", value);
      if (this.exportsAll) variable.exported = true;
    }
    this.changed(name);
  }

  find(name: string): Variable | null {
    return this.#variables.get(name) ?? null;
  }

  /** Puts it there whole, whatever was there. */
  put(name: string, variable: Variable): void {
    this.#variables.set(name, variable);
    this.changed(name);
  }

  names(): string[] {
    return [...this.#variables].filter(([, { value, elements }]) => value !== null || elements).map(([name]) => name);
  }

  /** `set -a`. */
  exportsAll = false;

  unset(name: string): void {
    if (this.#variables.get(name)?.readonly === true) throw new ReadOnly(name);
    this.#variables.delete(name);
    this.changed(name);
  }

  mark(name: string, marks: Partial<Pick<Variable, "exported" | "readonly">>): void {
    const variable = this.#variables.get(name) ?? { value: null, exported: false, readonly: false };
    this.#variables.set(name, { ...variable, ...marks });
  }

  /** Sorted by name. */
  list(wanted: (variable: Variable) => boolean): [string, string | null][] {
    return [...this.#variables]
      .filter(([, variable]) => wanted(variable))
      .map(([name, { value }]): [string, string | null] => [name, value])
      .sort(([a], [b]) => (a < b ? -1 : 1));
  }

  environment(): string[] {
    return [...this.#variables].flatMap(([name, { value, exported }]) =>
      exported && value !== null ? [`${name}=${value}`] : [],
    );
  }

  enterFunction(): void {
    this.#scopes.push(new Map());
  }

  leaveFunction(): void {
    for (const [name, saved] of this.#scopes.pop() ?? []) {
      if (saved === null) this.#variables.delete(name);
      else this.#variables.set(name, saved);
      this.changed(name);
    }
  }

  get inFunction(): boolean {
    return this.#scopes.length > 0;
  }

  /** Makes it the running function's own; it keeps its value. */
  makeLocal(name: string): void {
    const scope = this.#scopes.at(-1);
    if (scope === undefined || scope.has(name)) return;
    const variable = this.#variables.get(name);
    scope.set(name, variable === undefined ? null : { ...variable });
  }

  /** What `names` are now, to be given back with `restore`: a command's own assignments. */
  save(names: readonly string[]): Map<string, Variable | null> {
    return new Map(
      names.map((name) => {
        const variable = this.#variables.get(name);
        return [name, variable === undefined ? null : { ...variable }];
      }),
    );
  }

  restore(saved: ReadonlyMap<string, Variable | null>): void {
    for (const [name, variable] of saved) {
      if (variable === null) this.#variables.delete(name);
      else this.#variables.set(name, variable);
      this.changed(name);
    }
  }
}

function copyOf(variable: Variable): Variable {
  return variable.elements === undefined ? { ...variable } : { ...variable, elements: new Map(variable.elements) };
}

export function isName(text: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(text);
}

/** As `set` and `export -p` print a value, so that it can be read in again. */
export function quote(text: string): string {
  if (text === "") return "''";
  return text
    .split(/('+)/)
    .map((piece) => (piece.startsWith("'") ? `"${piece}"` : piece === "" ? "" : `'${piece}'`))
    .join("");
}
