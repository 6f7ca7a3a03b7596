/** The simulated machine's figures in Chromium: what is measured (browser-figures.ts) becomes one script for an empty page. */
import puppeteer, { type Page } from "puppeteer-core";
import { rolldown } from "rolldown";
import { program } from "../images/wasi/build.ts";
import { wasmerModule } from "../scripts/wasmer.ts";
import { chromium } from "../test/browser/browsers.ts";
import type { Row } from "./row.ts";
import { megabytes } from "./wasm-programs.ts";

export interface Figure {
  readonly name: string;
  readonly unit: Row["unit"];
  readonly value: number;
  readonly most: number | null;
}

const containers = 1000;
const slowRoundsMax = 5;
const megabyte = 1 << 20;
const loop = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done";

/** None where there is no Chromium. */
export async function simInBrowser(rounds: number): Promise<Figure[]> {
  const executablePath = chromium();
  if (executablePath === undefined) return [];
  const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  const browser = await puppeteer.launch({ executablePath, args });
  try {
    const page = await browser.newPage();
    await page.evaluate(await script());
    return await measured(page, rounds);
  } finally {
    await browser.close();
  }
}

async function script(): Promise<string> {
  const root = new URL("..", import.meta.url).pathname;
  const bundle = await rolldown({
    input: `${root}bench/browser-figures.ts`,
    cwd: root,
    platform: "browser",
    // Where @wasmer/wasi would look for what it is given.
    transform: { define: { "import.meta": "{}" } },
  });
  const { output } = await bundle.generate({ format: "iife", codeSplitting: false });
  await bundle.close();
  return output[0].code;
}

async function measured(page: Page, rounds: number): Promise<Figure[]> {
  const figure = (call: string): Promise<number> => page.evaluate(`figures.${call}`) as Promise<number>;
  const few = Math.min(rounds, slowRoundsMax);
  const wasmer = JSON.stringify(base64(wasmerModule()));
  const hello = JSON.stringify(base64(await program("hello")));
  const cat = JSON.stringify(base64(await program("cat")));
  const start = await figure(`start(${rounds})`);
  const before = await heapBytes(page);
  await figure(`gather(${containers})`);
  const held = (await heapBytes(page)) - before;
  const ms = (name: string, value: number, most: number): Figure => ({ name, unit: "ms", value, most });
  return [
    ms("container: start to the program's first step", start, 2),
    { name: `${containers} running containers: heap`, unit: "bytes", value: held, most: 300 * megabyte },
    ms("100,000 iterations of a while loop", await figure(`script(${JSON.stringify(loop)}, ${few})`), 500),
    ms("hello, for WASI, from spawn to its end", await figure(`program("hello", ${hello}, ${wasmer}, ${rounds})`), 5),
    ms(`${megabytes} MB through two cats`, await figure(`cats(${cat}, ${wasmer}, ${few})`), megabytes * 10),
  ];
}

async function heapBytes(page: Page): Promise<number> {
  const session = await page.createCDPSession();
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  await session.detach();
  return usedSize;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
