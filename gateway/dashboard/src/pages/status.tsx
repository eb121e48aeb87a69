// SPDX-License-Identifier: Apache-2.0
import { Alert, Group, List, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { Component, Status } from "../api/gen/aispm/v1/api_pb";
import { statusQuery } from "../api/queries";
import { Ago, ToneBadge } from "../components/bits";
import { Icon } from "../components/icons";
import { Fact, Facts, Page, Panel } from "../components/page";
import { EmptyState, QueryView } from "../components/states";
import type { Tone } from "../events/describe";
import { formatBytes, formatCount, formatDateTime, NOTHING } from "../format";

function Counts({ title, counts, alarming }: { title: string; counts: Record<string, bigint>; alarming: boolean }) {
  const rows = Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1));
  if (rows.length === 0) return null;
  return (
    <Table withRowBorders={false} verticalSpacing={2} w="auto" miw={260} aria-label={title}>
      <Table.Caption style={{ captionSide: "top", textAlign: "left", marginTop: 0 }}>{title}</Table.Caption>
      <Table.Tbody>
        {rows.map(([name, value]) => (
          <Table.Tr key={name}>
            <Table.Td className="mono">{name}</Table.Td>
            <Table.Td ta="right" className={alarming && value > 0n ? "tone-bad lost" : undefined}>{formatCount(value)}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

function Losses({ component }: { component: Component }) {
  const losses: Record<string, bigint> = { ...component.health?.losses, "spool.events": component.lostEvents };
  return <Counts title="Losses by cause since start" counts={losses} alarming />;
}

// What a sensor's self-test says of each probe is told among its features, by this prefix.
const isSelfTest = (name: string) => name.startsWith("selftest");
const FEATURE_TONES: Record<string, Tone> = { yes: "good", ok: "good", passed: "good", failed: "bad" };

function Features({ title, features, wanted }: { title: string; features: Record<string, string>; wanted: (name: string) => boolean }) {
  const own = Object.entries(features).filter(([name]) => wanted(name)).sort();
  if (own.length === 0) return null;
  return (
    <div>
      <Text size="sm" c="dimmed" mb={4}>{title}</Text>
      <Group gap={6} maw={420}>{own.map(([name, value]) => <ToneBadge key={name} tone={FEATURE_TONES[value] ?? "neutral"}>{name.replace(/^selftest[._]/, "")}: {value}</ToneBadge>)}</Group>
    </div>
  );
}

function ComponentPanel({ component }: { component: Component }) {
  const { health } = component;
  const degraded = health && health.state !== "ok";
  return (
    <Panel title={`${component.component} on ${component.hostname || component.hostId || "an unnamed host"}`} aside={
      <Group gap={6} wrap="nowrap">
        {health && <ToneBadge tone={degraded ? "warn" : "good"}>{health.state || "state unknown"}</ToneBadge>}
        <ToneBadge tone={component.connected ? "good" : "bad"}>{component.connected ? "connected" : "not connected"}</ToneBadge>
      </Group>
    }>
      {degraded && health.reasons.length > 0 && (
        <Alert color="yellow" icon={<Icon name="warning" />} mb="md" title="Degraded">
          <List size="sm">{health.reasons.map((reason) => <List.Item key={reason}>{reason}</List.Item>)}</List>
        </Alert>
      )}
      <Facts>
        <Fact label="Version">{component.version || NOTHING}</Fact>
        <Fact label="Last heard of"><Ago time={component.lastSeen} /></Fact>
        <Fact label="Batches acknowledged">{formatCount(component.acknowledgedSequence)}</Fact>
        <Fact label="Host id"><span className="mono">{component.hostId || NOTHING}</span></Fact>
      </Facts>
      <Group gap="xl" align="flex-start" mt="md">
        <Losses component={component} />
        {health && <Counts title="Counters since start" counts={health.counters} alarming={false} />}
        {health && <Features title="Features found" features={health.features} wanted={(name) => !isSelfTest(name)} />}
        {health && <Features title="Self-test" features={health.features} wanted={isSelfTest} />}
      </Group>
      {!health && <Text size="sm" c="dimmed" mt="sm">It has not reported its health yet.</Text>}
    </Panel>
  );
}

function CollectorPanel({ status }: { status: Status }) {
  const { store } = status;
  return (
    <Panel title="Collector" aside={<ToneBadge tone={status.state === "ok" ? "good" : "warn"}>{status.state || "state unknown"}</ToneBadge>}>
      {status.reasons.length > 0 && (
        <Alert color="yellow" icon={<Icon name="warning" />} mb="md" title="Why it is degraded">
          <List size="sm">{status.reasons.map((reason) => <List.Item key={reason}>{reason}</List.Item>)}</List>
        </Alert>
      )}
      <Facts>
        <Fact label="Version">{status.version || NOTHING}</Fact>
        <Fact label="Started">{formatDateTime(status.started)}</Fact>
        {store && (
          <>
            <Fact label="Events stored">{formatCount(store.events)}</Fact>
            <Fact label="Store size">{formatBytes(store.bytes)}</Fact>
            <Fact label="Waiting to be stored">{formatCount(store.queueLength)}</Fact>
            <Fact label="Duplicates ignored">{formatCount(store.duplicatesIgnored)}</Fact>
            <Fact label="Not kept in the inventory">{formatCount(store.inventoryRefused)}</Fact>
            <Fact label="Rejected as malformed">{formatCount(store.rejected)}</Fact>
            <Fact label="Schema version">{formatCount(store.schemaVersion)}</Fact>
          </>
        )}
      </Facts>
    </Panel>
  );
}

export function StatusPage() {
  const query = useQuery(statusQuery());
  return (
    <Page title="Status" lead="Every component, in its own words, with everything it lost.">
      <QueryView query={query} label="status">
        {(status) => (
          <>
            <CollectorPanel status={status} />
            {status.components.length === 0 ? (
              <Panel title="Components"><EmptyState title="No component has reported yet">Sensors and gateways appear here once they have enrolled.</EmptyState></Panel>
            ) : (
              status.components.map((component) => <ComponentPanel key={`${component.component}/${component.hostId}`} component={component} />)
            )}
          </>
        )}
      </QueryView>
    </Page>
  );
}
