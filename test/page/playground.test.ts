import { a11ySnapshot, emulateMedia } from "@web/test-runner-commands";
import type { TerminalPane } from "../../web/playground/terminal-pane.ts";
import type { TsbPlayground } from "../../web/playground/playground.ts";
import "../../web/playground/playground.ts";
import { code, smallModule } from "../../backends/sim/wasm/testing/modules.ts";
import { weakContrasts } from "./contrast.ts";
import { until } from "./until.ts";

// The whole page in a real browser: the simulated host behind its terminal, containers in it, and the panes.

const ctrlC = "\u0003";
let page: TsbPlayground;

function terminal(): TerminalPane {
  const pane = page.renderRoot.querySelector<TerminalPane>("terminal-pane");
  if (pane === null) throw new Error("no terminal");
  return pane;
}

/** What was printed after a command was typed, once the prompt is there again. */
async function run(command: string): Promise<string> {
  const before = terminal().text.length;
  terminal().run(command);
  await prompted(before + 1);
  return terminal().text.slice(before);
}

/** Waits until the last line is a prompt again. */
async function prompted(from = 0): Promise<void> {
  const isPrompt = (): boolean => terminal().text.length > from && /(^|\n)~ [$#]$/.test(terminal().text);
  await until(isPrompt, () => `no prompt in “${terminal().text.slice(-500)}”`);
}

function pane(name: string): Element | null {
  return page.renderRoot.querySelector(name);
}

function textOf(root: Element | ShadowRoot | null | undefined): string {
  if (root === null || root === undefined) return "";
  const inner = [...root.querySelectorAll("*")].map((each) => textOf(each.shadowRoot));
  return `${root.textContent} ${inner.join(" ")}`.replaceAll(/\s+/g, " ");
}

async function paneShows(key: string, name: string, ...parts: readonly string[]): Promise<void> {
  page.show(key);
  const said = (): string => textOf(pane(name)?.shadowRoot);
  await until(
    () => parts.every((part) => said().includes(part)),
    () => `expected ${parts.join(", ")} in “${said()}”`,
  );
}

async function fetched(path: string, name: string): Promise<File | null> {
  const response = await fetch(path);
  return response.ok ? new File([await response.blob()], name) : null;
}

/** Gives a program to the machine and starts it; what comes after is the rest of the line. */
async function runProgram(name: string, bytes: Uint8Array<ArrayBuffer>, after: string): Promise<() => string> {
  const before = terminal().text.length;
  await terminal().give(new File([bytes], name), `chmod +x ${name}; ./${name}${after}`);
  return () => terminal().text.slice(before);
}

/** How long somebody who looks at something again and again had to wait while something else went on, milliseconds. */
async function waits(goesOn: Promise<unknown>, look: () => Promise<unknown>): Promise<number[]> {
  let isOver = false;
  const end = (): void => {
    isOver = true;
  };
  goesOn.then(end, end);
  const all: number[] = [];
  while (!isOver) {
    const began = performance.now();
    await look();
    all.push(performance.now() - began);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return all.sort((a, b) => a - b);
}

/** The page's own thread answers at once, and the machine behind it soon; seldom it takes longer. */
async function staysResponsive(goesOn: Promise<unknown>): Promise<void> {
  const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));
  const look = async (): Promise<unknown> => terminal().machine?.look();
  const [page, machine] = await Promise.all([waits(goesOn, turn), waits(goesOn, look)]);
  const said = (all: readonly number[]): string =>
    [0.5, 0.9, 1].map((part) => `${ofAll(all, part).toFixed()} ms`).join(", ");
  const isGood =
    ofAll(page, 0.9) <= 50 && ofAll(page, 1) <= 500 && ofAll(machine, 0.5) <= 500 && ofAll(machine, 1) <= 5000;
  if (!isGood)
    throw new Error(`median, ninth of ten, longest wait for the page: ${said(page)}; the machine: ${said(machine)}`);
}

function ofAll(sorted: readonly number[], part: number): number {
  return sorted[Math.ceil(part * sorted.length) - 1] ?? 0;
}

