/** What a token is for (distribution: token scope): "repository:library/busybox:pull,push", "registry:catalog:*". */
export interface Scope {
  readonly type: "repository" | "registry";
  readonly name: string;
  readonly actions: readonly string[];
}

export function repositoryScope(name: string, ...actions: ("pull" | "push" | "delete")[]): Scope {
  return { type: "repository", name, actions };
}

export const catalogScope: Scope = { type: "registry", name: "catalog", actions: ["*"] };

export function formatScope({ type, name, actions }: Scope): string {
  return `${type}:${name}:${actions.join(",")}`;
}

/** Whether a scope in its written form asks for nothing beyond `own`. */
export function covers(own: Scope, written: string): boolean {
  const at = written.lastIndexOf(":");
  const actions = written.slice(at + 1).split(",");
  return written.slice(0, at) === `${own.type}:${own.name}` && actions.every((action) => own.actions.includes(action));
}
