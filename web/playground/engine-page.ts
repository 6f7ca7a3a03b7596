/**
 * The engine that runs beside the page's server: what it runs on, what is running, and what to try next.
 *
 * It asks its own server for a report every few seconds while it can be seen. There are four things it can have to say:
 * it has not heard yet, an engine runs, no engine runs (and why), or its own server is gone.
 */
import { html, LitElement, type TemplateResult } from "lit";
import { colours } from "./colours.ts";
import { commandList } from "./command-list.ts";
import { engineFacts } from "./engine-facts.ts";
import type { EngineReport } from "./report.ts";
import { containerTable, imageTable } from "./tables.ts";
import { pageStyles } from "./page-styles.ts";

type Known = EngineReport | "nothing yet" | "server gone";

const askEveryMs = 3000;

export class EnginePage extends LitElement {
  static override styles = [colours, pageStyles];
  static override properties = { known: { state: true } };

  declare known: Known;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    super();
    this.known = "nothing yet";
  }

  override connectedCallback(): void {
    super.connectedCallback();
    document.addEventListener("visibilitychange", this.#look);
    this.#look();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    document.removeEventListener("visibilitychange", this.#look);
    clearTimeout(this.#timer);
  }

  /** Asks now, and again and again as long as somebody can see the answer. */
  readonly #look = (): void => {
    clearTimeout(this.#timer);
    if (document.hidden) return;
    void askForReport().then((known) => {
      this.known = known;
      if (this.isConnected) this.#timer = setTimeout(this.#look, askEveryMs);
    });
  };

  override render(): TemplateResult {
    return html`<section aria-label="The engine on this machine">${body(this.known)}</section>`;
  }
}

async function askForReport(): Promise<Known> {
  try {
    const response = await fetch("engine.json", { cache: "no-store" });
    if (!response.ok) return "server gone";
    // The page's own server wrote it: report.ts is the agreement between the two.
    return (await response.json()) as EngineReport;
  } catch {
    return "server gone";
  }
}

function body(known: Known): TemplateResult {
  if (known === "nothing yet") return html`<p role="status">Asking the engine …</p>`;
  if (known === "server gone") {
    return html`${state("off", "This page has lost its server")}
      <p>Start it again with <code>npm start</code> in the checkout. Containers that run go on without it.</p>`;
  }
  if (known.state === "absent") {
    return html`${state("off", "No engine is running")}
      <p>${known.why}</p>
      <p><strong>What to do:</strong> ${known.remedy}</p>
      ${commandList(known.commands)}`;
  }
  return html`${state("on", `The engine is running, version ${known.version}`)} ${engineFacts(known)}
    ${commandList(known.commands)} ${containerTable(known.containers)} ${imageTable(known.images)}`;
}

function state(light: "on" | "off", text: string): TemplateResult {
  return html`<p role="status" class="state ${light}"><span aria-hidden="true"></span>${text}</p>`;
}

customElements.define("engine-page", EnginePage);
