/** `login`: proves who one is at a registry, and keeps the proof where Docker's clients keep theirs. */
import { decodeBytes, readAll } from "../../core/base/bytes.ts";
import { command } from "../command.ts";
import { type AuthConfig, Logins, serverNamed } from "../docker-config.ts";
import { ApiError, CliError } from "../errors.ts";
import { flag } from "../flags.ts";
import type { Terminal } from "../ports.ts";
import { Prompt } from "../prompt.ts";

const passwordBytesMax = 64 * 1024;

export default command({
  usage: "[OPTIONS] [SERVER]",
  summary: "Authenticate to a registry",
  flags: {
    password: flag.text("p", "Password or Personal Access Token (PAT)"),
    "password-stdin": flag.bool(null, "Take the Password or Personal Access Token (PAT) from stdin"),
    username: flag.text("u", "Username"),
  },
  min: 0,
  max: 1,
  perform: async ({ options, given, args: [named = ""], client, ports }) => {
    const { terminal } = ports;
    const logins = new Logins(ports);
    const server = serverNamed(named);
    const { IdentityToken, Status, login } = await answered();
    await logins.store(server, IdentityToken === "" ? login : { ...login, identitytoken: IdentityToken });
    if (await logins.isPlain(server)) await terminal.stderr(plainWarning(logins.path));
    await terminal.stdout(`${Status}\n`);
    return 0;

    async function answered() {
      const known = given.size === 0 ? await logins.get(server) : {};
      if (Object.keys(known).length > 0) {
        await terminal.stdout("Authenticating with existing credentials...\n");
        const answer = await ask(known).catch((thrown: unknown) => {
          if (thrown instanceof ApiError && terminal.stdinIsTty) return null;
          throw thrown;
        });
        if (answer !== null) return answer;
      }
      return ask({ ...(await credentials(terminal, options)), serveraddress: server });
    }

    async function ask(login: AuthConfig) {
      return { ...(await client.post<{ IdentityToken: string; Status: string }>("/auth", {}, login)), login };
    }
  },
});

interface Given {
  readonly username: string;
  readonly password: string;
  readonly "password-stdin": boolean;
}

async function credentials(terminal: Terminal, given: Given): Promise<{ username: string; password: string }> {
  if (given["password-stdin"]) return fromInput(terminal, given);
  if (given.password !== "")
    await terminal.stderr("WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n");
  if (given.username !== "" && given.password !== "") return given;
  if (!terminal.stdinIsTty) throw new CliError("Error: Cannot perform an interactive login from a non TTY device");
  const prompt = new Prompt(terminal);
  const username = given.username || (await prompt.line("Username: "));
  const password = given.password || (await prompt.secret("Password: "));
  if (username === "" || password === "")
    throw new CliError(`Error: ${username === "" ? "Username" : "Password"} required`);
  return { username, password };
}

async function fromInput({ stdin }: Terminal, { username, password }: Given) {
  if (password !== "") throw new CliError("--password and --password-stdin are mutually exclusive");
  if (username === "") throw new CliError("the --password-stdin option requires --username to be set");
  const input = decodeBytes(await readAll(stdin, passwordBytesMax));
  return { username, password: input.replace(/\r?\n$/, "") };
}

function plainWarning(path: string): string {
  return `
WARNING! Your credentials are stored unencrypted in '${path}'.
Configure a credential helper to remove this warning. See
https://docs.docker.com/go/credential-store/

`;
}
