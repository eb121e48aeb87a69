// SPDX-License-Identifier: Apache-2.0
import { Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Operator, type Session } from "../api/gen/aispm/v1/api_pb";
import { listQuery } from "../api/queries";
import { Ago, SessionLink, ToneBadge } from "../components/bits";
import { columnsOf, DataTable, type Column } from "../components/data-table";
import { Icon } from "../components/icons";
import { Page, Panel } from "../components/page";
import { EmptyState, QueryView } from "../components/states";
import { endLabel } from "../events/describe";
import { formatCommand, formatCount, formatDurationMs, NOTHING } from "../format";

const SEARCH_DELAY_MS = 250;

const session = columnsOf<Session>();

function SessionState({ session: { running, end, exitCode, signal } }: { session: Session }) {
  if (running) return <ToneBadge tone="info">running</ToneBadge>;
  if (!end) return <ToneBadge tone="neutral">end not seen</ToneBadge>;
  return <ToneBadge tone={exitCode === 0 && signal === 0 ? "good" : "warn"}>{endLabel(exitCode, signal)}</ToneBadge>;
}

function count(id: string, header: string, get: (row: Session) => bigint, alarming = false): Column<Session> {
  return {
    id, header, accessorFn: (row: Session) => Number(get(row)), sortFn: "basic", sortDescFirst: true,
    cell: ({ row }) => (alarming && get(row.original) > 0n ? <ToneBadge tone="bad">{formatCount(get(row.original))}</ToneBadge> : formatCount(get(row.original))),
  };
}

const COLUMNS: Column<Session>[] = session.columns([
  session.accessor("agentId", { header: "Agent and command", cell: ({ row: { original: { agentId, command } } }) => (
    <>
      <Text size="sm" fw={600}>{agentId || NOTHING}</Text>
      <span className="clip clip-mid mono" title={formatCommand(command)}>{formatCommand(command) || NOTHING}</span>
    </>
  ) }),
  session.accessor((row) => row.hostname || row.hostId, { id: "session", header: "Session and host", cell: ({ row, getValue }) => (
    <>
      <SessionLink id={row.original.sessionId} />
      <Text size="xs" c="dimmed" className="clip clip-short">{getValue() || NOTHING}</Text>
    </>
  ) }),
  session.display({ id: "state", header: "State", cell: ({ row: { original } }) => (
    <>
      <SessionState session={original} />
      {original.start && original.end && <Text size="xs" c="dimmed">after {formatDurationMs(timestampMs(original.end) - timestampMs(original.start))}</Text>}
    </>
  ) }),
  session.accessor((row) => (row.start ? timestampMs(row.start) : 0), { id: "start", header: "Started", sortFn: "basic", sortDescFirst: true, cell: ({ row }) => <Ago time={row.original.start} /> }),
  count("llmCalls", "LLM calls", (row) => row.llmCalls),
  count("detections", "Detections", (row) => row.detections),
  count("denied", "Denied", (row) => row.denied, true),
  count("redacted", "Redacted", (row) => row.redacted),
  count("sandboxDenials", "Sandbox denials", (row) => row.sandboxDenials, true),
]) as Column<Session>[];

export function SessionsPage() {
  const [text, setText] = useState("");
  const [search] = useDebouncedValue(text.trim(), SEARCH_DELAY_MS);
  const query = useInfiniteQuery(listQuery(Operator.method.listSessions, search));
  return (
    <Page title="Sessions" lead="One run of one agent each, newest first." aside={
      <TextInput size="xs" w={220} placeholder="Search sessions" aria-label="Search sessions" leftSection={<Icon name="search" size={14} />}
        value={text} onChange={(change) => setText(change.currentTarget.value)} />
    }>
      <Panel title="Runs">
        <QueryView query={query} label="sessions">
          {({ pages }) => {
            const rows = pages.flatMap(({ sessions }) => sessions);
            if (rows.length === 0) {
              return search ? <EmptyState title={`No sessions match “${search}”`} /> : (
                <EmptyState title="No sessions yet">Run an agent in the sandbox, for example <code>aispm-run agent.py</code>, and its run appears here.</EmptyState>
              );
            }
            return (
              <DataTable caption="Sessions" columns={COLUMNS} rows={rows} rowId={({ sessionId }) => sessionId} minWidth={960}
                more={{ has: query.hasNextPage, loading: query.isFetchingNextPage, load: () => void query.fetchNextPage() }} />
            );
          }}
        </QueryView>
      </Panel>
    </Page>
  );
}
