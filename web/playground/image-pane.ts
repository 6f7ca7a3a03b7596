/**
 * The image pane: an image archive, dropped, chosen or fetched, as its documents, its layers and the
 * files of their union. Choosing a layer shows the union as it was when that layer was on top.
 */
import { type Remote, wrap } from "comlink";
import { html, LitElement, nothing, type TemplateResult } from "lit";
import type { Explanation, LayerStep } from "../../core/image/explain.ts";
import type { InspectedImage, InspectedLayer } from "../../host/inspect.ts";
import "./file-table.ts";
import type { ListDirectory } from "./file-table.ts";
import { count, formatBytes } from "./format.ts";
import type { Inspector } from "./inspector.ts";
import { layerTable } from "./layer-table.ts";
import { paneStyles } from "./pane-styles.ts";

type Shown =
  | { readonly state: "nothing" }
  | { readonly state: "reading"; readonly what: string }
  | { readonly state: "trouble"; readonly message: string }
  | { readonly state: "open"; readonly what: string; readonly images: readonly InspectedImage[]; readonly ms: number };

export class ImagePane extends LitElement {
  static override styles = paneStyles;
  static override properties = {
    shown: { state: true },
    chosen: { state: true },
    top: { state: true },
    list: { state: true },
  };

  declare shown: Shown;
  declare chosen: number;
  declare top: number;
  declare list: ListDirectory;
  #worker: Worker | null = null;
  #inspector: Remote<Inspector> | null = null;

  constructor() {
    super();
    this.shown = { state: "nothing" };
    this.#choose(0);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#dismiss();
  }

  /** Shows the images of an archive. Never throws: what is wrong is shown. */
  async open(archive: Blob, name: string): Promise<void> {
    await this.#show(name, (inspector) => inspector.open(archive));
  }

  async load(url: string): Promise<void> {
    await this.#show(url, (inspector) => inspector.fetch(url));
  }

  /** A worker for each archive: what the last one held is given back at once, and a stalled one ends. */
  async #show(what: string, read: (inspector: Remote<Inspector>) => Promise<readonly InspectedImage[]>): Promise<void> {
    this.#dismiss();
    this.shown = { state: "reading", what };
    const worker = new Worker(new URL("./inspector.ts", import.meta.url), { type: "module" });
    this.#worker = worker;
    this.#inspector = wrap<Inspector>(worker);
    const started = performance.now();
    const shown = await Promise.race([this.#read(what, read(this.#inspector), started), failureOf(worker)]);
    if (this.#worker === worker) this.shown = shown;
  }

  async #read(what: string, images: Promise<readonly InspectedImage[]>, started: number): Promise<Shown> {
    try {
      return { state: "open", what, images: await images, ms: performance.now() - started };
    } catch (thrown) {
      return { state: "trouble", message: `${what}: ${thrown instanceof Error ? thrown.message : String(thrown)}` };
    }
  }

  #dismiss(): void {
    this.#worker?.terminate();
    this.#worker = null;
    this.#inspector = null;
  }

  #choose(image: number): void {
    this.chosen = image;
    this.list = async (path, top) => (await this.#inspector?.list(image, path, top)) ?? [];
    this.top = this.shown.state === "open" ? (this.shown.images[image]?.layers.length ?? 1) - 1 : 0;
  }

  override willUpdate(changed: ReadonlyMap<PropertyKey, unknown>): void {
    if (changed.has("shown")) this.#choose(0);
  }

  override render(): TemplateResult {
    return html`${this.#chooser()}
      <div role="status" aria-live="polite">${this.#status()}</div>
      ${this.shown.state === "open" ? this.#image(this.shown.images) : nothing}`;
  }

