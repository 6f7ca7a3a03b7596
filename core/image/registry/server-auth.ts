/** Who may do what at the registry's server: nobody is asked, or for a password, or for a token (distribution: auth). */
import { fromBase64 } from "../../base/base64.ts";
import { decodeBytes } from "../../base/bytes.ts";
import type { Headers } from "./http.ts";

/** One thing that a request wants to do. */
export interface Access {
  readonly type: "repository" | "registry";
  readonly name: string;
  /** "pull", "push", "delete", "*". */
  readonly action: string;
}

/** Gives the challenge that a refused request is answered with; null: it may go on. */
export type RegistryAuth = (headers: Headers, wanted: readonly Access[]) => Promise<string | null>;

export function basicAuth(realm: string, isRight: (user: string, password: string) => Promise<boolean>): RegistryAuth {
  return async ({ authorization = "" }) => {
    const [, encoded = ""] = /^Basic\s+(\S+)$/i.exec(authorization) ?? [];
    const [, user, password] = /^([^:]*):(.*)$/s.exec(decodeBytes(fromBase64(encoded) ?? new Uint8Array(0))) ?? [];
    const isKnown = user !== undefined && password !== undefined && (await isRight(user, password));
    return isKnown ? null : `Basic realm=${JSON.stringify(realm)}`;
  };
}

export interface TokenAuth {
  /** Where tokens are handed out. */
  readonly realm: string;
  readonly service: string;
  /** The scopes that a token is good for, null for one that is not good. */
  readonly scopesOf: (token: string) => Promise<readonly string[] | null>;
}

export function tokenAuth({ realm, service, scopesOf }: TokenAuth): RegistryAuth {
  return async ({ authorization = "" }, wanted) => {
    const [, token] = /^Bearer\s+(\S+)$/i.exec(authorization) ?? [];
    const granted = token === undefined ? null : await scopesOf(token);
    if (granted !== null && wanted.every((access) => allows(granted, access))) return null;
    const scope = scopeOf(wanted);
    const error = token === undefined ? null : granted === null ? "invalid_token" : "insufficient_scope";
    return [
      `Bearer realm="${realm}",service="${service}"`,
      ...(scope === "" ? [] : [`scope="${scope}"`]),
      ...(error === null ? [] : [`error="${error}"`]),
    ].join(",");
  };
}

function allows(granted: readonly string[], { type, name, action }: Access): boolean {
  return granted.some((scope) => {
    const at = scope.lastIndexOf(":");
    return (
      scope.slice(0, at) === `${type}:${name}` &&
      scope
        .slice(at + 1)
        .split(",")
        .includes(action)
    );
  });
}

function scopeOf(wanted: readonly Access[]): string {
  const names = [...new Set(wanted.map(({ type, name }) => `${type}:${name}`))];
  const actions = (name: string): string[] =>
    wanted.filter((access) => `${access.type}:${access.name}` === name).map(({ action }) => action);
  return names.map((name) => `${name}:${actions(name).join(",")}`).join(" ");
}
