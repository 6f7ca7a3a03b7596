/** The page's tests run in a real Chromium, by @web/test-runner; esbuild takes the types away on the way. */
import { esbuildPlugin } from "@web/dev-server-esbuild";
import type { TestRunnerConfig } from "@web/test-runner";
import { chromeLauncher } from "@web/test-runner-chrome";
import { a11ySnapshotPlugin } from "@web/test-runner-commands/plugins";
import { chromium } from "./browsers.ts";
import { fixtures, inlineStyles } from "./fixtures.ts";

/** Chromium's own sandbox refuses root. */
const asRoot = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
const executable = chromium();

const config: TestRunnerConfig = {
  files: "test/page/**/*.test.ts",
  nodeResolve: true,
  testFramework: { config: { ui: "tdd", timeout: 60_000 } },
  // A file of many tests, on a small machine that does other things too.
  testsFinishTimeout: 300_000,
  middleware: [fixtures],
  plugins: [inlineStyles(), esbuildPlugin({ ts: true, target: "es2022" }), a11ySnapshotPlugin()],
  browsers: [
    chromeLauncher({
      launchOptions: { args: asRoot, ...(executable === undefined ? {} : { executablePath: executable }) },
    }),
  ],
};

export default config;
