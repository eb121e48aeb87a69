// SPDX-License-Identifier: Apache-2.0
// One step of a session's story.
import { Anchor, Code, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Source, type LlmCall } from "../api/gen/aispm/v1/event_pb";
import { DecisionBadge, DetectionLine } from "../components/bits";
import { Icon, type IconName } from "../components/icons";
import { connectTitle, decisionLabel, denialTitle, describe, endLabel, endpoint, isEnforced, kindLabel, modelOf, OUTCOMES, processName, SEVERITIES, type Tone } from "../events/describe";
import { formatClock, formatCount, formatDurationMs, formatDurationUs, formatOffset, plural } from "../format";
import type { Step } from "./build";

interface Look {
  readonly icon: IconName;
  readonly tone: Tone;
  readonly title: ReactNode;
  readonly body?: ReactNode;
}

function Note({ children }: { children: ReactNode }) {
  return <div className="step-note">{children}</div>;
}

// Text where it is stored; otherwise what is kept instead, and why.
function Words({ what, text, sha256, partial }: { what: "Prompt" | "Reply"; text: string; sha256: string; partial: boolean }) {
  return (
    <>
      {text && <pre className="step-text" tabIndex={0} aria-label={`${what} text`}>{text}</pre>}
      {!text && sha256 && <Note>{what} text is not stored by policy. SHA-256 of the text: <Code className="evidence">{sha256}</Code></Note>}
      {!text && !sha256 && <Note>No {what.toLowerCase()} text was seen.</Note>}
      {partial && <Note>Seen with gaps: text, hash and counts may be partial.</Note>}
    </>
  );
}

function promptBody(call: LlmCall): ReactNode {
  return (
    <>
      <Note>
        {call.provider || "unknown provider"} · {call.api || "unknown API"}{call.stream && " · streamed"}
        {call.inputTokens > 0n && ` · ${plural(call.inputTokens, "token")} in`}
        {call.toolsOffered.length > 0 && ` · tools offered: ${call.toolsOffered.join(", ")}`}
      </Note>
      <Words what="Prompt" text={call.promptText} sha256={call.promptSha256} partial={call.partial} />
    </>
  );
}

function replyBody(call: LlmCall): ReactNode {
  return (
    <>
      <Note>
        {call.responseModel && `${call.responseModel} · `}
        {call.finishReason && `finished: ${call.finishReason} · `}
        {call.outputTokens > 0n && `${plural(call.outputTokens, "token")} out · `}
        {call.durationUs > 0n ? formatDurationUs(call.durationUs) : "duration unknown"}
        {call.toolsCalled.length > 0 && ` · tools called: ${call.toolsCalled.join(", ")}`}
      </Note>
      {call.status > 0 && <Words what="Reply" text={call.replyText} sha256={call.replySha256} partial={false} />}
    </>
  );
}

function execBody(step: Extract<Step, { kind: "exec" }>): ReactNode {
  const { process } = step.event;
  const took = step.time && step.exitTime ? ` after ${formatDurationMs(Math.max(0, timestampMs(step.exitTime) - timestampMs(step.time)))}` : "";
  return (
    <Note>
      pid {process?.pid}, parent {process?.parentPid}{process?.user && `, as ${process.user}`} ·{" "}
      {step.exit ? `${endLabel(step.exit.exitCode, step.exit.signal)}${took}` : "end not seen"}
    </Note>
  );
}

function by(step: Step): ReactNode {
  return step.event.process ? <Note>by <span className="mono">{processName(step.event.process)}</span>, pid {step.event.process.pid}</Note> : undefined;
}

function times(step: Step): string {
  return step.repeats > 0 ? ` (${formatCount(step.repeats + 1)} times)` : "";
}

// What is said by the agent itself is marked: it proves nothing.
const OWN_WORDS = "The agent's own words, unverified.";

