/** The page's colours, in light and in dark, named once; contrast is at least 4.5 to 1. */
import { css, type CSSResult } from "lit";

export const colours: CSSResult = css`
  :host {
    --ink: light-dark(#1b2330, #e4e9f0);
    --faint: light-dark(#53606f, #a3afbd);
    --paper: light-dark(#ffffff, #1a212b);
    --line: light-dark(#d5dce4, #323c4a);
    --accent: light-dark(#0b5bb5, #7cb8ff);
    --good: light-dark(#17703a, #6bd08d);
    --bad: light-dark(#a63214, #ff9d80);
  }
`;
