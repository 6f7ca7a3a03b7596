/** Who a user is at a registry: as the API's X-Registry-Auth and Docker's config.json have it. */
import { base64 } from "../../base/base64.ts";
import { encodeText } from "../../base/bytes.ts";

export interface Credentials {
  readonly username: string;
  readonly password: string;
  /** A refresh token that a login brought, in place of the password; "" for none. */
  readonly identityToken: string;
  /** A bearer token to be used as it is; "" for none. */
  readonly registryToken: string;
}

export const anonymous: Credentials = { username: "", password: "", identityToken: "", registryToken: "" };

export function isAnonymous({ username, identityToken, registryToken }: Credentials): boolean {
  return username === "" && identityToken === "" && registryToken === "";
}

/** The value of an Authorization header (RFC 7617). */
export function basicHeader({ username, password }: Pick<Credentials, "username" | "password">): string {
  return `Basic ${base64(encodeText(`${username}:${password}`))}`;
}