function lookOf(step: Step): Look {
  switch (step.kind) {
    case "start":
      return { icon: "shield", tone: "good", title: "Sandbox started", body: <Note>profile {step.start.profile || "unnamed"} · in force: {step.start.mechanisms.join(", ") || "nothing reported"}</Note> };
    case "exit":
      return {
        icon: "stop", tone: step.exit.exitCode === 0 && step.exit.signal === 0 ? "good" : "warn", title: `Sandbox ended: ${endLabel(step.exit.exitCode, step.exit.signal)}`,
        body: <Note>after {formatDurationUs(step.exit.durationUs)} · {plural(step.exit.denials, "denial")}{step.exit.limits.length > 0 && ` · limit reached: ${step.exit.limits.join(", ")}`}</Note>,
      };
    case "ready":
      return { icon: "play", tone: "info", title: `Agent ready: ${[step.ready.name, step.ready.version].filter(Boolean).join(" ") || "no name given"}`, body: <Note>{step.ready.framework && `${step.ready.framework} · `}{OWN_WORDS}</Note> };
    case "prompt":
      return { icon: "prompt", tone: "info", title: `Prompt to ${step.call.requestModel || modelOf(step.call)}`, body: promptBody(step.call) };
    case "detection": {
      const { tone } = SEVERITIES[step.detection.severity];
      return { icon: "detection", tone, title: `Detected: ${step.detection.category.replaceAll("_", " ")}`, body: <div className={`step-card tone-${tone}`}><DetectionLine detection={step.detection} /></div> };
    }
    case "decision": {
      const { decision } = step;
      return {
        icon: "shield", tone: isEnforced(decision) ? OUTCOMES[decision.outcome].tone : "neutral", title: `Decision: ${decisionLabel(decision)}`,
        body: (
          <div className="step-card">
            <DecisionBadge decision={decision} /> <Text span size="sm">{decision.reason}</Text>
            <Note>rule {decision.ruleId || "none"} · mode {decision.mode || "unknown"} · policy <span className="mono">{decision.policyVersion.slice(0, 12) || "unknown"}</span>{decision.caseId && <> · case <span className="mono">{decision.caseId}</span></>}</Note>
          </div>
        ),
      };
    }
    case "reply":
      return { icon: "reply", tone: step.call.status >= 400 || step.call.status === 0 ? "warn" : "info", title: step.call.status > 0 ? `Reply: HTTP ${step.call.status}` : "No reply was seen", body: replyBody(step.call) };
    case "exec":
      return { icon: "process", tone: step.exit && (step.exit.exitCode > 0 || step.exit.signal > 0) ? "warn" : "neutral", title: <>Process started: <span className="mono">{processName(step.event.process)}</span></>, body: execBody(step) };
    case "process-exit":
      return { icon: "process", tone: "neutral", title: <>Process ended: <span className="mono">{processName(step.event.process)}</span></>, body: <Note>{endLabel(step.exit.exitCode, step.exit.signal)} · start not seen</Note> };
    case "connect":
      return { icon: "network", tone: "neutral", title: `${connectTitle(step.connect.outcome)} ${endpoint(step.connect.destinationAddress, step.connect.destinationPort)}${times(step)}`, body: by(step) };
    case "listen":
      return { icon: "network", tone: "neutral", title: `Listening on ${endpoint(step.listen.address, step.listen.port)}`, body: by(step) };
    case "denial":
      return { icon: "blocked", tone: "bad", title: `${denialTitle(step.denial)}${times(step)}`, body: <>{step.denial.reason && <Note>{step.denial.reason}</Note>}{by(step)}</> };
    case "log":
      return {
        icon: "log", tone: describe(step.event).tone, title: <>Log{step.log.level && ` (${step.log.level})`}: <Text span size="sm" fw={400}>{step.log.message}</Text></>,
        body: <>{Object.keys(step.log.fields).length > 0 && <Note>{Object.entries(step.log.fields).map(([name, value]) => `${name}=${value}`).join(" · ")}</Note>}<Note>{OWN_WORDS}</Note></>,
      };
    case "other": {
      const { title, detail, tone } = describe(step.event);
      return { icon: "events", tone, title: `${kindLabel(step.event)}: ${title}`, body: detail && <Note>{detail}</Note> };
    }
  }
}

export function StoryStep({ step, startMs, open }: { step: Step; startMs: number; open: () => void }) {
  const { icon, tone, title, body } = lookOf(step);
  return (
    <li className={`step tone-${tone}`} data-step={step.kind}>
      <div className="step-time" title={formatClock(step.time)}>{formatOffset(step.time, startMs)}</div>
      <div className="step-rail"><span className="step-mark"><Icon name={icon} size={15} /></span></div>
      <div className="step-body">
        <Anchor component="button" type="button" className="step-title" c="inherit" underline="hover" ta="left" onClick={open}>{title}</Anchor>
        {step.event.source === Source.SDK && step.kind !== "log" && step.kind !== "ready" && <Note>{OWN_WORDS}</Note>}
        {body}
      </div>
    </li>
  );
}
