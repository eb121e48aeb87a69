// SPDX-License-Identifier: Apache-2.0
import { Checkbox, Drawer, Group, Stack, Table, Text, TextInput, Title } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate, useParams } from "react-router";
import { Operator } from "../api/gen/aispm/v1/api_pb";
import type { McpServer, McpToolChange } from "../api/gen/aispm/v1/inventory_pb";
import { answerQuery, pagedQuery } from "../api/queries";
import { Ago, NameList, ToneBadge } from "../components/bits";
import { columnsOf, DataTable, type Column } from "../components/data-table";
import { Icon } from "../components/icons";
import { Fact, Facts, Page, Panel } from "../components/page";
import { EmptyState, QueryView } from "../components/states";
import { formatCount, formatDateTime, NOTHING, plural } from "../format";

const { method } = Operator;
const HASH_CHARS = 12;

function Hash({ value }: { value: string }) {
  return value ? <span className="mono" title={value}>{value.slice(0, HASH_CHARS)}</span> : <Text span size="sm" c="dimmed">none</Text>;
}

const server = columnsOf<McpServer>();
const COLUMNS: Column<McpServer>[] = server.columns([
  server.accessor("name", { header: "Server", cell: ({ row }) => (
    <>
      <Text size="sm" fw={600}>{row.original.name}</Text>
      <Text size="xs" c="dimmed">{[row.original.id, row.original.version].filter(Boolean).join(" · ")}</Text>
    </>
  ) }),
  server.accessor("transport", { header: "Transport", cell: ({ row }) => (
    <>
      <Text size="sm">{row.original.transport || NOTHING}</Text>
      <Text size="xs" c="dimmed" className="clip clip-short" title={row.original.endpoint}>{row.original.endpoint}</Text>
    </>
  ) }),
  server.accessor("hostname", { header: "Host", cell: ({ row }) => row.original.hostname || row.original.hostId || NOTHING }),
  server.accessor("tools", { header: "Tools", sortFn: "basic", sortDescFirst: true, cell: ({ row }) => <>{row.original.tools}{!row.original.listed && <Text span size="xs" c="dimmed"> called</Text>}</> }),
  server.accessor("changes", { header: "Changes", sortFn: "basic", sortDescFirst: true, cell: ({ row }) => (row.original.changes > 0 ? <ToneBadge tone="bad">{plural(row.original.changes, "change")}</ToneBadge> : <Text span size="sm" c="dimmed">none</Text>) }),
  server.accessor((row) => Number(row.calls), { id: "calls", header: "Calls", sortFn: "basic", sortDescFirst: true, cell: ({ row }) => formatCount(row.original.calls) }),
  server.accessor((row) => Number(row.errors), { id: "errors", header: "Errors", sortFn: "basic", sortDescFirst: true, cell: ({ row }) => formatCount(row.original.errors) }),
  server.accessor((row) => row.agents.join(", "), { id: "agents", header: "Agents", cell: ({ row }) => <NameList names={row.original.agents} limit={2} /> }),
  server.accessor((row) => Number(row.lastSeen?.seconds ?? 0), { id: "lastSeen", header: "Last seen", sortFn: "basic", sortDescFirst: true, cell: ({ row }) => <Ago time={row.original.lastSeen} /> }),
]) as Column<McpServer>[];

function Drift({ change }: { change: McpToolChange }) {
  const pairs: [string, string, string][] = [
    ["description", change.descriptionBefore, change.descriptionAfter],
    ["schema", change.schemaBefore, change.schemaAfter],
  ];
  return (
    <li>
      <Group gap="xs"><ToneBadge tone={change.change === "added" ? "warn" : "bad"}>{change.change}</ToneBadge><Text span size="sm" fw={600} ff="monospace">{change.tool}</Text></Group>
      {pairs.filter(([, before, after]) => before !== after).map(([what, before, after]) => (
        <Text key={what} size="sm" mt={4}>{what}: <Hash value={before} /> → <Hash value={after} /></Text>
      ))}
      <Text size="xs" c="dimmed">{formatDateTime(change.time)}</Text>
    </li>
  );
}

