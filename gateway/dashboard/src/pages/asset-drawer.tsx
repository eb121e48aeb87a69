// SPDX-License-Identifier: Apache-2.0
import { Alert, Button, Drawer, Group, Progress, SegmentedControl, Stack, Table, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { Operator } from "../api/gen/aispm/v1/api_pb";
import type { InventoryAsset } from "../api/gen/aispm/v1/inventory_pb";
import { answerQuery, api, queryClient } from "../api/queries";
import { Ago } from "../components/bits";
import { Fact, Facts } from "../components/page";
import { QueryView } from "../components/states";
import { assetKind } from "../events/describe-fleet";
import { formatDateTime, formatPercent, NOTHING } from "../format";
import { StateBadge } from "./assets";

const { method } = Operator;

function Decide({ asset }: { asset: InventoryAsset }) {
  const [state, setState] = useState(asset.state);
  const [owner, setOwner] = useState(asset.owner);
  const [reason, setReason] = useState("");
  const change = useMutation({
    mutationFn: () => api.call(method.setAssetState, { id: asset.id, state, owner, reason }),
    onSuccess: async () => {
      setReason("");
      await queryClient.invalidateQueries();
    },
  });
  return (
    <section aria-label="Decision">
      <Title order={3} mb={6}>Decision</Title>
      <form onSubmit={(submit) => (submit.preventDefault(), change.mutate())}>
        <Stack gap="sm">
          <SegmentedControl data={["unsanctioned", "sanctioned", "ignored"]} value={state} onChange={setState} aria-label="State" size="xs" />
          <Group grow align="flex-end">
            <TextInput size="xs" label="Owner" placeholder="person or team" maxLength={256} value={owner} onChange={(event) => setOwner(event.currentTarget.value)} />
            <TextInput size="xs" label="Reason" placeholder="for the record" maxLength={1024} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
          </Group>
          {change.error && <Alert color="red" role="alert">{change.error.message}</Alert>}
          <Group gap="sm">
            <Button type="submit" size="xs" loading={change.isPending} disabled={state === asset.state && owner === asset.owner && reason === ""}>Save decision</Button>
            {change.isSuccess && <Text size="sm" role="status">Saved.</Text>}
          </Group>
        </Stack>
      </form>
    </section>
  );
}

function EvidenceTable({ asset }: { asset: InventoryAsset }) {
  const evidence = asset.asset?.evidence ?? [];
  return (
    <section aria-label="Evidence">
      <Title order={3} mb={6}>Evidence</Title>
      <Group gap="sm" mb={6} wrap="nowrap">
        <Progress value={(asset.asset?.confidence ?? 0) * 100} w={140} aria-label="Confidence" />
        <Text size="sm">{formatPercent(asset.asset?.confidence ?? 0)} confidence</Text>
      </Group>
      {asset.asset?.explanation && <Text size="sm" mb="xs">{asset.asset.explanation}</Text>}
      {evidence.length > 0 && (
        <Table.ScrollContainer minWidth={380} tabIndex={0} role="region" aria-label="Evidence, scrollable">
          <Table verticalSpacing={4} className="data-table">
            <Table.Thead><Table.Tr><Table.Th>Type</Table.Th><Table.Th>Value</Table.Th><Table.Th>Rule</Table.Th><Table.Th ta="right">Weight</Table.Th></Table.Tr></Table.Thead>
            <Table.Tbody>
              {evidence.map((item, index) => (
                <Table.Tr key={index}>
                  <Table.Td className="nowrap">{item.type.replaceAll("_", " ")}</Table.Td><Table.Td className="mono evidence">{item.value}</Table.Td>
                  <Table.Td className="mono evidence">{item.rule || NOTHING}</Table.Td><Table.Td ta="right">{item.weight.toFixed(2)}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </section>
  );
}

function History({ asset }: { asset: InventoryAsset }) {
  if (asset.history.length === 0) return null;
  return (
    <section aria-label="History">
      <Title order={3} mb={6}>Who decided what</Title>
      <ul className="brief-list">
        {asset.history.map((change, index) => (
          <li key={index}>
            <Text size="sm">
              {change.stateBefore !== change.state ? <>{change.stateBefore} → <b>{change.state}</b></> : <>stays {change.state}</>}
              {change.ownerBefore !== change.owner && <>, owner {change.ownerBefore || "nobody"} → <b>{change.owner || "nobody"}</b></>}
            </Text>
            {change.reason && <Text size="sm">“{change.reason}”</Text>}
            <Text size="xs" c="dimmed">{formatDateTime(change.time)} by {change.who}</Text>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Details({ asset }: { asset: InventoryAsset }) {
  return (
    <Stack gap="lg">
      <div>
        <Group gap="sm"><Text fw={600} style={{ overflowWrap: "anywhere" }}>{asset.asset?.name || asset.id}</Text><StateBadge state={asset.state} /></Group>
        <Text size="sm" c="dimmed">{assetKind(asset.asset?.kind ?? "")}{asset.asset?.provider && ` · ${asset.asset.provider}`}{asset.asset?.version && ` · ${asset.asset.version}`}</Text>
      </div>
      <Facts>
        <Fact label="Host">{asset.hostname || asset.hostId}</Fact>
        <Fact label="Agent">{asset.agentId ? <Link to={`/topology?agent=${encodeURIComponent(asset.agentId)}`}>{asset.agentId}</Link> : NOTHING}</Fact>
        <Fact label="First seen">{formatDateTime(asset.firstSeen)}</Fact>
        <Fact label="Last seen">{asset.gone ? <>gone since {formatDateTime(asset.gone)}</> : <Ago time={asset.lastSeen} />}{asset.stale && " (stale)"}</Fact>
        <Fact label="Found by">{asset.origin}</Fact>
        <Fact label="Id">{asset.id}</Fact>
        {Object.entries(asset.asset?.attributes ?? {}).sort().map(([name, value]) => <Fact key={name} label={name.replaceAll("_", " ")}><span className="mono">{value}</span></Fact>)}
      </Facts>
      <Decide key={`${asset.state}/${asset.owner}`} asset={asset} />
      <EvidenceTable asset={asset} />
      <History asset={asset} />
    </Stack>
  );
}

function Loaded({ id }: { id: string }) {
  const query = useQuery(answerQuery(method.getAsset, { id }));
  return <QueryView query={query} label="asset">{(asset) => <Details asset={asset} />}</QueryView>;
}

export function AssetDrawer({ id, close }: { id: string; close: () => void }) {
  return (
    <Drawer opened={id !== ""} onClose={close} position="right" size="lg" title="Asset" closeButtonProps={{ "aria-label": "Close asset" }}>
      {id && <Loaded id={id} />}
    </Drawer>
  );
}
