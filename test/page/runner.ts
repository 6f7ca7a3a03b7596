/** The page's tests run in a real Chromium, by @web/test-runner; esbuild takes the types away on the way. */
import { existsSync } from "node:fs";
import { esbuildPlugin } from "@web/dev-server-esbuild";
import type { TestRunnerConfig } from "@web/test-runner";
import { chromeLauncher } from "@web/test-runner-chrome";
import { a11ySnapshotPlugin } from "@web/test-runner-commands/plugins";

const chromium = ["/usr/bin/chromium", "/usr/bin/google-chrome"].find((path) => existsSync(path));
/** Chromium's own sandbox refuses root. */
const asRoot = process.getuid?.() === 0 ? ["--no-sandbox"] : [];

const config: TestRunnerConfig = {
  files: "test/page/**/*.test.ts",
  nodeResolve: true,
  testFramework: { config: { ui: "tdd" } },
  plugins: [esbuildPlugin({ ts: true, target: "es2022" }), a11ySnapshotPlugin()],
  browsers: [
    chromeLauncher({
      launchOptions: { args: asRoot, ...(chromium === undefined ? {} : { executablePath: chromium }) },
    }),
  ],
};

export default config;
