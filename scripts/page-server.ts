/**
 * Serves the page on the loopback device: the built files through vite's preview server, and `engine.json`.
 *
 * The engine's socket is root's; what this server tells of it is read-only and no more than the page shows. vite
 * refuses requests for foreign host names, so a page elsewhere cannot reach us by rebinding its name to 127.0.0.1.
 */
import { cpSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin, preview } from "vite";
import type { EngineReport } from "../web/playground/report.ts";
import { wasmerFile, wasmerModule, withoutWasmerModule } from "./wasmer.ts";

export interface PageServer {
  readonly url: string;
  close(): Promise<void>;
}

const root = fileURLToPath(new URL("../web/playground", import.meta.url));
/** The images that come with tsbox: a machine in the page fetches them when somebody asks for one. */
const images = fileURLToPath(new URL("../dist/images", import.meta.url));
const outDir = fileURLToPath(new URL("../dist/web", import.meta.url));

/**
 * What the page may do (CSP level 3), sent as a header and written into the page, so that it holds wherever the page is
 * served from. WebAssembly is compiled: hashing needs it, and so do programs in images. Images may be fetched from any
 * server that allows it (https). xterm writes its styles into the document.
 */
export const contentSecurityPolicy: string = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self'",
  "connect-src 'self' https:",
  "style-src 'self' 'unsafe-inline'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

/** How long plugins take is nobody's business who starts the page. */
const quiet = { checks: { pluginTimings: false } };

export async function buildPage(): Promise<void> {
  await build({
    root,
    configFile: false,
    logLevel: "warn",
    base: "./",
    plugins: [policyInPage],
    worker: { format: "es", plugins: () => [withoutWasmerModule], rolldownOptions: quiet },
    build: {
      outDir,
      emptyOutDir: true,
      target: "es2023",
      cssTarget: "firefox120",
      modulePreload: { polyfill: false },
      rolldownOptions: quiet,
    },
  });
  writeFileSync(join(outDir, wasmerFile), wasmerModule());
  for (const part of ["hello.tar", "wasi"])
    if (existsSync(join(images, part))) cpSync(join(images, part), join(outDir, "images", part), { recursive: true });
}

const policyInPage: Plugin = {
  name: "policy-in-page",
  transformIndexHtml: () => [
    {
      tag: "meta",
      attrs: { "http-equiv": "Content-Security-Policy", content: contentSecurityPolicy },
      injectTo: "head-prepend",
    },
  ],
};

const headers = {
  "content-security-policy": `${contentSecurityPolicy}; frame-ancestors 'self'`,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
};

/** Listens on `port`, or the next free one. */
export async function servePage(port: number, report: () => Promise<EngineReport>): Promise<PageServer> {
  const server = await preview({
    root,
    configFile: false,
    logLevel: "warn",
    appType: "mpa",
    build: { outDir },
    preview: { host: "127.0.0.1", port, cors: false, headers },
    plugins: [engineJson(report)],
  });
  const url = server.resolvedUrls?.local[0];
  if (url === undefined) throw new Error("the page's server listens nowhere");
  return { url, close: () => server.close() };
}

/** Answers after vite's own checks of the request: the returned function is vite's way to say so. */
function engineJson(report: () => Promise<EngineReport>): Plugin {
  return {
    name: "engine-json",
    configurePreviewServer: (server) => () => {
      server.middlewares.use("/engine.json", (_request, response, next) => {
        report().then((answer) => {
          response.setHeader("content-type", "application/json");
          response.setHeader("cache-control", "no-store");
          response.end(JSON.stringify(answer));
        }, next);
      });
    },
  };
}