  #chooser(): TemplateResult {
    const chosen = ({ currentTarget }: Event): void => {
      const [file] = (currentTarget as HTMLInputElement).files ?? [];
      if (file === undefined) return;
      // The page may want it for the machine as well, and then opens it here itself.
      const event = new CustomEvent("file-chosen", { detail: file, cancelable: true });
      if (this.dispatchEvent(event)) void this.open(file, file.name);
    };
    const submitted = (event: SubmitEvent): void => {
      event.preventDefault();
      const url = new FormData(event.currentTarget as HTMLFormElement).get("url");
      if (typeof url === "string" && url !== "") void this.load(new URL(url, document.baseURI).href);
    };
    return html`<p class="row">
        <label>Image archive <input type="file" accept=".tar,.gz,.tgz,.zst" @change=${chosen} /></label>
      </p>
      <form class="row" @submit=${submitted}>
        <label for="url">or at</label>
        <input id="url" name="url" type="url" placeholder="https://…/image.tar" required />
        <button>Open</button>
      </form>`;
  }

  #status(): TemplateResult | typeof nothing {
    switch (this.shown.state) {
      case "nothing":
        return html`<p class="faint">What <code>docker save</code> or <code>skopeo copy … oci-archive:</code> wrote.
          Drop it anywhere on this page. It stays in this browser.</p>`;
      case "reading":
        return html`<p>Reading ${this.shown.what} …</p>`;
      case "trouble":
        return html`<p class="trouble">${this.shown.message}</p>`;
      case "open":
        return html`<p class="faint">${this.shown.what}: read and verified in ${Math.round(this.shown.ms)} ms</p>`;
    }
  }

  #image(images: readonly InspectedImage[]): TemplateResult | typeof nothing {
    const image = images[this.chosen];
    if (image === undefined) return nothing;
    const names = image.layers.map((_layer, at) => `layer ${at}`);
    return html`${images.length > 1 ? this.#imageChoice(images) : nothing}
      <h2>${title(image)}</h2>
      <dl>
        <dt>Platform</dt>
        <dd>${image.platform}</dd>
        <dt>Created</dt>
        <dd>${image.created === "" ? "the image does not say" : image.created}</dd>
      </dl>
      <h2>From the name to the bytes</h2>
      ${ladder(image.ladder)}
      <h2>Layers</h2>
      ${this.#layers(image.layers, image.ladder.layers)}
      <h2>Files, with ${count(this.top + 1, "layer")}</h2>
      <file-table .list=${this.list} .top=${this.top} .layerNames=${names} .key=${image.id}></file-table>`;
  }

  #imageChoice(images: readonly InspectedImage[]): TemplateResult {
    const changed = ({ currentTarget }: Event): void =>
      this.#choose((currentTarget as HTMLSelectElement).selectedIndex);
    return html`<p class="row">
      <label for="which">Image</label>
      <select id="which" @change=${changed}>
        ${images.map((image) => html`<option>${title(image)}</option>`)}
      </select>
    </p>`;
  }

  #layers(layers: readonly InspectedLayer[], steps: readonly LayerStep[]): TemplateResult {
    const rows = layers.map((layer, number) => ({ name: `layer ${number}`, cells: cells(layer, steps[number]) }));
    return layerTable(["Digest", "Size", "Entries"], rows, this.top, (layer) => (this.top = layer));
  }
}

function cells({ digest, diffId, ...layer }: InspectedLayer, step: LayerStep | undefined): TemplateResult {
  return html`<td>
      <code>${digest}</code>
      ${diffId === digest ? nothing : html`<br /><span class="faint">diff id <code>${diffId}</code></span>`}
      <br /><span class="faint">${layer.createdBy}</span>
      ${how(step)}
    </td>
    <td class="number">
      ${formatBytes(layer.blobBytes)}${layer.compression === "none" ? nothing : html`<br />${layer.compression}`}
    </td>
    <td class="number">${layer.files}${layer.hidden > 0 ? html`<br />${layer.hidden} hiding` : nothing}</td>`;
}

/** Each document on the way, its bytes, and how its digest comes about. */
function ladder({ typed, name, documents, configId, manifestId }: Explanation): TemplateResult {
  return html`<ol class="ladder">
      <li><strong>${typed}</strong>${name === null || name === typed ? nothing : html` means <code>${name}</code>`}</li>
      ${documents.map(
        ({ kind, digest, size, mediaType, how: way, text }) => html`<li>
          <strong>${kind}</strong> <code>${digest}</code>
          <br /><span class="faint">${formatBytes(size)}, ${mediaType}. ${way}.</span>
          <details>
            <summary>its ${size} bytes</summary>
            <pre tabindex="0">${text}</pre>
          </details>
        </li>`,
      )}
    </ol>
    <dl>
      <dt>Image id in Docker's store</dt>
      <dd><code>${configId}</code>, the digest of the configuration</dd>
      <dt>Image id in containerd's stores</dt>
      <dd><code>${manifestId}</code>, the digest of the manifest or index</dd>
    </dl>`;
}

function how(step: LayerStep | undefined): TemplateResult | typeof nothing {
  if (step === undefined) return nothing;
  return html`<details>
    <summary>how its digests come about</summary>
    <p>${step.how}.</p>
    <p>Chain id <code>${step.chainId}</code>: ${step.howChain}.</p>
  </details>`;
}

function title({ names, id }: InspectedImage): string {
  return names.length === 0 ? id.slice(0, 19) : names.map(familiar).join(", ");
}

/** As docker shows names: "docker.io/library/busybox:latest" is busybox:latest. */
function familiar(name: string): string {
  return name.replace(/^docker\.io\/(library\/)?/, "");
}

/** A worker that breaks (out of memory, or a chunk that does not load) says so by an event, not by an answer. */
function failureOf(worker: Worker): Promise<Shown> {
  return new Promise((resolve) => {
    const fail = (event: Event): void => {
      event.preventDefault();
      const why =
        event instanceof ErrorEvent && event.message !== ""
          ? event.message
          : "it could not be started, or memory ran out";
      resolve({ state: "trouble", message: `the reader of images broke: ${why}` });
    };
    worker.addEventListener("error", fail);
    worker.addEventListener("messageerror", fail);
  });
}

customElements.define("image-pane", ImagePane);
