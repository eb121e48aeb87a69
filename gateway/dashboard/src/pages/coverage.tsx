// SPDX-License-Identifier: Apache-2.0
import { Group, SegmentedControl, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Operator } from "../api/gen/aispm/v1/api_pb";
import type { Coverage } from "../api/gen/aispm/v1/inventory_pb";
import { pagedQuery } from "../api/queries";
import { Ago } from "../components/bits";
import { columnsOf, DataTable, type Column } from "../components/data-table";
import { Icon } from "../components/icons";
import { Fact, Facts, Page, Panel } from "../components/page";
import { EmptyState, QueryView } from "../components/states";
import { processName } from "../events/describe";
import { formatBytes, formatCount, formatPercent, NOTHING } from "../format";

const { method } = Operator;

function Share({ row }: { row: Coverage }) {
  if (row.wireBytes === 0n) return <Text span size="sm" c="dimmed">no bytes yet</Text>;
  return (
    <span className="share" title={`${formatBytes(row.plaintextBytes)} of ${formatBytes(row.wireBytes)}`}>
      <span className="share-bar" aria-hidden="true"><span style={{ width: `${row.share * 100}%` }} /></span>{formatPercent(row.share)}
    </span>
  );
}

function Gaps({ row }: { row: Coverage }) {
  if (row.gaps.length === 0) return <Text span size="sm" c="dimmed">{NOTHING}</Text>;
  return (
    <ul className="gap-list">
      {row.gaps.map((gap) => (
        <li key={`${gap.library}/${gap.reason}`}><b>{gap.library || "unknown"}</b>: {gap.reason || "no reason given"} <Text span size="xs" c="dimmed">{formatBytes(gap.wireBytes)}</Text></li>
      ))}
    </ul>
  );
}

const BY = { process: "Process", agent: "Agent", host: "Host" } as const;
type By = keyof typeof BY;

function whoOf(row: Coverage, by: By): string {
  if (by === "agent") return row.agentId || "no agent";
  if (by === "host") return row.hostname || row.hostId;
  return processName(row.process);
}

function columnsFor(by: By): Column<Coverage>[] {
  const coverage = columnsOf<Coverage>();
  const number = (id: string, header: string, get: (row: Coverage) => bigint, show: (value: bigint) => string) =>
    coverage.accessor((row) => Number(get(row)), { id, header, sortFn: "basic", sortDescFirst: true, cell: ({ row }) => show(get(row.original)) });
  return coverage.columns([
    coverage.accessor((row) => whoOf(row, by), { id: "who", header: BY[by], cell: ({ row, getValue }) => (
      <>
        <span className="clip clip-mid mono" title={getValue()}>{getValue()}</span>
        {by === "process" && <Text size="xs" c="dimmed">pid {row.original.process?.pid ?? NOTHING} on {row.original.hostname}{row.original.agentId && `, ${row.original.agentId}`}</Text>}
        {by !== "process" && <Text size="xs" c="dimmed">{formatCount(row.original.processes)} processes</Text>}
      </>
    ) }),
    coverage.accessor("share", { header: "Seen in plaintext", sortFn: "basic", cell: ({ row }) => <Share row={row.original} /> }),
    number("wire", "On the wire", (row) => row.wireBytes, formatBytes),
    number("connections", "Connections", (row) => row.connections, formatCount),
    coverage.accessor((row) => row.gaps.map((gap) => gap.reason).join(", "), { id: "gaps", header: "Why not all", cell: ({ row }) => <Gaps row={row.original} /> }),
    coverage.accessor((row) => Number(row.lastSeen?.seconds ?? 0), { id: "last", header: "Last seen", sortFn: "basic", sortDescFirst: true, cell: ({ row }) => <Ago time={row.original.lastSeen} /> }),
  ]) as Column<Coverage>[];
}

const COLUMNS: Record<By, Column<Coverage>[]> = { process: columnsFor("process"), agent: columnsFor("agent"), host: columnsFor("host") };

export function CoveragePage() {
  const [by, setBy] = useState<By>("process");
  const [text, setText] = useState("");
  const [search] = useDebouncedValue(text.trim(), 250);
  const query = useInfiniteQuery(pagedQuery(method.listCoverage, { by, query: search }));
  return (
    <Page title="Coverage" lead="How much of the TLS traffic was seen in plaintext, and why the rest was not." aside={
      <Group gap="sm">
        <SegmentedControl size="xs" aria-label="Group by" value={by} onChange={(value) => setBy(value as By)} data={Object.entries(BY).map(([value, label]) => ({ value, label }))} />
        <TextInput size="xs" w={200} placeholder="Program or agent" aria-label="Search programs and agents" leftSection={<Icon name="search" size={14} />} value={text} onChange={(change) => setText(change.currentTarget.value)} />
      </Group>
    }>
      <QueryView query={query} label="coverage">
        {({ pages }) => {
          const rows = pages.flatMap((page) => page.rows);
          const total = pages[0]?.total;
          if (rows.length === 0) return <Panel title="Coverage">{search ? <EmptyState title="Nothing fits this search" /> : <EmptyState title="No TLS traffic was measured yet">Sensors report it for each process that talks TLS.</EmptyState>}</Panel>;
          return (
            <>
              {total && (
                <Panel title="All of them">
                  <Facts>
                    <Fact label="Seen in plaintext"><Share row={total} /></Fact>
                    <Fact label="On the wire">{formatBytes(total.wireBytes)}</Fact>
                    <Fact label="Connections">{formatCount(total.connections)}</Fact>
                    <Fact label="Processes">{formatCount(total.processes)}</Fact>
                  </Facts>
                </Panel>
              )}
              <Panel title={`By ${BY[by].toLowerCase()}`} aside={<Text size="xs" c="dimmed">most unseen bytes first</Text>}>
                <DataTable caption="coverage" columns={COLUMNS[by]} rows={rows} rowId={(row) => `${row.hostId}/${row.agentId}/${row.process?.pid}/${row.process?.startBoottimeNs}`} minWidth={860}
                  more={{ has: query.hasNextPage, loading: query.isFetchingNextPage, load: () => void query.fetchNextPage() }} />
              </Panel>
            </>
          );
        }}
      </QueryView>
    </Page>
  );
}
