import type { FileTable } from "../../web/playground/file-table.ts";
import type { ImagePane } from "../../web/playground/image-pane.ts";
import "../../web/playground/image-pane.ts";
import { until } from "./until.ts";

// The image pane in a real browser: real images by URL and as files, hostile ones, and what it says of them.

let pane: ImagePane;

function table(): FileTable | null {
  return pane.renderRoot.querySelector("file-table");
}

function said(): string {
  const files = table()?.shadowRoot?.querySelector("tbody")?.textContent ?? "";
  return `${pane.renderRoot.textContent} ${files}`.replaceAll(/\s+/g, " ");
}

async function shows(...parts: readonly string[]): Promise<void> {
  await until(
    () => parts.every((part) => said().includes(part)),
    () => `expected ${parts.join(", ")} in “${said()}”`,
  );
}

interface Truth {
  readonly id: string;
  readonly layers: readonly string[];
  readonly diffIds: readonly string[];
}

async function truth(name: string): Promise<Truth | null> {
  const response = await fetch(`/fixtures/truth/${name}.json`);
  return (await response.json()) as Truth | null;
}

function press(label: string): void {
  const roots = [pane.renderRoot, table()?.renderRoot];
  const buttons = roots.flatMap((root) => [...(root?.querySelectorAll("button") ?? [])]);
  const button = buttons.find(({ textContent }) => textContent.trim() === label);
  if (button === undefined) throw new Error(`no button ${label}`);
  button.click();
}

suite("the image pane", () => {
  setup(() => {
    pane = document.createElement("image-pane") as ImagePane;
    document.body.append(pane);
  });
  teardown(() => pane.remove());

  test("says what to do as long as nothing is open", () => shows("Drop it anywhere on this page"));

  for (const name of ["busybox", "busybox-oci", "busybox-layers", "debian"]) {
    test(`shows ${name} with the digests skopeo tells`, async function () {
      const told = await truth(name);
      if (told === null) this.skip();
      await pane.load(`/fixtures/images/${name}.tar`);
      await shows(told.id, ...told.layers, ...told.diffIds, "etc/");
      await shows("From the name to the bytes", "it lists the diff ids", "the bottom: the chain id is the diff id");
    });
  }

  test("opens an archive of ten thousand files that was chosen as a file", async function () {
    const response = await fetch("/fixtures/images/debian.tar");
    if (!response.ok) this.skip();
    await pane.open(await response.blob(), "debian.tar");
    await shows("debian.tar: read and verified", "etc/");
  });

  test("goes into directories, and shows the union as of any layer", async function () {
    if ((await truth("busybox-layers")) === null) this.skip();
    await pane.load("/fixtures/images/busybox-layers.tar");
    await shows("etc/");
    press("etc/");
    await shows("hidden is hidden by layer 2", "replaced", "covers the one of layer 1");
    pane.renderRoot.querySelectorAll<HTMLInputElement>('input[type="radio"]')[2]?.click();
    await until(() => !said().includes("is hidden by"));
    await shows("Files, with 2 layers", "hidden");
    press("/");
    await shows("bin/");
  });

  test("refuses each hostile archive with one sentence, and opens a good one after it", async function () {
    this.timeout(60_000);
    const response = await fetch("/fixtures/hostile.json");
    const hostile = (await response.json()) as { name: string; says: string }[];
    if (hostile.length < 40) throw new Error(`only ${hostile.length} hostile archives`);
    for (const [number, { name, says }] of hostile.entries()) {
      await pane.load(`/fixtures/hostile/${number}`);
      await until(
        () => pane.shown.state === "trouble",
        () => `${name}: ${pane.shown.state}`,
      );
      const message = pane.shown.state === "trouble" ? pane.shown.message : "";
      if (!new RegExp(says).test(message)) throw new Error(`${name}: “${message}” does not match ${says}`);
      await pane.updateComplete;
      if (pane.renderRoot.querySelectorAll(".trouble").length !== 1) throw new Error(`${name}: not one message`);
    }
    if ((await truth("busybox")) === null) return;
    await pane.load("/fixtures/images/busybox.tar");
    await shows("busybox:latest");
  });

  test("says that a URL cannot be read, and why", async () => {
    await pane.load("/fixtures/images/absent.tar");
    await shows("absent.tar cannot be read: the server answers 404");
    const elsewhere = new URL("/fixtures/images/busybox.tar", location.href);
    elsewhere.hostname = elsewhere.hostname === "localhost" ? "127.0.0.1" : "localhost";
    await pane.load(elsewhere.href);
    await shows("does not let other pages read it (CORS)");
  });

  test("lets go of an archive when another one is opened meanwhile", async function () {
    if ((await truth("busybox")) === null) this.skip();
    const first = pane.load("/fixtures/images/busybox.tar");
    await pane.load("/fixtures/images/busybox-layers.tar");
    await Promise.race([first, Promise.resolve()]);
    await shows("busybox-layers:latest");
  });
});
