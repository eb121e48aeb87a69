// SPDX-License-Identifier: Apache-2.0
// What an event is called, in one line. Pure: no component, no colour values, only tones.
import {
  Decision_Outcome,
  SandboxDenial_Kind,
  Severity,
  Source,
  type Decision,
  type Event,
  type LlmCall,
  type Process,
  type SandboxDenial,
} from "../api/gen/aispm/v1/event_pb";
import { formatCommand, formatUsd, NOTHING, plural } from "../format";
import {
  describeAction, describeAsset, describeClose, describeCoverage, describeEnforcement, describeFile, describeMcpCall, describeMcpTools, describeName, describeOperator, describeTamper,
} from "./describe-fleet";

export type Tone = "neutral" | "info" | "good" | "warn" | "bad" | "critical" | "changed";
export type EventKind = NonNullable<Event["body"]["case"]>;

// Every kind with its name for people and its name in the API.
export const EVENT_KINDS: Record<EventKind, { readonly label: string; readonly apiName: string }> = {
  llmCall: { label: "LLM call", apiName: "llm_call" },
  aiUse: { label: "AI use", apiName: "ai_use" },
  processExec: { label: "Process started", apiName: "process_exec" },
  processExit: { label: "Process ended", apiName: "process_exit" },
  socketConnect: { label: "Connection", apiName: "socket_connect" },
  socketListen: { label: "Listening socket", apiName: "socket_listen" },
  sandboxStart: { label: "Sandbox started", apiName: "sandbox_start" },
  sandboxExit: { label: "Sandbox ended", apiName: "sandbox_exit" },
  sandboxDenial: { label: "Sandbox denial", apiName: "sandbox_denial" },
  agentReady: { label: "Agent ready", apiName: "agent_ready" },
  agentLog: { label: "Agent log", apiName: "agent_log" },
  componentHealth: { label: "Component health", apiName: "component_health" },
  asset: { label: "Asset", apiName: "asset" },
  mcpCall: { label: "MCP call", apiName: "mcp_call" },
  mcpTools: { label: "MCP tools", apiName: "mcp_tools" },
  socketClose: { label: "Connection ended", apiName: "socket_close" },
  nameSeen: { label: "Name seen", apiName: "name_seen" },
  tlsCoverage: { label: "TLS coverage", apiName: "tls_coverage" },
  fileAccess: { label: "File access", apiName: "file_access" },
  tamper: { label: "Tampering", apiName: "tamper" },
  enforcement: { label: "Enforcement", apiName: "enforcement" },
  actionCall: { label: "Action", apiName: "action_call" },
  operatorAction: { label: "Operator", apiName: "operator_action" },
};

export const SOURCE_LABELS: Record<Source, string> = {
  [Source.UNSPECIFIED]: "unknown",
  [Source.SENSOR]: "sensor",
  [Source.GATEWAY]: "gateway",
  [Source.SANDBOX]: "sandbox",
  [Source.SDK]: "agent (SDK)",
  [Source.COLLECTOR]: "collector",
};

export const SEVERITIES: Record<Severity, { readonly label: string; readonly tone: Tone }> = {
  [Severity.UNSPECIFIED]: { label: "unrated", tone: "neutral" },
  [Severity.INFO]: { label: "info", tone: "info" },
  [Severity.LOW]: { label: "low", tone: "info" },
  [Severity.MEDIUM]: { label: "medium", tone: "warn" },
  [Severity.HIGH]: { label: "high", tone: "bad" },
  [Severity.CRITICAL]: { label: "critical", tone: "critical" },
};

