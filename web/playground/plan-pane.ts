/**
 * The plan of the container that was started last: the very object that was performed, one sentence a
 * step, its system calls unfolded on demand. `tsbox run --explain` prints the same.
 */
import { css, html, LitElement, type TemplateResult } from "lit";
import type { PlanStep } from "../../core/runtime/explain.ts";
import type { HostView } from "../../host/lens.ts";
import { count } from "./format.ts";
import { paneStyles } from "./pane-styles.ts";

export class PlanPane extends LitElement {
  static override styles = [
    paneStyles,
    css`
      ol {
        margin: 0.5rem 0;
        padding: 0;
        list-style: none;
      }
      li {
        padding: 0.25rem 0;
        border-top: 1px solid var(--line);
      }
      summary {
        overflow-wrap: anywhere;
      }
      li.inner {
        padding-left: 1.5rem;
      }
      summary {
        cursor: pointer;
      }
      pre {
        margin: 0.3rem 0;
        padding: 0.4rem 0.6rem;
        overflow-x: auto;
        background: var(--paper);
        border: 1px solid var(--line);
        border-radius: 0.35rem;
      }
    `,
  ];
  static override properties = { view: { attribute: false } };

  declare view: HostView | null;

  constructor() {
    super();
    this.view = null;
  }

  override render(): TemplateResult {
    const plan = this.view?.plan ?? null;
    if (plan === null)
      return html`<h2>The plan of the last start</h2>
        <p class="faint">Nothing was started yet. Type <code>tsbox run hello</code>.</p>`;
    return html`<h2>The plan of the last start</h2>
      <p class="faint">
        Container <code>${plan.container.slice(0, 12)}</code>: ${count(plan.steps.length, "step")}. The same object was
        checked, performed and is explained here.
      </p>
      <ol>
        ${plan.steps.map(step)}
      </ol>`;
  }
}

function step({ step: number, sentence, syscalls, man }: PlanStep): TemplateResult {
  const calls = syscalls.map(({ text, when }) => (when === undefined ? text : `${text}  # ${when}`)).join("\n");
  return html`<li class=${number.includes(".") ? "inner" : ""}>
    <details>
      <summary><span class="faint">${number}</span> ${sentence}</summary>
      <pre tabindex="0"><code>${calls}</code></pre>
      <span class="faint">man ${man}</span>
    </details>
  </li>`;
}

customElements.define("plan-pane", PlanPane);
