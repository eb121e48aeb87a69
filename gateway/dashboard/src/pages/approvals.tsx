// SPDX-License-Identifier: Apache-2.0
// Actions of agents that wait for a person: what exactly would be done, why somebody is asked, and the answer.
import { Alert, Button, Checkbox, Code, Drawer, Group, Stack, Text, TextInput, Title } from "@mantine/core";
import { useInfiniteQuery, useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate, useParams } from "react-router";
import { Operator } from "../api/gen/aispm/v1/api_pb";
import { ApprovalAnswer, ApprovalKind, ApprovalState, type Approval } from "../api/gen/aispm/v1/policy_pb";
import { answerQuery, api, pagedQuery, queryClient } from "../api/queries";
import { Ago, SessionLink, ToneBadge } from "../components/bits";
import { columnsOf, DataTable, type Column } from "../components/data-table";
import { Fact, Facts, Page, Panel } from "../components/page";
import { EmptyState, QueryView } from "../components/states";
import type { Tone } from "../events/describe";
import { formatDateTime, NOTHING } from "../format";

const { method } = Operator;
const REFRESH_MS = 2_000;

const STATES: Record<ApprovalState, readonly [string, Tone]> = {
  [ApprovalState.UNSPECIFIED]: ["unknown", "neutral"],
  [ApprovalState.PENDING]: ["waits", "warn"],
  [ApprovalState.APPROVED]: ["approved", "good"],
  [ApprovalState.DENIED]: ["denied", "bad"],
  [ApprovalState.EXPIRED]: ["expired", "neutral"],
  [ApprovalState.USED]: ["used", "neutral"],
  [ApprovalState.ESCALATED]: ["escalated", "warn"],
  [ApprovalState.TAKEN_OVER]: ["taken over", "warn"],
};

const isOpen = (state: ApprovalState) => [ApprovalState.PENDING, ApprovalState.ESCALATED, ApprovalState.TAKEN_OVER].includes(state);

function StateBadge({ state }: { state: ApprovalState }) {
  const [label, tone] = STATES[state];
  return <ToneBadge tone={tone}>{label}</ToneBadge>;
}

const one = columnsOf<Approval>();
const COLUMNS: Column<Approval>[] = one.columns([
  one.accessor("tool", { header: "Action", cell: ({ row }) => (
    <>
      <Text size="sm" fw={600} ff="monospace">{row.original.tool}</Text>
      <Text size="xs" c="dimmed" className="clip" title={row.original.argumentsText}>{row.original.argumentsText}</Text>
    </>
  ) }),
  one.accessor("agentId", { header: "Agent" }),
  one.accessor("reason", { header: "Why", cell: ({ row }) => (
    <>
      <Text size="sm">{row.original.reason || NOTHING}</Text>
      <Text size="xs" c="dimmed">rule {row.original.ruleId}</Text>
    </>
  ) }),
  one.accessor("approverRole", { header: "Answered by", cell: ({ row }) => row.original.approverRole || "any operator" }),
  one.accessor("risk", { header: "Risk", sortFn: "basic", sortDescFirst: true, cell: ({ row }) => row.original.risk.toFixed(2) }),
  one.accessor("state", { header: "State", cell: ({ row }) => <StateBadge state={row.original.state} /> }),
  one.accessor((row) => Number(row.created?.seconds ?? 0), { id: "created", header: "Asked", sortFn: "basic", sortDescFirst: true, cell: ({ row }) => <Ago time={row.original.created} /> }),
]) as Column<Approval>[];

function Answer({ approval }: { approval: Approval }) {
  const [reason, setReason] = useState("");
  const [role, setRole] = useState("");
  const [result, setResult] = useState("");
  const change = useMutation({
    mutationFn: (answer: ApprovalAnswer) => api.call(method.decideApproval, { approvalId: approval.id, answer, reason, role, result }),
    onSuccess: async () => {
      await queryClient.invalidateQueries();
    },
  });
  const isHuman = approval.kind === ApprovalKind.HUMAN;
  const isTaken = approval.state === ApprovalState.TAKEN_OVER;
  const say = (answer: ApprovalAnswer) => () => change.mutate(answer);
  return (
    <section aria-label="Answer">
      <Title order={3} mb={6}>Answer</Title>
      <Stack gap="sm">
        <TextInput size="xs" label="Reason" placeholder="for the record; needed to deny or escalate" maxLength={1000} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
        {isTaken && <TextInput size="xs" label="Result" placeholder="what the tool call is answered with" value={result} onChange={(event) => setResult(event.currentTarget.value)} />}
        {change.error && <Alert color="red" role="alert">{change.error.message}</Alert>}
        <Group gap="sm">
          {!isHuman && <Button size="xs" color="green" loading={change.isPending} onClick={say(ApprovalAnswer.APPROVE)}>Approve once</Button>}
          {isHuman && !isTaken && <Button size="xs" loading={change.isPending} onClick={say(ApprovalAnswer.TAKE_OVER)}>Take over</Button>}
          {isTaken && <Button size="xs" loading={change.isPending} disabled={result === ""} onClick={say(ApprovalAnswer.FINISH)}>Answer in its place</Button>}
          <Button size="xs" color="red" variant="light" loading={change.isPending} disabled={reason === ""} onClick={say(ApprovalAnswer.DENY)}>Deny</Button>
        </Group>
        {!isTaken && (
          <Group gap="sm" align="flex-end">
            <TextInput size="xs" label="Escalate to role" placeholder="finance_manager" maxLength={64} value={role} onChange={(event) => setRole(event.currentTarget.value)} />
            <Button size="xs" variant="default" loading={change.isPending} disabled={reason === "" || role === ""} onClick={say(ApprovalAnswer.ESCALATE)}>Escalate</Button>
          </Group>
        )}
      </Stack>
    </section>
  );
}

