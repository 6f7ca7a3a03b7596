/** The kernel's own messages (syslog(2)): the newest ones, each with the time since boot. */
const messagesMax = 2000;
const nanosPerMicro = 1000n;

export class KernelLog {
  readonly #sinceBoot: () => bigint;
  #messages: string[] = [];

  constructor(sinceBoot: () => bigint) {
    this.#sinceBoot = sinceBoot;
  }

  add(message: string): void {
    const micros = this.#sinceBoot() / nanosPerMicro;
    const seconds = String(micros / 1_000_000n).padStart(5);
    this.#messages.push(`[${seconds}.${String(micros % 1_000_000n).padStart(6, "0")}] ${message}\n`);
    if (this.#messages.length > 2 * messagesMax) this.#messages = this.#messages.slice(-messagesMax);
  }

  get text(): string {
    return this.#messages.slice(-messagesMax).join("");
  }
}
