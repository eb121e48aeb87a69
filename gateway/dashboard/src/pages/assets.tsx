// SPDX-License-Identifier: Apache-2.0
import { Checkbox, Group, Select, Text } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useSearchParams } from "react-router";
import { Operator } from "../api/gen/aispm/v1/api_pb";
import type { EntityCount, InventoryAsset, InventorySummary } from "../api/gen/aispm/v1/inventory_pb";
import { answerQuery, pagedQuery } from "../api/queries";
import { Ago, ToneBadge } from "../components/bits";
import { columnsOf, DataTable, type Column } from "../components/data-table";
import { Panel } from "../components/page";
import { EmptyState, QueryView } from "../components/states";
import type { Tone } from "../events/describe";
import { ASSET_KINDS, assetKind } from "../events/describe-fleet";
import { formatCount, formatPercent, NOTHING } from "../format";
import { AssetDrawer } from "./asset-drawer";

const STATES = ["unsanctioned", "sanctioned", "ignored"] as const;
const STATE_TONES: Record<string, Tone> = { sanctioned: "good", unsanctioned: "warn", ignored: "neutral" };

export function StateBadge({ state }: { state: string }) {
  return <ToneBadge tone={STATE_TONES[state] ?? "neutral"}>{state || "no state"}</ToneBadge>;
}

const ENTITY_LABELS: Record<string, string> = {
  agents: "Agents", models: "Models", tools: "Tools", data: "Data", sessions: "Sessions", mcp_servers: "MCP servers", identities: "Identities",
};

function Count({ value, tone }: { value: bigint; tone: Tone }) {
  return <span className={value > 0n ? `kpi-number kpi-${tone}` : "kpi-number kpi-none"}>{formatCount(value)}</span>;
}

function EntityCard({ entity }: { entity: EntityCount }) {
  return (
    <div className="kpi" data-testid={`entity-${entity.entity}`}>
      <Text size="xs" c="dimmed">{ENTITY_LABELS[entity.entity] ?? entity.entity}</Text>
      <div className="tile-value">{formatCount(entity.total)}</div>
      <dl className="kpi-list">
        <div><dt>High risk</dt><dd><Count value={entity.highRisk} tone="bad" /></dd></div>
        <div><dt>Unowned</dt><dd><Count value={entity.unowned} tone="warn" /></dd></div>
        <div><dt>No policy</dt><dd><Count value={entity.noPolicy} tone="warn" /></dd></div>
      </dl>
    </div>
  );
}

function Summary({ summary }: { summary: InventorySummary }) {
  return (
    <Panel title="Fleet in numbers" aside={<Text size="xs" c="dimmed" title="Risk: a severe detection, an applied denial, a call past the gateway, sensitive data, a changed tool. No policy: nothing it did was judged by a policy.">risk and policy of the last {summary.days} days</Text>}>
      <div className="kpis">{summary.entities.map((entity) => <EntityCard key={entity.entity} entity={entity} />)}</div>
    </Panel>
  );
}

