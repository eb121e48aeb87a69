// SPDX-License-Identifier: Apache-2.0
// What the sensor's findings are called, in one line. Pure.
import type { ActionCall, Asset, Enforcement, FileAccess, McpCall, McpTools, NameSeen, OperatorAction, SocketClose, Tamper, TlsCoverage } from "../api/gen/aispm/v1/event_pb";
import { formatBytes, formatDurationUs, plural } from "../format";
import type { Description, Tone } from "./describe";

export const ASSET_KINDS: Record<string, string> = {
  agent: "Agent",
  coding_agent: "Coding agent",
  model_server: "Model server",
  mcp_server: "MCP server",
  sdk_client: "SDK client",
  model_file: "Model file",
  vector_store: "Vector store",
  gpu_user: "GPU user",
};

export function assetKind(kind: string): string {
  return ASSET_KINDS[kind] ?? kind.replaceAll("_", " ");
}

// Of plaintext bytes in wire bytes. Framing and padding are on the wire and in no plaintext, so that all of it is below 100 %.
export function shareOf(plaintext: bigint, wire: bigint): number {
  return wire > 0n ? Math.min(1, Number(plaintext) / Number(wire)) : 0;
}

export function describeAsset(asset: Asset): Description {
  return {
    title: `${assetKind(asset.kind)}: ${asset.name || asset.provider || "unnamed"}`,
    detail: [asset.gone ? "gone" : "", asset.version, `confidence ${asset.confidence.toFixed(2)}`, asset.explanation].filter(Boolean).join(" · "),
    tone: asset.gone ? "neutral" : "info",
  };
}

export function describeMcpCall(call: McpCall, by: string): Description {
  const server = call.serverName || call.serverHost || "an unnamed server";
  const what = call.method === "tools/call" && call.tool ? call.tool : call.method || "a message";
  return {
    title: `${call.protocol === "a2a" ? "A2A" : "MCP"}: ${what} at ${server}`,
    detail: [call.transport, call.isError ? "error" : "", call.durationUs > 0n ? formatDurationUs(call.durationUs) : "", call.partial ? "seen with gaps" : "", by].filter(Boolean).join(" · "),
    tone: call.isError ? "warn" : "info",
  };
}

export function describeMcpTools(list: McpTools): Description {
  const differences = [
    list.added.length > 0 ? `added ${list.added.join(", ")}` : "",
    list.removed.length > 0 ? `removed ${list.removed.join(", ")}` : "",
    list.changed.length > 0 ? `changed ${list.changed.join(", ")}` : "",
  ].filter(Boolean);
  return {
    title: `Tools of ${list.serverName || list.serverHost || "an unnamed server"}: ${plural(list.tools.length, "tool")}`,
    detail: differences.join(" · ") || "first list",
    tone: list.changed.length > 0 ? "bad" : differences.length > 0 ? "warn" : "info",
  };
}

export function describeClose(close: SocketClose, endpoint: string, by: string): Description {
  const bytes = `${formatBytes(close.bytesSent)} out, ${formatBytes(close.bytesReceived)} in`;
  return {
    title: `${close.isOpen ? "Connection so far" : "Connection ended"}: ${close.name || endpoint}`,
    detail: [bytes, close.durationUs > 0n ? formatDurationUs(close.durationUs) : "", by].filter(Boolean).join(" · "),
    tone: "neutral",
  };
}

export function describeName(seen: NameSeen, by: string): Description {
  const marks = [seen.encryptedHello ? "encrypted hello: only the outer name" : "", seen.doh ? "DNS over HTTPS" : ""].filter(Boolean);
  return {
    title: `Name ${seen.name || "unknown"}`,
    detail: [seen.source, seen.provider, ...marks, by].filter(Boolean).join(" · "),
    tone: marks.length > 0 ? "warn" : seen.provider ? "info" : "neutral",
  };
}

export function describeCoverage(coverage: TlsCoverage, by: string): Description {
  const percent = Math.round(shareOf(coverage.plaintextBytes, coverage.wireBytes) * 100);
  const [gap] = coverage.gaps;
  return {
    title: coverage.wireBytes > 0n ? `TLS seen in plaintext: ${percent} % of ${formatBytes(coverage.wireBytes)}` : "No TLS bytes yet",
    detail: [gap ? `${gap.library}: ${gap.reason}` : "", by].filter(Boolean).join(" · "),
    tone: coverage.gaps.length > 0 ? "warn" : "good",
  };
}

const FILE_TONES: Record<string, Tone> = { sensitive: "bad", kernel_settings: "bad", agent_config: "warn", model: "info" };

export function describeFile(file: FileAccess, by: string): Description {
  return {
    title: `${file.operation || "access"}: ${file.path}`,
    detail: [file.fileClass.replaceAll("_", " "), file.outcome === "denied" ? "denied" : "", by].filter(Boolean).join(" · "),
    tone: FILE_TONES[file.fileClass] ?? "neutral",
  };
}

export function describeTamper(tamper: Tamper, by: string): Description {
  return { title: `Tampering: ${tamper.kind.replaceAll("_", " ")} of ${tamper.target || "an unnamed target"}`, detail: [tamper.detail, by].filter(Boolean).join(" · "), tone: "critical" };
}

const ACTIONS: Record<string, string> = {
  refuse_connect: "Refused connection to",
  drop_hello: "Dropped TLS hello to",
  cut_connection: "Cut connection to",
  kill_in_kernel: "Killed in the kernel:",
  kill: "Killed:",
  deny_exec: "Refused to run",
  deny_file: "Refused file",
  deny_socket: "Refused socket:",
};

// What was only monitored must never read as if it had been refused.
export function describeEnforcement(enforcement: Enforcement, by: string): Description {
  const action = ACTIONS[enforcement.action] ?? enforcement.action.replaceAll("_", " ");
  const enforced = enforcement.mode === "enforce";
  return {
    title: `${enforced ? action : `Would apply: ${action.toLowerCase()}`} ${enforcement.target || "an unnamed target"}${enforcement.count > 1n ? `, ${plural(enforcement.count, "time")}` : ""}`,
    detail: [`order ${enforcement.orderId || "unnamed"}`, enforced ? "" : `${enforcement.mode || "mode unknown"}: not applied`, enforcement.latencyUs > 0n ? `within ${formatDurationUs(enforcement.latencyUs)}` : "", by].filter(Boolean).join(" · "),
    tone: enforced ? "bad" : "neutral",
  };
}

export function describeAction(call: ActionCall, outcome: string, by: string): Description {
  return {
    title: `${call.tool || "Unnamed tool"}${call.toolProvider ? ` of ${call.toolProvider}` : ""}${call.destination ? ` to ${call.destination}` : ""}`,
    detail: [outcome, call.policyId ? `policy ${call.policyId}` : "", call.approvalId ? `approval ${call.approvalId}` : "", by].filter(Boolean).join(" · "),
    tone: "neutral",
  };
}

export function describeOperator(done: OperatorAction): Description {
  return {
    title: `${done.who || "somebody"}: ${done.action} ${done.target}`,
    detail: [done.before || done.after ? `${done.before || "nothing"} to ${done.after || "nothing"}` : "", done.reason].filter(Boolean).join(" · "),
    tone: "info",
  };
}
