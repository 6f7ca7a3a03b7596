/**
 * Performs a parsed template on data: JSON values, or an object whose fields are the columns of a
 * list. What is printed looks as Go prints it: maps as map[a:b], lists as [a b].
 */
import { functions } from "./template-functions.ts";
import { entriesOf, printed, truth } from "./template-values.ts";
import { type Call, type Node, type Operand, type Pipe, parseTemplate, TemplateError } from "./template-parse.ts";

export interface Template {
  /** Throws TemplateError. */
  render(data: unknown): string;
}

/** What a missing field is called: a column that there is not, or a key of the inspected object. */
export type MissingField = (field: string) => string;

export const missingKey: MissingField = (field) => `map has no entry for key ${JSON.stringify(field)}`;

/** How some data differs from any other. */
export interface Manners {
  readonly missing?: MissingField;
  /** The text of an object of it. */
  readonly json?: (value: object) => string;
}

/** Throws TemplateError when the text is no template. */
export function compileTemplate(
  source: string,
  { missing = missingKey, json = JSON.stringify }: Manners = {},
): Template {
  const nodes = parseTemplate(source);
  checkFunctions(nodes);
  return {
    render: (data) => new Performer({ missing, json }, { $: data }).list(nodes, data),
  };
}

type Variables = Record<string, unknown>;

class Performer {
  readonly #manners: Required<Manners>;
  #variables: Variables;

  constructor(manners: Required<Manners>, variables: Variables) {
    this.#manners = manners;
    this.#variables = variables;
  }

  list(nodes: readonly Node[], dot: unknown): string {
    return nodes.map((node) => this.#node(node, dot)).join("");
  }

  #node(node: Node, dot: unknown): string {
    if (node.kind === "text") return node.text;
    if (node.kind === "action") {
      const value = this.#pipe(node.pipe, dot);
      return node.pipe.variables.length > 0 ? "" : printed(value);
    }
    const outer = this.#variables;
    this.#variables = Object.create(outer) as Variables;
    try {
      return this.#branch(node, dot);
    } finally {
      this.#variables = outer;
    }
  }

  #branch(node: Extract<Node, { kind: "branch" }>, dot: unknown): string {
    const value = this.#pipe(node.pipe, dot);
    if (!truth(value)) return this.list(node.otherwise, dot);
    if (node.word === "range") return this.#range(node, value);
    return this.list(node.body, node.word === "with" ? value : dot);
  }

  #range({ pipe, body }: Extract<Node, { kind: "branch" }>, value: unknown): string {
    const [first = "", second] = pipe.variables;
    return entriesOf(value)
      .map(([key, each]) => {
        if (first !== "") this.#variables[first] = second === undefined ? each : key;
        if (second !== undefined) this.#variables[second] = each;
        return this.list(body, each);
      })
      .join("");
  }

  #pipe({ commands, variables, declares }: Pipe, dot: unknown): unknown {
    let value: unknown;
    for (const [at, command] of commands.entries()) value = this.#command(command, dot, at === 0 ? [] : [value]);
    const [name] = variables;
    if (name !== undefined) this.#assign(name, value, declares);
    return value;
  }

  #assign(name: string, value: unknown, declares: boolean): void {
    let scope = this.#variables;
    while (!declares && !Object.hasOwn(scope, name) && name in scope) scope = Object.getPrototypeOf(scope) as Variables;
    scope[name] = value;
  }

  #command({ operands: [first, ...rest], text }: Call, dot: unknown, piped: readonly unknown[]): unknown {
    if (first === undefined) return undefined;
    if (first.kind !== "function") return this.#value(first, dot);
    const given = [...rest.map((operand) => this.#value(operand, dot)), ...piped];
    return this.#call({ ...first, text }, given);
  }

  #call({ name, at, text }: Extract<Operand, { kind: "function" }>, given: readonly unknown[]): unknown {
    const [value] = given;
    if (name === "json" && typeof value === "object" && value !== null) return this.#manners.json(value);
    try {
      return functions[name]?.(...given);
    } catch (thrown) {
      const reason = thrown instanceof Error ? thrown.message : String(thrown);
      throw failed(at, text, `error calling ${name}: ${reason}`);
    }
  }

  #value(operand: Operand, dot: unknown): unknown {
    let value = this.#base(operand, dot);
    for (const field of operand.fields) value = this.#field(value, field, operand);
    return value;
  }

  #base(operand: Operand, dot: unknown): unknown {
    switch (operand.kind) {
      case "dot":
        return dot;
      case "variable":
        if (!(operand.name in this.#variables))
          throw new TemplateError(`template: :1: undefined variable "${operand.name}"`);
        return this.#variables[operand.name];
      case "function":
        return this.#call(operand, []);
      case "constant":
        return operand.value;
      case "pipe":
        return this.#pipe(operand.pipe, dot);
    }
  }

  #field(value: unknown, field: string, { at, text }: Operand): unknown {
    if (value === null || value === undefined)
      throw failed(at, text, `nil data; no entry for key ${JSON.stringify(field)}`);
    if (typeof value !== "object" || Array.isArray(value))
      throw failed(at, text, `can't evaluate field ${field} in type ${typeName(value)}`);
    if (!Object.hasOwn(value, field)) throw failed(at, text, this.#manners.missing(field));
    return (value as Record<string, unknown>)[field];
  }
}

function failed(at: number, text: string, reason: string): TemplateError {
  return new TemplateError(`template: :1:${at}: executing "" at <${text}>: ${reason}`);
}

function typeName(value: unknown): string {
  if (Array.isArray(value)) return "[]interface {}";
  return typeof value === "number" ? "float64" : typeof value === "boolean" ? "bool" : "string";
}

function checkFunctions(nodes: readonly Node[]): void {
  for (const node of nodes) {
    if (node.kind === "text") continue;
    checkPipe(node.pipe);
    if (node.kind === "branch") checkFunctions([...node.body, ...node.otherwise]);
  }
}

function checkPipe(pipe: Pipe): void {
  for (const operand of pipe.commands.flatMap(({ operands }) => operands)) {
    if (operand.kind === "pipe") checkPipe(operand.pipe);
    if (operand.kind === "function" && !Object.hasOwn(functions, operand.name))
      throw new TemplateError(`template: :1: function "${operand.name}" not defined`);
  }
}
