// SPDX-License-Identifier: Apache-2.0
import { Group, SegmentedControl, Skeleton, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useCallback, useState, type ReactNode } from "react";
import { Link } from "react-router";
import type { NamedCount, Overview } from "../api/gen/aispm/v1/api_pb";
import type { Event } from "../api/gen/aispm/v1/event_pb";
import { overviewQuery, recentQuery } from "../api/queries";
import { Ago, DecisionBadge, DetectionLine, SessionLink } from "../components/bits";
import { Page, Panel } from "../components/page";
import { EmptyState, QueryView } from "../components/states";
import type { Tone } from "../events/describe";
import { shareOf } from "../events/describe-fleet";
import { formatBytes, formatCompact, formatCount, formatPercent, NOTHING } from "../format";
import { barsOption, callsOption } from "./overview-charts";

const Chart = lazy(() => import("../components/chart"));

const WINDOWS = [
  { value: "1", label: "1 h" },
  { value: "24", label: "24 h" },
  { value: "168", label: "7 d" },
  { value: "720", label: "30 d" },
];
const RECENT = 6;
const CHART_HEIGHT = 240;

interface TileProps {
  readonly label: string;
  readonly value: bigint;
  readonly note?: string;
  // Shown instead of the value.
  readonly text?: string;
  readonly tone?: Tone;
  // The view that lists what was counted, where there is one.
  readonly to?: string;
}

function Tile({ label, value, text, note = "\u00a0", tone = "neutral", to }: TileProps) {
  const className = value > 0n ? `tile tile-${tone}` : "tile";
  const content = (
    <>
      <Text size="xs" c="dimmed">{label}</Text>
      <div className="tile-value">{text ?? formatCompact(value)}</div>
      <Text size="xs" c="dimmed">{note}</Text>
    </>
  );
  const testId = `tile-${label}`;
  return to ? <Link to={to} className={className} data-testid={testId}>{content}</Link> : <div className={className} data-testid={testId}>{content}</div>;
}

function Tiles({ data }: { data: Overview }) {
  return (
    <div className="tiles">
      <Tile label="Hosts" value={data.hosts} note={`${formatCount(data.hostsReporting)} heard of in the last minute`} to="/inventory/hosts" />
      <Tile label="Agents" value={data.agents} to="/inventory/agents" />
      <Tile label="Sessions" value={data.sessions} to="/sessions" />
      <Tile label="LLM calls" value={data.llmCalls} note={`${formatCompact(data.inputTokens)} tokens in, ${formatCompact(data.outputTokens)} out`} to="/events?kind=llm_call" />
      <Tile label="Unsanctioned AI processes" value={data.unsanctionedProcesses} tone="warn" to="/inventory/processes" />
      <Tile label="Unsanctioned assets" value={data.unsanctionedAssets} tone="warn" note="there now, undecided" to="/inventory/assets?state=unsanctioned" />
      <Tile label="Calls past the gateway" value={data.directCalls} tone="bad" note="LLM calls gone direct" to="/topology" />
      <Tile label="MCP calls" value={data.mcpCalls} note={`${formatCount(data.mcpToolChanges)} changed tools`} tone={data.mcpToolChanges > 0n ? "warn" : "neutral"} to="/mcp" />
      <Tile label="Enforced or monitored" value={data.enforcements} note={`${formatCount(data.tamperEvents)} tampering`} tone={data.tamperEvents > 0n ? "bad" : "neutral"} to="/events?kind=enforcement" />
      <Tile label="Wire bytes seen" value={data.wireBytes} text={data.wireBytes > 0n ? formatPercent(shareOf(data.plaintextBytes, data.wireBytes)) : NOTHING} note={data.wireBytes > 0n ? `of ${formatBytes(data.wireBytes)} TLS` : "no TLS measured"} to="/coverage" />
      <Tile label="Detections" value={data.detections} tone="warn" />
      <Tile label="Denied" value={data.denied} tone="bad" />
      <Tile label="Redacted" value={data.redacted} tone="changed" />
      <Tile label="Sandbox denials" value={data.sandboxDenials} tone="bad" to="/events?kind=sandbox_denial" />
      <Tile label="Events" value={data.events} note="of all kinds" to="/events" />
    </div>
  );
}

