// SPDX-License-Identifier: Apache-2.0
// Makes src/api/gen/ from proto/: the dashboard has no API types or routes of its own. Does nothing when they are fresh.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const dashboard = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const protoRoot = resolve(dashboard, "../../proto");
const generated = join(dashboard, "src/api/gen");
const names = readdirSync(join(protoRoot, "aispm/v1"))
  .filter((file) => file.endsWith(".proto"))
  .map((file) => file.slice(0, -".proto".length));

const newest = Math.max(...names.map((name) => statSync(join(protoRoot, `aispm/v1/${name}.proto`)).mtimeMs));
const outputs = names.map((name) => join(generated, `aispm/v1/${name}_pb.ts`));
const fresh = outputs.every((path) => existsSync(path) && statSync(path).mtimeMs > newest);

if (!fresh) {
  mkdirSync(generated, { recursive: true });
  const run = spawnSync(
    "protoc",
    [
      `-I${protoRoot}`,
      `--plugin=protoc-gen-es=${join(dashboard, "node_modules/.bin/protoc-gen-es")}`,
      `--es_out=${generated}`,
      "--es_opt=target=ts",
      ...names.map((name) => `aispm/v1/${name}.proto`),
    ],
    { stdio: "inherit" },
  );
  if (run.error) {
    console.error(`generate: protoc did not start (${run.error.message}); install protobuf-compiler`);
    process.exit(1);
  }
  if (run.status !== 0) process.exit(run.status ?? 1);
  console.log(`generated ${readdirSync(join(generated, "aispm/v1")).length} files from proto/`);
}
