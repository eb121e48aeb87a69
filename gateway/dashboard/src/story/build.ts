// SPDX-License-Identifier: Apache-2.0
// Turns the events of one run into steps that read from top to bottom. Pure.
import { timestampFromMs, timestampMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import {
  SandboxDenial_Kind,
  type AgentLog,
  type AgentReady,
  type Decision,
  type Detection,
  type Event,
  type LlmCall,
  type ProcessExit,
  type SandboxDenial,
  type SandboxExit,
  type SandboxStart,
  type SocketConnect,
  type SocketListen,
} from "../api/gen/aispm/v1/event_pb";
import { endpoint } from "../events/describe";

export type StepGroup = "prompts" | "processes" | "connections" | "logs" | "run";

interface Base {
  readonly id: string;
  readonly time: Timestamp | undefined;
  readonly event: Event;
  // Further events of the same content right after this one, folded into it.
  readonly repeats: number;
}

export type Step = Base &
  (
    | { readonly kind: "start"; readonly start: SandboxStart }
    | { readonly kind: "exit"; readonly exit: SandboxExit }
    | { readonly kind: "ready"; readonly ready: AgentReady }
    | { readonly kind: "prompt"; readonly call: LlmCall }
    | { readonly kind: "detection"; readonly detection: Detection }
    | { readonly kind: "decision"; readonly decision: Decision }
    | { readonly kind: "reply"; readonly call: LlmCall }
    | { readonly kind: "exec"; readonly exit: ProcessExit | undefined; readonly exitTime: Timestamp | undefined }
    | { readonly kind: "process-exit"; readonly exit: ProcessExit }
    | { readonly kind: "connect"; readonly connect: SocketConnect }
    | { readonly kind: "listen"; readonly listen: SocketListen }
    | { readonly kind: "denial"; readonly denial: SandboxDenial }
    | { readonly kind: "log"; readonly log: AgentLog }
    | { readonly kind: "other" }
  );

export type StepKind = Step["kind"];

export const STEP_GROUPS: Record<StepKind, StepGroup> = {
  start: "run",
  exit: "run",
  ready: "run",
  other: "run",
  prompt: "prompts",
  detection: "prompts",
  decision: "prompts",
  reply: "prompts",
  exec: "processes",
  "process-exit": "processes",
  connect: "connections",
  listen: "connections",
  denial: "connections",
  log: "logs",
};

// Whether a detection is about what came back. Tool arguments occur on both sides: a request repeats those of earlier turns,
// a reply brings new ones only where it called a tool.
export function isReplyDetection(detection: Detection, call: LlmCall): boolean {
  return detection.surface === "reply" || (detection.surface === "tool_arguments" && call.toolsCalled.length > 0);
}

function later(time: Timestamp | undefined, us: bigint): Timestamp | undefined {
  return time && timestampFromMs(timestampMs(time) + Number(us) / 1000);
}

// One exchange is one event; people read it as prompt, what was seen in it, what was decided, and the reply.
function callSteps(event: Event, call: LlmCall): Step[] {
  const end = later(event.time, call.durationUs);
  const at = (name: string, time: Timestamp | undefined) => ({ id: `${event.id}/${name}`, time, event, repeats: 0 });
  const detectionSteps = (wanted: boolean): Step[] =>
    event.detections.flatMap((detection, index) =>
      isReplyDetection(detection, call) === wanted
        ? [{ ...at(`detection-${index}`, wanted ? end : event.time), kind: "detection" as const, detection }]
        : [],
    );
  const inRequest = detectionSteps(false);
  const inReply = detectionSteps(true);
  // The decision follows what it is about.
  const aboutReply = inReply.length > 0 && inRequest.length === 0;
  const decision: Step[] = event.decision
    ? [{ ...at("decision", aboutReply ? end : event.time), kind: "decision", decision: event.decision }]
    : [];
  return [
    { ...at("prompt", event.time), kind: "prompt", call },
    ...inRequest,
    ...(aboutReply ? [] : decision),
    ...inReply,
    ...(aboutReply ? decision : []),
    { ...at("reply", end), kind: "reply", call },
  ];
}

// Pid and start time name a process on its host; pids alone are reused.
export function processKey(event: Event): string | undefined {
  const { process } = event;
  return process && `${event.hostId}/${process.pid}/${process.startBoottimeNs}`;
}

interface Exits {
  readonly byProcess: Map<string, Event>;
  readonly started: Set<string>;
}

function stepsOf(event: Event, exits: Exits): Step[] {
  const base = { id: event.id, time: event.time, event, repeats: 0 };
  const { body } = event;
  switch (body.case) {
    case "llmCall":
      return callSteps(event, body.value);
    case "sandboxStart":
      return [{ ...base, kind: "start", start: body.value }];
    case "sandboxExit":
      return [{ ...base, kind: "exit", exit: body.value }];
    case "sandboxDenial":
      return [{ ...base, kind: "denial", denial: body.value }];
    case "agentReady":
      return [{ ...base, kind: "ready", ready: body.value }];
    case "agentLog":
      return [{ ...base, kind: "log", log: body.value }];
    case "processExec": {
      const end = exits.byProcess.get(processKey(event) ?? "");
      return [{ ...base, kind: "exec", exit: end?.body.case === "processExit" ? end.body.value : undefined, exitTime: end?.time }];
    }
    case "processExit":
      // An exit is told with its start; alone only where the start was not seen.
      return exits.started.has(processKey(event) ?? "") ? [] : [{ ...base, kind: "process-exit", exit: body.value }];
    case "socketConnect":
      return [{ ...base, kind: "connect", connect: body.value }];
    case "socketListen":
      return [{ ...base, kind: "listen", listen: body.value }];
    default:
      return [{ ...base, kind: "other" }];
  }
}

function timeOf(step: Step): number {
  return step.time ? timestampMs(step.time) : Number.POSITIVE_INFINITY;
}

// What two neighbouring steps must share to be told once.
function foldKey(step: Step): string | undefined {
  const who = processKey(step.event) ?? "";
  if (step.kind === "connect") return `connect ${who} ${step.connect.destinationAddress} ${step.connect.destinationPort}`;
  if (step.kind === "denial") return `denial ${who} ${step.denial.kind} ${step.denial.target} ${step.denial.protocol}`;
  return undefined;
}

function fold(steps: readonly Step[]): Step[] {
  const folded: Step[] = [];
  for (const step of steps) {
    const last = folded.at(-1);
    const key = foldKey(step);
    if (last && key !== undefined && key === foldKey(last)) folded[folded.length - 1] = { ...last, repeats: last.repeats + 1 };
    else folded.push(step);
  }
  return folded;
}

// Steps in time order. Equal times keep the order of the events, so a call's own steps stay together.
export function buildStory(events: readonly Event[]): Step[] {
  const exits: Exits = { byProcess: new Map(), started: new Set() };
  for (const event of events) {
    const key = processKey(event);
    if (!key) continue;
    if (event.body.case === "processExit") exits.byProcess.set(key, event);
    if (event.body.case === "processExec") exits.started.add(key);
  }
  const steps = events.flatMap((event) => stepsOf(event, exits));
  return fold(steps.map((step, index) => ({ step, index })).sort((a, b) => timeOf(a.step) - timeOf(b.step) || a.index - b.index).map(({ step }) => step));
}

export interface ProcessNode {
  readonly key: string;
  readonly exec: Event;
  readonly depth: number;
  readonly end: ProcessExit | undefined;
}

// The processes of a run, parents before children. A process whose parent is not part of the run stands at the left.
export function buildProcessTree(events: readonly Event[]): ProcessNode[] {
  const last = new Map<string, Event>();  // a process may exec more than once: the last one is what it is
  const ends = new Map<string, ProcessExit>();
  for (const event of events) {
    const key = processKey(event);
    if (!key) continue;
    if (event.body.case === "processExec") last.set(key, event);
    if (event.body.case === "processExit") ends.set(key, event.body.value);
  }
  const children = new Map<string, string[]>();
  const roots: string[] = [];
  for (const [key, event] of last) {
    const parent = `${event.hostId}/${event.process?.parentPid}/${event.process?.parentStartBoottimeNs}`;
    if (parent !== key && last.has(parent)) children.set(parent, [...(children.get(parent) ?? []), key]);
    else roots.push(key);
  }
  const nodes: ProcessNode[] = [];
  const visited = new Set<string>();
  const pending = roots.map((key) => ({ key, depth: 0 })).reverse();
  for (let next = pending.pop(); next; next = pending.pop()) {
    const { key, depth } = next;
    const exec = last.get(key);
    if (!exec || visited.has(key)) continue;
    visited.add(key);
    nodes.push({ key, exec, depth, end: ends.get(key) });
    pending.push(...(children.get(key) ?? []).map((child) => ({ key: child, depth: depth + 1 })).reverse());
  }
  return nodes;
}

const NETWORK_DENIALS: ReadonlySet<SandboxDenial_Kind> = new Set([SandboxDenial_Kind.CONNECT, SandboxDenial_Kind.DNS]);

export interface Destination {
  readonly target: string;
  readonly refused: boolean;
  readonly count: bigint;
}

// Where the run tried to go, refused ones first, each once. The sensor sees the same attempt that the sandbox refuses, so
// the two are not added up.
export function buildDestinations(events: readonly Event[]): Destination[] {
  const tried = new Map<string, bigint>();
  const denied = new Map<string, bigint>();
  const note = (counts: Map<string, bigint>, target: string, protocol: string, count: bigint) => {
    const name = protocol ? `${target} ${protocol}` : target;
    counts.set(name, (counts.get(name) ?? 0n) + count);
  };
  for (const { body } of events) {
    if (body.case === "socketConnect") {
      const { destinationAddress: address, destinationPort: port, protocol } = body.value;
      note(tried, endpoint(address, port), protocol, 1n);
    }
    if (body.case === "sandboxDenial" && NETWORK_DENIALS.has(body.value.kind)) {
      const { target, protocol, count } = body.value;
      note(denied, target, protocol, count > 0n ? count : 1n);
    }
  }
  const bySize = (a: Destination, b: Destination) => Number(b.count - a.count);
  const refused = [...denied].map(([target, count]) => ({ target, refused: true, count })).sort(bySize);
  const others = [...tried].filter(([target]) => !denied.has(target)).map(([target, count]) => ({ target, refused: false, count }));
  return [...refused, ...others.sort(bySize)];
}
