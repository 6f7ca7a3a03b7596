/**
 * The session of this page: loaded from the store when it keeps one of this build, begun anew
 * otherwise, and written down as it goes on. When the browser keeps nothing (a private window, a frame
 * without storage, a full disk) the session goes on without, and one sentence says so.
 */
import type { LogEntry } from "../../backends/sim/input-log.ts";
import type { ConsoleSize } from "../../host/console.ts";
import { type SessionHead, SessionStore } from "./session-store.ts";

/** Written together, so that a fast typist makes few transactions. */
const writeAfterMs = 150;
/** How long a tab waits for another one to end. */
const claimMs = 1000;
/** What a reload would have to live again: more than this takes too long. */
const entriesMax = 100_000;

export class SavedSession {
  readonly head: SessionHead;
  /** All there are, those to be lived again first. */
  readonly entries: LogEntry[];
  /** What the user should know, "" if nothing. */
  said = "";
  #store: SessionStore<LogEntry> | null;
  readonly #files: Map<string, Uint8Array>;
  #unwritten: LogEntry[] = [];
  #isDue = false;

  private constructor(parts: {
    head: SessionHead;
    entries: LogEntry[];
    store: SessionStore<LogEntry> | null;
    files: Map<string, Uint8Array>;
  }) {
    this.head = parts.head;
    this.entries = parts.entries;
    this.#store = parts.store;
    this.#files = parts.files;
  }

  /** The session kept under `name`. `version` names the build: this script's address has a digest of its text. */
  static async open(name: string, { size, now }: { size: ConsoleSize; now: bigint }): Promise<SavedSession> {
    const version = location.href;
    const head = { version, seed: crypto.getRandomValues(new Uint32Array(1))[0] ?? 0, now: String(now), ...size };
    try {
      await claimed(name);
      const store = await SessionStore.open<LogEntry>(name);
      return (await SavedSession.#restored(store, version)) ?? (await SavedSession.#begun(store, head));
    } catch (thrown) {
      const session = new SavedSession({ head, entries: [], store: null, files: new Map() });
      session.#giveUp(thrown);
      return session;
    }
  }

  static async #restored(store: SessionStore<LogEntry>, version: string): Promise<SavedSession | null> {
    const stored = await store.load();
    if (stored === null || stored.head.version !== version) return null;
    const digests = new Set(stored.entries.flatMap((entry) => (entry.kind === "file" ? [entry.digest] : [])));
    const files = new Map<string, Uint8Array>();
    for (const digest of digests) files.set(digest, await store.file(digest));
    return new SavedSession({ head: stored.head, entries: [...stored.entries], store, files });
  }

  static async #begun(store: SessionStore<LogEntry>, head: SessionHead): Promise<SavedSession> {
    await store.begin(head);
    return new SavedSession({ head, entries: [], store, files: new Map() });
  }

  add(entry: LogEntry): void {
    this.entries.push(entry);
    this.#unwritten.push(entry);
    if (this.entries.length > entriesMax && this.#store !== null) {
      this.#giveUp(new Error("it has become too long to be brought back"));
      void this.forget();
    }
    if (this.#isDue) return;
    this.#isDue = true;
    setTimeout(() => void this.#write(), writeAfterMs);
  }

  /** From here on the session is another one: what came after so many entries is not of it. */
  cut(count: number): void {
    this.entries.splice(count);
    this.#unwritten = [];
    void this.#store?.replace([...this.entries]).catch((thrown: unknown) => this.#giveUp(thrown));
  }

  /** To be called before the file is named in an entry. */
  async keepFile(digest: string, bytes: Uint8Array): Promise<void> {
    this.#files.set(digest, bytes);
    await this.#store?.keepFile(digest, bytes).catch((thrown: unknown) => this.#giveUp(thrown));
  }

  file(digest: string): Uint8Array {
    const bytes = this.#files.get(digest);
    if (bytes === undefined) throw new Error(`the file ${digest} is not part of the session`);
    return bytes;
  }

  trouble(sentence: string): void {
    this.said = sentence;
  }

  async forget(): Promise<void> {
    const store = this.#store;
    this.#store = null;
    await store?.forget();
  }

  async #write(): Promise<void> {
    this.#isDue = false;
    const entries = this.#unwritten.splice(0);
    await this.#store?.append(entries).catch((thrown: unknown) => this.#giveUp(thrown));
  }

  #giveUp(thrown: unknown): void {
    this.#store = null;
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    this.said = `This session is not kept, a reload begins a new one: ${why}`;
  }
}

/** Two tabs cannot keep their sessions in one place. A tab that is being reloaded lets go within moments. */
function claimed(name: string): Promise<void> {
  if (!("locks" in navigator)) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const held = navigator.locks.request(`${name} session`, { signal: AbortSignal.timeout(claimMs) }, () => {
      resolve();
      return new Promise<never>(() => {});
    });
    held.catch(() => reject(new Error("another tab of this page keeps its own")));
  });
}
