/**
 * The playground: a terminal of the simulated host, and panes that show what is in there. Panes only
 * look; whoever wants something done types it, and buttons type for him.
 */
import { css, html, LitElement, type TemplateResult } from "lit";
import type { HostView } from "../../host/lens.ts";
import { colours } from "./colours.ts";
import "./image-pane.ts";
import type { ImagePane } from "./image-pane.ts";
import "./terminal-pane.ts";
import type { TerminalPane } from "./terminal-pane.ts";
import type { LayersPane } from "./layers-pane.ts";
import "./timeline-bar.ts";
import "./tab-set.ts";
import type { Tab, TabSet } from "./tab-set.ts";

const tabs: readonly Tab[] = [
  { key: "image", label: "Image" },
  { key: "layers", label: "Layers" },
  { key: "processes", label: "Processes" },
  { key: "plan", label: "Plan" },
  { key: "machine", label: "This machine" },
];

const lenses = new Set(["layers", "processes", "plan"]);
const lookEveryMs = 1000;

/** Panes that are loaded when they are first looked at. */
const lazyPanes: Readonly<Record<string, () => Promise<unknown>>> = {
  layers: () => import("./layers-pane.ts"),
  processes: () => import("./process-pane.ts"),
  plan: () => import("./plan-pane.ts"),
  machine: () => import("./engine-page.ts"),
};

const suggestions = [
  { label: "images", command: "tsbox images" },
  { label: "run", command: "tsbox run hello" },
  { label: "shell in a container", command: "tsbox run -it --name box alpine" },
  { label: "diff", command: "tsbox diff box" },
  { label: "save", command: "tsbox save -o alpine.tar alpine && download alpine.tar" },
] as const;

export class TsbPlayground extends LitElement {
  static override styles = [
    colours,
    css`
    :host {
      display: flex;
      flex-direction: column;
      box-sizing: border-box;
      height: 100dvh;
      padding: 0.6rem 1rem;
      color: var(--ink);
    }
    :host([dropping]) {
      outline: 4px dashed var(--accent);
      outline-offset: -8px;
    }
    header {
      display: flex;
      flex-wrap: wrap;
      align-items: baseline;
      gap: 0.2rem 1rem;
    }
    h1 {
      margin: 0;
      font-size: 1.4rem;
      letter-spacing: -0.02em;
    }
    header p {
      margin: 0;
      color: var(--faint);
    }
    main {
      display: grid;
      flex: 1;
      min-height: 0;
      margin-top: 0.5rem;
      gap: 1rem;
      grid-template: minmax(0, 1fr) / minmax(0, 3fr) minmax(0, 2fr);
    }
    @media (max-width: 60rem) {
      :host {
        height: auto;
        min-height: 100dvh;
      }
      main {
        grid-template: 70dvh auto / minmax(0, 1fr);
      }
    }
    timeline-bar {
      margin-top: 0.5rem;
    }
  `,
  ];
  static override properties = {
    dropping: { type: Boolean, reflect: true },
    selected: { state: true },
    view: { state: true },
    events: { state: true },
    enters: { state: true },
    event: { state: true },
  };

