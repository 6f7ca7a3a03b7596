/**
 * The page in Chromium, each time in a fresh profile: how long until the shell's first prompt, until
 * the Debian archive is open, and how much is loaded for it. There is no peer: the limits are the goals.
 */
import puppeteer, { type Browser, type Page } from "puppeteer-core";
import { servePage } from "../scripts/page-server.ts";
import { chromium } from "../test/browser/browsers.ts";
import { debianTar, isMade } from "../test/images/make.ts";
import { asked, events, lines, type Times } from "./long-session.ts";
import { pageSizes } from "./page-sizes.ts";
import { judge, type Row } from "./row.ts";

const roundsMax = 7;
const absent = { state: "absent", why: "not asked for", remedy: "none", commands: [] } as const;

export async function* bench(rounds: number): AsyncGenerator<Row, void, undefined> {
  for (const { part, bytes, bytesMax } of pageSizes() ?? []) yield row(`${part}, brotli`, "bytes", bytes, bytesMax);
  const executablePath = chromium();
  if (executablePath === undefined) return;
  const server = await servePage(0, () => Promise.resolve(absent));
  const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  const browser = await puppeteer.launch({ executablePath, args });
  try {
    yield* timed(browser, server.url, Math.min(rounds, roundsMax));
  } finally {
    await browser.close();
    await server.close();
  }
}

async function* timed(browser: Browser, url: string, rounds: number): AsyncGenerator<Row, void, undefined> {
  yield row("first prompt after load", "ms", await median(rounds, () => fresh(browser, url, promptMs)), 1000);
  if (!isMade("debian.tar")) return;
  const archive = await debianTar();
  const open = (): Promise<number> => fresh(browser, url, (page) => opened(page, archive));
  yield row("Debian archive opened", "ms", await median(Math.min(rounds, 3), open), 3000);
  yield* timeTravel(await fresh(browser, url, longSession));
}

function* timeTravel({ viewed, resumed }: Times): Generator<Row> {
  yield row(`any of ${events} events viewed, the slowest`, "ms", Math.max(...viewed), 50);
  yield row(`any of ${events} events gone on from, the slowest`, "ms", Math.max(...resumed), 500);
}

/** Typed into the machine's console as fast as it reads. */
async function longSession(page: Page): Promise<Times> {
  await promptMs(page);
  const script = `(async () => {
    const { machine } = document.querySelector("tsb-playground").renderRoot.querySelector("terminal-pane");
    const lines = ${JSON.stringify(lines)};
    for (let at = 0; (await machine.events()) < ${events}; at++)
      for (const key of lines[at % lines.length] + "\\r") {
        machine.type(new TextEncoder().encode(key));
        await machine.events();
      }
    const times = { viewed: [], resumed: [] };
    for (const event of ${JSON.stringify(asked)}.toReversed()) {
      await machine.prepare();
      const began = performance.now();
      await machine.look(event);
      const looked = performance.now();
      await machine.resume(event, { screen: () => Promise.resolve(), offer: () => {} });
      times.resumed.push(performance.now() - looked);
      times.viewed.push(looked - began);
    }
    return times;
  })()`;
  return (await page.evaluate(script)) as Times;
}

function row(name: string, unit: Row["unit"], ours: number, limit: number): Row {
  return judge({ bench: "page", row: name, unit, ours, peers: { limit } }, { peer: "limit", atMost: 1 });
}

async function median(rounds: number, measure: () => Promise<number>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) times.push(await measure());
  return times.sort((a, b) => a - b)[rounds >> 1] ?? 0;
}

async function fresh<T>(browser: Browser, url: string, measure: (page: Page) => Promise<T>): Promise<T> {
  const context = await browser.createBrowserContext();
  try {
    const page = await context.newPage();
    await page.goto(url);
    return await measure(page);
  } finally {
    await context.close();
  }
}

/** Milliseconds since the navigation began, when the terminal shows a prompt. */
function promptMs(page: Page): Promise<number> {
  return page
    .waitForFunction(
      `/[$#]$/.test(document.querySelector("tsb-playground").renderRoot.querySelector("terminal-pane").text) && performance.now()`,
      { polling: 5 },
    )
    .then((handle) => handle.jsonValue() as Promise<number>);
}

/** The page reads the archive as a file that was chosen. */
async function opened(page: Page, archive: string): Promise<number> {
  await promptMs(page);
  const pane = `document.querySelector("tsb-playground").renderRoot.querySelector("image-pane")`;
  const input = await page.waitForSelector<"input">("tsb-playground >>> image-pane >>> input[type=file]" as "input");
  await input?.uploadFile(archive);
  const done = await page.waitForFunction(`${pane}.shown.state === "open" && ${pane}.shown.ms`, { polling: 20 });
  return (await done.jsonValue()) as number;
}
