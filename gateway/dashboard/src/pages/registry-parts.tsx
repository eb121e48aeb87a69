// SPDX-License-Identifier: Apache-2.0
// What the registry's tools and agents have in common: state, decision, history, and where a decision is in force.
import { Alert, Anchor, Button, Group, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { Link } from "react-router";
import { Operator } from "../api/gen/aispm/v1/api_pb";
import type { RegistryChange } from "../api/gen/aispm/v1/registry_pb";
import { answerQuery, queryClient } from "../api/queries";
import { ToneBadge } from "../components/bits";
import type { Tone } from "../events/describe";
import { formatDateTime, plural } from "../format";

const { method } = Operator;
const REFRESH_MS = 2_000;

const TONES: Record<string, Tone> = { approved: "good", blocked: "bad", changed: "warn", expired: "warn", undecided: "neutral" };

export function RegistryState({ state }: { state: string }) {
  return <ToneBadge tone={TONES[state] ?? "neutral"}>{state}</ToneBadge>;
}

export type Choice = { readonly state: string; readonly label: string; readonly color: string; readonly variant?: "light" | "default" };

// A reason, and a button for each decision that can be made; only admins' tokens may.
export function Decide({ title = "Decision", choices, decide, children }: { title?: string; choices: readonly Choice[]; decide: (state: string, reason: string) => Promise<unknown>; children?: ReactNode }) {
  const [reason, setReason] = useState("");
  const change = useMutation({
    mutationFn: (state: string) => decide(state, reason),
    onSuccess: async () => {
      setReason("");
      await queryClient.invalidateQueries();
    },
  });
  return (
    <section aria-label={title}>
      <Title order={3} mb={6}>{title}</Title>
      <Stack gap="sm">
        {children}
        <TextInput size="xs" label="Reason" placeholder="for the record, and for who meets it" maxLength={500} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
        {change.error && <Alert color="red" role="alert">{change.error.message}</Alert>}
        <Group gap="sm">
          {choices.map(({ state, label, color, variant = "filled" }) => (
            <Button key={label} size="xs" color={color} variant={variant} loading={change.isPending} disabled={reason.trim() === ""} onClick={() => change.mutate(state)}>{label}</Button>
          ))}
        </Group>
        {change.isSuccess && <Text size="sm" role="status">Saved.</Text>}
      </Stack>
    </section>
  );
}

export function RegistryHistory({ history }: { history: readonly RegistryChange[] }) {
  return (
    <section aria-label="History">
      <Title order={3} mb={6}>Who decided what</Title>
      {history.length === 0 ? <Text size="sm" c="dimmed">Nobody has decided anything yet.</Text> : (
        <ul className="brief-list">
          {history.map((change, index) => (
            <li key={index}>
              <Text size="sm"><b>{change.action}</b> “{change.reason}”</Text>
              <Text size="xs" c="dimmed">{change.who} · {formatDateTime(change.time)} · version {String(change.version)}</Text>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

// Which gateways have the newest version; nothing before the first decision.
export function InForce() {
  const { data, error } = useQuery({ ...answerQuery(method.getPolicy, { policyId: "aispm.registry" }, REFRESH_MS), retry: false });
  if (error || !data) return <Text size="xs" c="dimmed">Nothing was decided yet.</Text>;
  const states = data.states.filter((state) => state.version === data.version);
  const problems = states.filter((state) => state.problem !== "");
  return (
    <Text size="xs" component="div">
      <Anchor component={Link} to="/policies/aispm.registry" size="xs">version {String(data.version)}</Anchor>{" "}
      {problems.length > 0
        ? <ToneBadge tone="bad">{plural(problems.length, "gateway does", "gateways do")} not have it: {problems[0]?.problem}</ToneBadge>
        : <ToneBadge tone={states.length > 0 ? "good" : "warn"}>{states.length > 0 ? `in force in ${plural(states.length, "gateway")}` : "no gateway has it yet"}</ToneBadge>}
    </Text>
  );
}