  declare dropping: boolean;
  /** The pane that is looked at. */
  declare selected: string;
  declare view: HostView | null;
  /** How many events the session has, and those at which Enter was pressed. */
  declare events: number;
  declare enters: readonly number[];
  /** The event before which the lenses look; null: now. */
  declare event: number | null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    super();
    this.dropping = false;
    this.selected = "image";
    this.view = null;
    this.events = 0;
    this.enters = [];
    this.event = null;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    document.addEventListener("visibilitychange", this.#look);
    window.addEventListener("dragover", this.#dragged);
    window.addEventListener("dragleave", this.#left);
    window.addEventListener("drop", this.#dropped);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#timer);
    document.removeEventListener("visibilitychange", this.#look);
    window.removeEventListener("dragover", this.#dragged);
    window.removeEventListener("dragleave", this.#left);
    window.removeEventListener("drop", this.#dropped);
  }

  override render(): TemplateResult {
    return html`
      <header>
        <h1>tsbox</h1>
        <p>Containers you can see through.</p>
      </header>
      <main>
        <terminal-pane
          role="region"
          aria-label="Terminal"
          .suggestions=${suggestions}
          @terminal-left=${this.#leaveTerminal}
        ></terminal-pane>
        <tab-set .tabs=${tabs} .selected=${this.selected} @tab-selected=${this.#selected}>
          <image-pane slot="image" @file-chosen=${this.#chosen}></image-pane>
          <layers-pane slot="layers" .view=${this.view} .union=${this.#union}></layers-pane>
          <process-pane slot="processes" .view=${this.view}></process-pane>
          <plan-pane slot="plan" .view=${this.view}></plan-pane>
          <engine-page slot="machine"></engine-page>
        </tab-set>
      </main>
      <timeline-bar
        role="region"
        aria-label="Timeline"
        .events=${this.events}
        .enters=${this.enters}
        .event=${this.event}
        .time=${this.event === null ? null : (this.view?.now ?? null)}
        @event-chosen=${this.#travelled}
        @go-on=${this.#goOn}
      ></timeline-bar>
    `;
  }

  get #terminal(): TerminalPane | null {
    return this.renderRoot.querySelector<TerminalPane>("terminal-pane");
  }

  readonly #selected = ({ detail }: CustomEvent<string>): void => {
    this.selected = detail;
    void lazyPanes[detail]?.();
    this.#look();
  };

  /** Looks now, and again and again as long as somebody can see it. */
  readonly #look = (): void => {
    clearTimeout(this.#timer);
    if (document.hidden) return;
    const again = (): void => {
      if (this.isConnected) this.#timer = setTimeout(this.#look, lookEveryMs);
    };
    this.#lookOnce().then(again, again);
  };

  async #lookOnce(): Promise<void> {
    const machine = this.#terminal?.machine;
    if (machine === null || machine === undefined) return;
    [this.events, this.enters] = await Promise.all([machine.events(), machine.enters()]);
    if (!lenses.has(this.selected) && this.event === null) return;
    const { event } = this;
    const view = await machine.look(event ?? undefined);
    if (event === this.event) this.view = view;
  }

  readonly #union: LayersPane["union"] = async (layers, path, top) =>
    (await this.#terminal?.machine?.list(layers, path, top, this.event ?? undefined)) ?? [];

  /** The lenses look at another moment. */
  readonly #travelled = ({ detail }: CustomEvent<number | null>): void => {
    // Whoever looks back may want to go on from there; if that is not possible he is told when he tries.
    if (this.event === null) this.#terminal?.machine?.prepare().catch(() => {});
    this.event = detail;
    this.#look();
  };

  readonly #goOn = async (): Promise<void> => {
    if (this.event !== null) await this.#terminal?.goOnFrom(this.event);
    this.event = null;
    this.#look();
  };

  readonly #dragged = (event: DragEvent): void => {
    event.preventDefault();
    this.dropping = true;
  };

  readonly #left = (): void => {
    this.dropping = false;
  };

  readonly #dropped = (event: DragEvent): void => {
    event.preventDefault();
    this.dropping = false;
    const [file] = event.dataTransfer?.files ?? [];
    if (file !== undefined) this.open(file);
  };

  readonly #chosen = (event: CustomEvent<File>): void => {
    event.preventDefault();
    this.open(event.detail);
  };

  readonly #leaveTerminal = (): void => {
    this.renderRoot.querySelector<TabSet>("tab-set")?.focus();
  };

  /** Goes to a pane. */
  show(pane: string): void {
    this.renderRoot.querySelector<TabSet>("tab-set")?.select(pane);
  }

  /** Shows an image archive, and loads it into the machine's engine. */
  open(file: File): void {
    this.show("image");
    void this.renderRoot.querySelector<ImagePane>("image-pane")?.open(file, file.name);
    const command = `tsbox load -i ${quoted(file.name)}`;
    void this.#terminal?.give(file, command);
  }
}

/** A word for the shell; a name that could be taken for a flag is a path. */
function quoted(name: string): string {
  const path = name.startsWith("-") ? `./${name}` : name;
  return /^[\w./:-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

customElements.define("tsb-playground", TsbPlayground);
