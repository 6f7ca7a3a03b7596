/** The commands to try next, each with what it shows and a button that copies it. */
import { html, nothing, type TemplateResult } from "lit";
import type { CommandToTry } from "./report.ts";

export function commandList(commands: readonly CommandToTry[]): TemplateResult | typeof nothing {
  if (commands.length === 0) return nothing;
  return html`<section aria-labelledby="try">
    <h2 id="try">Try next</h2>
    <ol class="commands">
      ${commands.map(
        ({ command, shows }) => html`<li>
          <p>${shows}</p>
          <div class="command">
            <code>${command}</code>
            <button type="button" @click=${copy(command)} aria-label="Copy: ${command}">Copy</button>
          </div>
        </li>`,
      )}
    </ol>
  </section>`;
}

function copy(command: string): (event: Event) => void {
  return ({ currentTarget }) => {
    const button = currentTarget as HTMLButtonElement;
    const say = (word: string): void => {
      button.textContent = word;
      setTimeout(() => (button.textContent = "Copy"), 1500);
    };
    navigator.clipboard.writeText(command).then(
      () => say("Copied"),
      () => say("Not allowed"),
    );
  };
}
