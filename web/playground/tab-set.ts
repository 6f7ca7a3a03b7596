/**
 * Tabs by the pattern of the ARIA Authoring Practices: one tab is in the order of the Tab key, arrows,
 * Home and End go among them. Panels are the element's children, each with `slot` as the tab's key.
 */
import { css, html, LitElement, type TemplateResult } from "lit";

export interface Tab {
  readonly key: string;
  readonly label: string;
}

export class TabSet extends LitElement {
  static override styles = css`
    :host {
      display: flex;
      flex-direction: column;
      min-height: 0;
    }
    [role="tablist"] {
      display: flex;
      flex-wrap: wrap;
      gap: 0.25rem;
      border-bottom: 1px solid var(--line);
    }
    button {
      font: inherit;
      min-height: 2rem;
      padding: 0.2rem 0.8rem;
      color: var(--faint);
      background: none;
      border: 0;
      border-bottom: 3px solid transparent;
      cursor: pointer;
    }
    button[aria-selected="true"] {
      color: var(--ink);
      border-bottom-color: var(--accent);
    }
    :focus-visible {
      outline: 3px solid var(--accent);
      outline-offset: -3px;
    }
    [role="tabpanel"] {
      flex: 1;
      min-height: 0;
      overflow: auto;
      padding: 0.8rem 0.2rem;
    }
    [hidden] {
      display: none;
    }
  `;
  static override properties = { tabs: { attribute: false }, selected: { attribute: false } };

  declare tabs: readonly Tab[];
  declare selected: string;

  constructor() {
    super();
    this.tabs = [];
    this.selected = "";
  }

  /** Moves the focus to the selected tab. */
  override focus(): void {
    this.renderRoot.querySelector<HTMLElement>(`#tab-${this.selected}`)?.focus();
  }

  /** Selects a tab and tells of it by the event "tab-selected". */
  select(key: string): void {
    this.selected = key;
    this.dispatchEvent(new CustomEvent("tab-selected", { detail: key }));
  }

  override render(): TemplateResult {
    return html`<div role="tablist" @keydown=${this.#move}>
        ${this.tabs.map(
          ({ key, label }) => html`<button
            type="button"
            role="tab"
            id="tab-${key}"
            aria-controls="panel-${key}"
            aria-selected=${key === this.selected}
            tabindex=${key === this.selected ? 0 : -1}
            @click=${() => this.select(key)}
          >
            ${label}
          </button>`,
        )}
      </div>
      ${this.tabs.map(
        ({
          key,
        }) => html`<div role="tabpanel" id="panel-${key}" aria-labelledby="tab-${key}" ?hidden=${key !== this.selected}>
          <slot name=${key}></slot>
        </div>`,
      )}`;
  }

  readonly #move = (event: KeyboardEvent): void => {
    const at = this.tabs.findIndex(({ key }) => key === this.selected);
    const next = this.tabs.at(neighbour(event.key, at, this.tabs.length));
    if (next === undefined || next.key === this.selected) return;
    event.preventDefault();
    this.select(next.key);
    void this.updateComplete.then(() => this.focus());
  };
}

function neighbour(key: string, at: number, count: number): number {
  switch (key) {
    case "ArrowRight":
      return (at + 1) % count;
    case "ArrowLeft":
      return at - 1;
    case "Home":
      return 0;
    case "End":
      return -1;
    default:
      return at;
  }
}

customElements.define("tab-set", TabSet);
