/**
 * One directory of a union: each name with the layer it comes from, what it covers, and who hides it.
 * Where the names come from is the caller's; whatever is in a name is shown as text.
 */
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import type { Origin } from "../../core/unionfs/origin.ts";
import { formatBytes } from "./format.ts";
import { paneStyles } from "./pane-styles.ts";

/** Names of a directory as of the layers 0…`top`. */
export type ListDirectory = (path: string, top: number) => Promise<readonly Origin[]>;

/** More rows than this make a page slow; the rest is a click away. */
const rowsMax = 500;

export class FileTable extends LitElement {
  static override styles = [
    paneStyles,
    css`
      .path {
        display: flex;
        flex-wrap: wrap;
        gap: 0.15rem;
        align-items: center;
      }
      .hidden {
        text-decoration: line-through;
      }
    `,
  ];
  static override properties = {
    list: { attribute: false },
    top: { attribute: false },
    layerNames: { attribute: false },
    key: { attribute: false },
    path: { state: true },
    origins: { state: true },
    shown: { state: true },
  };

  declare list: ListDirectory;
  declare top: number;
  /** What the layers are called, bottom first. */
  declare layerNames: readonly string[];
  /** What the directory is of: another one begins at its root. */
  declare key: string;
  declare path: string;
  declare origins: readonly Origin[];
  declare shown: number;
  #asked = 0;

  constructor() {
    super();
    this.list = () => Promise.resolve([]);
    this.top = 0;
    this.layerNames = [];
    this.key = "";
    this.path = "";
    this.origins = [];
    this.shown = rowsMax;
  }

  override willUpdate(changed: ReadonlyMap<PropertyKey, unknown>): void {
    if (changed.has("key")) this.path = "";
    if (changed.has("list") || changed.has("top") || changed.has("path")) void this.#load();
  }

  async #load(): Promise<void> {
    const asked = ++this.#asked;
    const origins = await this.list(this.path, this.top);
    if (asked !== this.#asked) return;
    this.origins = origins;
  }

  override render(): TemplateResult {
    const more = this.origins.length - this.shown;
    return html`
      <nav class="path" aria-label="Path">${this.#crumbs()}</nav>
      <div class="scroll" role="region" aria-label="Files" tabindex="0">
        <table>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col" class="number">Size</th>
              <th scope="col">From</th>
              <th scope="col">Story</th>
            </tr>
          </thead>
          <tbody>
            ${this.origins.slice(0, this.shown).map((origin) => this.#row(origin))}
          </tbody>
        </table>
      </div>
      ${this.origins.length === 0 ? html`<p>Nothing is in this directory.</p>` : nothing}
      ${more > 0 ? html`<button type="button" @click=${() => (this.shown += rowsMax)}>Show ${more} more</button>` : nothing}
    `;
  }

  #enter(path: string): void {
    this.path = path;
    this.shown = rowsMax;
  }

  #crumbs(): TemplateResult[] {
    const names = this.path.split("/").filter((name) => name !== "");
    const crumb = (label: string, path: string, last: boolean): TemplateResult =>
      html`<button type="button" class="quiet" aria-current=${last ? "location" : nothing} @click=${() => this.#enter(path)}>
        ${label}
      </button>`;
    return [
      crumb("/", "", names.length === 0),
      ...names.map((name, at) => crumb(`${name}/`, names.slice(0, at + 1).join("/"), at === names.length - 1)),
    ];
  }

  #row(origin: Origin): TemplateResult {
    const { name, entry, layer } = origin;
    return html`<tr>
      <th scope="row">${this.#name(origin)}</th>
      <td class="number">${entry?.kind === "file" ? formatBytes(entry.size) : ""}</td>
      <td>${this.layerNames[layer] ?? `layer ${layer}`}</td>
      <td>${this.#story(origin, name)}</td>
    </tr>`;
  }

  #name({ name, entry }: Origin): TemplateResult {
    if (entry === null) return html`<span class="hidden">${name}</span>`;
    const path = this.path === "" ? name : `${this.path}/${name}`;
    if (entry.kind === "directory")
      return html`<button type="button" class="quiet" @click=${() => this.#enter(path)}>${name}/</button>`;
    return html`${name}${entry.target === "" ? nothing : html` <span class="faint">→ ${entry.target}</span>`}`;
  }

  /** The letters are dive's and git's: what happened is never told by colour alone. */
  #story({ entry, covers, hiddenBy }: Origin, name: string): TemplateResult | typeof nothing {
    const called = (layer: number): string => this.layerNames[layer] ?? `layer ${layer}`;
    if (hiddenBy !== null) return html`<abbr title="whiteout">W</abbr> ${name} is hidden by ${called(hiddenBy)}`;
    if (covers.length === 0) return nothing;
    const below = covers.map(called).join(", ");
    return entry?.kind === "directory"
      ? html`merged with ${below}`
      : html`<abbr title="modified">M</abbr> covers the one of ${below}`;
  }
}

customElements.define("file-table", FileTable);
