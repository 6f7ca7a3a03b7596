/** Layers as they lie on each other, the top one first; choosing one shows the union up to it. */
import { html, type TemplateResult } from "lit";

/** What a row says of its layer. */
export interface LayerRow {
  readonly name: string;
  readonly cells: TemplateResult;
}

/** `rows` bottom first, `top` the one that is chosen. */
export function layerTable(
  columns: readonly string[],
  rows: readonly LayerRow[],
  top: number,
  choose: (layer: number) => void,
): TemplateResult {
  const row = ({ name, cells }: LayerRow, number: number): TemplateResult => html`<tr>
    <th scope="row">
      <label>
        <input type="radio" name="top" .checked=${number === top} @change=${() => choose(number)} />
        ${name}
      </label>
    </th>
    ${cells}
  </tr>`;
  return html`<div class="scroll" role="region" aria-label="Layers" tabindex="0">
    <table>
      <thead>
        <tr>
          ${["Up to", ...columns].map((column) => html`<th scope="col">${column}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(row).toReversed()}
      </tbody>
    </table>
  </div>`;
}
