// SPDX-License-Identifier: Apache-2.0
import { defineConfig } from "vitest/config";

// `AISPM_API` lets `npm run dev` use a collector that runs elsewhere on this host.
const collector = process.env["AISPM_API"] ?? "http://127.0.0.1:7080";
const results = process.env["AISPM_BUILD_DIR"];

export default defineConfig({
  esbuild: { jsx: "automatic" },
  build: {
    target: "es2022",
    // Assets are files of their own: the page's policy allows no data: scripts and needs no inline ones.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
    rollupOptions: {
      onwarn(warning, warn) {
        // Component libraries mark their files for server rendering, which there is none of here.
        if (warning.code !== "MODULE_LEVEL_DIRECTIVE") warn(warning);
      },
      output: {
        manualChunks(id) {
          if (/node_modules\/(echarts|zrender)\//.test(id)) return "charts";
          if (/node_modules\/(react|react-dom|scheduler|@mantine|@floating-ui)\//.test(id)) return "ui";
          return undefined;
        },
      },
    },
  },
  server: { proxy: { "/api": { target: collector } } },
  test: {
    include: ["test/**/*.test.ts"],
    environment: "node",
    reporters: results ? ["default", ["junit", { outputFile: `${results}/results/dashboard_unit.xml` }]] : ["default"],
  },
});