export const OUTCOMES: Record<Decision_Outcome, { readonly label: string; readonly tone: Tone }> = {
  [Decision_Outcome.UNSPECIFIED]: { label: "No outcome", tone: "neutral" },
  [Decision_Outcome.ALLOW]: { label: "Allowed", tone: "good" },
  [Decision_Outcome.DENY]: { label: "Denied", tone: "bad" },
  [Decision_Outcome.REDACT]: { label: "Redacted", tone: "changed" },
  [Decision_Outcome.REQUIRE_APPROVAL]: { label: "Approval required", tone: "warn" },
  [Decision_Outcome.STEP_UP]: { label: "Step-up required", tone: "warn" },
  [Decision_Outcome.REQUIRE_TICKET]: { label: "Ticket required", tone: "warn" },
  [Decision_Outcome.REQUIRE_HUMAN]: { label: "Human required", tone: "warn" },
  [Decision_Outcome.APPROVED]: { label: "Approved", tone: "good" },
  [Decision_Outcome.REJECTED]: { label: "Rejected", tone: "bad" },
  [Decision_Outcome.TIMEOUT]: { label: "Not answered in time", tone: "bad" },
  [Decision_Outcome.KILL_SWITCH]: { label: "Stopped by the kill switch", tone: "bad" },
  [Decision_Outcome.RATE_LIMITED]: { label: "Rate limited", tone: "bad" },
};

const DENIALS: Record<SandboxDenial_Kind, string> = {
  [SandboxDenial_Kind.UNSPECIFIED]: "Refused",
  [SandboxDenial_Kind.CONNECT]: "Refused connection to",
  [SandboxDenial_Kind.DNS]: "Refused name lookup of",
  [SandboxDenial_Kind.SYSCALL]: "Refused system call",
  [SandboxDenial_Kind.FILE]: "Refused access to",
  [SandboxDenial_Kind.LIMIT]: "Limit reached:",
};

export interface Description {
  readonly title: string;
  readonly detail: string;
  readonly tone: Tone;
}

export function isEnforced(decision: Decision): boolean {
  return decision.mode === "enforce";
}

// An outcome that was recorded but not applied must never read as if it had been.
export function decisionLabel(decision: Decision): string {
  const { label } = OUTCOMES[decision.outcome];
  if (decision.outcome === Decision_Outcome.ALLOW || isEnforced(decision)) return label;
  return `${label} (${decision.mode || "mode unknown"}: not applied)`;
}

export function processName(process: Process | undefined): string {
  if (!process) return NOTHING;
  return process.argv.length > 0 ? formatCommand(process.argv) : process.exe || process.comm || `pid ${process.pid}`;
}

export function endLabel(exitCode: number, signal: number): string {
  return signal > 0 ? `killed by signal ${signal}` : `exit code ${exitCode}`;
}

