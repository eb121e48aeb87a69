// SPDX-License-Identifier: Apache-2.0
// Agents and tools: seen, registered, approved, blocked. A decision becomes a version of one policy that all gateways follow.
import { Drawer, Tabs, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useState } from "react";
import { Navigate, useNavigate, useParams } from "react-router";
import { Icon } from "../components/icons";
import { Page } from "../components/page";
import { AgentDetails, AgentsTab } from "./registry-agents";
import { InForce } from "./registry-parts";
import { ToolDetails, ToolsTab } from "./registry-tools";

const SEARCH_DELAY_MS = 250;

export function RegistryPage() {
  const { tab = "tools", id = "" } = useParams();
  const navigate = useNavigate();
  const [text, setText] = useState("");
  const [search] = useDebouncedValue(text.trim(), SEARCH_DELAY_MS);
  if (tab !== "tools" && tab !== "agents") return <Navigate to="/registry/tools" replace />;
  const noun = tab === "tools" ? "tool" : "agent";
  return (
    <Page title="Registry" lead={<>Agents and tools, what was seen of them and what people decided. <InForce /></>} aside={
      <TextInput size="xs" w={220} placeholder={`Search ${tab}`} aria-label={`Search ${tab}`} leftSection={<Icon name="search" size={14} />} value={text} onChange={(change) => setText(change.currentTarget.value)} />
    }>
      <Tabs value={tab} onChange={(next) => next && (setText(""), void navigate(`/registry/${next}`))} keepMounted={false}>
        <Tabs.List mb="md"><Tabs.Tab value="tools">Tools</Tabs.Tab><Tabs.Tab value="agents">Agents</Tabs.Tab></Tabs.List>
        <Tabs.Panel value={tab}>{tab === "tools" ? <ToolsTab search={search} /> : <AgentsTab search={search} />}</Tabs.Panel>
      </Tabs>
      <Drawer opened={id !== ""} onClose={() => void navigate(`/registry/${tab}`)} position="right" size="lg" title={noun === "tool" ? "Tool" : "Agent"} closeButtonProps={{ "aria-label": `Close ${noun}` }}>
        {id && (tab === "tools" ? <ToolDetails id={id} /> : <AgentDetails id={id} />)}
      </Drawer>
    </Page>
  );
}
