// SPDX-License-Identifier: Apache-2.0
// Runs tests/browser with the packages that are installed here, so that one `npm ci` serves both.
import { join, resolve } from "node:path";
import { defineConfig, type Plugin } from "vitest/config";

const dashboard = import.meta.dirname;
const tests = resolve(dashboard, "../../tests/browser");
const results = process.env["AISPM_BUILD_DIR"];

const packagesOfTheDashboard: Plugin = {
  name: "packages-of-the-dashboard",
  enforce: "pre",
  resolveId(source, importer, options) {
    const isPackage = /^[@a-z]/.test(source) && !source.startsWith("node:");
    if (!isPackage || !importer?.startsWith(tests)) return null;
    return this.resolve(source, join(dashboard, "vite.config.ts"), { ...options, skipSelf: true });
  },
};

export default defineConfig({
  root: tests,
  plugins: [packagesOfTheDashboard],
  server: { fs: { allow: [tests, dashboard] } },
  test: {
    include: ["*.test.ts"],
    environment: "node",
    testTimeout: 60_000,
    hookTimeout: 90_000,
    // One collector and one Chromium at a time: the machine may have two cores.
    fileParallelism: false,
    reporters: results ? ["default", ["junit", { outputFile: `${results}/results/browser.xml` }]] : ["default"],
  },
});
