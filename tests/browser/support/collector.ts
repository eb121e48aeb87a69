// SPDX-License-Identifier: Apache-2.0
// The real collector, with a state folder of its own on free loopback ports.
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { COLLECTOR, DASHBOARD } from "./paths";

const START_MS = 20_000;
const STOP_MS = 10_000;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

interface Bootstrap {
  readonly admin_token: string;
  readonly ca_file: string;
}

export class Collector {
  #process: ChildProcess | undefined;

  private constructor(
    private readonly folder: string,
    readonly httpPort: number,
    readonly grpcPort: number,
    readonly token: string,
    readonly caFile: string,
  ) {}

  /** `extra` gives further lines of its configuration, for the folder it has to itself. */
  static async create(extra: (folder: string) => string = () => ""): Promise<Collector> {
    const folder = mkdtempSync(join(tmpdir(), "aispm-browser-"));
    const [httpPort, grpcPort] = [await freePort(), await freePort()];
    // The dashboard as it was built last, even when the collector embeds an older one.
    writeFileSync(
      join(folder, "collector.yaml"),
      `state_folder: ${folder}/state\ngrpc:\n  address: "127.0.0.1:${grpcPort}"\nhttp:\n  port: ${httpPort}\ndashboard_folder: ${DASHBOARD}\n${extra(folder)}`,
    );
    const made = JSON.parse(
      execFileSync(COLLECTOR, ["bootstrap", "--config", join(folder, "collector.yaml")], { encoding: "utf8" }),
    ) as Bootstrap;
    const collector = new Collector(folder, httpPort, grpcPort, made.admin_token, made.ca_file);
    await collector.start();
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${this.httpPort}`;
  }

  get scratch(): string {
    return this.folder;
  }

  async start(): Promise<void> {
    const child = spawn(COLLECTOR, ["--config", join(this.folder, "collector.yaml")], { stdio: ["ignore", "ignore", "pipe"] });
    let words = "";
    child.stderr.on("data", (chunk: Buffer) => (words = (words + chunk.toString()).slice(-4000)));
    this.#process = child;
    const deadline = Date.now() + START_MS;
    while (Date.now() < deadline) {
      if (child.exitCode !== null) throw new Error(`aispm-collector exited ${child.exitCode}: ${words}`);
      const reply = await fetch(`${this.url}/healthz`).catch(() => null);
      if (reply) return;
      await sleep(50);
    }
    throw new Error(`aispm-collector does not answer: ${words}`);
  }

  async stop(): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await Promise.race([ended, sleep(STOP_MS).then(() => child.kill("SIGKILL"))]);
  }

  async destroy(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  // An answer of the REST API as it is on the wire.
  async get(path: string): Promise<Record<string, any>> {
    const reply = await fetch(this.url + path, { headers: { Authorization: `Bearer ${this.token}` } });
    if (!reply.ok) throw new Error(`GET ${path}: ${reply.status} ${await reply.text()}`);
    return (await reply.json()) as Record<string, any>;
  }

  async post(path: string, body: unknown): Promise<Record<string, any>> {
    const reply = await fetch(this.url + path, {
      method: "POST",
      headers: { Authorization: `Bearer ${this.token}`, "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!reply.ok) throw new Error(`POST ${path}: ${reply.status} ${await reply.text()}`);
    return (await reply.json()) as Record<string, any>;
  }

  ca(): string {
    return readFileSync(this.caFile, "utf8");
  }
}
