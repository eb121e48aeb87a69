// SPDX-License-Identifier: Apache-2.0
import { Group, SegmentedControl, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Spend, SpendRow } from "../api/gen/aispm/v1/api_pb";
import { spendQuery } from "../api/queries";
import { columnsOf, DataTable, type Column } from "../components/data-table";
import { Page, Panel } from "../components/page";
import { EmptyState, QueryView } from "../components/states";
import { formatCompact, formatCount, formatUsd, NOTHING, plural } from "../format";

const BY = { agent: "Agent", user: "User", model: "Model", provider: "Provider", day: "Day" } as const;
type By = keyof typeof BY;
const DAYS = [{ value: "1", label: "Today" }, { value: "7", label: "7 d" }, { value: "30", label: "30 d" }, { value: "90", label: "90 d" }];

/** What is known of the cost; a sum that lacks calls says so, and a cost that is not known is not 0. */
function Cost({ row }: { row: SpendRow }) {
  const isUnknown = row.costNanoUsd === 0n && row.unpricedCalls > 0n;
  return (
    <>
      <span>{isUnknown ? "not known" : formatUsd(row.costNanoUsd)}</span>
      {row.unpricedCalls > 0n && <Text size="xs" c="dimmed">without {formatCount(row.unpricedCalls)} of no known price</Text>}
    </>
  );
}

function columnsFor(by: By): Column<SpendRow>[] {
  const spend = columnsOf<SpendRow>();
  const number = (id: string, header: string, get: (row: SpendRow) => bigint) =>
    spend.accessor((row) => Number(get(row)), { id, header, sortFn: "basic", sortDescFirst: true, cell: ({ row }) => formatCount(get(row.original)) });
  return spend.columns([
    spend.accessor("name", { id: "name", header: BY[by], cell: ({ getValue }) => <span className="clip clip-mid mono" title={getValue()}>{getValue() || NOTHING}</span> }),
    spend.accessor((row) => Number(row.costNanoUsd), { id: "cost", header: "Cost", sortFn: "basic", sortDescFirst: true, cell: ({ row }) => <Cost row={row.original} /> }),
    number("calls", "Calls", (row) => row.calls),
    number("input", "Tokens in", (row) => row.inputTokens),
    number("output", "Tokens out", (row) => row.outputTokens),
    number("estimated", "Estimated", (row) => row.estimatedCalls),
  ]) as Column<SpendRow>[];
}

const COLUMNS: Record<By, Column<SpendRow>[]> = { agent: columnsFor("agent"), user: columnsFor("user"), model: columnsFor("model"), provider: columnsFor("provider"), day: columnsFor("day") };

function Total({ data }: { data: Spend }) {
  const { total } = data;
  if (!total) return null;
  return (
    <div className="tiles tiles-3">
      <div className="tile" data-testid="tile-Cost"><Text size="xs" c="dimmed">Cost</Text><div className="tile-value"><Cost row={total} /></div></div>
      <div className="tile" data-testid="tile-Calls"><Text size="xs" c="dimmed">Calls</Text><div className="tile-value">{formatCompact(total.calls)}</div></div>
      <div className="tile" data-testid="tile-Tokens"><Text size="xs" c="dimmed">Tokens</Text><div className="tile-value">{formatCompact(total.inputTokens + total.outputTokens)}</div><Text size="xs" c="dimmed">{plural(total.estimatedCalls, "call")} estimated</Text></div>
    </div>
  );
}

export function SpendPage() {
  const [by, setBy] = useState<By>("agent");
  const [days, setDays] = useState("30");
  const query = useQuery(spendQuery(by, Number(days)));
  return (
    <Page title="Spend" lead="Tokens of LLM calls, and what they cost by the gateway's price table. Days are UTC's." aside={
      <Group gap="sm">
        <SegmentedControl size="xs" aria-label="Group by" value={by} onChange={(value) => setBy(value as By)} data={Object.entries(BY).map(([value, label]) => ({ value, label }))} />
        <SegmentedControl size="xs" aria-label="Window" value={days} onChange={setDays} data={DAYS} />
      </Group>
    }>
      <QueryView query={query} label="spend">
        {(data) => (
          <>
            <Total data={data} />
            <Panel title={`By ${BY[by].toLowerCase()}`}>
              {data.rows.length === 0 ? <EmptyState title="No LLM calls in this window">Calls appear here when the gateway carries one or the sensor sees one.</EmptyState> : <DataTable caption="spend" columns={COLUMNS[by]} rows={data.rows} rowId={(row) => row.name} />}
              {data.cut && <Text size="xs" c="dimmed">There are more; these are the first 1000.</Text>}
            </Panel>
          </>
        )}
      </QueryView>
    </Page>
  );
}
