/** What a set-user-ID or set-group-ID file gave, and giving it up. */
import type { Sys } from "../kernel/sys.ts";

/** From here on the process is its user's, whoever's file it runs. */
export function dropPrivileges(sys: Sys): void {
  const real = sys.realIds();
  const { uid, gid } = sys.credentials();
  if (gid !== real.gid) sys.setCredentials({ gid: real.gid });
  if (uid !== real.uid) sys.setCredentials({ uid: real.uid });
}
