// SPDX-License-Identifier: Apache-2.0
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { Decision_Outcome, EventSchema, SandboxDenial_Kind, type Event } from "../src/api/gen/aispm/v1/event_pb";
import { buildDestinations, buildProcessTree, buildStory } from "../src/story/build";

type Body = NonNullable<MessageInitShape<typeof EventSchema>["body"]>;
let made = 0;

function event(ms: number, body: Body, rest: MessageInitShape<typeof EventSchema> = {}): Event {
  made += 1;
  return create(EventSchema, { id: `id-${made}`, time: timestampFromMs(ms), hostId: "h", body, ...(rest as object) });
}
function process(ms: number, pid: number, parent: number, body: Body, start = pid): Event {
  return event(ms, body, { process: { pid, startBoottimeNs: BigInt(start), parentPid: parent, parentStartBoottimeNs: BigInt(parent), argv: [`p${pid}`] } });
}
const kinds = (events: Event[]) => buildStory(events).map(({ kind }) => kind);
const call = (surfaces: string[], outcome = Decision_Outcome.ALLOW, durationUs = 100_000n) =>
  event(1_000, { case: "llmCall", value: { status: 200, durationUs } }, { detections: surfaces.map((surface) => ({ surface })), decision: { outcome } });

describe("a call", () => {
  test("reads as prompt, detections, decision, reply", () => expect(kinds([call(["prompt", "tool_result"])])).toEqual(["prompt", "detection", "detection", "decision", "reply"]));
  test("decided about its reply shows the decision there", () => expect(kinds([call(["reply"])])).toEqual(["prompt", "detection", "decision", "reply"]));
  test("with findings on both sides shows those of the reply after the decision", () => {
    const story = buildStory([call(["reply", "prompt"])]);
    expect(story.map((step) => (step.kind === "detection" ? step.detection.surface : step.kind))).toEqual(["prompt", "prompt", "decision", "reply", "reply"]);
  });
  test("takes tool arguments for the reply's only where it called a tool", () => {
    const withTools = (toolsCalled: string[]) => event(1_000, { case: "llmCall", value: { toolsCalled } }, { detections: [{ surface: "tool_arguments" }], decision: {} });
    expect(kinds([withTools([])])).toEqual(["prompt", "detection", "decision", "reply"]);
    expect(buildStory([withTools(["send_mail"])]).map(({ id }) => id.split("/")[1])).toEqual(["prompt", "detection-0", "decision", "reply"]);
    expect(buildStory([event(1_000, { case: "llmCall", value: { toolsCalled: ["x"], durationUs: 5_000n } }, { detections: [{ surface: "tool_arguments" }] })])[1]?.time).toEqual(timestampFromMs(1_005));
  });
  test("without a decision has none", () => expect(kinds([event(1, { case: "llmCall", value: {} })])).toEqual(["prompt", "reply"]));
  test("lets what happened meanwhile stand between prompt and reply", () => expect(kinds([call([]), process(1_050, 7, 1, { case: "processExec", value: {} })])).toEqual(["prompt", "decision", "exec", "reply"]));
});

describe("the order", () => {
  test("is that of time, not of arrival", () =>
    expect(kinds([event(30, { case: "sandboxExit", value: {} }), event(10, { case: "sandboxStart", value: {} }), event(20, { case: "agentLog", value: {} })])).toEqual(["start", "log", "exit"]));
  test("of equal times is that of the events", () => expect(kinds([event(5, { case: "agentReady", value: {} }), event(5, { case: "agentLog", value: {} })])).toEqual(["ready", "log"]));
  test("leaves out no event: those of an unknown kind stay, those without time come last", () =>
    expect(kinds([event(9, { case: undefined }), event(1, { case: "agentLog", value: {} }, { time: undefined })])).toEqual(["other", "log"]));
});

describe("a process", () => {
  test("is told once, with its end", () => {
    const story = buildStory([process(10, 7, 1, { case: "processExec", value: {} }), process(40, 7, 1, { case: "processExit", value: { exitCode: 3 } })]);
    expect(story).toHaveLength(1);
    expect(story[0]).toMatchObject({ kind: "exec", exit: { exitCode: 3 } });
  });
  test("whose start was not seen is told by its end", () => expect(kinds([process(40, 7, 1, { case: "processExit", value: {} })])).toEqual(["process-exit"]));
  test("with a reused pid is another one", () =>
    expect(kinds([process(10, 7, 1, { case: "processExec", value: {} }), process(40, 7, 1, { case: "processExit", value: {} }, 99)])).toEqual(["exec", "process-exit"]));
});

describe("repetitions", () => {
  const connect = (ms: number, port: number, pid = 7) => process(ms, pid, 1, { case: "socketConnect", value: { destinationAddress: "192.0.2.1", destinationPort: port } });
  test("right after each other are told once and counted", () => expect(buildStory([connect(1, 443), connect(2, 443), connect(3, 443)])).toMatchObject([{ kind: "connect", repeats: 2 }]));
  test("by another process or to another port are not", () => expect(kinds([connect(1, 443), connect(2, 80), connect(3, 80, 8)])).toEqual(["connect", "connect", "connect"]));
});

describe("the process tree", () => {
  const exec = (pid: number, parent: number, ms = pid) => process(ms, pid, parent, { case: "processExec", value: {} });
  const shape = (events: Event[]) => buildProcessTree(events).map(({ exec: { process: seen }, depth }) => `${"-".repeat(depth)}${seen?.pid}`);
  test("puts children under their parent", () => expect(shape([exec(1, 0), exec(2, 1), exec(4, 1), exec(3, 2)])).toEqual(["1", "-2", "--3", "-4"]));
  test("shows a second exec of the same process as what it became", () => expect(shape([exec(1, 0, 5), exec(1, 0, 6)])).toEqual(["1"]));
  test("ends with parents that name each other", () => expect(shape([exec(1, 1), exec(2, 1)])).toEqual(["1", "-2"]));
  test("holds a deep chain", () => expect(shape(Array.from({ length: 5000 }, (_, pid) => exec(pid + 1, pid)))).toHaveLength(5000));
});

test("destinations name refused ones first and count an attempt once", () => {
  const denial = (kind: SandboxDenial_Kind, target: string, count: bigint) => event(1, { case: "sandboxDenial", value: { kind, target, protocol: "tcp", count } });
  const connect = (address: string, port: number) => event(1, { case: "socketConnect", value: { destinationAddress: address, destinationPort: port, protocol: "tcp" } });
  expect(buildDestinations([
    connect("127.0.0.1", 8088), connect("203.0.113.9", 443), connect("2001:db8::1", 80),
    denial(SandboxDenial_Kind.CONNECT, "203.0.113.9:443", 3n), denial(SandboxDenial_Kind.SYSCALL, "ptrace", 1n), denial(SandboxDenial_Kind.CONNECT, "[2001:db8::1]:80", 0n),
  ])).toEqual([
    { target: "203.0.113.9:443 tcp", refused: true, count: 3n },
    { target: "[2001:db8::1]:80 tcp", refused: true, count: 1n },
    { target: "127.0.0.1:8088 tcp", refused: false, count: 1n },
  ]);
});
