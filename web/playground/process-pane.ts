/**
 * The processes of the simulated host and the namespaces they are in, as the kernel has them. Who shares
 * a namespace shares its number; the host's own are shown faintly, so that what a container has of its
 * own stands out, by a mark as well as by its colour.
 */
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import type { HostView, ProcessView } from "../../host/lens.ts";
import { formatBytes } from "./format.ts";
import { paneStyles } from "./pane-styles.ts";

const kinds = ["mount", "uts", "ipc", "pid", "network", "user", "cgroup", "time"] as const;

export class ProcessPane extends LitElement {
  static override styles = [
    paneStyles,
    css`
      td.own {
        color: var(--good);
        font-weight: 600;
      }
      td.shared {
        color: var(--faint);
      }
      .number {
        font-variant-numeric: tabular-nums;
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
        A container is a process of the host. ● marks a namespace that is not the host's; the number is the one
        <code>readlink /proc/PID/ns/…</code> shows.
      </p>
      <div class="scroll" role="region" aria-label="Processes" tabindex="0">
        <table>
          <thead>
            <tr>
              <th scope="col">PID</th>
              <th scope="col">Inside</th>
              <th scope="col">Command</th>
              ${kinds.map((kind) => html`<th scope="col">${kind}</th>`)}
              <th scope="col">Memory</th>
              <th scope="col">Control group</th>
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
  const { pid, ownPid, command, state, namespaces, memoryBytes, cgroup } = process;
  return html`<tr>
    <td class="number">${pid}</td>
    <td class="number">${ownPid === pid ? nothing : ownPid}</td>
    <th scope="row"><code>${shortened(command)}</code>${state === "waiting" || state === "ready" ? nothing : html` (${state})`}</th>
    ${namespaces.map((number, at) => tile(number, number === host?.namespaces[at]))}
    <td class="number">${formatBytes(memoryBytes)}</td>
    <td><code>${shortened(cgroup)}</code></td>
  </tr>`;
}

function tile(number: number, isHosts: boolean): TemplateResult {
  const digits = String(number).slice(-4);
  return isHosts
    ? html`<td class="number shared" title="the host's, ${number}">${digits}</td>`
    : html`<td class="number own" title="its own, ${number}">● ${digits}</td>`;
}

function shortened(text: string): string {
  return text.length > 48 ? `${text.slice(0, 47)}…` : text;
}

customElements.define("process-pane", ProcessPane);