// "192.0.2.1:443", "[2001:db8::1]:443".
export function endpoint(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

export function modelOf(call: LlmCall): string {
  return call.responseModel || call.requestModel || "unnamed model";
}

export function connectTitle(outcome: string): string {
  if (outcome === "established") return "Connected to";
  return outcome === "failed" ? "Connection failed:" : "Connection tried:";
}

export function denialTitle(denial: SandboxDenial): string {
  const protocol = denial.protocol ? ` (${denial.protocol})` : "";
  const times = denial.count > 1n ? `, ${plural(denial.count, "time")}` : "";
  const name = denial.name ? ` ${denial.name}` : "";
  return `${DENIALS[denial.kind]} ${denial.target || "an unnamed target"}${protocol}${name}${times}`;
}

/** Who answered a call that the gateway carried, and why it was that one. */
export function describeAnswerer(call: LlmCall): string {
  const way = call.routeName ? ` (route ${call.routeName}, ${call.arm})` : "";
  return `${call.cached ? "the cache, first by " : ""}${call.upstream}${way}${call.fallback ? ", a fallback" : ""}`;
}

function describeCall(event: Event, call: LlmCall): Description {
  const { decision } = event;
  const decided = decision && decision.outcome > Decision_Outcome.ALLOW ? decision : undefined;
  const status = call.status > 0 ? `HTTP ${call.status}` : "no reply";
  const found = event.detections.length > 0 ? [plural(event.detections.length, "detection")] : [];
  return {
    title: `${modelOf(call)} at ${call.provider || call.host || "an unknown provider"}`,
    detail: [decided ? decisionLabel(decided) : status, ...(call.route === "direct" ? ["past the gateway"] : []), ...(call.fallback ? [`fallback to ${call.upstream}`] : []), ...(call.shadowOf ? ["shadow"] : []), ...(call.cached ? ["cached"] : []), ...found, `${plural(call.inputTokens + call.outputTokens, "token")}${call.tokensEstimated ? " (estimated)" : ""}`, ...(call.costNanoUsd === undefined ? [] : [formatUsd(call.costNanoUsd)])].join(" · "),
    tone: decided ? OUTCOMES[decided.outcome].tone : event.detections.length > 0 || call.route === "direct" ? "warn" : "info",
  };
}

export function describe(event: Event): Description {
  const { body, process } = event;
  const by = process ? processName(process) : "";
  switch (body.case) {
    case "llmCall":
      return describeCall(event, body.value);
    case "aiUse": {
      const { sanctioned, evidence, provider, model, host, confidence } = body.value;
      return {
        title: `${sanctioned ? "Sanctioned" : "Unsanctioned"} AI: ${[provider, model].filter(Boolean).join(" / ") || host || "unknown"}`,
        detail: `${evidence || "evidence unnamed"}, confidence ${confidence.toFixed(2)}${by ? ` · ${by}` : ""}`,
        tone: sanctioned ? "info" : "warn",
      };
    }
    case "processExec":
      return { title: by, detail: process?.user ? `as ${process.user}` : "", tone: "neutral" };
    case "processExit":
      return {
        title: by,
        detail: endLabel(body.value.exitCode, body.value.signal),
        tone: body.value.signal > 0 || body.value.exitCode > 0 ? "warn" : "neutral",
      };
    case "socketConnect":
      return {
        title: `${connectTitle(body.value.outcome)} ${endpoint(body.value.destinationAddress, body.value.destinationPort)}${body.value.name ? ` (${body.value.name})` : ""}`,
        detail: by,
        tone: "neutral",
      };
    case "socketListen":
      return { title: endpoint(body.value.address, body.value.port), detail: by, tone: "neutral" };
    case "sandboxStart":
      return {
        title: formatCommand(body.value.command),
        detail: `profile ${body.value.profile || "unnamed"}, ${plural(body.value.mechanisms.length, "mechanism")} in force`,
        tone: "good",
      };
    case "sandboxExit":
      return {
        title: endLabel(body.value.exitCode, body.value.signal),
        detail: [plural(body.value.denials, "denial"), ...body.value.limits.map((limit) => `limit reached: ${limit}`)].join(", "),
        tone: body.value.signal > 0 || body.value.exitCode > 0 ? "warn" : "good",
      };
    case "sandboxDenial":
      return { title: denialTitle(body.value), detail: [body.value.reason, by].filter(Boolean).join(" · "), tone: "bad" };
    case "agentReady":
      return {
        title: [body.value.name, body.value.version].filter(Boolean).join(" ") || "ready",
        detail: body.value.framework,
        tone: "info",
      };
    case "agentLog":
      return {
        title: body.value.message,
        detail: [body.value.stream, body.value.level].filter(Boolean).join(" "),
        tone: body.value.level === "error" ? "bad" : body.value.level === "warning" ? "warn" : "neutral",
      };
    case "componentHealth":
      return {
        title: `${body.value.component} is ${body.value.state || "in an unknown state"}`,
        detail: body.value.reasons.join("; "),
        tone: body.value.state === "ok" ? "good" : "warn",
      };
    case "asset":
      return describeAsset(body.value);
    case "mcpCall":
      return describeMcpCall(body.value, by);
    case "mcpTools":
      return describeMcpTools(body.value);
    case "socketClose":
      return describeClose(body.value, endpoint(body.value.destinationAddress, body.value.destinationPort), by);
    case "nameSeen":
      return describeName(body.value, by);
    case "tlsCoverage":
      return describeCoverage(body.value, by);
    case "fileAccess":
      return describeFile(body.value, by);
    case "tamper":
      return describeTamper(body.value, by);
    case "enforcement":
      return describeEnforcement(body.value, by);
    case "actionCall":
      return describeAction(body.value, event.decision ? OUTCOMES[event.decision.outcome].label : "", by);
    case "operatorAction":
      return describeOperator(body.value);
    case undefined:
      return { title: "Event of a kind this dashboard does not know", detail: "", tone: "neutral" };
  }
}

export function kindLabel(event: Event): string {
  return event.body.case ? EVENT_KINDS[event.body.case].label : "Unknown";
}
