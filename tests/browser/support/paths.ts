// SPDX-License-Identifier: Apache-2.0
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const SOURCE = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");
export const BUILD = process.env["AISPM_BUILD_DIR"] ?? resolve(SOURCE, "build/release");
export const COLLECTOR = `${process.env["AISPM_BIN_DIR"] ?? `${BUILD}/bin`}/aispm-collector`;
export const DASHBOARD = resolve(SOURCE, "gateway/dashboard/dist");
export const CHROMIUM = process.env["AISPM_CHROMIUM"] ?? "/usr/bin/chromium";
