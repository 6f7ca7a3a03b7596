import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import test, { after, before, describe } from "node:test";
import puppeteer, { type Browser, type Page } from "puppeteer-core";
import { wasmHasher } from "../../host/hasher.ts";
import { type RecordedSession, replay, type Replayed } from "../../host/replay.ts";
import { type PageServer, servePage } from "../../scripts/page-server.ts";
import { busyboxTar, imagesMissing } from "../images/make.ts";
import { chromium, firefox } from "./browsers.ts";

// A session recorded in Chromium is the same when it is lived again: after a reload, in Node, in Firefox.

const executablePath = chromium();
const skip = executablePath === undefined ? "no Chromium here" : (imagesMissing() ?? false);
const absent = { state: "absent", why: "not asked for", remedy: "none", commands: [] } as const;
const terminal = `document.querySelector("tsb-playground").renderRoot.querySelector("terminal-pane")`;
/** The last line is a prompt and nothing else. */
const prompt = String(/(^|\n)~ [$#]$/);
const commands = [
  "tsbox run --name box busybox sh -c 'hostname; ps; echo hi > /new; rm /etc/passwd'",
  "tsbox diff box; ls -l /root; sleep 1; date; tsbox ps -a",
  "docker run --rm -m 16m busybox sh -c 'for i in 1 2 3; do echo $i; done | sort -r'",
];

async function prompted(page: Page): Promise<void> {
  await page.waitForFunction(`${prompt}.test(${terminal}.text)`, { polling: 50, timeout: 60_000 });
}

async function type(page: Page, command: string): Promise<void> {
  const before = (await page.evaluate(`${terminal}.text`)) as string;
  await page.evaluate(`${terminal}.run(${JSON.stringify(command)})`);
  await page.waitForFunction(`${terminal}.text.length > ${before.length} && ${prompt}.test(${terminal}.text)`, {
    polling: 50,
    timeout: 60_000,
  });
}

/** Gives the page a file, as if it were dropped. */
async function drop(page: Page, name: string, bytes: Uint8Array): Promise<void> {
  const base64 = Buffer.from(bytes).toString("base64");
  await page.evaluate(
    `(async () => {
      const bytes = Uint8Array.from(atob(${JSON.stringify(base64)}), (char) => char.charCodeAt(0));
      document.querySelector("tsb-playground").open(new File([bytes], ${JSON.stringify(name)}));
    })()`,
  );
  await page.waitForFunction(`${terminal}.text.includes("Loaded image")`, { timeout: 60_000 });
  await prompted(page);
}

function launch(browser: "chrome" | "firefox", path: string): Promise<Browser> {
  const args = browser === "chrome" && process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return puppeteer.launch({ browser, executablePath: path, args });
}

describe("a recorded session", { skip }, () => {
  let server: PageServer;
  let browser: Browser;
  let page: Page;
  let tar: Uint8Array;
  let session: RecordedSession;
  let root: string;

  before(async () => {
    server = await servePage(0, () => Promise.resolve(absent));
    browser = await launch("chrome", executablePath ?? "");
    page = await browser.newPage();
    await page.goto(server.url);
    await prompted(page);
    tar = readFileSync(await busyboxTar());
    await drop(page, "busybox.tar", tar);
    for (const command of commands) await type(page, command);
    const recorded = await page.evaluate(`${terminal}.machine.recorded()`);
    ({ session, root } = recorded as { session: RecordedSession; root: string });
  });

  after(async () => {
    await browser?.close();
    await server?.close();
  });

  test("has its keys, its file and its times in the log", () => {
    const kinds = new Set(session.entries.map(({ kind }) => kind));
    assert.deepEqual([...kinds].toSorted(), ["file", "keys", "size", "time"]);
  });

  test("ends in the same state in Node", async () => {
    const world = { pause: () => setImmediate(), hasher: await wasmHasher(), embedded: () => null, fileOf: () => tar };
    assert.deepEqual(await replay(session, world), { same: true, root });
  });

  test("is there again after a reload", async () => {
    await page.reload();
    await page.waitForFunction(`${terminal}.machine !== null`, { timeout: 60_000 });
    await prompted(page);
    const seen = (await page.evaluate(`${terminal}.text`)) as string;
    assert.match(seen, /D \/etc\/passwd/);
    assert.equal(await page.evaluate(`${terminal}.trouble`), "");
    await type(page, "tsbox ps -a -q | wc -l");
    assert.match((await page.evaluate(`${terminal}.text`)) as string, /\n1\n/);
  });

  test("is looked at and gone on from before its second command", async () => {
    const second = Buffer.from(commands[1] ?? "").toString("hex");
    const event = session.entries.findIndex((entry) => entry.kind === "keys" && entry.hex.startsWith(second));
    const [names, printed] = (await page.evaluate(`(async () => {
      const { machine } = ${terminal};
      const { containers } = await machine.look(${event});
      let printed = "";
      const screen = async (bytes) => { printed += new TextDecoder().decode(bytes); };
      await machine.resume(${event}, { screen, offer: () => {} });
      machine.type(new TextEncoder().encode("tsbox ps -a | tail -n +2 | wc -l; echo another way\\r"));
      while (!printed.includes("\\r\\nanother way\\r\\n")) await new Promise((resolve) => setTimeout(resolve, 20));
      return [containers.map(({ name }) => name), printed];
    })()`)) as [string[], string];
    assert.deepEqual(names, ["box"]);
    assert.match(printed, /hostname; ps; echo hi/);
    assert.doesNotMatch(printed, /tsbox diff box/);
    assert.match(printed, /\n1\r\nanother way\r\n/);
  });

  const firefoxPath = firefox();
  test("ends in the same state in Firefox", {
    skip: firefoxPath === undefined ? "no Firefox here" : false,
  }, async () => {
    const other = await launch("firefox", firefoxPath ?? "");
    try {
      const elsewhere = await other.newPage();
      await elsewhere.goto(server.url);
      await prompted(elsewhere);
      const digest = session.entries.flatMap((entry) => (entry.kind === "file" ? [entry.digest] : []))[0];
      const replayed = (await elsewhere.evaluate(
        `(() => {
          const bytes = Uint8Array.from(atob(${JSON.stringify(Buffer.from(tar).toString("base64"))}), (char) => char.charCodeAt(0));
          return ${terminal}.machine.replay(${JSON.stringify(session)}, new Map([[${JSON.stringify(digest)}, bytes]]));
        })()`,
      )) as Replayed;
      assert.deepEqual(replayed, { same: true, root });
    } finally {
      await other.close();
    }
  });
});
