// SPDX-License-Identifier: Apache-2.0
import { Alert, Anchor, Button, Group, Select, Stack, Table, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useNavigate, useParams } from "react-router";
import { Operator } from "../api/gen/aispm/v1/api_pb";
import { PolicyStage, type Policy, type PolicyVersion } from "../api/gen/aispm/v1/policy_pb";
import { answerQuery, api, queryClient } from "../api/queries";
import { Ago, ToneBadge } from "../components/bits";
import { CodeDiff } from "../components/code-editor";
import { Fact, Facts, Page, Panel } from "../components/page";
import { QueryView } from "../components/states";
import { formatDateTime, NOTHING } from "../format";
import { FilesPanel, SaveVersion, useValidation } from "../policies/editor";
import { hostsOf, isChanged, movesOf, SIGNATURE, STAGES, textsOf, type Move, type Texts } from "../policies/files";
import { SimulatePanel } from "../policies/simulate";
import { StageBadge } from "./policies";

const { method } = Operator;
const STARTER: Texts = {
  "actions.yaml": 'version: "1"\n# What no rule names is denied.\ndefaults: {outcome: deny}\n\nrules:\n  - id: example\n    match: {tool: search}\n    outcome: allow\n    reason: Reads only\n',
};

function useChange(call: (reason: string) => Promise<unknown>) {
  const [reason, setReason] = useState("");
  const change = useMutation({
    mutationFn: () => call(reason.trim()),
    onSuccess: async () => {
      setReason("");
      await queryClient.invalidateQueries();
    },
  });
  return { reason, setReason, change };
}

// Every change of what is in force says why, and is kept with its author.
function Confirm({ label, run, danger, close }: { label: string; run: (reason: string) => Promise<unknown>; danger?: boolean; close: () => void }) {
  const { reason, setReason, change } = useChange(async (why) => (await run(why), close()));
  return (
    <form onSubmit={(submit) => (submit.preventDefault(), change.mutate())}>
      <Group gap="sm" align="flex-end">
        <TextInput size="xs" label="Reason" required withAsterisk={false} autoFocus placeholder="for the record" w={320} maxLength={1024} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
        <Button type="submit" size="xs" color={danger ? "red" : undefined} loading={change.isPending} disabled={!reason.trim()}>{label}</Button>
        <Button size="xs" variant="subtle" color="gray" onClick={close}>Cancel</Button>
      </Group>
      {change.error && <Alert color="red" role="alert" mt="sm">{change.error.message}</Alert>}
    </form>
  );
}

