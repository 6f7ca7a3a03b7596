/** The containers and the images, as tables that say so when they are empty. */
import { html, type TemplateResult } from "lit";
import { formatBytes } from "./format.ts";
import type { ContainerReport, ImageReport } from "./report.ts";

export function containerTable(containers: readonly ContainerReport[]): TemplateResult {
  const rows = containers.map(
    ({ id, name, image, state, status }) => html`<tr>
      <th scope="row">${name}</th>
      <td><code>${id}</code></td>
      <td>${image}</td>
      <td><span class="badge ${state}">${state}</span></td>
      <td>${status}</td>
    </tr>`,
  );
  return table("Containers", ["Name", "Id", "Image", "State", "Status"], rows, "There is no container yet.");
}

export function imageTable(images: readonly ImageReport[]): TemplateResult {
  const rows = images.map(
    ({ id, names, sizeBytes }) => html`<tr>
      <th scope="row">${names.length === 0 ? "(no name)" : names.join(", ")}</th>
      <td><code>${id}</code></td>
      <td class="number">${formatBytes(sizeBytes)}</td>
    </tr>`,
  );
  return table("Images", ["Name", "Id", "Size"], rows, "There is no image yet.");
}

function table(title: string, columns: readonly string[], rows: TemplateResult[], empty: string): TemplateResult {
  const id = title.toLowerCase();
  const heads = columns.map((column) => html`<th scope="col">${column}</th>`);
  const filled = html`<div class="scroll" role="region" aria-labelledby=${id} tabindex="0">
    <table aria-labelledby=${id}>
      <thead>
        <tr>
          ${heads}
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`;
  return html`<section aria-labelledby=${id}>
    <h2 id=${id}>${title}</h2>
    ${rows.length === 0 ? html`<p>${empty}</p>` : filled}
  </section>`;
}
