/**
 * Logins, as Docker's clients keep them: $DOCKER_CONFIG/config.json (~/.docker if not set), or a
 * credential helper that it names. What else stands in the file stays as it is, so that tsbox and
 * docker share their logins.
 */
import { base64, fromBase64 } from "../core/base/base64.ts";
import { decodeBytes, encodeText, readAll, streamOf } from "../core/base/bytes.ts";
import { parseReference } from "../core/image/reference.ts";
import { CliError } from "./errors.ts";
import type { CliPorts, CredentialHelper } from "./ports.ts";

/** A login, as the API takes it. */
export interface AuthConfig {
  readonly username?: string;
  readonly password?: string;
  readonly serveraddress?: string;
  readonly identitytoken?: string;
}

/** Docker's Hub has its old address as name. */
export const hubServer = "https://index.docker.io/v1/";
/** A helper gives a refresh token under this name (docker-credential-helpers). */
const tokenUser = "<token>";
const configBytesMax = 16 * 1024 * 1024;

interface Entry {
  readonly auth?: string;
  readonly identitytoken?: string;
}

interface ConfigFile {
  readonly auths?: Readonly<Record<string, Entry>>;
  readonly credsStore?: string;
  readonly credHelpers?: Readonly<Record<string, string>>;
}

export class Logins {
  readonly #ports: CliPorts;
  readonly #path: string;

  constructor(ports: CliPorts) {
    this.#ports = ports;
    const { environment } = ports;
    this.#path = `${environment["DOCKER_CONFIG"] ?? `${environment["HOME"] ?? ""}/.docker`}/config.json`;
  }

  /** The login for a server; {} when there is none. */
  async get(server: string): Promise<AuthConfig> {
    const config = await this.#read();
    const helper = this.#helperFor(server, config);
    const found = helper === null ? fromFile(config, server) : await askHelper(helper, server);
    return found ?? {};
  }

  /** The header for a request about an image: X-Registry-Auth. */
  async headerFor(image: string): Promise<{ "x-registry-auth": string }> {
    return header(await this.get(serverOf(image)));
  }

  async store(server: string, login: AuthConfig): Promise<void> {
    const config = await this.#read();
    const helper = this.#helperFor(server, config);
    const auths = { ...config.auths };
    if (helper === null) auths[server] = entryOf(login);
    else {
      const Secret = login.identitytoken ?? login.password ?? "";
      const Username = login.identitytoken === undefined ? login.username : tokenUser;
      await helper("store", JSON.stringify({ ServerURL: server, Username, Secret }));
      auths[server] = {};
    }
    await this.#write({ ...config, auths });
  }

  /** One that is not there is forgotten as well. */
  async erase(server: string): Promise<void> {
    const config = await this.#read();
    const helper = this.#helperFor(server, config);
    if (helper !== null) await helper("erase", server);
    const name = nameIn(config, server);
    if (name === null) return;
    const { [name]: _, ...auths } = config.auths ?? {};
    await this.#write({ ...config, auths });
  }

  /** Whether passwords lie in the file as they are. */
  async isPlain(server: string): Promise<boolean> {
    return this.#helperFor(server, await this.#read()) === null;
  }

  get path(): string {
    return this.#path;
  }

  #helperFor(server: string, { credHelpers, credsStore }: ConfigFile): Helper | null {
    const name = credHelpers?.[hostOf(server)] ?? credHelpers?.[server] ?? credsStore;
    const run = this.#ports.credentialHelper;
    if (name === undefined || name === "") return null;
    if (run === null || !/^[\w.-]+$/.test(name))
      throw new CliError(`${this.#path} names the credential helper ${JSON.stringify(name)}, which cannot be run here`);
    return (...asked) => run(name, ...asked);
  }

  async #read(): Promise<ConfigFile> {
    const { files } = this.#ports;
    if (!(await files.exists(this.#path))) return {};
    const text = decodeBytes(await readAll(files.read(this.#path), configBytesMax));
    try {
      const json: unknown = JSON.parse(text);
      if (typeof json === "object" && json !== null && !Array.isArray(json)) return json;
    } catch {
      // Said below.
    }
    throw new CliError(`${this.#path} is not a Docker config file: mend it or move it away`);
  }

  async #write(config: ConfigFile): Promise<void> {
    await this.#ports.files.replace(this.#path, streamOf(encodeText(`${JSON.stringify(config, null, "\t")}\n`)));
  }
}

type Helper = (...asked: [action: Parameters<CredentialHelper>[1], input: string]) => Promise<string>;

/** The base64url of a login's JSON. */
export function header(login: AuthConfig): { "x-registry-auth": string } {
  const text = base64(encodeText(JSON.stringify(login)));
  return { "x-registry-auth": text.replaceAll("+", "-").replaceAll("/", "_") };
}

/** Whose login an image needs: "127.0.0.1:5000", or the Hub's. */
export function serverOf(image: string): string {
  const { domain } = parseReference(image);
  return domain === "docker.io" ? hubServer : domain;
}

/** What `login` and `logout` are given. */
export function serverNamed(text: string): string {
  const host = hostOf(text);
  return ["", "docker.io", "index.docker.io", "registry-1.docker.io"].includes(host) ? hubServer : host;
}

function hostOf(server: string): string {
  return server.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
}

/** Files hold servers by many names: with a scheme, with a path. */
function nameIn({ auths = {} }: ConfigFile, server: string): string | null {
  if (Object.hasOwn(auths, server)) return server;
  return Object.keys(auths).find((name) => hostOf(name) === hostOf(server)) ?? null;
}

function fromFile(config: ConfigFile, server: string): AuthConfig | null {
  const name = nameIn(config, server);
  const entry = name === null ? undefined : config.auths?.[name];
  if (entry === undefined) return null;
  const [, username = "", password = ""] =
    /^([^:]*):(.*)$/s.exec(decodeBytes(fromBase64(entry.auth ?? "") ?? new Uint8Array(0))) ?? [];
  const identitytoken = entry.identitytoken ?? "";
  if (identitytoken !== "") return { username, identitytoken, serveraddress: server };
  return username === "" ? null : { username, password: password.replace(/\0+$/, ""), serveraddress: server };
}

function entryOf({ username = "", password = "", identitytoken }: AuthConfig): Entry {
  const auth = base64(encodeText(`${username}:${identitytoken === undefined ? password : ""}`));
  return identitytoken === undefined ? { auth } : { auth, identitytoken };
}

async function askHelper(helper: Helper, server: string): Promise<AuthConfig | null> {
  let answer: unknown;
  try {
    answer = JSON.parse(await helper("get", server));
  } catch (thrown) {
    if (thrown instanceof Error && /credentials not found/i.test(thrown.message)) return null;
    throw thrown;
  }
  const { Username, Secret } = answer as { Username?: string; Secret?: string };
  if (Username === tokenUser) return { identitytoken: Secret ?? "", serveraddress: server };
  return { username: Username ?? "", password: Secret ?? "", serveraddress: server };
}
