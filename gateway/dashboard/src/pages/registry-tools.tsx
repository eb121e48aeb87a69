// SPDX-License-Identifier: Apache-2.0
import { Group, Radio, Select, Stack, Table, Text, Title } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import { Operator } from "../api/gen/aispm/v1/api_pb";
import type { RegisteredTool, ToolDefinitionSeen } from "../api/gen/aispm/v1/registry_pb";
import { answerQuery, api, pagedQuery } from "../api/queries";
import { Ago, NameList, ToneBadge } from "../components/bits";
import { columnsOf, DataTable, type Column } from "../components/data-table";
import { Fact, Facts, Panel } from "../components/page";
import { EmptyState, QueryView } from "../components/states";
import { formatCount, formatDateTime, NOTHING } from "../format";
import { Decide, RegistryHistory, RegistryState, type Choice } from "./registry-parts";

const { method } = Operator;
const HASH_CHARS = 12;
const STATES = ["undecided", "approved", "changed", "blocked"];

function Findings({ names }: { names: readonly string[] }) {
  if (names.length === 0) return <Text span size="sm" c="dimmed">{NOTHING}</Text>;
  return <>{names.map((name) => <ToneBadge key={name} tone="bad">{name.replaceAll("_", " ").toLowerCase()}</ToneBadge>)}</>;
}

const tool = columnsOf<RegisteredTool>();
const COLUMNS: Column<RegisteredTool>[] = tool.columns([
  tool.accessor("name", { header: "Tool", cell: ({ row }) => (
    <>
      <Text size="sm" fw={600} ff="monospace" className="clip clip-mid" title={row.original.name}>{row.original.name}</Text>
      <Text size="xs" c="dimmed">{row.original.provider || "no server is known"}</Text>
    </>
  ) }),
  tool.accessor("state", { header: "State", cell: ({ getValue }) => <RegistryState state={getValue()} /> }),
  tool.accessor("pins", { header: "Pins", sortFn: "basic", sortDescFirst: true }),
  tool.accessor((row) => row.findings.join(", "), { id: "findings", header: "Findings", cell: ({ row }) => <Findings names={row.original.findings} /> }),
  tool.accessor((row) => Number(row.calls > row.decisions ? row.calls : row.decisions), { id: "calls", header: "Calls", sortFn: "basic", sortDescFirst: true, cell: ({ getValue }) => formatCount(getValue()) }),
  tool.accessor((row) => Number(row.denied), { id: "denied", header: "Denied", sortFn: "basic", sortDescFirst: true, cell: ({ row }) => formatCount(row.original.denied) }),
  tool.accessor((row) => row.facts?.owner ?? "", { id: "owner", header: "Owner", cell: ({ getValue }) => getValue() || <Text span size="sm" c="dimmed">nobody</Text> }),
  tool.accessor((row) => Number(row.lastSeen?.seconds ?? 0), { id: "lastSeen", header: "Last seen", sortFn: "basic", sortDescFirst: true, cell: ({ row }) => <Ago time={row.original.lastSeen} /> }),
]) as Column<RegisteredTool>[];

const keyOf = (definition: ToolDefinitionSeen) => `${definition.descriptionSha256}/${definition.schemaSha256}`;

function Hash({ value }: { value: string }) {
  return <span className="mono" title={value}>{value ? value.slice(0, HASH_CHARS) : NOTHING}</span>;
}

