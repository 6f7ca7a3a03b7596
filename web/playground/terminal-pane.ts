/**
 * The terminal: xterm shows what the simulated console prints and sends what is typed, byte for byte.
 * The line discipline, echo and Ctrl-C are the simulated kernel's.
 */
import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import xtermStyles from "@xterm/xterm/css/xterm.css?inline";
import { css, html, LitElement, nothing, type TemplateResult, unsafeCSS } from "lit";
import type { Outside } from "./machine.ts";
import { type MachineLink, startMachine } from "./machine-link.ts";
import { paneStyles } from "./pane-styles.ts";

const encoder = new TextEncoder();
const revokeAfterMs = 60_000;
const dark = { background: "#0e1217", foreground: "#e4e9f0", cursor: "#7cb8ff", selectionBackground: "#3a5578" };
const light = {
  background: "#ffffff",
  foreground: "#1b2330",
  cursor: "#0b5bb5",
  selectionBackground: "#b9d4f5",
  green: "#17703a",
  yellow: "#7a5a00",
  brightWhite: "#53606f",
  white: "#53606f",
};
const fonts = 'ui-monospace, "DejaVu Sans Mono", monospace';

export class TerminalPane extends LitElement {
  static override styles = [
    unsafeCSS(xtermStyles),
    paneStyles,
    css`
      :host {
        display: flex;
        flex-direction: column;
        min-height: 0;
        gap: 0.4rem;
      }
      .screen {
        flex: 1;
        min-height: 12rem;
        padding: 0.4rem;
        overflow: hidden;
        background: light-dark(#ffffff, #0e1217);
        border: 1px solid var(--line);
        border-radius: 0.5rem;
      }
      .screen:focus-within {
        outline: 3px solid var(--accent);
        outline-offset: 1px;
      }
      .hint {
        margin: 0;
        font-size: 0.85em;
      }
    `,
  ];
  static override properties = { session: {}, trouble: { state: true }, suggestions: { attribute: false } };

