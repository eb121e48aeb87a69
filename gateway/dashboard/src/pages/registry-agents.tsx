// SPDX-License-Identifier: Apache-2.0
import { Button, Checkbox, Group, Select, Stack, Text, TextInput, Title } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import { Operator } from "../api/gen/aispm/v1/api_pb";
import type { RegisteredAgent } from "../api/gen/aispm/v1/registry_pb";
import { answerQuery, api, pagedQuery } from "../api/queries";
import { Ago, NameList, ToneBadge } from "../components/bits";
import { columnsOf, DataTable, type Column } from "../components/data-table";
import { Fact, Facts, Panel } from "../components/page";
import { EmptyState, QueryView } from "../components/states";
import { formatCount, formatDateTime, NOTHING } from "../format";
import { Decide, RegistryHistory, RegistryState, type Choice } from "./registry-parts";

const { method } = Operator;
const STATES = ["undecided", "approved", "expired", "blocked"];
const LEVELS = ["untrusted", "basic", "verified", "privileged", "system"];

function AgentState({ agent }: { agent: RegisteredAgent }) {
  return agent.declared ? <RegistryState state={agent.state} /> : <ToneBadge tone="warn">undeclared</ToneBadge>;
}

const one = columnsOf<RegisteredAgent>();
const COLUMNS: Column<RegisteredAgent>[] = one.columns([
  one.accessor("agentId", { header: "Agent", cell: ({ getValue }) => <Text size="sm" fw={600} className="clip clip-mid" title={getValue()}>{getValue()}</Text> }),
  one.accessor((row) => (row.declared ? row.state : "undeclared"), { id: "state", header: "State", cell: ({ row }) => <AgentState agent={row.original} /> }),
  one.accessor("trustScore", { header: "Trust", sortFn: "basic", sortDescFirst: true, cell: ({ row }) => (row.original.rights ? `${row.original.trustScore} · ${row.original.trustLevel}` : NOTHING) }),
  one.accessor((row) => row.rights?.roles.join(", ") ?? "", { id: "roles", header: "Roles", cell: ({ row }) => <NameList names={row.original.rights?.roles ?? []} /> }),
  one.accessor("owner", { header: "Owner", cell: ({ getValue }) => getValue() || <Text span size="sm" c="dimmed">nobody</Text> }),
  one.accessor((row) => Number(row.llmCalls), { id: "calls", header: "Model calls", sortFn: "basic", sortDescFirst: true, cell: ({ row }) => formatCount(row.original.llmCalls) }),
  one.accessor((row) => Number(row.denied), { id: "denied", header: "Denied", sortFn: "basic", sortDescFirst: true, cell: ({ row }) => formatCount(row.original.denied) }),
  one.accessor((row) => Number(row.lastSeen?.seconds ?? 0), { id: "lastSeen", header: "Last seen", sortFn: "basic", sortDescFirst: true, cell: ({ row }) => <Ago time={row.original.lastSeen} /> }),
]) as Column<RegisteredAgent>[];

const words = (text: string) => text.split(",").map((word) => word.trim()).filter((word) => word !== "");

// Rights as they would be in agents.yaml; kept are those that the form does not show.
function Rights({ agent }: { agent: RegisteredAgent }) {
  const before = agent.rights;
  const [trust, setTrust] = useState(before?.trust || "untrusted");
  const [environment, setEnvironment] = useState(before?.environment ?? "");
  const [roles, setRoles] = useState(before?.roles.join(", ") ?? "");
  const [scopes, setScopes] = useState(before?.scopes.join(", ") ?? "");
  const [owner, setOwner] = useState(agent.owner);
  const [isOpen, setOpen] = useState(false);
  if (!isOpen) return <Group><Button size="xs" variant="default" onClick={() => setOpen(true)}>{before ? "Change what is on record" : "Register this agent"}</Button></Group>;
  const register = (_: string, reason: string) => api.call(method.registerAgent, {
    agentId: agent.agentId, owner, reason, ...(agent.expires ? { expires: agent.expires } : {}),
    rights: { type: before?.type ?? "", key: before?.key ?? "", onlyDelegated: before?.onlyDelegated ?? false, ...(before?.attestedUntil ? { attestedUntil: before.attestedUntil } : {}),
      trust, environment, roles: words(roles), scopes: words(scopes) },
  });
  return (
    <Decide title="Registration" choices={[{ state: "approved", label: "Save registration", color: "blue" }]} decide={register}>
      <Group grow>
        <Select size="xs" label="Trust" data={LEVELS} value={trust} allowDeselect={false} onChange={(value) => setTrust(value ?? "untrusted")} />
        <TextInput size="xs" label="Environment" placeholder="prod" value={environment} onChange={(event) => setEnvironment(event.currentTarget.value)} />
        <TextInput size="xs" label="Owner" placeholder="person or team" maxLength={256} value={owner} onChange={(event) => setOwner(event.currentTarget.value)} />
      </Group>
      <Group grow>
        <TextInput size="xs" label="Roles" placeholder="support, analyst" value={roles} onChange={(event) => setRoles(event.currentTarget.value)} />
        <TextInput size="xs" label="Scopes" placeholder="gmail:read" value={scopes} onChange={(event) => setScopes(event.currentTarget.value)} />
      </Group>
    </Decide>
  );
}

