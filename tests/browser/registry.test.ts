// SPDX-License-Identifier: Apache-2.0
// The registry in Chromium, on the real collector: what gateways saw, approved and blocked with a reason, with its history.
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Decision_Outcome, Source } from "../../gateway/dashboard/src/api/gen/aispm/v1/event_pb";
import { accessibilityFaults, picture } from "./support/browser";
import { Producer, type EventInit } from "./support/producer";
import { sha256, uuid7 } from "./support/scenario";
import { useVisits } from "./support/visit";

const visits = useVisits();
const { visit } = visits;
let gateway: Producer;

function listed(ms: number, text: string): EventInit {
  const tools = [
    { name: "send_mail", descriptionSha256: sha256(text), schemaSha256: sha256("schema"), findings: [] },
    { name: "read_mail", descriptionSha256: sha256("reads"), schemaSha256: sha256("schema"), findings: ["HIDDEN_TEXT"] },
  ];
  return { id: uuid7(ms), time: timestampFromMs(ms), source: Source.GATEWAY, body: { case: "mcpTools", value: { transport: "http", serverName: "office", serverHost: "office.example.com", tools } } } as EventInit;
}

function called(ms: number, agentId: string, outcome: Decision_Outcome): EventInit {
  return {
    id: uuid7(ms), time: timestampFromMs(ms), agentId, source: Source.GATEWAY,
    body: { case: "actionCall", value: { surface: "mcp", tool: "send_mail", toolProvider: "office", digest: sha256(String(ms)), inputs: [] } },
    decision: { outcome, mode: "enforce", ruleId: "rule" },
  } as EventInit;
}

afterAll(() => gateway?.close());
beforeAll(async () => {
  gateway = await Producer.enrol(visits.collector, { component: "gateway", hostname: "gw-1", machineId: sha256("machine-gw") });
  const start = Date.now() - 600_000;
  await gateway.report([listed(start, "sends"), called(start + 1000, "alice/planner", Decision_Outcome.ALLOW), called(start + 2000, "bob/stray", Decision_Outcome.DENY)]);
});

describe("registry", () => {
  test("what a gateway saw is there, with findings, undecided", async () => {
    const page = await visit("/registry");
    const table = page.getByRole("table", { name: "Tools" });
    await table.getByText("send_mail").waitFor();
    await table.getByText("hidden text").waitFor();
    expect(await table.getByText("undecided").count()).toBe(2);
    expect(await accessibilityFaults(page)).toEqual([]);
    await picture(page, "registry-tools", true);
  });

  test("MCP-017: a definition is approved with a reason; another one makes the tool changed; a block says why", async () => {
    const page = await visit("/registry/tools", { colorScheme: "dark" });
    await page.getByRole("table", { name: "Tools" }).getByRole("button", { name: /send_mail/ }).click();
    const drawer = page.getByRole("dialog");
    const approve = drawer.getByRole("button", { name: "Approve this definition" });
    await approve.waitFor();
    expect(await approve.isDisabled()).toBe(true);
    await drawer.getByLabel("Reason").fill("SEC-1: read it");
    await approve.click();
    await drawer.getByText("tool.approve").waitFor();
    await drawer.getByText("approved", { exact: true }).first().waitFor();
    await gateway.report([listed(Date.now() + 1000, "sends more")]);
    await drawer.getByText("A definition was seen that nobody approved.", { exact: false }).waitFor({ timeout: 30_000 });
    await picture(page, "registry-changed-dark", true);
    expect(await accessibilityFaults(page)).toEqual([]);
    await drawer.getByLabel("Reason").fill("It lies");
    await drawer.getByRole("button", { name: "Block" }).click();
    await drawer.getByText("Denied on all gateways: It lies").waitFor();
    const { tools } = await visits.collector.get("/api/v1/registry/tools?state=blocked");
    expect(tools.map((tool: { name: string }) => tool.name)).toEqual(["send_mail"]);
    const policy = await visits.collector.get("/api/v1/policies/aispm.registry");
    expect([policy["stage"], policy["version"]]).toEqual(["POLICY_STAGE_ENFORCED", "2"]);
  });

  test("REG-009: an agent is registered with its rights, and blocked", async () => {
    const page = await visit("/registry/agents");
    const table = page.getByRole("table", { name: "Agents" });
    await table.getByText("bob/stray").waitFor();
    expect(await table.getByText("undeclared").count()).toBe(2);
    await table.getByRole("button", { name: /alice\/planner/ }).click();
    const drawer = page.getByRole("dialog");
    await drawer.getByRole("button", { name: "Register this agent" }).click();
    await drawer.getByLabel("Roles").fill("support, analyst");
    await drawer.getByLabel("Owner").fill("team-a");
    await drawer.getByLabel("Reason").last().fill("SEC-2");
    await drawer.getByRole("button", { name: "Save registration" }).click();
    await drawer.getByText("agent.register").waitFor();
    await drawer.getByText("Trust 0 of 100").waitFor();
    await picture(page, "registry-agent", true);
    expect(await accessibilityFaults(page)).toEqual([]);
    await drawer.getByLabel("Reason").first().fill("left");
    await drawer.getByRole("button", { name: "Block" }).click();
    await drawer.getByText("Refused on all gateways: left").waitFor();
    const agent = await visits.collector.get(`/api/v1/registry/agents/${encodeURIComponent("alice/planner")}`);
    expect([agent["state"], agent["rights"]["roles"], agent["owner"]]).toEqual(["blocked", ["support", "analyst"], "team-a"]);
  });
});