suite("the playground", () => {
  /** Whether the busybox image could be made here and is in the machine. */
  let isLoaded = false;

  suiteSetup(async function () {
    this.timeout(60_000);
    await emulateMedia({ colorScheme: "light" });
    page = document.createElement("tsb-playground") as TsbPlayground;
    document.body.append(page);
    await page.updateComplete;
    await until(() => terminal().machine !== null);
    await prompted();
    includes(terminal().text, "Welcome to tsbox");
  });
  suiteTeardown(() => page.remove());
  setup(() => terminal().clear());

  test("is a Linux host with an engine", async () => {
    includes(await run("ps"), "init", "tsboxd");
    includes(await run("tsbox version"), "Server: tsbox");
  });

  test("runs a WebAssembly program of an image that comes along, in namespaces of its own", async function () {
    this.timeout(60_000);
    const said = await run("tsbox run hello");
    includes(said, "Hello from a container.", "root            overlay, read-write", "the PID namespace counts anew");
    const own = /^uts ns +uts:\[(\d+)\]/m.exec(said)?.[1];
    const hosts = /uts:\[(\d+)\]/.exec(await run("readlink /proc/self/ns/uts"))?.[1];
    if (own === undefined || own === hosts) throw new Error(`the machine is ${hosts}, the container ${own}: ${said}`);
  });

  test("runs a shell's words in tsbox/base, which runs WebAssembly programs too", async () => {
    const said = await run(
      "tsbox run --rm tsbox/base sh -c 'echo $$ $(id -un); writer -n 2 -i 0 | tac; nosuch; echo $?'",
    );
    includes(said, "1 root\nline 2\nline 1\nsh: nosuch: not found\n127\n");
  });

  test("has an ubuntu in which accounts, owners and tar do what lessons about volumes ask", async () => {
    const said = await run(
      "tsbox run --rm -v /data ubuntu /bin/bash -c 'useradd foo; touch /data/file; chown -R foo:foo /data; ls -l /data; tar cf - /data | tar tvf -'",
    );
    includes(said, "1 foo      foo ", "drwxr-xr-x foo/foo ", "-rw-r--r-- foo/foo ");
  });

  test("lists images that came along like others, once they were asked for", async () => {
    const listed = (await run("tsbox images")).split("\n").map((line) => line.split(/ {2,}/).slice(0, 2).join(":"));
    const came = listed.filter((name) => /^(hello|tsbox\/base|ubuntu|alpine|httpd):/.test(name)).sort();
    if (came.join(" ") !== "hello:latest tsbox/base:latest ubuntu:latest") throw new Error(listed.join(", "));
  });

  test("loads an image that is dropped, runs it in namespaces of its own, and tells what it wrote", async function () {
    this.timeout(60_000);
    const image = await fetched("/fixtures/images/busybox.tar", "busybox.tar");
    if (image === null) this.skip();
    const before = terminal().text.length;
    page.open(image);
    await until(() => terminal().text.includes("Loaded image: busybox:latest"));
    await prompted(before);
    const seen = await run("tsbox run --rm busybox sh -c 'hostname; ps; ls -l /'");
    if (!/[0-9a-f]{12}\s+PID\s+USER/.test(seen)) throw new Error(`no host name of its own in “${seen}”`);
    includes(seen, "1 root", "sh -c hostname", "drwxr-xr-x");
    await run("docker run --name box busybox sh -c 'echo hi > /new; rm /etc/passwd'");
    includes(await run("tsbox diff box"), "C /etc", "D /etc/passwd", "A /new");
    isLoaded = true;
  });

  test("saves an image as a download, which is an archive of it again", async function () {
    if (!isLoaded) this.skip();
    const offered = new Promise<File>((resolve) => {
      terminal().addEventListener(
        "file-offered",
        (event) => {
          event.preventDefault();
          resolve((event as CustomEvent<File>).detail);
        },
        { once: true },
      );
    });
    includes(await run("docker save -o saved.tar busybox && download saved.tar nosuch; echo $?"), "nosuch: ", "\n1");
    const saved = await offered;
    if (saved.name !== "saved.tar") throw new Error(`it is called ${saved.name}`);
    page.open(new File([saved], "again.tar"));
    await until(() => terminal().text.includes("tsbox load -i again.tar"));
    await paneShows("image", "image-pane", "again.tar: read and verified", "busybox:latest");
  });

  test("shows the layers of a container, its files' origins, and the plan that was performed", async function () {
    if (!isLoaded) this.skip();
    await paneShows("image", "image-pane", "busybox:latest", "sha256:");
    await paneShows("layers", "layers-pane", "container (writable)", "init layer", "box: busybox, exited", "new");
    await paneShows("plan", "plan-pane", "becomes the program sh", "pivot_root", "man execve(2)");
  });

  test("shows processes with their namespaces while a container runs", async function () {
    if (!isLoaded) this.skip();
    await run("tsbox run -d --name sleeper busybox sleep 1000");
    await paneShows("processes", "process-pane", "sleep 1000", "inside 1", "pid 40265", "network 40265");
    await run("tsbox rm -f sleeper");
  });

  test("pushes to registry.sim and pulls from it, and says why other registries cannot be reached", async function () {
    this.timeout(60_000);
    await run("tsbox run --rm hello && tsbox tag hello registry.sim/me/hello");
    includes(await run("tsbox push registry.sim/me/hello"), "latest: digest: sha256:");
    await run("tsbox rmi registry.sim/me/hello");
    includes(await run("tsbox pull registry.sim/me/hello"), "for registry.sim/me/hello:latest");
    includes(await run("ls /var/lib/registry/repositories/me"), "hello");
    includes(
      await run("tsbox pull localhost:1/app"),
      "cannot reach localhost:1 from a web page",
      "(CORS)",
      "registry.sim",
    );
  });

  test("looks back along the timeline, and goes on from there another way", async function () {
    this.timeout(60_000);
    await run("sleep 1000 & echo begun");
    await run("kill %1; echo over");
    page.show("processes");
    const processes = (): string => textOf(pane("process-pane")?.shadowRoot);
    await until(() => /init/.test(processes()) && !processes().includes("sleep 1000"), processes);
    const bar = pane("timeline-bar")?.shadowRoot;
    const press = (label: string): void => {
      const button = [...(bar?.querySelectorAll("button") ?? [])].find((each) => each.textContent.trim() === label);
      if (button === undefined) throw new Error(`no button “${label}” in “${textOf(bar)}”`);
      button.click();
    };
    const enters = (await terminal().machine?.enters())?.length;
    await until(() => page.enters.length === enters);
    press("command back");
    await until(() => processes().includes("sleep 1000"), processes);
    await until(
      () => /before event \d+ of \d+, \d/.test(textOf(bar)),
      () => textOf(bar),
    );
    includes(await run("echo the machine goes on"), "\nthe machine goes on");
    press("go on from here");
    await until(
      () => terminal().text.endsWith("begun\n~ #") && textOf(bar).includes("now, after"),
      () => terminal().text + textOf(bar),
    );
    includes(await run("jobs; kill %1"), "sleep 1000");
  });

  test("stops a flood by Ctrl-C, and stays usable meanwhile", async function () {
    this.timeout(60_000);
    terminal().run("yes flood");
    await until(() => terminal().text.includes("flood\nflood\nflood"));
    const started = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 500));
    if (performance.now() - started > 2000) throw new Error("the page did not get its turn");
    const before = terminal().text.length;
    terminal().press(ctrlC);
    await prompted();
    includes(await run("echo alive"), "alive");
    if (terminal().text.length > before + 100_000) throw new Error("more came after Ctrl-C than was on its way");
  });

  test("stays responsive while a hundred thousand files come, are searched, and go", async function () {
    this.timeout(60_000);
    const line = "mkdir many; cd many; seq 100000 | xargs touch; ls | wc -l; find . -type f | wc -l; cd; rm -r many";
    const said = run(line);
    await staysResponsive(said);
    includes(await said, "100000\n100000\n");
  });

  test("stays responsive with a fork bomb in it, which ends with its cgroup", async function () {
    this.timeout(60_000);
    const group = "/sys/fs/cgroup/bomb";
    await run(`mkdir ${group}; echo 200 > ${group}/pids.max`);
    const bomb = run(`(echo 0 > ${group}/cgroup.procs; b() { b | b & }; b) 2>/dev/null; sleep 2`);
    await staysResponsive(bomb);
    includes(await run(`echo 1 > ${group}/cgroup.kill; sleep 0.1; cat ${group}/pids.current`), "\n0\n");
  });

  test("stays responsive while a script of ten megabytes runs", async function () {
    this.timeout(60_000);
    const line = ": a comment that fills a line, and does nothing at all but be read and run\n";
    const script = new File([line.repeat(140_000), "echo the end\n"], "big.sh");
    const before = terminal().text.length;
    await terminal().give(script, "sh big.sh");
    const ended = prompted(before + 20);
    await staysResponsive(ended);
    includes(terminal().text.slice(before), "\nthe end\n");
  });

  for (const [name, bytes] of [
    ["broken.wasm", Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 0xff)],
    ["unknown.wasm", smallModule({ imports: ["nowhere", "nothing"] })],
  ] as const)
    test(`refuses ${name} with one line`, async () => {
      const said = await runProgram(name, bytes, `; echo "code $?"`);
      await until(() => said().includes("code 126"), said);
      includes(said(), `${name}: cannot run`);
      await prompted();
    });

  test("stops a program that never ends by Ctrl-C", async () => {
    const said = await runProgram("endless.wasm", smallModule({ start: code.forever }), "");
    await until(() => said().includes("./endless.wasm"));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    if (/\n~ [$#]$/.test(said())) throw new Error(`it ended: “${said()}”`);
    terminal().press(ctrlC);
    await prompted();
    includes(await run("echo alive again"), "alive again");
  });

  test("has named regions, tabs and buttons for those who listen to it", async () => {
    const roles: string[] = [];
    const collect = (node: AccessibleNode): void => {
      roles.push(`${node.role} ${node.name}`.trim());
      for (const child of node.children ?? []) collect(child);
    };
    collect((await a11ySnapshot({})) as unknown as AccessibleNode);
    includes(
      roles.join("\n"),
      "heading tsbox",
      "tab Image",
      "tab Layers",
      "tab Processes",
      "tab Plan",
      "tab This machine",
      "slider Moment",
    );
    includes(roles.join("\n"), "button run", "Terminal input");
  });

  test("goes from tab to tab by arrow keys", () => {
    const tabs = pane("tab-set")?.shadowRoot;
    page.show("image");
    const list = tabs?.querySelector('[role="tablist"]');
    const after = (key: string): string => {
      list?.dispatchEvent(new KeyboardEvent("keydown", { key }));
      return page.selected;
    };
    const visited = [after("ArrowRight"), after("End"), after("ArrowRight"), after("ArrowLeft"), after("Home")].join(
      " ",
    );
    if (visited !== "layers machine image machine image") throw new Error(visited);
  });

  for (const colorScheme of ["light", "dark"] as const)
    test(`has enough contrast in ${colorScheme} colours`, async () => {
      await emulateMedia({ colorScheme });
      document.documentElement.style.colorScheme = "light dark";
      for (const key of ["image", "layers", "processes", "plan"]) {
        page.show(key);
        await page.updateComplete;
        await new Promise((resolve) => setTimeout(resolve, 50));
        const roots = [
          page,
          pane("terminal-pane"),
          pane("timeline-bar"),
          pane("tab-set"),
          pane(`${key === "processes" ? "process" : key}-pane`),
        ];
        const weak = roots.flatMap((each) => (each === null ? [] : weakContrasts(each)));
        if (weak.length > 0) throw new Error(`${key}: too little contrast: ${weak.join(", ")}`);
      }
    });
});

function includes(whole: string, ...parts: readonly string[]): void {
  for (const part of parts) if (!whole.includes(part)) throw new Error(`expected “${part}” in “${whole.slice(-2000)}”`);
}

interface AccessibleNode {
  readonly role: string;
  readonly name: string;
  readonly children?: readonly AccessibleNode[];
}
