/**
 * The layers of a container, the writable one on top, and the files of their union with the layer each
 * comes from: a file of the image that was written to is a copy in the container's layer (copy-up), one
 * that was removed is hidden there (whiteout).
 */
import { html, LitElement, nothing, type TemplateResult } from "lit";
import type { ContainerView, HostView, LayerView } from "../../host/lens.ts";
import "./file-table.ts";
import type { ListDirectory } from "./file-table.ts";
import { layerTable } from "./layer-table.ts";
import { paneStyles } from "./pane-styles.ts";

export class LayersPane extends LitElement {
  static override styles = paneStyles;
  static override properties = {
    view: { attribute: false },
    union: { attribute: false },
    chosen: { state: true },
    top: { state: true },
    list: { state: true },
  };

  declare view: HostView | null;
  /** The names in a directory of a union of layers. */
  declare union: (layers: readonly LayerView[], ...where: Parameters<ListDirectory>) => ReturnType<ListDirectory>;
  declare chosen: string;
  /** How many layers are looked at, from the bottom; null: all. */
  declare top: number | null;
  declare list: ListDirectory;

  constructor() {
    super();
    this.view = null;
    this.union = () => Promise.resolve([]);
    this.chosen = "";
    this.top = null;
    this.list = () => Promise.resolve([]);
  }

  get #container(): ContainerView | undefined {
    const containers = this.view?.containers ?? [];
    return containers.find(({ id }) => id === this.chosen) ?? containers[0];
  }

  #shown = "";

  /** Another container, or another view of the same: its directory is read anew. */
  override willUpdate(changed: ReadonlyMap<PropertyKey, unknown>): void {
    const container = this.#container;
    if (container === undefined || !(changed.has("view") || changed.has("chosen"))) return;
    const shown = `${container.id} ${container.state} ${this.view?.turns}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    const { layers } = container;
    this.list = (path, top) => this.union(layers, path, top);
  }

  override render(): TemplateResult {
    const container = this.#container;
    if (container === undefined)
      return html`<h2>Layers of a container</h2>
        <p class="faint">There is no container yet. Type <code>tsbox run -it --name box busybox sh</code> and write something.</p>`;
    const { layers } = container;
    const top = Math.min(this.top ?? layers.length - 1, layers.length - 1);
    return html`<h2>Layers of a container</h2>
      ${this.#choice(container)} ${this.#stack(layers, top)}
      <h2>Files</h2>
      <file-table .list=${this.list} .top=${top} .layerNames=${layers.map(layerName)} .key=${container.id}></file-table>`;
  }

  #choice(container: ContainerView): TemplateResult {
    const containers = this.view?.containers ?? [];
    const changed = ({ currentTarget }: Event): void => {
      this.chosen = (currentTarget as HTMLSelectElement).value;
      this.top = null;
    };
    return html`<p class="row">
      <label for="container">Container</label>
      <select id="container" @change=${changed}>
        ${containers.map(
          ({ id, name, image, state }) =>
            html`<option value=${id} ?selected=${id === container.id}>${name}: ${image}, ${state}</option>`,
        )}
      </select>
    </p>`;
  }

  #stack(layers: readonly LayerView[], top: number): TemplateResult {
    const rows = layers.map((layer, number) => ({
      name: layerName(layer, number),
      cells: html`<td>${place(layer)}</td>`,
    }));
    return layerTable(["Where it lies on the simulated host"], rows, top, (layer) => (this.top = layer));
  }
}

function place({ diffId, path }: LayerView): TemplateResult {
  return html`${diffId === "" ? nothing : html`<code>${diffId.slice(0, 19)}</code><br />`}<code class="faint">${path}</code>`;
}

function layerName({ kind }: LayerView, number: number): string {
  switch (kind) {
    case "init":
      return "init layer";
    case "image":
      return `image layer ${number}`;
    case "container":
      return "container (writable)";
  }
}

customElements.define("layers-pane", LayersPane);