const asset = columnsOf<InventoryAsset>();
const COLUMNS: Column<InventoryAsset>[] = asset.columns([
  asset.accessor((row) => row.asset?.name ?? "", { id: "name", header: "Asset", cell: ({ row }) => (
    <>
      <Text size="sm" fw={600} className="clip clip-mid" title={row.original.asset?.name}>{row.original.asset?.name || NOTHING}</Text>
      <Text size="xs" c="dimmed">{row.original.id}{row.original.asset?.version && ` · ${row.original.asset.version}`}</Text>
    </>
  ) }),
  asset.accessor((row) => assetKind(row.asset?.kind ?? ""), { id: "kind", header: "Kind" }),
  asset.accessor("state", { header: "State", cell: ({ getValue }) => <StateBadge state={getValue()} /> }),
  asset.accessor("owner", { header: "Owner", cell: ({ getValue }) => getValue() || <Text span size="sm" c="dimmed">nobody</Text> }),
  asset.accessor((row) => row.asset?.provider ?? "", { id: "provider", header: "Provider", cell: ({ getValue }) => getValue() || NOTHING }),
  asset.accessor((row) => row.asset?.confidence ?? 0, { id: "confidence", header: "Confidence", sortFn: "basic", sortDescFirst: true, cell: ({ getValue }) => formatPercent(getValue()) }),
  asset.accessor("hostname", { header: "Host", cell: ({ row }) => row.original.hostname || row.original.hostId || NOTHING }),
  asset.accessor("agentId", { header: "Agent", cell: ({ getValue }) => <span className="clip clip-short" title={getValue()}>{getValue() || NOTHING}</span> }),
  asset.accessor((row) => Number(row.lastSeen?.seconds ?? 0), { id: "lastSeen", header: "Last seen", sortFn: "basic", sortDescFirst: true, cell: ({ row }) => (
    row.original.gone ? <ToneBadge tone="neutral">gone</ToneBadge> : <><Ago time={row.original.lastSeen} />{row.original.stale && <> <ToneBadge tone="warn">stale</ToneBadge></>}</>
  ) }),
]) as Column<InventoryAsset>[];

const { method } = Operator;

// What the address says: shared by links, reload and the back button.
function useFilter() {
  const [search, setSearch] = useSearchParams();
  const set = (name: string, value: string) => setSearch((before) => {
    const next = new URLSearchParams(before);
    if (value) next.set(name, value);
    else next.delete(name);
    return next;
  }, { replace: true });
  return { get: (name: string) => search.get(name) ?? "", set };
}

export function AssetsTab({ search }: { search: string }) {
  const { get, set } = useFilter();
  const summary = useQuery(answerQuery(method.getInventorySummary, {}));
  const filter = {
    query: search, kind: get("kind"), state: get("state"), unowned: get("unowned") === "1", stale: get("stale") === "1", includeGone: get("gone") === "1",
  };
  const query = useInfiniteQuery(pagedQuery(method.listAssets, filter));
  const isFiltered = search !== "" || Object.values(filter).some((value) => value !== "" && value !== false);
  const flag = (name: string, label: string) => (
    <Checkbox size="xs" label={label} checked={get(name) === "1"} onChange={(change) => set(name, change.currentTarget.checked ? "1" : "")} />
  );
  return (
    <>
      <QueryView query={summary} label="summary">{(data) => <Summary summary={data} />}</QueryView>
      <Panel title="Assets">
        <Group gap="sm" mb="md" align="center">
          <Select size="xs" w={150} aria-label="Kind" placeholder="Every kind" clearable value={get("kind") || null}
            data={Object.entries(ASSET_KINDS).map(([value, label]) => ({ value, label }))} onChange={(value) => set("kind", value ?? "")} />
          <Select size="xs" w={150} aria-label="State" placeholder="Every state" clearable value={get("state") || null} data={[...STATES]} onChange={(value) => set("state", value ?? "")} />
          {flag("unowned", "without owner")}
          {flag("stale", "stale")}
          {flag("gone", "also gone")}
        </Group>
        <QueryView query={query} label="assets">
          {({ pages }) => {
            const rows = pages.flatMap((page) => page.assets);
            if (rows.length === 0) return isFiltered ? <EmptyState title="No assets fit this filter" /> : <EmptyState title="No assets yet">An asset appears when a sensor finds AI on its host, or with the first event of an agent.</EmptyState>;
            return <DataTable caption="assets" columns={COLUMNS} rows={rows} rowId={(row) => row.id} minWidth={980} onOpen={(row) => set("asset", row.id)}
              more={{ has: query.hasNextPage, loading: query.isFetchingNextPage, load: () => void query.fetchNextPage() }} />;
          }}
        </QueryView>
      </Panel>
      <AssetDrawer id={get("asset")} close={() => set("asset", "")} />
    </>
  );
}
