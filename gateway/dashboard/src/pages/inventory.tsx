// SPDX-License-Identifier: Apache-2.0
import { Stack, Tabs, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import type { DescMessage, DescMethodUnary, MessageShape } from "@bufbuild/protobuf";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { Navigate, useNavigate, useParams } from "react-router";
import { Operator, type ListRequestSchema } from "../api/gen/aispm/v1/api_pb";
import { listQuery } from "../api/queries";
import { DataTable, type Column } from "../components/data-table";
import { Icon } from "../components/icons";
import { Page, Panel } from "../components/page";
import { EmptyState, QueryView } from "../components/states";
import { AssetsTab } from "./assets";
import { AGENT_COLUMNS, HOST_COLUMNS, MODEL_COLUMNS, NAME_COLUMNS, PROCESS_COLUMNS, PROVIDER_COLUMNS } from "./inventory-columns";

const SEARCH_DELAY_MS = 250;

interface ListProps<O extends DescMessage, T extends object> {
  readonly method: DescMethodUnary<typeof ListRequestSchema, O>;
  readonly rowsOf: (list: MessageShape<O>) => T[];
  readonly rowId: (row: T) => string;
  readonly columns: Column<T>[];
  readonly label: string;
  readonly empty: string;
  readonly search: string;
}

function InventoryList<O extends DescMessage, T extends object>({ method, rowsOf, rowId, columns, label, empty, search }: ListProps<O, T>) {
  const query = useInfiniteQuery(listQuery(method, search));
  return (
    <QueryView query={query} label={label}>
      {({ pages }) => {
        const rows = pages.flatMap(rowsOf);
        if (rows.length === 0) {
          return search ? <EmptyState title={`No ${label} match “${search}”`} /> : <EmptyState title={`No ${label} yet`}>{empty}</EmptyState>;
        }
        return (
          <DataTable caption={label} columns={columns} rows={rows} rowId={rowId}
            more={{ has: query.hasNextPage, loading: query.isFetchingNextPage, load: () => void query.fetchNextPage() }} />
        );
      }}
    </QueryView>
  );
}

const { method } = Operator;

const TABS: Record<string, { readonly label: string; readonly noun: string; readonly bare?: boolean; readonly show: (search: string) => ReactNode }> = {
  assets: { label: "Assets", noun: "assets", bare: true, show: (search) => <AssetsTab search={search} /> },
  hosts: {
    label: "Hosts",
    noun: "hosts",
    show: (search) => (
      <InventoryList method={method.listHosts} rowsOf={(list) => list.hosts} rowId={(host) => host.hostId} columns={HOST_COLUMNS}
        label="hosts" empty="A host appears when its sensor or gateway has enrolled." search={search} />
    ),
  },
  processes: {
    label: "AI processes",
    noun: "AI processes",
    show: (search) => (
      <InventoryList method={method.listProcesses} rowsOf={(list) => list.processes} columns={PROCESS_COLUMNS}
        rowId={({ hostId, process }) => `${hostId}/${process?.pid}/${process?.startBoottimeNs}`}
        label="AI processes" empty="A process appears when AI use was seen in it." search={search} />
    ),
  },
  agents: {
    label: "Agents",
    noun: "agents",
    show: (search) => (
      <InventoryList method={method.listAgents} rowsOf={(list) => list.agents} rowId={(agent) => agent.agentId} columns={AGENT_COLUMNS}
        label="agents" empty="An agent appears with its first run in the sandbox or its first call with a key." search={search} />
    ),
  },
  providers: {
    label: "Providers",
    noun: "providers",
    show: (search) => (
      <InventoryList method={method.listProviders} rowsOf={(list) => list.providers} rowId={(provider) => provider.provider}
        columns={PROVIDER_COLUMNS} label="providers" empty="A provider appears with the first call to it." search={search} />
    ),
  },
  models: {
    label: "Models",
    noun: "models",
    show: (search) => (
      <InventoryList method={method.listModels} rowsOf={(list) => list.models} rowId={({ provider, model }) => `${provider}/${model}`}
        columns={MODEL_COLUMNS} label="models" empty="A model appears with the first call to it." search={search} />
    ),
  },
  names: {
    label: "Domains",
    noun: "domains",
    show: (search) => (
      <InventoryList method={method.listNames} rowsOf={(list) => list.names} columns={NAME_COLUMNS}
        rowId={({ hostId, program, agentId, name, source }) => `${hostId}/${program}/${agentId}/${name}/${source}`}
        label="domains" empty="A domain appears when a program looks it up or names it in a handshake." search={search} />
    ),
  },
};

export function InventoryPage() {
  const { tab = "assets" } = useParams();
  const navigate = useNavigate();
  const [text, setText] = useState("");
  const [search] = useDebouncedValue(text.trim(), SEARCH_DELAY_MS);
  const current = TABS[tab];
  if (!current) return <Navigate to="/inventory/assets" replace />;
  return (
    <Page title="Inventory" lead="What was seen, from the first event that is stored." aside={
      <TextInput size="xs" w={220} placeholder={`Search ${current.noun}`} aria-label={`Search ${current.noun}`}
        leftSection={<Icon name="search" size={14} />} value={text} onChange={(change) => setText(change.currentTarget.value)} />
    }>
      <Tabs value={tab} onChange={(next) => next && (setText(""), void navigate(`/inventory/${next}`))} keepMounted={false}>
        <Tabs.List mb="md">
          {Object.entries(TABS).map(([name, { label }]) => <Tabs.Tab key={name} value={name}>{label}</Tabs.Tab>)}
        </Tabs.List>
        <Tabs.Panel value={tab}>{current.bare ? <Stack gap="md">{current.show(search)}</Stack> : <Panel title={current.label}>{current.show(search)}</Panel>}</Tabs.Panel>
      </Tabs>
    </Page>
  );
}
