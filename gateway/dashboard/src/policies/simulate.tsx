// SPDX-License-Identifier: Apache-2.0
// What the text in the editor would have decided about recorded actions.
import { Alert, Anchor, Button, Group, Select, Stack, Table, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Operator } from "../api/gen/aispm/v1/api_pb";
import type { Decision_Outcome } from "../api/gen/aispm/v1/event_pb";
import type { Simulation } from "../api/gen/aispm/v1/simulate_pb";
import { answerQuery, api } from "../api/queries";
import { ToneBadge } from "../components/bits";
import { EventDrawer } from "../components/event-drawer";
import { Panel } from "../components/page";
import { OUTCOMES, type Tone } from "../events/describe";
import { formatCount, formatDateTime, NOTHING, plural, shortId } from "../format";
import { filesOf, type Texts } from "./files";

const { method } = Operator;
const WINDOWS = [["1", "last hour"], ["24", "last day"], ["168", "last week"], ["720", "last 30 days"]] as const;

function Outcome({ outcome }: { outcome: Decision_Outcome }) {
  const { label, tone } = OUTCOMES[outcome];
  return <ToneBadge tone={tone}>{label}</ToneBadge>;
}

function Tile({ label, value, tone }: { label: string; value: bigint; tone: Tone }) {
  return (
    <div className={value > 0n ? `tile tile-${tone}` : "tile"} data-testid={`simulated-${label}`}>
      <Text size="xs" c="dimmed">{label}</Text>
      <div className="tile-value">{formatCount(value)}</div>
    </div>
  );
}

function Flips({ report, open }: { report: Simulation; open: (id: string) => void }) {
  if (report.flips.length === 0) return <Text size="sm">{report.events === 0n ? "Nothing was recorded in this window." : "Nothing flips."}</Text>;
  return (
    <Table.ScrollContainer minWidth={860} tabIndex={0} role="region" aria-label="What flips, scrollable">
      <Table verticalSpacing={6} className="data-table">
        <Table.Thead><Table.Tr><Table.Th>Before</Table.Th><Table.Th>After</Table.Th><Table.Th ta="right">Times</Table.Th><Table.Th>Rule</Table.Th><Table.Th>Agent</Table.Th><Table.Th>Tool</Table.Th><Table.Th>Examples</Table.Th></Table.Tr></Table.Thead>
        <Table.Tbody>
          {report.flips.map((flip, index) => (
            <Table.Tr key={index}>
              <Table.Td><Outcome outcome={flip.before} /></Table.Td>
              <Table.Td><Outcome outcome={flip.after} /></Table.Td>
              <Table.Td ta="right">{formatCount(flip.count)}</Table.Td>
              <Table.Td><span className="mono">{flip.ruleId || NOTHING}</span>{flip.reason && <Text size="xs" c="dimmed">{flip.reason}</Text>}</Table.Td>
              <Table.Td><span className="clip clip-short" title={flip.agentId}>{flip.agentId || NOTHING}</span></Table.Td>
              <Table.Td className="mono">{flip.tool || NOTHING}</Table.Td>
              <Table.Td>{flip.eventIds.map((id) => <Anchor key={id} component="button" type="button" size="sm" ff="monospace" mr={8} onClick={() => open(id)} title={id}>{shortId(id)}</Anchor>)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Report({ report, open }: { report: Simulation; open: (id: string) => void }) {
  return (
    <Stack gap="sm">
      <div className="tiles tiles-4">
        <Tile label="Looked at" value={report.events} tone="neutral" />
        <Tile label="Unchanged" value={report.unchanged} tone="neutral" />
        <Tile label="Stricter" value={report.stricter} tone="bad" />
        <Tile label="Looser" value={report.looser} tone="warn" />
      </div>
      {report.oldest && <Text size="xs" c="dimmed">from {formatDateTime(report.oldest)} to {formatDateTime(report.newest)}</Text>}
      {(report.notJudged.length > 0 || report.notLookedAt > 0n) && (
        <Alert color="yellow" title="Not everything could be judged">
          {report.notJudged.map(({ reason, count }) => <Text key={reason} size="sm">{formatCount(count)}: {reason}</Text>)}
          {report.notLookedAt > 0n && <Text size="sm">{plural(report.notLookedAt, "older event")} not looked at: a limit was reached.</Text>}
        </Alert>
      )}
      <Flips report={report} open={open} />
      {report.flipsLeftOut > 0n && <Text size="xs" c="dimmed">{plural(report.flipsLeftOut, "more event")} flip.</Text>}
    </Stack>
  );
}

function Example({ id, close }: { id: string; close: () => void }) {
  const { data } = useQuery(answerQuery(method.getEvent, { eventId: id }));
  return <EventDrawer event={data ?? null} close={close} />;
}

export function SimulatePanel({ texts, broken }: { texts: Texts; broken: boolean }) {
  const [hours, setHours] = useState("24");
  const [agent, setAgent] = useState("");
  const [example, setExample] = useState("");
  const run = useMutation({ mutationFn: () => api.call(method.simulatePolicy, { files: filesOf(texts), agent: agent.trim(), hours: Number(hours) }) });
  return (
    <Panel title="Simulate">
      <Text size="sm" c="dimmed" mb="sm">Judges what was recorded by the text in the editor. Nothing that runs is touched.</Text>
      <form onSubmit={(submit) => (submit.preventDefault(), run.mutate())}>
        <Group gap="sm" align="flex-end" mb="md">
          <Select size="xs" label="Window" w={150} allowDeselect={false} value={hours} onChange={(value) => setHours(value ?? "24")} data={WINDOWS.map(([value, label]) => ({ value, label }))} />
          <TextInput size="xs" label="Agent" placeholder="all, or a name with *" w={220} value={agent} onChange={(change) => setAgent(change.currentTarget.value)} />
          <Button type="submit" size="xs" loading={run.isPending} disabled={broken}>Simulate</Button>
        </Group>
      </form>
      {run.error && <Alert color="red" role="alert">{run.error.message}</Alert>}
      {run.data && <Report report={run.data} open={setExample} />}
      {example && <Example id={example} close={() => setExample("")} />}
    </Panel>
  );
}
