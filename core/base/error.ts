/**
 * An error that a user can meet: a stable code, a message that names the thing and says what to
 * do, and the data behind it. It survives JSON (a worker's boundary, the wire). Our own mistakes
 * are not errors of this kind: they are failed assertions (assert.ts).
 *
 * The API maps `code` to an HTTP status in one place; the command line maps it to an exit code.
 */
export type ErrorCode =
  | "invalid" //      what was asked makes no sense as written            (400)
  | "not-found" //    the named thing does not exist                      (404)
  | "unauthorized" // a registry does not know who asks                    (401)
  | "conflict" //     the thing is in a state that forbids this           (409)
  | "not-modified" // the thing is already so                             (304)
  | "forbidden" //    never allowed, whatever the state                   (403)
  | "unsupported" //  this machine or version cannot do it                (501)
  | "unavailable" //  it may work later                                   (503)
  | "cannot-start" // the program could not be executed: data.exitCode    (400)
  | "corrupt" //      bytes that do not say what they promise             (400)
  | "failed"; //      the machine refused: disk full, I/O error, …        (500)

export type ErrorData = Readonly<Record<string, string | number | boolean | null>>;

export class TsboxError extends Error {
  override readonly name = "TsboxError";
  readonly code: ErrorCode;
  readonly data: ErrorData;

  constructor(code: ErrorCode, message: string, data: ErrorData = {}, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.data = data;
  }

  toJSON(): { code: ErrorCode; message: string; data: ErrorData } {
    return { code: this.code, message: this.message, data: this.data };
  }
}

/** The message of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
