// SPDX-License-Identifier: Apache-2.0
// Small pieces that several pages share.
import { Anchor, Badge, Code, Text, Tooltip } from "@mantine/core";
import { useEffect, useState, type ReactNode } from "react";
import { Link } from "react-router";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { Decision, Detection } from "../api/gen/aispm/v1/event_pb";
import { decisionLabel, isEnforced, OUTCOMES, SEVERITIES, type Tone } from "../events/describe";
import { formatAgo, formatDateTime, formatPercent, NOTHING, shortId } from "../format";

const TICK_MS = 5_000;

export function useNow(tickMs = TICK_MS): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), tickMs);
    return () => clearInterval(timer);
  }, [tickMs]);
  return now;
}

export function Ago({ time, size = "sm" }: { time: Timestamp | undefined; size?: "xs" | "sm" }) {
  const now = useNow();
  return (
    <Tooltip label={formatDateTime(time)} disabled={!time}>
      <Text span size={size} style={{ whiteSpace: "nowrap" }}>{formatAgo(time, now)}</Text>
    </Tooltip>
  );
}

export function ToneBadge({ tone, children }: { tone: Tone; children: ReactNode }) {
  return <Badge className={`tone-badge tone-${tone}`} variant="transparent" radius="sm" tt="none" fw={600}>{children}</Badge>;
}

export function DecisionBadge({ decision }: { decision: Decision }) {
  return <ToneBadge tone={isEnforced(decision) ? OUTCOMES[decision.outcome].tone : "neutral"}>{decisionLabel(decision)}</ToneBadge>;
}

export function SeverityBadge({ detection }: { detection: Detection }) {
  const { label, tone } = SEVERITIES[detection.severity];
  return <ToneBadge tone={tone}>{label}</ToneBadge>;
}

export function DetectionLine({ detection }: { detection: Detection }) {
  return (
    <>
      <Text size="sm" component="div" className="wrapline">
        <SeverityBadge detection={detection} /> <Text span fw={600} size="sm">{detection.category.replaceAll("_", " ")}</Text>
        {detection.surface && detection.surface !== detection.category && <> in the {detection.surface.replaceAll("_", " ")}</>} · rule <Code>{detection.ruleId}</Code> · confidence{" "}
        {formatPercent(detection.confidence)}
      </Text>
      {detection.message && <Text size="sm" mt={4}>{detection.message}</Text>}
      {detection.evidence && (
        <Text size="sm" mt={4} component="div">
          <Text span size="xs" c="dimmed" title="As the rule masked it: never a matched secret itself">Evidence: </Text><Code className="evidence">{detection.evidence}</Code>
        </Text>
      )}
      {detection.features.length > 0 && <Text size="xs" c="dimmed" mt={4} className="wrapline">Because of: {detection.features.join(" · ")}</Text>}
      {detection.tags.length > 0 && <Text size="xs" c="dimmed" mt={4} className="wrapline">Known as: {detection.tags.join(", ")}</Text>}
    </>
  );
}

export function SessionLink({ id }: { id: string }) {
  if (!id) return <Text span size="sm" c="dimmed">{NOTHING}</Text>;
  return (
    <Anchor component={Link} to={`/sessions/${encodeURIComponent(id)}`} ff="monospace" size="sm" title={id} className="nowrap">{shortId(id)}</Anchor>
  );
}

export function NameList({ names, limit = 3 }: { names: readonly string[]; limit?: number }) {
  if (names.length === 0) return <Text span size="sm" c="dimmed">{NOTHING}</Text>;
  const rest = names.length - limit;
  return (
    <Text span size="sm" title={names.join(", ")}>
      {names.slice(0, limit).join(", ")}{rest > 0 && ` and ${rest} more`}
    </Text>
  );
}

// The sandbox profile that holds something in; what no sandbox holds must not look contained.
export function ProfileBadge({ name }: { name: string }) {
  return name ? <ToneBadge tone="good">{name}</ToneBadge> : <Text span size="sm" c="dimmed">no sandbox</Text>;
}
