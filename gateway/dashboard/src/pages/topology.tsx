// SPDX-License-Identifier: Apache-2.0
import { Group, SegmentedControl, Select, Skeleton, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import { useSearchParams } from "react-router";
import { Operator } from "../api/gen/aispm/v1/api_pb";
import type { Topology, TopologyEdge } from "../api/gen/aispm/v1/inventory_pb";
import { answerQuery } from "../api/queries";
import { Ago, NameList, ToneBadge } from "../components/bits";
import { columnsOf, DataTable, type Column } from "../components/data-table";
import { Page, Panel } from "../components/page";
import { EmptyState, QueryView } from "../components/states";
import { formatBytes, formatCount, plural } from "../format";
import { chooseNodes, KIND_LABELS, MAX_DRAWN_NODES, place, ROW_HEIGHT, rowCount } from "../topology/layout";

const Graph = lazy(() => import("../topology/graph"));

const { method } = Operator;
const WINDOWS = [
  { value: "1", label: "1 h" },
  { value: "24", label: "24 h" },
  { value: "168", label: "7 d" },
  { value: "720", label: "30 d" },
];
// New edges are on the screen well within 15 seconds of their event.
const REFRESH_MS = 5_000;
const MAX_CHOICES = 500;

interface Row {
  readonly id: string;
  readonly from: string;
  readonly fromKind: string;
  readonly to: string;
  readonly toKind: string;
  readonly edge: TopologyEdge;
}

function rowsOf(topology: Topology, chosen: string): Row[] {
  const nodes = new Map(topology.nodes.map((node) => [node.id, node]));
  return topology.edges.filter(({ from, to }) => !chosen || from === chosen || to === chosen).map((edge) => ({
    id: `${edge.from}-${edge.to}`, edge, from: nodes.get(edge.from)?.name ?? edge.from, fromKind: nodes.get(edge.from)?.kind ?? "",
    to: nodes.get(edge.to)?.name ?? edge.to, toKind: nodes.get(edge.to)?.kind ?? "",
  }));
}

function End({ kind, name }: { kind: string; name: string }) {
  return <><Text size="xs" c="dimmed">{KIND_LABELS[kind] ?? kind}</Text><span className="clip clip-mid" title={name}>{name}</span></>;
}

const row = columnsOf<Row>();
const COLUMNS: Column<Row>[] = row.columns([
  row.accessor("from", { header: "From", cell: ({ row: { original } }) => <End kind={original.fromKind} name={original.from} /> }),
  row.accessor("to", { header: "To", cell: ({ row: { original } }) => <End kind={original.toKind} name={original.to} /> }),
  row.accessor((item) => Number(item.edge.count), { id: "count", header: "Uses", sortFn: "basic", sortDescFirst: true, cell: ({ row: { original } }) => (original.edge.count > 0n ? formatCount(original.edge.count) : "–") }),
  row.accessor((item) => Number(item.edge.bytes), { id: "bytes", header: "Bytes", sortFn: "basic", sortDescFirst: true, cell: ({ row: { original } }) => (original.edge.bytes > 0n ? formatBytes(original.edge.bytes) : "–") }),
  row.accessor((item) => item.edge.agents.join(", "), { id: "agents", header: "On behalf of", cell: ({ row: { original } }) => <NameList names={original.edge.agents} limit={2} /> }),
  row.accessor((item) => item.edge.hosts.join(", "), { id: "hosts", header: "Hosts", cell: ({ row: { original } }) => <NameList names={original.edge.hosts} limit={2} /> }),
  row.accessor((item) => (item.edge.risky ? 1 : 0), { id: "risky", header: "Risk", sortFn: "basic", sortDescFirst: true, cell: ({ row: { original } }) => (original.edge.risky ? <ToneBadge tone="bad">at risk</ToneBadge> : "–") }),
  row.accessor((item) => Number(item.edge.lastSeen?.seconds ?? 0), { id: "last", header: "Last seen", sortFn: "basic", sortDescFirst: true, cell: ({ row: { original } }) => <Ago time={original.edge.lastSeen} /> }),
]) as Column<Row>[];

function Picture({ topology }: { topology: Topology }) {
  const [chosen, setChosen] = useState("");
  const shown = topology.nodes.some(({ id }) => id === chosen) ? chosen : "";
  if (topology.nodes.length === 0)
    return <Panel title="Graph"><EmptyState title="Nothing in this window">Edges appear when agents call models and tools, read data or connect to services.</EmptyState></Panel>;
  const rows = rowsOf(topology, shown);
  const height = `clamp(260px, ${Math.round(rowCount(place(chooseNodes(topology.nodes, topology.edges), topology.edges)) * ROW_HEIGHT + 80)}px, 75vh)`;
  const risky = topology.edges.filter((edge) => edge.risky).length;
  return (
    <>
      <Panel title="Graph" aside={<Text size="xs" c="dimmed">{plural(topology.nodes.length, "node")}, {plural(topology.edges.length, "edge")}{risky > 0 && `, ${risky} at risk`}</Text>}>
        <div className="topology" style={{ height }} data-testid="topology" role="group" aria-label={`Topology: ${plural(topology.nodes.length, "node")}, ${plural(topology.edges.length, "edge")}; listed below`}>
          <Suspense fallback={<Skeleton height="100%" role="status" aria-label="Loading graph" />}><Graph topology={topology} chosen={shown} choose={setChosen} /></Suspense>
        </div>
        {(topology.truncated || topology.nodes.length > MAX_DRAWN_NODES) && <Text size="sm" c="dimmed" mt="xs">There is more than a picture can hold: choose an agent or a shorter time.</Text>}
      </Panel>
      <Panel title={shown ? `Edges of ${topology.nodes.find(({ id }) => id === shown)?.name ?? "the chosen node"}` : "Edges"}>
        <DataTable caption="edges" columns={COLUMNS} rows={rows} rowId={({ id }) => id} minWidth={980} />
      </Panel>
    </>
  );
}

export function TopologyPage() {
  const [search, setSearch] = useSearchParams();
  const agent = search.get("agent") ?? "";
  const [hours, setHours] = useState("168");
  const query = useQuery({ ...answerQuery(method.getTopology, { agentId: agent, hours: Number(hours) }, REFRESH_MS), placeholderData: (before) => before });
  const agents = useQuery(answerQuery(method.listAgents, { pageSize: MAX_CHOICES }));
  const choices = [...new Set([...(agents.data?.agents.map(({ agentId }) => agentId) ?? []), ...(agent ? [agent] : [])])];
  return (
    <Page title="Topology" lead="Which agent uses which model, tool, data and service." aside={
      <Group gap="sm">
        <Select size="xs" w={230} aria-label="Agent" placeholder="All agents" searchable clearable value={agent || null} data={choices} limit={50} onChange={(value) => setSearch(value ? { agent: value } : {}, { replace: true })} />
        <SegmentedControl size="xs" data={WINDOWS} value={hours} onChange={setHours} aria-label="Time window" />
      </Group>
    }>
      <QueryView query={query} label="topology">{(topology) => <Picture topology={topology} />}</QueryView>
    </Page>
  );
}
