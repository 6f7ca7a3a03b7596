import { a11ySnapshot, emulateMedia } from "@web/test-runner-commands";
import type { EnginePage } from "../../web/playground/engine-page.ts";
import type { EngineReport } from "../../web/playground/report.ts";
import { weakContrasts } from "./contrast.ts";
import { until } from "./until.ts";
import "../../web/playground/engine-page.ts";

// The pane of the engine in a real browser, with each answer its server can give.

const running: EngineReport = {
  state: "running",
  version: "0.1.0",
  apiVersion: "1.50",
  host: {
    name: "debian",
    system: "Debian GNU/Linux 12",
    kernel: "6.1.0",
    architecture: "x86_64",
    processors: 1,
    memoryBytes: 2_000_000_000,
    cgroups: "version 2",
    seccomp: true,
  },
  containers: [{ id: "0123456789ab", name: "web", image: "busybox", state: "running", status: "Up 3 seconds" }],
  images: [{ id: "ba9876543210", names: [], sizeBytes: 4_261_234 }],
  commands: [{ command: "bin/tsbox run hello", shows: "What a container sees." }],
};

const absent: EngineReport = { state: "absent", why: "Containers need root.", remedy: "sudo npm start", commands: [] };

const realFetch = window.fetch;
let page: EnginePage | undefined;

/** Shows the page with this answer of its server, null for no answer at all, and gives its text. */
async function show(report: EngineReport | null): Promise<string> {
  window.fetch = () =>
    report === null ? Promise.reject(new TypeError("Failed to fetch")) : Promise.resolve(Response.json(report));
  page = document.createElement("engine-page") as EnginePage;
  document.body.append(page);
  await until(() => page?.known !== "nothing yet");
  await page.updateComplete;
  return text(page.shadowRoot?.querySelector("section"));
}

function text(node: Element | null | undefined): string {
  return node?.textContent.replaceAll(/\s+/g, " ").trim() ?? "";
}

function includes(whole: string, ...parts: readonly string[]): void {
  for (const part of parts) if (!whole.includes(part)) throw new Error(`expected “${part}” in “${whole}”`);
}

suite("the pane of the engine", () => {
  teardown(() => {
    page?.remove();
    window.fetch = realFetch;
  });

  test("says which engine runs on what machine, and lists containers, images and commands", async () => {
    const said = await show(running);
    includes(said, "The engine is running, version 0.1.0", "debian, Debian GNU/Linux 12", "Linux 6.1.0, x86_64");
    includes(said, "1 processor, 2 GB", "version 2", "Docker Engine API up to 1.50");
    includes(said, "web 0123456789ab busybox running Up 3 seconds", "(no name) ba9876543210 4.26 MB");
    includes(said, "What a container sees. bin/tsbox run hello");
  });

  test("says that nothing is there yet rather than show empty tables", async () => {
    includes(
      await show({ ...running, containers: [], images: [] }),
      "There is no container yet.",
      "There is no image yet.",
    );
  });

  test("says why there is no engine and what to do", async () => {
    includes(await show(absent), "No engine is running", "Containers need root.", "sudo npm start");
  });

  test("says that its own server is gone", async () => {
    includes(await show(null), "This page has lost its server", "npm start");
  });

  test("shows names as text, whatever is in them", async () => {
    const name = "<img src=x onerror=alert(1)>";
    const container = { id: "0123456789ab", name, image: "x", state: "exited", status: "" };
    includes(await show({ ...running, containers: [container] }), name);
    if (page?.shadowRoot?.querySelector("img")) throw new Error("a name became markup");
  });

  test("has headings, a status, and named tables and buttons for those who listen to it", async () => {
    await show(running);
    const roles: string[] = [];
    const collect = (node: AccessibleNode): void => {
      roles.push(`${node.role} ${node.name}`.trim());
      for (const child of node.children ?? []) collect(child);
    };
    collect((await a11ySnapshot({})) as unknown as AccessibleNode);
    const wanted = ["heading Try next", "heading Containers", "heading Images"];
    includes(roles.join("\n"), ...wanted, "button Copy: bin/tsbox run hello", "status");
  });

  for (const colorScheme of ["light", "dark"] as const) {
    test(`has enough contrast in ${colorScheme} colours`, async () => {
      await emulateMedia({ colorScheme });
      document.documentElement.style.colorScheme = "light dark";
      await show(running);
      const weak = page === undefined ? [] : weakContrasts(page);
      if (weak.length > 0) throw new Error(`too little contrast: ${weak.join(", ")}`);
    });
  }
});

interface AccessibleNode {
  readonly role: string;
  readonly name: string;
  readonly children?: readonly AccessibleNode[];
}
