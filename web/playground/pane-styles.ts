/** How panes look, in light and in dark. Colours are named by the page (colours.ts) and inherited. */
import { css, type CSSResult } from "lit";

export const paneStyles: CSSResult = css`
  :host {
    display: block;
    color: var(--ink);
  }
  h2 {
    margin: 1.2rem 0 0.4rem;
    font-size: 1.05rem;
  }
  h2:first-child {
    margin-top: 0;
  }
  p {
    margin: 0.5rem 0;
  }
  code,
  .mono {
    font:
      0.92em ui-monospace,
      "DejaVu Sans Mono",
      monospace;
    overflow-wrap: anywhere;
  }
  button,
  input,
  select {
    font: inherit;
  }
  button {
    min-height: 1.75rem;
    padding: 0.15rem 0.7rem;
    color: var(--accent);
    background: none;
    border: 1px solid currentColor;
    border-radius: 0.35rem;
    cursor: pointer;
  }
  button:disabled {
    color: var(--faint);
    border-color: var(--line);
    cursor: default;
  }
  button.quiet {
    border-color: transparent;
    padding: 0 0.2rem;
    text-align: left;
  }
  input[type="url"],
  select {
    min-width: 8rem;
    padding: 0.2rem 0.5rem;
    color: var(--ink);
    background: var(--paper);
    border: 1px solid var(--faint);
    border-radius: 0.35rem;
  }
  :focus-visible {
    outline: 3px solid var(--accent);
    outline-offset: 1px;
  }
  .faint {
    color: var(--faint);
  }
  .row {
    display: flex;
    flex-wrap: wrap;
    gap: 0.5rem;
    align-items: center;
  }
  .row input[type="url"] {
    flex: 1;
  }
  .ladder {
    padding-left: 1.4rem;
  }
  .ladder li {
    margin: 0.4rem 0;
  }
  summary {
    color: var(--accent);
    cursor: pointer;
  }
  pre {
    max-height: 16rem;
    overflow: auto;
    margin: 0.3rem 0;
    white-space: pre-wrap;
    overflow-wrap: anywhere;
    font:
      0.85em ui-monospace,
      "DejaVu Sans Mono",
      monospace;
  }
  .trouble {
    padding: 0.5rem 0.8rem;
    color: var(--bad);
    border: 1px solid currentColor;
    border-radius: 0.35rem;
    overflow-wrap: anywhere;
  }
  .scroll {
    overflow: auto;
    max-height: 24rem;
    background: var(--paper);
    border: 1px solid var(--line);
    border-radius: 0.5rem;
  }
  table {
    width: 100%;
    border-collapse: collapse;
  }
  th,
  td {
    padding: 0.2rem 0.6rem;
    text-align: left;
    font-weight: inherit;
    vertical-align: top;
    overflow-wrap: anywhere;
  }
  thead th {
    position: sticky;
    top: 0;
    color: var(--faint);
    background: var(--paper);
    font-size: 0.85em;
  }
  tbody tr {
    border-top: 1px solid var(--line);
  }
  th label {
    white-space: nowrap;
  }
  .number {
    white-space: nowrap;
    text-align: right;
  }
  dl {
    display: grid;
    grid-template-columns: auto 1fr;
    gap: 0.2rem 0.8rem;
    margin: 0.5rem 0;
  }
  dt {
    color: var(--faint);
  }
  dd {
    margin: 0;
    overflow-wrap: anywhere;
  }
`;