function ChartBox({ label, children }: { label: string; children: ReactNode }) {
  return <Suspense fallback={<Skeleton height={CHART_HEIGHT} role="status" aria-label={`Loading ${label}`} />}>{children}</Suspense>;
}

function Bars({ title, counts, none }: { title: string; counts: NamedCount[]; none: string }) {
  const option = useCallback((dark: boolean) => barsOption(counts, dark), [counts]);
  const spoken = `${title}: ${counts.map(({ name, count }) => `${name || "unnamed"} ${formatCount(count)}`).join(", ")}`;
  return (
    <Panel title={title}>
      {counts.length === 0 ? <EmptyState title={none} /> : <ChartBox label={title}><Chart label={spoken} height={CHART_HEIGHT} option={option} /></ChartBox>}
    </Panel>
  );
}

function Calls({ data }: { data: Overview }) {
  const { callsOverTime, hours } = data;
  const option = useCallback((dark: boolean) => callsOption(callsOverTime, hours, dark), [callsOverTime, hours]);
  const spoken = `LLM calls over time: ${formatCount(data.llmCalls)} calls, ${formatCount(data.denied)} denied, ${formatCount(data.redacted)} redacted in the last ${hours} hours`;
  return (
    <Panel title="LLM calls over time">
      {data.llmCalls === 0n ? (
        <EmptyState title="No LLM calls in this window">Calls appear here when the gateway carries one or the sensor sees one.</EmptyState>
      ) : (
        <ChartBox label="LLM calls over time"><Chart label={spoken} height={CHART_HEIGHT} option={option} /></ChartBox>
      )}
    </Panel>
  );
}

function RecentItem({ event, children }: { event: Event; children: ReactNode }) {
  return (
    <li>
      {children}
      <Group gap="sm" mt={4}>
        <Ago time={event.time} />
        <Text span size="sm" c="dimmed">{event.agentId || "no agent known"}</Text>
        <SessionLink id={event.sessionId} />
      </Group>
    </li>
  );
}

function RecentDetections() {
  const query = useQuery(recentQuery("detections", RECENT));
  return (
    <Panel title="Latest detections">
      <QueryView query={query} label="latest detections">
        {({ events }) =>
          events.length === 0 ? (
            <EmptyState title="No detections">No rule has matched in any stored event.</EmptyState>
          ) : (
            <ul className="brief-list">
              {events.map((event) => (
                <RecentItem key={event.id} event={event}>
                  {event.detections[0] && <DetectionLine detection={event.detections[0]} />}
                  {event.detections.length > 1 && <Text size="xs" c="dimmed">and {event.detections.length - 1} more in this event</Text>}
                </RecentItem>
              ))}
            </ul>
          )
        }
      </QueryView>
    </Panel>
  );
}

function RecentDecisions() {
  const query = useQuery(recentQuery("decisions", RECENT));
  return (
    <Panel title="Latest decisions other than allow">
      <QueryView query={query} label="latest decisions">
        {({ events }) =>
          events.length === 0 ? (
            <EmptyState title="Nothing was denied or changed">Every decision that is stored is an allow.</EmptyState>
          ) : (
            <ul className="brief-list">
              {events.map((event) => (
                <RecentItem key={event.id} event={event}>
                  {event.decision && <DecisionBadge decision={event.decision} />}
                  <Text size="sm" mt={4}>{event.decision?.reason || NOTHING}</Text>
                </RecentItem>
              ))}
            </ul>
          )
        }
      </QueryView>
    </Panel>
  );
}

export function OverviewPage() {
  const [hours, setHours] = useState("24");
  const query = useQuery(overviewQuery(Number(hours)));
  return (
    <Page title="Overview" aside={<SegmentedControl size="xs" data={WINDOWS} value={hours} onChange={setHours} aria-label="Time window" />}>
      <QueryView query={query} label="overview">
        {(data) => (
          <>
            <Tiles data={data} />
            <Calls data={data} />
            <div className="chart-grid">
              <Bars title="Calls by provider" counts={data.callsByProvider} none="No calls in this window" />
              <Bars title="Calls by model" counts={data.callsByModel} none="No calls in this window" />
              <Bars title="Detections by category" counts={data.detectionsByCategory} none="No detections in this window" />
            </div>
          </>
        )}
      </QueryView>
      <div className="list-grid">
        <RecentDetections />
        <RecentDecisions />
      </div>
    </Page>
  );
}
