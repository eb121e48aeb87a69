// SPDX-License-Identifier: Apache-2.0
import { Text } from "@mantine/core";
import { timestampMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import type { Agent, AiProcess, Host, Model, Provider } from "../api/gen/aispm/v1/api_pb";
import type { SeenName } from "../api/gen/aispm/v1/inventory_pb";
import { Ago, NameList, ProfileBadge, SessionLink, ToneBadge } from "../components/bits";
import { columnsOf, type Column } from "../components/data-table";
import { processName } from "../events/describe";
import { formatCount, formatPercent, NOTHING } from "../format";

const msOf = (time: Timestamp | undefined) => (time ? timestampMs(time) : 0);

// Columns that most lists have: a count that sorts as a number, and a time that sorts as a time.
function count<T extends object>(id: string, header: string, get: (row: T) => bigint): Column<T> {
  return { id, header, accessorFn: (row: T) => Number(get(row)), cell: ({ row }) => formatCount(get(row.original)), sortFn: "basic", sortDescFirst: true };
}
function time<T extends object>(id: string, header: string, get: (row: T) => Timestamp | undefined): Column<T> {
  return { id, header, accessorFn: (row: T) => msOf(get(row)), cell: ({ row }) => <Ago time={get(row.original)} />, sortFn: "basic", sortDescFirst: true };
}

const host = columnsOf<Host>();
export const HOST_COLUMNS: Column<Host>[] = host.columns([
  host.accessor("hostname", { header: "Host", cell: ({ row }) => (
    <>
      <Text size="sm" fw={600}>{row.original.hostname || NOTHING}</Text>
      <Text size="xs" c="dimmed" ff="monospace">{row.original.hostId}</Text>
    </>
  ) }),
  host.accessor("connected", { header: "Connection", cell: ({ getValue }) => (getValue() ? <ToneBadge tone="good">connected</ToneBadge> : <ToneBadge tone="warn">not connected</ToneBadge>) }),
  host.accessor("os", { header: "System", cell: ({ row }) => (
    <>
      <Text size="sm">{row.original.os || NOTHING}</Text>
      <Text size="xs" c="dimmed">{[row.original.kernel, row.original.architecture].filter(Boolean).join(" · ")}</Text>
    </>
  ) }),
  count<Host>("aiProcesses", "AI processes", (row) => row.aiProcesses),
  count<Host>("events", "Events", (row) => row.events),
  time<Host>("firstSeen", "First seen", (row) => row.firstSeen),
  time<Host>("lastSeen", "Last seen", (row) => row.lastSeen),
]) as Column<Host>[];

const process = columnsOf<AiProcess>();
export const PROCESS_COLUMNS: Column<AiProcess>[] = process.columns([
  process.accessor((row) => processName(row.process), { id: "process", header: "Process", cell: ({ row, getValue }) => (
    <>
      <span className="clip clip-short mono" title={getValue()}>{getValue()}</span>
      <Text size="xs" c="dimmed">
        pid {row.original.process?.pid ?? NOTHING}, {row.original.process?.user || `uid ${row.original.process?.uid ?? NOTHING}`}, {row.original.running ? "running" : "ended"}
      </Text>
    </>
  ) }),
  process.accessor("verdict", { header: "Verdict", cell: ({ getValue }) => <ToneBadge tone={getValue() === "sanctioned" ? "good" : "warn"}>{getValue() || "no verdict"}</ToneBadge> }),
  process.accessor("hostname", { header: "Host", cell: ({ row }) => row.original.hostname || row.original.hostId || NOTHING }),
  process.accessor((row) => row.providers.join(", "), { id: "providers", header: "Providers", cell: ({ row }) => <NameList names={row.original.providers} /> }),
  process.accessor((row) => row.models.join(", "), { id: "models", header: "Models", cell: ({ row }) => <NameList names={row.original.models} /> }),
  process.accessor((row) => row.evidence.join(", "), { id: "evidence", header: "Evidence", cell: ({ row }) => <NameList names={row.original.evidence} /> }),
  process.accessor("confidence", { header: "Confidence", sortFn: "basic", cell: ({ getValue }) => formatPercent(getValue()) }),
  count<AiProcess>("calls", "Calls", (row) => row.calls),
  process.accessor("agentId", { header: "Agent and sandbox", cell: ({ row: { original: { agentId, sessionId, profile } } }) => (
    <>
      {agentId || NOTHING}<br />
      {sessionId && <><SessionLink id={sessionId} /><br /></>}
      <ProfileBadge name={profile} />
    </>
  ) }),
  time<AiProcess>("lastSeen", "Last seen", (row) => row.lastSeen),
]) as Column<AiProcess>[];

const agent = columnsOf<Agent>();
export const AGENT_COLUMNS: Column<Agent>[] = agent.columns([
  agent.accessor("agentId", { header: "Agent", cell: ({ getValue }) => <Text size="sm" fw={600}>{getValue()}</Text> }),
  count<Agent>("sessions", "Sessions", (row) => row.sessions),
  count<Agent>("llmCalls", "LLM calls", (row) => row.llmCalls),
  count<Agent>("denied", "Denied", (row) => row.denied),
  count<Agent>("redacted", "Redacted", (row) => row.redacted),
  count<Agent>("inputTokens", "Tokens in", (row) => row.inputTokens),
  count<Agent>("outputTokens", "Tokens out", (row) => row.outputTokens),
  agent.accessor((row) => row.models.join(", "), { id: "models", header: "Models", cell: ({ row }) => <NameList names={row.original.models} /> }),
  agent.accessor("lastProfile", { header: "Sandbox", cell: ({ getValue }) => <ProfileBadge name={getValue()} /> }),
  agent.accessor("lastSessionId", { header: "Last session", enableSorting: false, cell: ({ getValue }) => <SessionLink id={getValue()} /> }),
  time<Agent>("lastSeen", "Last seen", (row) => row.lastSeen),
]) as Column<Agent>[];

const provider = columnsOf<Provider>();
export const PROVIDER_COLUMNS: Column<Provider>[] = provider.columns([
  provider.accessor("provider", { header: "Provider", cell: ({ getValue }) => <Text size="sm" fw={600}>{getValue() || NOTHING}</Text> }),
  count<Provider>("calls", "Calls", (row) => row.calls),
  count<Provider>("unsanctionedCalls", "Unsanctioned calls", (row) => row.unsanctionedCalls),
  count<Provider>("inputTokens", "Tokens in", (row) => row.inputTokens),
  count<Provider>("outputTokens", "Tokens out", (row) => row.outputTokens),
  provider.accessor((row) => row.hosts.join(", "), { id: "hosts", header: "Endpoints", cell: ({ row }) => <NameList names={row.original.hosts} /> }),
  time<Provider>("firstSeen", "First seen", (row) => row.firstSeen),
  time<Provider>("lastSeen", "Last seen", (row) => row.lastSeen),
]) as Column<Provider>[];

const name = columnsOf<SeenName>();
export const NAME_COLUMNS: Column<SeenName>[] = name.columns([
  name.accessor("name", { header: "Name", cell: ({ row }) => (
    <>
      <span className="clip clip-mid mono" title={row.original.name}>{row.original.name}</span>
      {row.original.encryptedHello && <ToneBadge tone="warn">encrypted hello</ToneBadge>}
      {row.original.doh && <ToneBadge tone="warn">DNS over HTTPS</ToneBadge>}
    </>
  ) }),
  name.accessor("source", { header: "How", cell: ({ getValue }) => getValue() || NOTHING }),
  name.accessor("provider", { header: "Provider", cell: ({ getValue }) => getValue() || NOTHING }),
  name.accessor("program", { header: "Program", cell: ({ getValue }) => <span className="clip clip-mid mono" title={getValue()}>{getValue() || NOTHING}</span> }),
  name.accessor("agentId", { header: "Agent", cell: ({ getValue }) => getValue() || NOTHING }),
  name.accessor("hostname", { header: "Host", cell: ({ row }) => row.original.hostname || row.original.hostId || NOTHING }),
  count<SeenName>("count", "Times", (row) => row.count),
  time<SeenName>("firstSeen", "First seen", (row) => row.firstSeen),
  time<SeenName>("lastSeen", "Last seen", (row) => row.lastSeen),
]) as Column<SeenName>[];

const model = columnsOf<Model>();
export const MODEL_COLUMNS: Column<Model>[] = model.columns([
  model.accessor("model", { header: "Model", cell: ({ getValue }) => <Text size="sm" fw={600}>{getValue() || NOTHING}</Text> }),
  model.accessor("provider", { header: "Provider" }),
  count<Model>("calls", "Calls", (row) => row.calls),
  count<Model>("inputTokens", "Tokens in", (row) => row.inputTokens),
  count<Model>("outputTokens", "Tokens out", (row) => row.outputTokens),
  time<Model>("firstSeen", "First seen", (row) => row.firstSeen),
  time<Model>("lastSeen", "Last seen", (row) => row.lastSeen),
]) as Column<Model>[];
