// SPDX-License-Identifier: Apache-2.0
import { toJson } from "@bufbuild/protobuf";
import { Code, CopyButton, Button, Drawer, Group, ScrollArea, Stack, Text, Title } from "@mantine/core";
import { EventSchema, type Event, type LlmCall, type Process } from "../api/gen/aispm/v1/event_pb";
import { describe, describeAnswerer, endpoint, kindLabel, modelOf, processName, SOURCE_LABELS } from "../events/describe";
import { formatBytes, formatCount, formatDateTime, formatDurationUs, formatUsd, NOTHING } from "../format";
import { DecisionBadge, DetectionLine, SessionLink, ToneBadge } from "./bits";
import { Fact, Facts } from "./page";

function Mono({ children }: { children: string }) {
  return children ? <span className="mono">{children}</span> : <>{NOTHING}</>;
}

const ROUTES: Record<string, string> = { gateway: "through the gateway", local: "to a model server on this host", direct: "past the gateway" };

export function CallFacts({ call }: { call: LlmCall }) {
  return (
    <Facts>
      <Fact label="Provider">{call.provider || NOTHING}</Fact>
      <Fact label="Model">{modelOf(call)}</Fact>
      <Fact label="API">{call.api || NOTHING}{call.stream && ", streamed"}</Fact>
      {call.upstream && <Fact label="Answered by">{describeAnswerer(call)}</Fact>}
      {call.failedAttempts.length > 0 && <Fact label="Failed before">{call.failedAttempts.join("; ")}</Fact>}
      {call.shadowOf && <Fact label="Shadow of"><Mono>{call.shadowOf}</Mono></Fact>}
      <Fact label="Host named by the client">{call.host || NOTHING}</Fact>
      <Fact label="Status">{call.status > 0 ? `HTTP ${call.status}` : "no reply"}</Fact>
      <Fact label="Finish reason">{call.finishReason || NOTHING}</Fact>
      <Fact label="Tokens in / out">{formatCount(call.inputTokens)} / {formatCount(call.outputTokens)}{call.tokensEstimated && ", estimated"}</Fact>
      <Fact label="Cost">{call.costNanoUsd === undefined ? "not known" : formatUsd(call.costNanoUsd)}</Fact>
      <Fact label="Bytes out / in">{formatBytes(call.requestBytes)} / {formatBytes(call.responseBytes)}</Fact>
      <Fact label="Duration / first byte">{call.durationUs > 0n ? formatDurationUs(call.durationUs) : NOTHING} / {call.firstByteUs > 0n ? formatDurationUs(call.firstByteUs) : NOTHING}</Fact>
      <Fact label="Tools offered">{call.toolsOffered.join(", ") || NOTHING}</Fact>
      <Fact label="Tools called">{call.toolsCalled.join(", ") || NOTHING}</Fact>
      <Fact label="Way">{ROUTES[call.route] ?? NOTHING}</Fact>
      <Fact label="Destination">{call.destinationAddress ? `${endpoint(call.destinationAddress, call.destinationPort)} (${call.attribution || "unattributed"}, confidence ${call.attributionConfidence.toFixed(2)})` : NOTHING}</Fact>
      <Fact label="Response id"><Mono>{call.responseId}</Mono></Fact>
    </Facts>
  );
}

function ProcessFacts({ process }: { process: Process }) {
  return (
    <Facts>
      <Fact label="Command"><Mono>{processName(process)}</Mono>{process.argvTruncated && " (cut)"}</Fact>
      <Fact label="Executable"><Mono>{process.exe}</Mono></Fact>
      <Fact label="Pid / parent">{process.pid} / {process.parentPid}</Fact>
      <Fact label="User">{process.user || NOTHING} (uid {process.uid})</Fact>
      <Fact label="Pid namespace">{process.pidNamespace > 0n ? process.pidNamespace.toString() : NOTHING}</Fact>
      {process.containerId && <Fact label="Container"><Mono>{process.containerId.slice(0, 12)}</Mono>{process.containerImage && ` (${process.containerImage})`}</Fact>}
      <Fact label="Cgroup">{process.cgroupId > 0n ? process.cgroupId.toString() : NOTHING}</Fact>
    </Facts>
  );
}

function Details({ event }: { event: Event }) {
  const { title, tone } = describe(event);
  const json = JSON.stringify(toJson(EventSchema, event, { useProtoFieldName: true }), null, 2);
  return (
    <Stack gap="lg">
      <Group gap="sm" align="flex-start">
        <ToneBadge tone={tone}>{kindLabel(event)}</ToneBadge>
        <Text fw={600} style={{ overflowWrap: "anywhere" }}>{title}</Text>
      </Group>
      <Facts>
        <Fact label="Time">{formatDateTime(event.time)}</Fact>
        <Fact label="Seen by">{SOURCE_LABELS[event.source]}</Fact>
        <Fact label="Agent">{event.agentId || NOTHING}</Fact>
        <Fact label="Session"><SessionLink id={event.sessionId} /></Fact>
        <Fact label="Host"><Mono>{event.hostId}</Mono></Fact>
        <Fact label="Trace"><Mono>{event.traceId}</Mono></Fact>
      </Facts>
      {event.decision && (
        <section aria-label="Decision">
          <Title order={3} mb={6}>Decision</Title>
          <DecisionBadge decision={event.decision} />
          <Text size="sm" mt={6}>{event.decision.reason || NOTHING}</Text>
          <Text size="xs" c="dimmed">Rule {event.decision.ruleId || NOTHING} · policy <Mono>{event.decision.policyVersion.slice(0, 16)}</Mono></Text>
        </section>
      )}
      {event.detections.length > 0 && (
        <section aria-label="Detections">
          <Title order={3} mb={6}>Detections</Title>
          {event.detections.map((detection, index) => <div className="step-card" key={index}><DetectionLine detection={detection} /></div>)}
        </section>
      )}
      {event.body.case === "llmCall" && <section aria-label="LLM call"><Title order={3} mb={6}>LLM call</Title><CallFacts call={event.body.value} /></section>}
      {event.process && <section aria-label="Process"><Title order={3} mb={6}>Process</Title><ProcessFacts process={event.process} /></section>}
      <section aria-label="Event as stored">
        <Group justify="space-between" mb={6}>
          <Title order={3}>Event as stored</Title>
          <CopyButton value={json}>{({ copied, copy }) => <Button size="compact-xs" variant="default" onClick={copy}>{copied ? "Copied" : "Copy JSON"}</Button>}</CopyButton>
        </Group>
        <ScrollArea.Autosize mah={420} viewportProps={{ tabIndex: 0, "aria-label": "Event as JSON" }}><Code block>{json}</Code></ScrollArea.Autosize>
      </section>
    </Stack>
  );
}

export function EventDrawer({ event, close }: { event: Event | null; close: () => void }) {
  return (
    <Drawer opened={event !== null} onClose={close} position="right" size="lg" title="Event" closeButtonProps={{ "aria-label": "Close event" }}>
      {event && <Details event={event} />}
    </Drawer>
  );
}
