// SPDX-License-Identifier: Apache-2.0
import { Button, Checkbox, Text } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import { Operator } from "../api/gen/aispm/v1/api_pb";
import type { Policy } from "../api/gen/aispm/v1/policy_pb";
import { pagedQuery } from "../api/queries";
import { Ago, ToneBadge } from "../components/bits";
import { columnsOf, DataTable, type Column } from "../components/data-table";
import { Page, Panel } from "../components/page";
import { EmptyState, QueryView } from "../components/states";
import { NOTHING } from "../format";
import { hostsOf, STAGES } from "../policies/files";

const { method } = Operator;

export function StageBadge({ policy }: { policy: Policy }) {
  const { label, tone } = STAGES[policy.stage];
  return <ToneBadge tone={tone}>{label}</ToneBadge>;
}

function Scope({ policy }: { policy: Policy }) {
  const { scope } = policy;
  const parts = [
    ...(scope?.agents ?? []),
    ...(scope?.tenants ?? []).map((name) => `tenant ${name}`),
    ...(scope?.hosts ?? []).map((name) => `host ${name}`),
  ];
  return <span className="clip clip-mid" title={parts.join(", ")}>{parts.join(", ") || "everybody"}</span>;
}

const policy = columnsOf<Policy>();
const COLUMNS: Column<Policy>[] = policy.columns([
  policy.accessor("id", { header: "Policy", cell: ({ row }) => (
    <>
      <Text size="sm" fw={600}>{row.original.id}</Text>
      <Text size="xs" c="dimmed" className="clip clip-mid" title={row.original.description}>{row.original.description}</Text>
    </>
  ) }),
  policy.accessor("stage", { header: "Stage", cell: ({ row }) => <StageBadge policy={row.original} /> }),
  policy.accessor((row) => Number(row.version), { id: "version", header: "Version", sortFn: "basic", cell: ({ row: { original: { version, newestVersion, candidateVersion } } }) => (
    <>
      <Text size="sm">{version.toString()}{newestVersion > version && <Text span size="xs" c="dimmed"> of {newestVersion.toString()}</Text>}</Text>
      {candidateVersion > 0n && <Text size="xs" c="dimmed">{candidateVersion.toString()} is monitored beside it</Text>}
    </>
  ) }),
  policy.accessor((row) => row.scope?.priority ?? 0, { id: "priority", header: "Priority", sortFn: "basic" }),
  policy.display({ id: "scope", header: "For", cell: ({ row }) => <Scope policy={row.original} /> }),
  policy.display({ id: "hosts", header: "In force on", cell: ({ row }) => {
    const { text, problem, tone } = hostsOf(row.original);
    return (
      <>
        <ToneBadge tone={tone}>{text}</ToneBadge>
        {problem && <Text size="xs" c="dimmed" className="clip clip-mid" title={problem}>{problem}</Text>}
      </>
    );
  } }),
  policy.accessor("signedBy", { header: "Signed by", cell: ({ getValue }) => <span className="mono clip clip-short" title={getValue()}>{getValue() || NOTHING}</span> }),
  policy.accessor((row) => Number(row.updated?.seconds ?? 0), { id: "updated", header: "Changed", sortFn: "basic", sortDescFirst: true, cell: ({ row }) => (
    <><Ago time={row.original.updated} /><Text size="xs" c="dimmed">{row.original.updatedBy}</Text></>
  ) }),
]) as Column<Policy>[];

export function PoliciesPage() {
  const navigate = useNavigate();
  const [withDeprecated, setWithDeprecated] = useState(false);
  const query = useInfiniteQuery(pagedQuery(method.listPolicies, { withDeprecated }));
  return (
    <Page title="Policies" lead="What agents may do. A policy is drafted, tried on what was recorded, monitored, and only then enforced." aside={
      <Button size="xs" onClick={() => void navigate("/policies/new")}>New policy</Button>
    }>
      <Panel title="All policies" aside={<Checkbox size="xs" label="also deprecated" checked={withDeprecated} onChange={(change) => setWithDeprecated(change.currentTarget.checked)} />}>
        <QueryView query={query} label="policies">
          {({ pages }) => {
            const rows = pages.flatMap((page) => page.policies);
            if (rows.length === 0) return <EmptyState title="No policies yet">Write one here, or send a folder: <code>aispm policy push ID FOLDER</code>. Without a policy nothing about actions is judged.</EmptyState>;
            return <DataTable caption="Policies" columns={COLUMNS} rows={rows} rowId={(row) => row.id} minWidth={980} onOpen={(row) => void navigate(`/policies/${encodeURIComponent(row.id)}`)}
              more={{ has: query.hasNextPage, loading: query.isFetchingNextPage, load: () => void query.fetchNextPage() }} />;
          }}
        </QueryView>
      </Panel>
    </Page>
  );
}
