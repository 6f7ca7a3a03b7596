import type { TerminalPane } from "../../web/playground/terminal-pane.ts";
import "../../web/playground/terminal-pane.ts";
import { until } from "./until.ts";

// A browser that keeps nothing for the page: one sentence says so, and everything else works.

/** A name of its own: other tests' pages of this origin keep theirs at the same time. */
const session = "tsbox-refused";
let pane: TerminalPane;

/** A store of a later version than ours can open. */
async function refuseStorage(): Promise<void> {
  const request = indexedDB.open(session, 99);
  await new Promise((resolve, reject) => {
    request.addEventListener("success", resolve);
    request.addEventListener("error", reject);
  });
  request.result.close();
}

async function show(): Promise<void> {
  pane = document.createElement("terminal-pane") as TerminalPane;
  pane.session = session;
  document.body.append(pane);
  await until(
    () => /[$#]$/.test(pane.text),
    () => `no prompt in “${pane.text}”`,
  );
}

suite("storage that is refused", () => {
  setup(refuseStorage);
  teardown(() => {
    pane.remove();
    indexedDB.deleteDatabase(session);
  });

  test("is told in one sentence, and the machine works", async () => {
    await show();
    await until(() => pane.trouble !== "");
    await pane.updateComplete;
    const told = [...pane.renderRoot.querySelectorAll('[role="alert"]')].map(({ textContent }) => textContent);
    if (told.length !== 1 || !told[0]?.startsWith("This session is not kept, a reload begins a new one: "))
      throw new Error(`told “${told.join("”, “")}”`);
    pane.run("echo $((6 * 7))");
    await until(
      () => pane.text.includes("\n42\n"),
      () => pane.text,
    );
  });
});
