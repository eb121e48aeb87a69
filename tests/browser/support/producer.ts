// SPDX-License-Identifier: Apache-2.0
// A daemon as the collector sees one: enrols with a one-time token, then reports over mTLS and waits for each Ack.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { createClient, type Client } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { EventSchema } from "../../../gateway/dashboard/src/api/gen/aispm/v1/event_pb";
import { Enrolment, Ingest, ReportRequestSchema, type ReportReply, type ReportRequest } from "../../../gateway/dashboard/src/api/gen/aispm/v1/ingest_pb";
import type { Collector } from "./collector";

export type EventInit = MessageInitShape<typeof EventSchema>;

// A request stream that is written to as things happen.
class Outbox implements AsyncIterable<ReportRequest> {
  readonly #waiting: ReportRequest[] = [];
  #wake: () => void = () => undefined;
  #closed = false;

  put(request: ReportRequest): void {
    this.#waiting.push(request);
    this.#wake();
  }

  close(): void {
    this.#closed = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<ReportRequest> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next) yield next;
      else if (this.#closed) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

export interface Facts {
  readonly component: "sensord" | "gateway";
  readonly hostname: string;
  readonly machineId: string;
}

export class Producer {
  #sequence = 0n;

  private constructor(
    readonly hostId: string,
    private readonly outbox: Outbox,
    private readonly replies: AsyncIterator<ReportReply>,
    // Its other calls of Ingest.
    readonly ingest: Client<typeof Ingest>,
  ) {}

  static async enrol(collector: Collector, facts: Facts): Promise<Producer> {
    const base = join(collector.scratch, `${facts.component}-${facts.hostname}`);
    execFileSync("openssl", ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
      "-keyout", `${base}.key`, "-out", `${base}.csr`, "-subj", `/CN=${facts.hostname}`], { stdio: "pipe" });
    const baseUrl = `https://127.0.0.1:${collector.grpcPort}`;
    const ca = collector.ca();
    const { token } = await collector.post("/api/v1/enrolment-tokens", {});
    const enrolment = createClient(Enrolment, createGrpcTransport({ baseUrl, nodeOptions: { ca } }));
    const enrolled = await enrolment.enrol({
      token: token as string,
      certificateRequestPem: readFileSync(`${base}.csr`, "utf8"),
      component: facts.component,
      hostname: facts.hostname,
    });
    const nodeOptions = { ca, cert: enrolled.certificatePem, key: readFileSync(`${base}.key`) };
    const outbox = new Outbox();
    const ingest = createClient(Ingest, createGrpcTransport({ baseUrl, nodeOptions }));
    const replies = ingest.report(outbox)[Symbol.asyncIterator]();
    outbox.put(create(ReportRequestSchema, { message: { case: "hello", value: {
      component: facts.component, version: "0.1.0", hostname: facts.hostname, producerId: randomUUID(),
      host: { machineId: facts.machineId, os: "Debian GNU/Linux 12 (bookworm)", kernel: "6.1.0-42-amd64", architecture: "x86_64", bootId: randomUUID() },
    } } }));
    const hello = await replies.next();
    if (hello.done || hello.value.message.case !== "hello") throw new Error("the collector did not say hello");
    return new Producer(enrolled.hostId, outbox, replies, ingest);
  }

  // Resolves when the events are durable. Throws when the collector refused one.
  async report(events: readonly EventInit[]): Promise<void> {
    this.#sequence += 1n;
    this.outbox.put(create(ReportRequestSchema, { message: { case: "batch", value: { sequence: this.#sequence, events: [...events] } } }));
    for (;;) {
      const reply = await this.replies.next();
      if (reply.done) throw new Error("the collector ended the stream");
      const { message } = reply.value;
      if (message.case !== "ack") continue;
      if (message.value.rejected > 0n) throw new Error(`the collector refused ${message.value.rejected} events`);
      if (message.value.sequence >= this.#sequence) return;
    }
  }

  close(): void {
    this.outbox.close();
  }
}
