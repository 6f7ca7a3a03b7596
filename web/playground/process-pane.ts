/**
 * The processes of the simulated host and the namespaces they are in, as the kernel has them. Shown are
 * the namespaces that are not the host's: processes with the same number share one.
 */
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import type { HostView } from "../../host/lens.ts";
import type { ProcessView } from "../../host/moment.ts";
import { formatBytes } from "./format.ts";
import { paneStyles } from "./pane-styles.ts";

const kinds = ["mount", "uts", "ipc", "pid", "network", "user", "cgroup", "time"] as const;

export class ProcessPane extends LitElement {
  static override styles = [
    paneStyles,
    css`
      ul {
        display: flex;
        flex-wrap: wrap;
        gap: 0.25rem;
        margin: 0;
        padding: 0;
        list-style: none;
      }
      li {
        padding: 0 0.4rem;
        color: var(--good);
        border: 1px solid currentColor;
        border-radius: 0.35rem;
        font-size: 0.85em;
        white-space: nowrap;
      }
      th code {
        display: inline-block;
        min-width: 7rem;
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
    if (this.view === null) return html`<p class="faint">Asking the kernel …</p>`;
    const { processes } = this.view;
    const host = processes.find(({ pid }) => pid === 1);
    return html`<h2>Processes and their namespaces</h2>
      <p class="faint">
        A container is a process of the host. The numbers are those of <code>readlink /proc/PID/ns/…</code>; who has the
        same one shares that namespace.
      </p>
      <div class="scroll" role="region" aria-label="Processes" tabindex="0">
        <table>
          <thead>
            <tr>
              <th scope="col">PID</th>
              <th scope="col">Command</th>
              <th scope="col">Namespaces that are not the host's</th>
              <th scope="col" class="number">Memory</th>
            </tr>
          </thead>
          <tbody>
            ${processes.map((process) => row(process, host))}
          </tbody>
        </table>
      </div>`;
  }
}

function row(process: ProcessView, host: ProcessView | undefined): TemplateResult {
  const { pid, ownPid, command, standIn, state, namespaces, memoryBytes, cgroup } = process;
  const own = kinds.flatMap((kind, at) =>
    namespaces[at] === host?.namespaces[at] ? [] : [`${kind} ${namespaces[at]}`],
  );
  return html`<tr>
    <td class="number">${pid}${ownPid === pid ? nothing : html`<br /><span class="faint">inside ${ownPid}</span>`}</td>
    <th scope="row">
      <code>${shortened(command)}</code>${state === "waiting" || state === "ready" ? nothing : html` (${state})`}
      ${standIn === null ? nothing : html`<br /><span class="faint">TypeScript plays ${standIn.program}</span>`}
      ${cgroup === "/" ? nothing : html`<br /><span class="faint">cgroup ${shortened(cgroup)}</span>`}
    </th>
    <td>${own.length === 0 ? html`<span class="faint">none</span>` : html`<ul>${own.map((each) => html`<li>${each}</li>`)}</ul>`}</td>
    <td class="number">${formatBytes(memoryBytes)}</td>
  </tr>`;
}

function shortened(text: string): string {
  return text.length > 48 ? `${text.slice(0, 47)}…` : text;
}

customElements.define("process-pane", ProcessPane);
