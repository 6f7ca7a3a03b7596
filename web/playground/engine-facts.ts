/** The machine the engine runs on, as a list of terms. */
import { html, type TemplateResult } from "lit";
import { count, formatBytes } from "./format.ts";
import type { RunningEngine } from "./report.ts";

export function engineFacts({ host, apiVersion }: RunningEngine): TemplateResult {
  const facts: readonly [string, string][] = [
    ["Host", `${host.name}, ${host.system}`],
    ["Kernel", `Linux ${host.kernel}, ${host.architecture}`],
    ["Machine", `${count(host.processors, "processor")}, ${formatBytes(host.memoryBytes)} of memory`],
    ["Control groups", host.cgroups],
    ["System call filter", host.seccomp ? "seccomp, with Docker's default profile" : "this kernel has no seccomp"],
    ["Speaks", `the Docker Engine API up to ${apiVersion}`],
  ];
  return html`<section aria-labelledby="machine">
    <h2 id="machine">This machine</h2>
    <dl>
      ${facts.map(
        ([term, text]) => html`<div>
          <dt>${term}</dt>
          <dd>${text}</dd>
        </div>`,
      )}
    </dl>
  </section>`;
}
