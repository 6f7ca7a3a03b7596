/**
 * What the command line needs of its surroundings: a terminal on Linux gives it these, and so does
 * the simulated host. The same code runs in both.
 */
import type { ByteStream } from "../core/base/bytes.ts";

export interface ApiResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ByteStream;
}

/** A hijacked connection: raw bytes both ways. */
export interface Duplex {
  readonly output: ByteStream;
  write(bytes: Uint8Array): Promise<void>;
  /** Half-close: no more input from us. */
  end(): void;
  close(): void;
}

export interface Transport {
  /** As many requests will be made at once after the next one: their connections may be made while that is answered. */
  prepare?(connections: number): void;
  request(
    method: string,
    target: string,
    options?: { headers?: Readonly<Record<string, string>>; body?: Uint8Array | ByteStream; signal?: AbortSignal },
  ): Promise<ApiResponse>;
  hijack(
    method: string,
    target: string,
    options?: { headers?: Readonly<Record<string, string>>; body?: Uint8Array },
  ): Promise<{ response: ApiResponse; duplex: Duplex | null }>;
}

export interface Terminal {
  readonly stdinIsTty: boolean;
  readonly stdoutIsTty: boolean;
  readonly stdin: ByteStream;
  stdout(bytes: Uint8Array | string): Promise<void>;
  stderr(bytes: Uint8Array | string): Promise<void>;
  /** Rows and columns, null when there is no terminal. */
  size(): { rows: number; columns: number } | null;
  onResize(listener: () => void): () => void;
  /** Raw mode: keys go to the container unread. Returns what undoes it. */
  raw(): () => void;
  /** Signals to forward, "SIGINT", "SIGTERM", …; returns what stops it. */
  onSignal(listener: (name: string) => void): () => void;
}

export interface Files {
  read(path: string): ByteStream;
  write(path: string, bytes: ByteStream): Promise<void>;
  /** Puts a file that is nobody else's business in place of the one there, whole or not at all; makes its directory. */
  replace(path: string, bytes: ByteStream): Promise<void>;
  exists(path: string): Promise<boolean>;
  /** The absolute form of a path. */
  resolve(path: string): string;
}

/** File trees, as tars. */
export interface LocalTrees {
  /** null when nothing is there. */
  kind(path: string, follow: boolean): Promise<"file" | "directory" | "symlink" | null>;
  /** A thing and all beneath it, its names beginning with `name`; "." for what is in it. `follow`: the thing itself. */
  pack(path: string, name: string, follow: boolean): ByteStream;
  /** What begins with `from` is called `to`; "." is where all begins. Leads nowhere outside of the directory. */
  unpack(
    tar: ByteStream,
    directory: string,
    moved: { readonly from: string; readonly to: string } | null,
  ): Promise<void>;
}

/** A registry that was started here. */
export interface ServedRegistry {
  /** Where it listens, "127.0.0.1:5000". */
  readonly address: string;
  /** Whether only this machine can reach it. */
  readonly isPrivate: boolean;
  end(): Promise<void>;
}

export interface RegistryServeOptions {
  /** HOST:PORT. */
  readonly address: string;
  /** Where it keeps what it is given; "": in memory. */
  readonly directory: string;
  /** Files; "" for none. */
  readonly htpasswd: string;
  readonly certificate: string;
  readonly key: string;
  readonly deletes: boolean;
}

export type RegistryService = (options: RegistryServeOptions) => Promise<ServedRegistry>;

/** The time as it is told where the command runs. */
export interface WallTime {
  /** Milliseconds since the epoch. */
  now(): number;
  /** How far local time is ahead of UTC at a moment. */
  minutesEast(ms: number): number;
}

export interface CliPorts {
  readonly transport: Transport;
  readonly terminal: Terminal;
  readonly files: Files;
  /** Loaded when it is asked for; null where files are not copied. */
  readonly trees: LocalTrees | null;
  readonly time: WallTime;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Runs a credential helper, "docker-credential-NAME ACTION"; null where programs cannot be run. */
  readonly credentialHelper: CredentialHelper | null;
  /** Starts a registry; null where nothing can listen. */
  readonly serveRegistry: RegistryService | null;
}

/** Gives what the helper printed; throws with its words when it fails (docker-credential-helpers: protocol). */
export type CredentialHelper = (name: string, action: "get" | "store" | "erase", input: string) => Promise<string>;