  /** The name under which the browser keeps the session. */
  declare session: string;
  declare trouble: string;
  /** Commands to type with a press, each with what it shows. */
  declare suggestions: readonly { readonly command: string; readonly label: string }[];
  /** In lines of the font's own height the underscores of some fonts are cut off. */
  readonly #terminal = new Terminal({
    cursorBlink: true,
    fontFamily: fonts,
    fontSize: 14,
    lineHeight: 1.15,
    convertEol: false,
  });
  readonly #fit = new FitAddon();
  readonly #scheme = matchMedia("(prefers-color-scheme: dark)");
  #resized: ResizeObserver | null = null;
  #machine: MachineLink | null = null;

  constructor() {
    super();
    this.session = "tsbox";
    this.trouble = "";
    this.suggestions = [];
  }

  override firstUpdated(): void {
    const screen = this.renderRoot.querySelector<HTMLElement>(".screen");
    if (screen === null) return;
    this.#terminal.loadAddon(this.#fit);
    this.#dress();
    this.#terminal.open(screen);
    this.#fit.fit();
    this.#terminal.textarea?.setAttribute("aria-describedby", "leave");
    this.#terminal.attachCustomKeyEventHandler((event) => this.#isForMachine(event));
    this.#terminal.onData((text) => this.#type(encoder.encode(text)));
    this.#terminal.onBinary((text) => this.#type(Uint8Array.from(text, (char) => char.charCodeAt(0))));
    this.#terminal.onResize(({ rows, cols }) => this.#machine?.resize({ rows, columns: cols }));
    this.#resized = new ResizeObserver(() => this.#fit.fit());
    this.#resized.observe(screen);
    this.#scheme.addEventListener("change", this.#dress);
    void this.#boot();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#resized?.disconnect();
    this.#scheme.removeEventListener("change", this.#dress);
    this.#machine?.end();
    this.#machine = null;
  }

  async #boot(): Promise<void> {
    const { rows, cols } = this.#terminal;
    try {
      this.#machine = await startMachine(this.session, { rows, columns: cols }, this.#outside(), (why) => {
        this.trouble = why;
      });
    } catch (thrown) {
      this.trouble = `The simulated machine did not start: ${messageOf(thrown)}`;
    }
  }

  #outside(): Outside {
    return {
      screen: (bytes) =>
        new Promise((resolve) => {
          this.#terminal.write(bytes, resolve);
        }),
      offer: (name, content) => this.#take(new File([content], name)),
    };
  }

  /** Takes the session back to just before an event; from there it goes on another way. */
  async goOnFrom(event: number): Promise<void> {
    this.#terminal.reset();
    try {
      await this.#machine?.resume(event, this.#outside());
      this.#terminal.focus();
    } catch (thrown) {
      this.trouble = `The session could not be taken back: ${messageOf(thrown)}. Reload the page.`;
    }
  }

  /** The machine behind it, null until it has booted. */
  get machine(): MachineLink | null {
    return this.#machine;
  }

  /** A file that the machine hands out becomes a download, unless the page does something else with it. */
  #take(file: File): void {
    const event = new CustomEvent("file-offered", { detail: file, cancelable: true });
    if (!this.dispatchEvent(event)) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(file);
    link.download = file.name;
    link.click();
    // The browser has begun to read it by then.
    setTimeout(() => URL.revokeObjectURL(link.href), revokeAfterMs);
  }

  #type(bytes: Uint8Array): void {
    this.#machine?.type(bytes);
  }

  /** Forgets the session and boots another machine. */
  async #beginAnew(): Promise<void> {
    await this.#machine?.forget().catch(() => {});
    location.reload();
  }

  /** Takes everything but the last line off the screen. */
  clear(): void {
    this.#terminal.clear();
  }

  /** Types keys. */
  press(keys: string): void {
    this.#type(encoder.encode(keys));
  }

  /** Types a command and Enter, and goes there. */
  run(command: string): void {
    this.press(`${command}\r`);
    this.#terminal.focus();
  }

  /** Puts a file into the machine, then types a command that uses it. */
  async give(file: File, command: string): Promise<void> {
    await this.#machine?.addFile(file.name, file);
    this.run(command);
  }

  /** What was printed, line by line however wide the screen is, without the blank lines at the end. */
  get text(): string {
    const { active } = this.#terminal.buffer;
    const rows = Array.from({ length: active.length }, (_, at) => {
      const goesOn = active.getLine(at + 1)?.isWrapped === true;
      return `${active.getLine(at)?.translateToString(!goesOn) ?? ""}${goesOn ? "" : "\n"}`;
    });
    return rows.join("").trimEnd();
  }

  readonly #dress = (): void => {
    this.#terminal.options.theme = this.#scheme.matches ? dark : light;
  };

  /** The terminal takes the Tab key, so another one leads out of it (WCAG 2.1.2). */
  #isForMachine(event: KeyboardEvent): boolean {
    if (event.key !== "F6") return true;
    if (event.type === "keydown") this.dispatchEvent(new CustomEvent("terminal-left"));
    event.preventDefault();
    return false;
  }

  override render(): TemplateResult {
    return html`
      ${this.trouble === "" ? nothing : html`<p class="trouble" role="alert">${this.trouble}</p>`}
      <div class="screen"></div>
      <p class="hint faint" id="leave">Tab completes; F6 leaves the terminal.</p>
      <div class="row" role="group" aria-label="Commands to type">
        <button type="button" @click=${() => this.clear()}>clear</button>
        <button type="button" @click=${() => this.#beginAnew()}>new machine</button>
        ${this.suggestions.map(
          ({ command, label }) =>
            html`<button type="button" title=${command} @click=${() => this.run(command)}>${label}</button>`,
        )}
      </div>
    `;
  }
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

customElements.define("terminal-pane", TerminalPane);
