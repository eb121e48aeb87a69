// SPDX-License-Identifier: Apache-2.0
import { Alert, Button, FileButton, Group, Progress, Stack, Table, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { RedTeam, type RedTeamRun, type RedTeamShare } from "../api/gen/aispm/v1/redteam_pb";
import { answerQuery, api } from "../api/queries";
import { Ago, ToneBadge } from "../components/bits";
import { columnsOf, DataTable, type Column } from "../components/data-table";
import { Page, Panel } from "../components/page";
import { EmptyState, QueryView } from "../components/states";
import type { Tone } from "../events/describe";
import { formatCount, formatPercent, NOTHING, plural } from "../format";

const { method } = RedTeam;
const WHILE_RUNNING_MS = 2_000;
const STATES: Record<string, { label: string; tone: Tone }> = {
  running: { label: "running", tone: "neutral" },
  done: { label: "done", tone: "good" },
  gate_failed: { label: "gate failed", tone: "bad" },
  failed: { label: "failed", tone: "bad" },
};

const shareOf = (share: RedTeamShare | undefined) => (share && share.of > 0n ? Number(share.hits) / Number(share.of) : undefined);

// What may be kept under: lower case, digits, _ and -.
export const corpusName = (file: string) => file.replace(/\.jsonl$/i, "").toLowerCase().replace(/[^a-z0-9_-]+/g, "-").slice(0, 64) || "texts";

function Share({ share }: { share: RedTeamShare | undefined }) {
  const value = shareOf(share);
  if (!share || value === undefined) return <>{NOTHING}</>;
  return <Text span size="sm" className="nowrap">{formatPercent(value)} <Text span size="xs" c="dimmed">{formatCount(share.hits)} of {formatCount(share.of)}</Text></Text>;
}

const run = columnsOf<RedTeamRun>();
const COLUMNS: Column<RedTeamRun>[] = run.columns([
  run.accessor((row) => Number(row.started?.seconds ?? 0), { id: "started", header: "Started", sortFn: "basic", sortDescFirst: true, cell: ({ row }) => <Ago time={row.original.started} /> }),
  run.accessor("state", { header: "State", cell: ({ row }) => {
    const state = STATES[row.original.state] ?? { label: row.original.state, tone: "neutral" };
    return <><ToneBadge tone={state.tone}>{state.label}</ToneBadge>{row.original.error && <Text size="xs" c="dimmed" className="clip" title={row.original.error}>{row.original.error}</Text>}</>;
  } }),
  run.accessor((row) => row.corpora.join(", "), { id: "corpora", header: "Texts", cell: ({ row }) => row.original.corpora.join(", ") || "built in" }),
  run.accessor((row) => shareOf(row.found) ?? -1, { id: "found", header: "Attacks found", sortFn: "basic", sortDescFirst: true, cell: ({ row }) => <Share share={row.original.found} /> }),
  run.accessor((row) => Number(row.falsePositives?.hits ?? 0), { id: "false", header: "Wrongly flagged", sortFn: "basic", sortDescFirst: true, cell: ({ row }) => <Share share={row.original.falsePositives} /> }),
  run.accessor((row) => Number(row.unjudged), { id: "unjudged", header: "Not judged", sortFn: "basic", sortDescFirst: true, cell: ({ row }) => formatCount(row.original.unjudged) }),
  run.accessor("startedBy", { header: "By" }),
]) as Column<RedTeamRun>[];

function Categories({ shown }: { shown: RedTeamRun }) {
  return (
    <Table verticalSpacing={4} className="data-table">
      <Table.Caption className="visually-hidden">Recall by category</Table.Caption>
      <Table.Thead><Table.Tr><Table.Th>Category</Table.Th><Table.Th>Found</Table.Th><Table.Th w="40%"><span className="visually-hidden">Share</span></Table.Th></Table.Tr></Table.Thead>
      <Table.Tbody>
        {shown.categories.map((one) => (
          <Table.Tr key={one.name}>
            <Table.Td>{one.name.replaceAll("_", " ")}</Table.Td>
            <Table.Td><Share share={one} /></Table.Td>
            <Table.Td style={{ verticalAlign: "middle" }}><Progress value={100 * (shareOf(one) ?? 0)} aria-label={`${one.name}: share found`} /></Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

function Corpora() {
  const client = useQueryClient();
  const query = useQuery(answerQuery(method.listRedTeamCorpora, {}));
  const upload = useMutation({
    mutationFn: async (file: File) => api.call(method.putRedTeamCorpus, { name: corpusName(file.name), content: await file.text() }),
    onSuccess: () => client.invalidateQueries({ queryKey: [method.listRedTeamCorpora.name] }),
  });
  return (
    <Panel title="Own texts" aside={
      <FileButton accept=".jsonl" onChange={(file) => file && upload.mutate(file)}>{(props) => <Button size="xs" variant="default" loading={upload.isPending} {...props}>Upload JSON lines</Button>}</FileButton>
    }>
      {upload.error && <Alert color="red" role="alert" mb="sm">{upload.error.message}</Alert>}
      <QueryView query={query} label="own texts">
        {({ corpora }) => (corpora.length === 0 ? <EmptyState title="None yet">Each line has id, text, label, surface and source.</EmptyState> : (
          <ul className="brief-list">{corpora.map((one) => <li key={one.name}><Text span fw={600} size="sm">{one.name}</Text> <Text span size="sm" c="dimmed">{plural(Number(one.rows), "text")}, licence {one.licences.join(", ") || "not stated"}</Text></li>)}</ul>
        ))}
      </QueryView>
    </Panel>
  );
}

export function RedTeamPage() {
  const client = useQueryClient();
  const query = useQuery(answerQuery(method.listRedTeamRuns, {}, WHILE_RUNNING_MS));
  const corpora = useQuery(answerQuery(method.listRedTeamCorpora, {}));
  const start = useMutation({
    mutationFn: (names: string[]) => api.call(method.startRedTeam, { corpora: names }),
    onSuccess: () => client.invalidateQueries({ queryKey: [method.listRedTeamRuns.name] }),
  });
  const own = corpora.data?.corpora.map((one) => one.name) ?? [];
  const running = query.data?.runs.some((one) => one.state === "running") ?? false;
  const last = query.data?.runs.find((one) => one.categories.length > 0);
  return (
    <Page title="Red team" lead="Labelled attacks and harmless texts against the gateway: how much of what should be found is." aside={
      <Group gap="sm">
        {own.length > 0 && <Button size="xs" variant="default" disabled={running} onClick={() => start.mutate(own)}>Run own texts</Button>}
        <Button size="xs" disabled={running} loading={start.isPending} onClick={() => start.mutate([])}>Run built-in texts</Button>
      </Group>
    }>
      {start.error && <Alert color="red" role="alert">{start.error.message}</Alert>}
      <Stack gap="md">
        <Panel title="Runs">
          <QueryView query={query} label="runs">
            {({ runs }) => (runs.length === 0 ? <EmptyState title="No runs yet">The gateway to attack stands in the collector's configuration.</EmptyState>
              : <DataTable caption="Runs of the red team" columns={COLUMNS} rows={runs} rowId={(row) => row.runId} minWidth={900} />)}
          </QueryView>
        </Panel>
        {last && <Panel title="Last run by category"><Categories shown={last} /></Panel>}
        <Corpora />
      </Stack>
    </Page>
  );
}