function Details({ found }: { found: McpServer }) {
  return (
    <Stack gap="lg">
      <Text fw={600}>{found.name}{found.version && ` ${found.version}`}</Text>
      <Facts>
        <Fact label="Transport">{found.transport || NOTHING}</Fact>
        <Fact label="Where"><span className="mono">{found.endpoint || NOTHING}</span></Fact>
        <Fact label="Protocol version">{found.protocolVersion || NOTHING}</Fact>
        <Fact label="Host">{found.hostname || found.hostId}</Fact>
        <Fact label="Calls / errors">{formatCount(found.calls)} / {formatCount(found.errors)}</Fact>
        <Fact label="Agents"><NameList names={found.agents} limit={8} /></Fact>
        <Fact label="First seen">{formatDateTime(found.firstSeen)}</Fact>
        <Fact label="Last seen"><Ago time={found.lastSeen} /></Fact>
      </Facts>
      <section aria-label="Changes">
        <Title order={3} mb={6}>What changed</Title>
        {found.history.length === 0 ? (
          <Text size="sm" c="dimmed">{found.listed ? "Nothing since the first list of tools." : "No list of tools was seen yet."}</Text>
        ) : (
          <ul className="brief-list">{found.history.map((change, index) => <Drift key={index} change={change} />)}</ul>
        )}
      </section>
      <section aria-label="Tools">
        <Title order={3} mb={6}>Tools</Title>
        <Table.ScrollContainer minWidth={460} tabIndex={0} role="region" aria-label="Tools, scrollable">
          <Table verticalSpacing={4} className="data-table">
            <Table.Thead><Table.Tr><Table.Th>Tool</Table.Th><Table.Th>Description</Table.Th><Table.Th>Schema</Table.Th><Table.Th ta="right">Calls</Table.Th><Table.Th>Changed</Table.Th></Table.Tr></Table.Thead>
            <Table.Tbody>
              {found.toolList.map((tool) => (
                <Table.Tr key={tool.name}>
                  <Table.Td className="mono">{tool.name}{tool.removed && <> <ToneBadge tone="neutral">removed</ToneBadge></>}</Table.Td>
                  <Table.Td><Hash value={tool.descriptionSha256} /></Table.Td><Table.Td><Hash value={tool.schemaSha256} /></Table.Td>
                  <Table.Td ta="right">{formatCount(tool.calls)}</Table.Td><Table.Td>{tool.changed ? <Ago time={tool.changed} /> : NOTHING}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      </section>
    </Stack>
  );
}

function Loaded({ id }: { id: string }) {
  const query = useQuery(answerQuery(method.getMcpServer, { id }));
  return <QueryView query={query} label="MCP server">{(found) => <Details found={found} />}</QueryView>;
}

export function McpPage() {
  const { serverId = "" } = useParams();
  const navigate = useNavigate();
  const [text, setText] = useState("");
  const [changed, setChanged] = useState(false);
  const [search] = useDebouncedValue(text.trim(), 250);
  const query = useInfiniteQuery(pagedQuery(method.listMcpServers, { query: search, changed }));
  return (
    <Page title="MCP servers" lead="Servers that agents talk to, the tools they offer, and every tool that is not what it was." aside={
      <Group gap="sm">
        <Checkbox size="xs" label="only changed" checked={changed} onChange={(change) => setChanged(change.currentTarget.checked)} />
        <TextInput size="xs" w={220} placeholder="Search servers" aria-label="Search servers" leftSection={<Icon name="search" size={14} />} value={text} onChange={(change) => setText(change.currentTarget.value)} />
      </Group>
    }>
      <Panel title="Servers">
        <QueryView query={query} label="MCP servers">
          {({ pages }) => {
            const rows = pages.flatMap((page) => page.servers);
            if (rows.length === 0) return search || changed ? <EmptyState title="No servers fit this filter" /> : <EmptyState title="No MCP servers yet">A server appears when a sensor sees an agent talk to it, over stdio or HTTP.</EmptyState>;
            return <DataTable caption="MCP servers" columns={COLUMNS} rows={rows} rowId={(row) => row.id} minWidth={940} onOpen={(row) => void navigate(`/mcp/${row.id}`)}
              more={{ has: query.hasNextPage, loading: query.isFetchingNextPage, load: () => void query.fetchNextPage() }} />;
          }}
        </QueryView>
      </Panel>
      <Drawer opened={serverId !== ""} onClose={() => void navigate("/mcp")} position="right" size="lg" title="MCP server" closeButtonProps={{ "aria-label": "Close server" }}>
        {serverId && <Loaded id={serverId} />}
      </Drawer>
    </Page>
  );
}
