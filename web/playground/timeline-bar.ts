/**
 * The session as a line of events. While an event is chosen the lenses show what was there just before it, and the
 * machine runs on; a press takes the session back there, and it goes on another way.
 */
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { count } from "./format.ts";
import { paneStyles } from "./pane-styles.ts";

/** More would stand too close to be told apart. */
const ticksMax = 100;

export class TimelineBar extends LitElement {
  static override styles = [
    paneStyles,
    css`
      input {
        flex: 1;
        min-width: 8rem;
        accent-color: var(--accent);
      }
      output {
        min-width: 12rem;
      }
    `,
  ];
  static override properties = {
    events: { attribute: false },
    enters: { attribute: false },
    event: { attribute: false },
    time: { attribute: false },
  };

  /** How many there were. */
  declare events: number;
  /** Those at which Enter was pressed: before each of them the one before has been carried out. */
  declare enters: readonly number[];
  /** The one that is chosen; null: now. */
  declare event: number | null;
  /** The machine's clock at the one that is chosen, in nanoseconds since the epoch. */
  declare time: bigint | null;

  constructor() {
    super();
    this.events = 0;
    this.enters = [];
    this.event = null;
    this.time = null;
  }

  override render(): TemplateResult {
    const at = this.event ?? this.events;
    const back = this.enters.findLast((event) => event < at);
    const on = this.enters.find((event) => event > at);
    return html`<div class="row">
      <button type="button" ?disabled=${back === undefined} @click=${() => this.#choose(back ?? 0)}>
        command back
      </button>
      <input
        type="range"
        aria-label="Moment"
        aria-valuetext=${this.#said()}
        min="0"
        max=${this.events}
        list="enters"
        .value=${String(at)}
        @input=${this.#moved}
      />
      <datalist id="enters">${this.enters.slice(-ticksMax).map((event) => html`<option value=${event}></option>`)}</datalist>
      <button type="button" ?disabled=${this.event === null} @click=${() => this.#choose(on ?? null)}>command on</button>
      <output class=${this.event === null ? "faint" : ""}>${this.#said()}</output>
      ${this.event === null ? nothing : this.#ways()}
    </div>`;
  }

  #ways(): TemplateResult {
    return html`<button type="button" @click=${() => this.#choose(null)}>now</button>
      <button type="button" @click=${() => this.dispatchEvent(new CustomEvent("go-on"))}>go on from here</button>`;
  }

  #said(): string {
    if (this.event === null) return `now, after ${count(this.events, "event")}`;
    const time = this.time === null ? "" : `, ${new Date(Number(this.time / 1_000_000n)).toLocaleTimeString()}`;
    return `before event ${this.event} of ${this.events}${time}`;
  }

  readonly #moved = ({ currentTarget }: Event): void => {
    const chosen = (currentTarget as HTMLInputElement).valueAsNumber;
    this.#choose(chosen < this.events ? chosen : null);
  };

  /** The event, or null for now, is the listener's to take up. */
  #choose(event: number | null): void {
    this.dispatchEvent(new CustomEvent<number | null>("event-chosen", { detail: event }));
  }
}

customElements.define("timeline-bar", TimelineBar);