function StagePanel({ policy }: { policy: Policy }) {
  const [chosen, setChosen] = useState<Move | null>(null);
  const { text, tone } = hostsOf(policy);
  return (
    <Panel title="Stage" aside={<StageBadge policy={policy} />}>
      <Stack gap="md">
        {chosen ? (
          <Confirm key={chosen.label} label={chosen.label} danger={chosen.stage === PolicyStage.DEPRECATED} close={() => setChosen(null)}
            run={(reason) => api.call(method.promotePolicy, { policyId: policy.id, stage: chosen.stage, reason })} />
        ) : (
          <Group gap="sm">
            {movesOf(policy).map((move) => <Button key={move.label} size="xs" variant="default" onClick={() => setChosen(move)}>{move.label}</Button>)}
            {policy.stage === PolicyStage.DEPRECATED && <Text size="sm" c="dimmed">Deprecated for good. Its versions stay readable.</Text>}
          </Group>
        )}
        <Group gap="xs"><Text size="sm">In force on</Text><ToneBadge tone={tone}>{text}</ToneBadge></Group>
        {policy.states.length > 0 && (
          <Table.ScrollContainer minWidth={520} tabIndex={0} role="region" aria-label="Hosts, scrollable">
            <Table verticalSpacing={4} className="data-table">
              <Table.Thead><Table.Tr><Table.Th>Host</Table.Th><Table.Th>Program</Table.Th><Table.Th ta="right">Version</Table.Th><Table.Th>Problem</Table.Th><Table.Th>Said</Table.Th></Table.Tr></Table.Thead>
              <Table.Tbody>
                {policy.states.map((state) => (
                  <Table.Tr key={`${state.hostId}/${state.component}`}>
                    <Table.Td className="mono">{state.hostId}</Table.Td><Table.Td>{state.component}</Table.Td><Table.Td ta="right">{state.version.toString()}</Table.Td>
                    <Table.Td>{state.problem || NOTHING}</Table.Td><Table.Td><Ago time={state.time} /></Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        )}
      </Stack>
    </Panel>
  );
}

function Diff({ policyId, before, after }: { policyId: string; before: bigint; after: bigint }) {
  const left = useQuery(answerQuery(method.getPolicyVersion, { policyId, version: before }));
  const right = useQuery(answerQuery(method.getPolicyVersion, { policyId, version: after }));
  return (
    <QueryView query={left} label="version">{(old) => <QueryView query={right} label="version">{(now) => {
      const [was, is] = [textsOf(old.files), textsOf(now.files)];
      const names = [...new Set([...Object.keys(was), ...Object.keys(is)])].filter((name) => name !== SIGNATURE && was[name] !== is[name]).sort();
      if (names.length === 0) return <Text size="sm">The files are the same.</Text>;
      return <Stack gap="sm">{names.map((name) => <section key={name} aria-label={name}><Text size="sm" ff="monospace" mb={4}>{name}</Text><CodeDiff path={name} before={was[name] ?? ""} after={is[name] ?? ""} /></section>)}</Stack>;
    }}</QueryView>}</QueryView>
  );
}

function VersionRow({ version, policy, compare, restore }: { version: PolicyVersion; policy: Policy; compare: () => void; restore: () => void }) {
  const number = version.version;
  return (
    <Table.Tr>
      <Table.Td><Text size="sm" fw={600}>{number.toString()}</Text>{number === policy.version && <StageBadge policy={policy} />}{number === policy.candidateVersion && <ToneBadge tone="changed">Monitored beside it</ToneBadge>}</Table.Td>
      <Table.Td>{version.comment || NOTHING}{version.restoredFrom > 0n && <Text size="xs" c="dimmed">restored from {version.restoredFrom.toString()}</Text>}</Table.Td>
      <Table.Td>{version.createdBy}<Text size="xs" c="dimmed">{formatDateTime(version.created)}</Text></Table.Td>
      <Table.Td className="mono" title={version.digest}>{version.digest.slice(0, 12)}</Table.Td>
      <Table.Td className="mono">{version.signedBy || NOTHING}</Table.Td>
      <Table.Td>
        <Group gap={4} wrap="nowrap">
          {number > 1n && <Button size="compact-xs" variant="default" onClick={compare} aria-label={`What is new in version ${number}`}>What is new</Button>}
          {number !== policy.newestVersion && <Button size="compact-xs" variant="default" onClick={restore} aria-label={`Restore version ${number}`}>Restore</Button>}
        </Group>
      </Table.Td>
    </Table.Tr>
  );
}

function VersionsPanel({ policy }: { policy: Policy }) {
  const query = useQuery(answerQuery(method.listPolicyVersions, { policyId: policy.id }));
  const [compared, setCompared] = useState<[bigint, bigint] | null>(null);
  const [restored, setRestored] = useState<bigint | null>(null);
  return (
    <Panel title="Versions">
      <QueryView query={query} label="versions">{({ versions }) => (
        <Stack gap="md">
          <Table.ScrollContainer minWidth={760} tabIndex={0} role="region" aria-label="Versions, scrollable">
            <Table verticalSpacing={6} className="data-table">
              <Table.Thead><Table.Tr><Table.Th>Version</Table.Th><Table.Th>What is new</Table.Th><Table.Th>Who</Table.Th><Table.Th>Digest</Table.Th><Table.Th>Signed by</Table.Th><Table.Th>Actions</Table.Th></Table.Tr></Table.Thead>
              <Table.Tbody>{versions.map((version) => <VersionRow key={version.version.toString()} version={version} policy={policy} compare={() => setCompared([version.version - 1n, version.version])} restore={() => setRestored(version.version)} />)}</Table.Tbody>
            </Table>
          </Table.ScrollContainer>
          {restored !== null && <Confirm label={`Restore version ${restored} as a new one`} close={() => setRestored(null)} run={(reason) => api.call(method.restorePolicy, { policyId: policy.id, version: restored, reason })} />}
          {compared && (
            <section aria-label="Comparison">
              <Group gap="sm" mb="sm" align="flex-end">
                {([0, 1] as const).map((side) => (
                  <Select key={side} size="xs" w={120} allowDeselect={false} label={side === 0 ? "Before" : "After"} value={compared[side].toString()} data={versions.map(({ version }) => version.toString())}
                    onChange={(value) => setCompared((was) => was && (side === 0 ? [BigInt(value ?? was[0]), was[1]] : [was[0], BigInt(value ?? was[1])]))} />
                ))}
                <Button size="xs" variant="subtle" color="gray" onClick={() => setCompared(null)}>Close</Button>
              </Group>
              <Diff policyId={policy.id} before={compared[0]} after={compared[1]} />
            </section>
          )}
        </Stack>
      )}</QueryView>
    </Panel>
  );
}

function Editor({ policy, stored }: { policy: Policy; stored: PolicyVersion }) {
  const before = textsOf(stored.files);
  const [texts, setTexts] = useState<Texts>(before);
  const validation = useValidation(texts);
  const broken = !validation.isCurrent || (validation.validation?.problems.length ?? 1) > 0;
  return (
    <>
      <FilesPanel texts={texts} setTexts={setTexts} validation={validation} aside={<Text size="xs" c="dimmed">version {stored.version.toString()}{isChanged(before, texts) && ", changed"}</Text>} />
      <SaveVersion policyId={policy.id} before={before} texts={texts} broken={broken} saved={() => undefined} />
      <SimulatePanel texts={texts} broken={broken} />
    </>
  );
}

function Details({ policy }: { policy: Policy }) {
  const query = useQuery({ ...answerQuery(method.getPolicyVersion, { policyId: policy.id, version: policy.newestVersion }), refetchInterval: false as const, staleTime: Infinity });
  const scope = [...(policy.scope?.agents ?? []), ...(policy.scope?.tenants ?? []).map((name) => `tenant ${name}`), ...(policy.scope?.hosts ?? []).map((name) => `host ${name}`)];
  return (
    <Stack gap="md">
      <Panel title="Policy" aside={<Text size="sm" c="dimmed">{STAGES[policy.stage].label}</Text>}>
        {policy.description && <Text size="sm" mb="sm">{policy.description}</Text>}
        <Facts>
          <Fact label="Version">{policy.version.toString()} of {policy.newestVersion.toString()}</Fact>
          <Fact label="For">{scope.join(", ") || "everybody"}</Fact>
          <Fact label="Priority">{policy.scope?.priority ?? 0}</Fact>
          <Fact label="Signed by">{policy.signedBy || "nobody"}</Fact>
          <Fact label="Expires">{policy.expires ? formatDateTime(policy.expires) : "never"}</Fact>
          <Fact label="Changed"><Ago time={policy.updated} /> by {policy.updatedBy || NOTHING}</Fact>
          <Fact label="Digest"><span className="mono">{policy.digest.slice(0, 16)}</span></Fact>
        </Facts>
      </Panel>
      <StagePanel policy={policy} />
      <QueryView query={query} label="files">{(stored) => <Editor key={stored.version.toString()} policy={policy} stored={stored} />}</QueryView>
      <VersionsPanel policy={policy} />
    </Stack>
  );
}

function NewPolicy() {
  const navigate = useNavigate();
  const [id, setId] = useState("");
  const [texts, setTexts] = useState<Texts>(STARTER);
  const validation = useValidation(texts);
  const broken = !validation.isCurrent || (validation.validation?.problems.length ?? 1) > 0;
  const idProblem = id && !/^[a-z0-9_-]{1,64}$/.test(id) ? "Allowed is a-z 0-9 - _, at most 64." : "";
  return (
    <Stack gap="md">
      <TextInput size="xs" label="Id" placeholder="support-agents" w={280} value={id} error={idProblem} onChange={(change) => setId(change.currentTarget.value)} />
      <FilesPanel texts={texts} setTexts={setTexts} validation={validation} />
      <SaveVersion policyId={idProblem ? "" : id} before={{}} texts={texts} broken={broken} saved={() => void navigate(`/policies/${id}`)} />
      <SimulatePanel texts={texts} broken={broken} />
    </Stack>
  );
}

export function PolicyPage() {
  const { policyId = "" } = useParams();
  const query = useQuery({ ...answerQuery(method.getPolicy, { policyId }), enabled: policyId !== "new" });
  const isNew = policyId === "new";
  return (
    <Page title={isNew ? "New policy" : policyId} lead={<Anchor component={Link} to="/policies" size="sm">All policies</Anchor>}>
      {isNew ? <NewPolicy /> : <QueryView query={query} label="policy">{(policy) => <Details policy={policy} />}</QueryView>}
    </Page>
  );
}
