/** Where client and daemon meet when nobody says otherwise: root's in /run, a user's in the run directory. */
export function defaultHost(environment: NodeJS.ProcessEnv): string {
  return `unix://${runDirectory(environment)}/tsbox.sock`;
}

export function runDirectory(environment: NodeJS.ProcessEnv): string {
  const user = process.getuid?.() ?? 0;
  return user === 0 ? "/run" : (environment["XDG_RUNTIME_DIR"] ?? `/tmp/tsbox-${user}`);
}
