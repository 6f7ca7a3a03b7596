/** How the page of the engine looks; its colours are those of colours.ts. */
import { css, type CSSResult } from "lit";

export const pageStyles: CSSResult = css`
  :host {
    display: block;
    max-width: 60rem;
    margin: 0 auto;
    padding: 0.25rem 0.2rem 2rem;
    color: var(--ink);
  }
  li p,
  dt {
    margin: 0;
    color: var(--faint);
  }
  h2 {
    margin: 2rem 0 0.6rem;
    font-size: 1.1rem;
  }
  .state {
    display: flex;
    align-items: center;
    gap: 0.6rem;
    font-size: 1.15rem;
    font-weight: 600;
  }
  .state span {
    width: 0.8rem;
    height: 0.8rem;
    border-radius: 50%;
    background: var(--bad);
  }
  .state.on span {
    background: var(--good);
  }
  dl,
  .scroll,
  .command {
    background: var(--paper);
    border: 1px solid var(--line);
    border-radius: 0.5rem;
  }
  dl {
    margin: 0;
    padding: 0.4rem 1rem;
  }
  dl div {
    display: grid;
    grid-template-columns: minmax(8rem, 12rem) 1fr;
    gap: 0.25rem 1rem;
    padding: 0.4rem 0;
  }
  dl div + div {
    border-top: 1px solid var(--line);
  }
  dd {
    margin: 0;
  }
  code {
    font:
      0.92em ui-monospace,
      "DejaVu Sans Mono",
      monospace;
  }
  .commands {
    padding: 0;
    margin: 0;
    list-style: none;
    display: grid;
    gap: 0.8rem;
  }
  .command {
    display: flex;
    align-items: center;
    gap: 1rem;
    padding: 0.5rem 0.5rem 0.5rem 1rem;
    margin-top: 0.25rem;
  }
  .command code {
    flex: 1;
    overflow-wrap: anywhere;
  }
  button {
    font: inherit;
    padding: 0.3rem 0.8rem;
    color: var(--accent);
    background: none;
    border: 1px solid currentColor;
    border-radius: 0.35rem;
    cursor: pointer;
  }
  :focus-visible {
    outline: 3px solid var(--accent);
    outline-offset: 2px;
  }
  .scroll {
    overflow-x: auto;
  }
  table {
    width: 100%;
    border-collapse: collapse;
    white-space: nowrap;
  }
  th,
  td {
    padding: 0.5rem 1rem;
    text-align: left;
    font-weight: inherit;
  }
  tbody th {
    font-weight: 600;
  }
  thead th {
    color: var(--faint);
    font-size: 0.85em;
  }
  tbody tr {
    border-top: 1px solid var(--line);
  }
  .badge {
    color: var(--faint);
  }
  .badge.running {
    color: var(--good);
    font-weight: 600;
  }
  .badge.dead,
  .badge.restarting {
    color: var(--bad);
  }
  @media (max-width: 40rem) {
    dl div {
      grid-template-columns: 1fr;
    }
  }
`;