function Details({ approval }: { approval: Approval }) {
  return (
    <Stack gap="lg">
      <Group gap="sm"><Text fw={600} ff="monospace" style={{ overflowWrap: "anywhere" }}>{approval.tool}</Text><StateBadge state={approval.state} /></Group>
      <Text size="sm">{approval.reason}</Text>
      <section aria-label="Arguments">
        <Title order={3} mb={6}>Arguments</Title>
        <Text size="xs" c="dimmed" mb={4}>Secrets and personal data are cut out. The approval counts for exactly these arguments.</Text>
        <Code block className="evidence">{approval.argumentsText || "{}"}</Code>
      </section>
      <Facts>
        <Fact label="Agent">{approval.agentId}</Fact>
        <Fact label="Asked for by">{approval.requester || NOTHING}</Fact>
        <Fact label="Session"><SessionLink id={approval.sessionId} /></Fact>
        <Fact label="Needs">{approval.kind === ApprovalKind.HUMAN ? "a person who takes over" : "a yes or no"}</Fact>
        <Fact label="Answered by">{approval.approverRole || "any operator"}</Fact>
        <Fact label="Risk">{approval.risk.toFixed(2)}</Fact>
        <Fact label="Rule"><span className="mono">{approval.ruleId}</span></Fact>
        <Fact label="Policy"><span className="mono" title={approval.policyVersion}>{approval.policyId} {approval.policyVersion.slice(0, 12)}</span></Fact>
        <Fact label="Asked">{formatDateTime(approval.created)}</Fact>
        <Fact label="Expires">{formatDateTime(approval.expires)}</Fact>
        {approval.decidedBy && <Fact label="Last answer">{approval.decidedBy}, {formatDateTime(approval.decided)}{approval.decisionReason && <> “{approval.decisionReason}”</>}</Fact>}
        {approval.result && <Fact label="Result">{approval.result}</Fact>}
      </Facts>
      {isOpen(approval.state) && <Answer approval={approval} />}
    </Stack>
  );
}

function Loaded({ id }: { id: string }) {
  const query = useQuery(answerQuery(method.getApproval, { approvalId: id }, REFRESH_MS));
  return <QueryView query={query} label="approval">{(approval) => <Details approval={approval} />}</QueryView>;
}

export function ApprovalsPage() {
  const { approvalId = "" } = useParams();
  const navigate = useNavigate();
  const [withPast, setWithPast] = useState(false);
  const query = useInfiniteQuery({ ...pagedQuery(method.listApprovals, { withPast }), refetchInterval: REFRESH_MS });
  return (
    <Page title="Approvals" lead="Actions of agents that wait for a person. Each answer counts once, for exactly these arguments." aside={
      <Checkbox size="xs" label="also answered and expired" checked={withPast} onChange={(change) => setWithPast(change.currentTarget.checked)} />
    }>
      <Panel title={withPast ? "All" : "Waiting"}>
        <QueryView query={query} label="approvals">
          {({ pages }) => {
            const rows = pages.flatMap((page) => page.approvals);
            if (rows.length === 0) return <EmptyState title="Nothing waits for a person">An action appears here when a policy rule says require_approval or require_human.</EmptyState>;
            return <DataTable caption="Approvals" columns={COLUMNS} rows={rows} rowId={(row) => row.id} minWidth={900} onOpen={(row) => void navigate(`/approvals/${row.id}`)}
              more={{ has: query.hasNextPage, loading: query.isFetchingNextPage, load: () => void query.fetchNextPage() }} />;
          }}
        </QueryView>
      </Panel>
      <Drawer opened={approvalId !== ""} onClose={() => void navigate("/approvals")} position="right" size="lg" title="Approval" closeButtonProps={{ "aria-label": "Close approval" }}>
        {approvalId && <Loaded id={approvalId} />}
      </Drawer>
    </Page>
  );
}