function Trust({ agent }: { agent: RegisteredAgent }) {
  if (!agent.rights) return <Text size="sm" c="dimmed">The registry grants it nothing: what agents.yaml of its policy grants stands.</Text>;
  return (
    <section aria-label="Trust">
      <Title order={3} mb={6}>Trust {agent.trustScore} of 100, {agent.trustLevel}</Title>
      <ul className="brief-list">
        {agent.trustParts.map((part) => <li key={part.name}><Text size="sm">{part.name}: {part.points > 0 ? "+" : ""}{part.points}</Text></li>)}
      </ul>
    </section>
  );
}

function Details({ agent }: { agent: RegisteredAgent }) {
  const choices: Choice[] = [];
  if (agent.state !== "approved") choices.push({ state: "approved", label: "Approve", color: "green" });
  if (agent.state !== "blocked") choices.push({ state: "blocked", label: "Block", color: "red", variant: "light" });
  if (agent.declared) choices.push({ state: "undecided", label: "Forget what is on record", color: "gray", variant: "default" });
  return (
    <Stack gap="lg">
      <div>
        <Group gap="sm"><Text fw={600} style={{ overflowWrap: "anywhere" }}>{agent.agentId}</Text><AgentState agent={agent} /></Group>
        {agent.state === "blocked" && <Text size="sm" mt={4}>Refused on all gateways: {agent.reason}</Text>}
      </div>
      <Facts>
        <Fact label="Owner">{agent.owner || NOTHING}</Fact>
        <Fact label="Environment">{agent.rights?.environment || NOTHING}</Fact>
        <Fact label="Roles"><NameList names={agent.rights?.roles ?? []} limit={8} /></Fact>
        <Fact label="Scopes"><NameList names={agent.rights?.scopes ?? []} limit={8} /></Fact>
        <Fact label="Model calls">{formatCount(agent.llmCalls)}</Fact>
        <Fact label="Denied">{formatCount(agent.denied)}</Fact>
        <Fact label="Hosts"><NameList names={agent.hosts} limit={3} /></Fact>
        <Fact label="Expires">{agent.expires ? formatDateTime(agent.expires) : NOTHING}</Fact>
        <Fact label="First seen">{formatDateTime(agent.firstSeen)}</Fact>
        <Fact label="Last seen"><Ago time={agent.lastSeen} /></Fact>
      </Facts>
      <Trust agent={agent} />
      <Decide choices={choices} decide={(state, reason) => api.call(method.reviewAgent, { agentId: agent.agentId, state, reason })} />
      <Rights agent={agent} />
      <RegistryHistory history={agent.history} />
    </Stack>
  );
}

export function AgentDetails({ id }: { id: string }) {
  const query = useQuery(answerQuery(method.getRegisteredAgent, { agentId: id }));
  return <QueryView query={query} label="agent">{(agent) => <Details key={agent.agentId} agent={agent} />}</QueryView>;
}

export function AgentsTab({ search }: { search: string }) {
  const navigate = useNavigate();
  const [state, setState] = useState("");
  const [undeclared, setUndeclared] = useState(false);
  const query = useInfiniteQuery(pagedQuery(method.listRegisteredAgents, { query: search, state, undeclared }));
  return (
    <Panel title="Agents" aside={
      <Group gap="sm">
        <Checkbox size="xs" label="only undeclared" checked={undeclared} onChange={(change) => setUndeclared(change.currentTarget.checked)} />
        <Select size="xs" w={160} aria-label="State" placeholder="Every state" clearable value={state || null} data={STATES} onChange={(value) => setState(value ?? "")} />
      </Group>
    }>
      <QueryView query={query} label="agents">
        {({ pages }) => {
          const rows = pages.flatMap((page) => page.agents);
          if (rows.length === 0) return search || state || undeclared ? <EmptyState title="No agents fit this filter" /> : <EmptyState title="No agents yet">An agent appears with its first run or call, or when somebody registers it: aispm agent register.</EmptyState>;
          return <DataTable caption="Agents" columns={COLUMNS} rows={rows} rowId={(row) => row.agentId} minWidth={900} onOpen={(row) => void navigate(`/registry/agents/${encodeURIComponent(row.agentId)}`)}
            more={{ has: query.hasNextPage, loading: query.isFetchingNextPage, load: () => void query.fetchNextPage() }} />;
        }}
      </QueryView>
    </Panel>
  );
}
