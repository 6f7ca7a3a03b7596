/**
 * Serves the page on the loopback device: the built files through vite's preview server, and `engine.json`.
 *
 * The engine's socket is root's; what this server tells of it is read-only and no more than the page shows. vite
 * refuses requests for foreign host names, so a page elsewhere cannot reach us by rebinding its name to 127.0.0.1.
 */
import { fileURLToPath } from "node:url";
import { build, type Plugin, preview } from "vite";
import type { EngineReport } from "../web/playground/report.ts";

export interface PageServer {
  readonly url: string;
  close(): Promise<void>;
}

const root = fileURLToPath(new URL("../web/playground", import.meta.url));
const outDir = fileURLToPath(new URL("../dist/web", import.meta.url));

export async function buildPage(): Promise<void> {
  await build({ root, configFile: false, logLevel: "warn", base: "./", build: { outDir, emptyOutDir: true } });
}

/** Listens on `port`, or the next free one. */
export async function servePage(port: number, report: () => Promise<EngineReport>): Promise<PageServer> {
  const server = await preview({
    root,
    configFile: false,
    logLevel: "warn",
    appType: "mpa",
    build: { outDir },
    preview: { host: "127.0.0.1", port, cors: false },
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
