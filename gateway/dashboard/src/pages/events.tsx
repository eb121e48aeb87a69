// SPDX-License-Identifier: Apache-2.0
import { Alert, Button, Group, Select, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useState } from "react";
import { useSearchParams } from "react-router";
import type { Event } from "../api/gen/aispm/v1/event_pb";
import { useNow, Ago, DecisionBadge, SessionLink, ToneBadge } from "../components/bits";
import { columnsOf, DataTable, type Column } from "../components/data-table";
import { EventDrawer } from "../components/event-drawer";
import { Icon } from "../components/icons";
import { Page, Panel } from "../components/page";
import { EmptyState, ErrorState, LoadingState } from "../components/states";
import { describe, EVENT_KINDS, kindLabel, SOURCE_LABELS } from "../events/describe";
import { MAX_FEED_EVENTS } from "../events/feed";
import { useLiveEvents, type LiveEvents } from "../events/use-live-events";
import { formatCount, formatEventTime, NOTHING, plural } from "../format";

const FILTER_DELAY_MS = 400;
const KIND_CHOICES = Object.values(EVENT_KINDS).map(({ label, apiName }) => ({ value: apiName, label }));

const event = columnsOf<Event>();
const COLUMNS: Column<Event>[] = event.columns([
  event.display({ id: "time", header: "Time", cell: ({ row }) => <span className="mono">{formatEventTime(row.original.time, Date.now())}</span> }),
  event.display({ id: "kind", header: "Kind", cell: ({ row }) => <ToneBadge tone={describe(row.original).tone}>{kindLabel(row.original)}</ToneBadge> }),
  event.display({ id: "what", header: "What", cell: ({ row }) => {
    const { title, detail } = describe(row.original);
    return (
      <>
        <span className="clip" title={title}>{title}</span>
        <Text span size="xs" c="dimmed" className="clip">{detail}</Text>
      </>
    );
  } }),
  event.display({ id: "decision", header: "Decision", cell: ({ row }) => (row.original.decision ? <DecisionBadge decision={row.original.decision} /> : NOTHING) }),
  event.display({ id: "agent", header: "Agent and session", cell: ({ row: { original: { agentId, sessionId } } }) => (
    <>
      <span className="clip clip-short" title={agentId}>{agentId || NOTHING}</span>
      {sessionId && <SessionLink id={sessionId} />}
    </>
  ) }),
  event.display({ id: "source", header: "Seen by", cell: ({ row }) => <span className="nowrap">{SOURCE_LABELS[row.original.source]}</span> }),
]) as Column<Event>[];

function StreamState({ live }: { live: LiveEvents }) {
  const now = useNow(1_000);
  const { state } = live;
  if (state.kind === "lost") {
    const seconds = Math.max(0, Math.ceil((state.retryAt - now) / 1000));
    return <Text size="sm" role="status"><span className="dot dot-bad" aria-hidden="true" /> Stream lost; next try {seconds > 0 ? `in ${seconds} s` : "now"}</Text>;
  }
  const text = state.kind === "connecting" ? "Connecting" : live.paused ? "Paused" : "Live";
  const tone = state.kind === "connecting" ? "idle" : live.paused ? "warn" : "good";
  return <Text size="sm" role="status"><span className={`dot dot-${tone}`} aria-hidden="true" /> {text}</Text>;
}

function Rows({ live, filtered, open }: { live: LiveEvents; filtered: boolean; open: (event: Event) => void }) {
  if (!live.loaded && live.state.kind === "lost") return <ErrorState error={live.state.error} />;
  if (!live.loaded) return <LoadingState label="events" rows={10} />;
  if (live.events.length === 0) {
    return filtered ? (
      <EmptyState title="No events fit this filter">New ones that fit appear here as they are stored.</EmptyState>
    ) : (
      <EmptyState title="No events yet">Events appear here as soon as a sensor, a gateway or a sandbox reports one.</EmptyState>
    );
  }
  return (
    <>
      <DataTable caption="Events, newest first" columns={COLUMNS} rows={live.events as Event[]} rowId={({ id }) => id} onOpen={open} sortable={false} minWidth={900} />
      {live.cut && <Text size="xs" c="dimmed" mt="xs">The newest {formatCount(MAX_FEED_EVENTS)} are listed; older ones are in the store.</Text>}
    </>
  );
}

export function EventsPage() {
  const [params, setParams] = useSearchParams();
  const [opened, setOpened] = useState<Event | null>(null);
  const kind = params.get("kind") ?? "";
  const [agentId] = useDebouncedValue(params.get("agent") ?? "", FILTER_DELAY_MS);
  const [sessionId] = useDebouncedValue(params.get("session") ?? "", FILTER_DELAY_MS);
  const live = useLiveEvents({ kind, agentId: agentId.trim(), sessionId: sessionId.trim() });
  const set = (name: string, value: string) =>
    setParams((before) => {
      const next = new URLSearchParams(before);
      if (value) next.set(name, value);
      else next.delete(name);
      return next;
    }, { replace: true });

  return (
    <Page title="Live events" lead={<StreamState live={live} />} aside={
      <Button size="xs" variant="default" onClick={() => live.setPaused(!live.paused)} disabled={!live.loaded}
        leftSection={<Icon name={live.paused ? "play" : "pause"} size={14} />}>
        {live.paused ? `Resume${live.waiting > 0 ? ` (${formatCount(live.waiting)} waiting)` : ""}` : "Pause"}
      </Button>
    }>
      <Group gap="sm" align="flex-end">
        <Select size="xs" label="Kind" placeholder="All kinds" data={KIND_CHOICES} value={kind || null} clearable w={180} onChange={(value) => set("kind", value ?? "")} />
        <TextInput size="xs" label="Agent" placeholder="Exact id, e.g. alice/agent.py" w={220} value={params.get("agent") ?? ""} onChange={(change) => set("agent", change.currentTarget.value)} />
        <TextInput size="xs" label="Session" placeholder="Exact id" w={300} value={params.get("session") ?? ""} onChange={(change) => set("session", change.currentTarget.value)} />
        {params.size > 0 && <Button size="xs" variant="subtle" onClick={() => setParams({}, { replace: true })}>Clear filters</Button>}
      </Group>
      {live.loaded && live.state.kind === "lost" && (
        <Alert color="red" role="alert" icon={<Icon name="warning" />} title="The live stream is interrupted">
          {live.state.error.message} What you see is what had arrived; missed events are fetched when it is back.
        </Alert>
      )}
      <Panel title="Events" aside={live.loaded && <Text size="xs" c="dimmed">{plural(live.events.length, "event")} listed{live.events[0] && <>, newest <Ago time={live.events[0].time} size="xs" /></>}</Text>}>
        <Rows live={live} filtered={params.size > 0} open={setOpened} />
      </Panel>
      <EventDrawer event={opened} close={() => setOpened(null)} />
    </Page>
  );
}
