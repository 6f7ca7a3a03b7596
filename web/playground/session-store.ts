/**
 * Where a session is kept over a reload: what it began with and what was put in, which is all that is
 * needed to live it again, in IndexedDB. Files are kept once, by their digests. A browser may refuse
 * to keep anything; then opening throws, and a session is lost with its page.
 */

/** What a session began with. */
export interface SessionHead {
  /** Which build of the page recorded it: another one would live it differently. */
  readonly version: string;
  readonly seed: number;
  /** Nanoseconds since the epoch at boot, in digits. */
  readonly now: string;
  readonly rows: number;
  readonly columns: number;
}

export interface StoredSession<Entry> {
  readonly head: SessionHead;
  readonly entries: readonly Entry[];
}

const schemaVersion = 1;

export class SessionStore<Entry> {
  readonly #database: IDBDatabase;

  private constructor(database: IDBDatabase) {
    this.#database = database;
  }

  /** `name` is the database's. Throws when this browser keeps nothing for us. */
  static async open<Entry>(name: string): Promise<SessionStore<Entry>> {
    const request = indexedDB.open(name, schemaVersion);
    request.addEventListener("upgradeneeded", () => {
      request.result.createObjectStore("heads");
      request.result.createObjectStore("batches", { autoIncrement: true });
      request.result.createObjectStore("files");
    });
    return new SessionStore(await settled(request));
  }

  /** Null when there is none. */
  async load(): Promise<StoredSession<Entry> | null> {
    const transaction = this.#database.transaction(["heads", "batches"]);
    const head = settled(transaction.objectStore("heads").get("current") as IDBRequest<SessionHead | undefined>);
    const batches = settled(transaction.objectStore("batches").getAll() as IDBRequest<Entry[][]>);
    const found = await head;
    return found === undefined ? null : { head: found, entries: (await batches).flat() };
  }

  /** Begins anew: what was kept before goes. */
  async begin(head: SessionHead): Promise<void> {
    await this.#write(["heads", "batches", "files"], (store) => {
      for (const name of ["batches", "files"]) store(name).clear();
      store("heads").put(head, "current");
    });
  }

  async forget(): Promise<void> {
    await this.#write(["heads", "batches", "files"], (store) => {
      for (const name of ["heads", "batches", "files"]) store(name).clear();
    });
  }

  async append(entries: readonly Entry[]): Promise<void> {
    await this.#write(["batches"], (store) => store("batches").add(entries));
  }

  /** Keeps these entries and no others. */
  async replace(entries: readonly Entry[]): Promise<void> {
    await this.#write(["batches"], (store) => {
      store("batches").clear();
      store("batches").add(entries);
    });
  }

  async keepFile(digest: string, bytes: Uint8Array): Promise<void> {
    await this.#write(["files"], (store) => store("files").put(bytes, digest));
  }

  async file(digest: string): Promise<Uint8Array> {
    const stored = this.#database.transaction("files").objectStore("files").get(digest);
    const bytes = await settled(stored as IDBRequest<Uint8Array | undefined>);
    if (bytes === undefined) throw new Error(`the file ${digest} was not kept`);
    return bytes;
  }

  /** Resolves when it is on disk as far as a browser promises it. */
  #write(stores: readonly string[], act: (store: (name: string) => IDBObjectStore) => void): Promise<void> {
    const transaction = this.#database.transaction(stores, "readwrite");
    act((name) => transaction.objectStore(name));
    return new Promise((resolve, reject) => {
      const fail = (): void => reject(transaction.error ?? new Error("the browser keeps no more"));
      transaction.addEventListener("complete", () => resolve());
      transaction.addEventListener("abort", fail);
      transaction.addEventListener("error", fail);
    });
  }
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error ?? new Error("the browser keeps nothing")));
  });
}
