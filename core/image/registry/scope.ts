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