// What was seen of it; one is chosen for approval, so that what is approved is what somebody looked at.
function Definitions({ found, chosen, choose }: { found: RegisteredTool; chosen: string; choose: (key: string) => void }) {
  if (found.definitions.length === 0) return <Text size="sm" c="dimmed">Nobody has seen what it says of itself: it was only named or called.</Text>;
  return (
    <Table.ScrollContainer minWidth={460} tabIndex={0} role="region" aria-label="Definitions, scrollable">
      <Table verticalSpacing={4} className="data-table">
        <Table.Thead><Table.Tr><Table.Th>Choose</Table.Th><Table.Th>Description</Table.Th><Table.Th>Schema</Table.Th><Table.Th>Pinned</Table.Th><Table.Th>Last seen</Table.Th><Table.Th>Findings</Table.Th></Table.Tr></Table.Thead>
        <Table.Tbody>
          {found.definitions.map((definition) => (
            <Table.Tr key={keyOf(definition)}>
              <Table.Td><Radio size="xs" name="definition" aria-label={`Definition ${definition.descriptionSha256.slice(0, HASH_CHARS)}`} checked={chosen === keyOf(definition)} onChange={() => choose(keyOf(definition))} /></Table.Td>
              <Table.Td><Hash value={definition.descriptionSha256} /></Table.Td>
              <Table.Td><Hash value={definition.schemaSha256} /></Table.Td>
              <Table.Td><ToneBadge tone={definition.pinned ? "good" : "warn"}>{definition.pinned ? "yes" : "no"}</ToneBadge></Table.Td>
              <Table.Td title={definition.hostId}><Ago time={definition.lastSeen} /></Table.Td>
              <Table.Td><Findings names={definition.findings} /></Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Details({ found }: { found: RegisteredTool }) {
  const newest = found.definitions.find((definition) => !definition.pinned) ?? found.definitions[0];
  // Stays as it was when somebody began to read: a definition that comes in meanwhile is not approved by the same click.
  const [chosen, setChosen] = useState(newest ? keyOf(newest) : "");
  const definition = found.definitions.find((one) => keyOf(one) === chosen);
  const choices: Choice[] = [{ state: "approved", label: definition ? "Approve this definition" : "Approve, whatever it says", color: "green" }];
  if (found.state !== "blocked") choices.push({ state: "blocked", label: "Block", color: "red", variant: "light" });
  if (found.changed) choices.push({ state: "undecided", label: "Forget the decision", color: "gray", variant: "default" });
  const decide = (state: string, reason: string) => api.call(method.reviewTool, {
    id: found.id, state, reason,
    ...(state !== "approved" ? {} : definition ? { descriptionSha256: definition.descriptionSha256, schemaSha256: definition.schemaSha256 } : { withoutPin: true }),
  });
  return (
    <Stack gap="lg">
      <div>
        <Group gap="sm"><Text fw={600} ff="monospace" style={{ overflowWrap: "anywhere" }}>{found.name}</Text><RegistryState state={found.state} /></Group>
        {found.state === "changed" && <Text size="sm" mt={4}>A definition was seen that nobody approved. Calls by it are denied until somebody does.</Text>}
        {found.state === "blocked" && <Text size="sm" mt={4}>Denied on all gateways: {found.reason}</Text>}
      </div>
      <Facts>
        <Fact label="Server">{found.provider || NOTHING}</Fact>
        <Fact label="Owner">{found.facts?.owner || NOTHING}</Fact>
        <Fact label="Publisher">{found.facts?.publisher || NOTHING}{found.facts?.version && ` ${found.facts.version}`}</Fact>
        <Fact label="Needs scope"><span className="mono">{found.facts?.scope || NOTHING}</span></Fact>
        <Fact label="Calls seen">{formatCount(found.calls)}</Fact>
        <Fact label="Decisions / denied">{formatCount(found.decisions)} / {formatCount(found.denied)}</Fact>
        <Fact label="Hosts"><NameList names={found.hosts} limit={3} /></Fact>
        <Fact label="First seen">{formatDateTime(found.firstSeen)}</Fact>
        <Fact label="Last seen"><Ago time={found.lastSeen} /></Fact>
      </Facts>
      <Decide choices={choices} decide={decide}>
        <Title order={4} size="sm">What it says of itself</Title>
        <Definitions found={found} chosen={chosen} choose={setChosen} />
      </Decide>
      <RegistryHistory history={found.history} />
    </Stack>
  );
}

export function ToolDetails({ id }: { id: string }) {
  const query = useQuery(answerQuery(method.getRegisteredTool, { id }));
  return <QueryView query={query} label="tool">{(found) => <Details key={found.id} found={found} />}</QueryView>;
}

export function ToolsTab({ search }: { search: string }) {
  const navigate = useNavigate();
  const [state, setState] = useState("");
  const query = useInfiniteQuery(pagedQuery(method.listRegisteredTools, { query: search, state }));
  return (
    <Panel title="Tools" aside={<Select size="xs" w={160} aria-label="State" placeholder="Every state" clearable value={state || null} data={STATES} onChange={(value) => setState(value ?? "")} />}>
      <QueryView query={query} label="tools">
        {({ pages }) => {
          const rows = pages.flatMap((page) => page.tools);
          if (rows.length === 0) return search || state ? <EmptyState title="No tools fit this filter" /> : <EmptyState title="No tools yet">A tool appears when a gateway or a sensor sees it, or when somebody registers it: aispm tool register.</EmptyState>;
          return <DataTable caption="Tools" columns={COLUMNS} rows={rows} rowId={(row) => row.id} minWidth={900} onOpen={(row) => void navigate(`/registry/tools/${row.id}`)}
            more={{ has: query.hasNextPage, loading: query.isFetchingNextPage, load: () => void query.fetchNextPage() }} />;
        }}
      </QueryView>
    </Panel>
  );
}
