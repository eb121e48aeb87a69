// SPDX-License-Identifier: Apache-2.0
// APR-002: what waits for a person, live, in Chromium on the real collector, asked for as a gateway does.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApprovalKind } from "../../gateway/dashboard/src/api/gen/aispm/v1/policy_pb";
import { accessibilityFaults, picture } from "./support/browser";
import { Producer } from "./support/producer";
import { sha256 } from "./support/scenario";
import { useVisits } from "./support/visit";

const visits = useVisits();
const { visit } = visits;
let gateway: Producer;

async function ask(tool: string, argumentsText: string, kind = ApprovalKind.APPROVAL): Promise<string> {
  const made = await gateway.ingest.requestApproval({ approval: {
    kind, agentId: "bob/support-agent", requester: "bob", sessionId: "0199aaaa-0000-7000-8000-000000000001", tool, argumentsText, digest: sha256(tool + argumentsText),
    policyId: "support", policyVersion: sha256("policy"), ruleId: "large-refunds", reason: "Refunds above 1000 are looked at", risk: 0.42,
  } });
  return made.id;
}

beforeAll(async () => {
  gateway = await Producer.enrol(visits.collector, { component: "gateway", hostname: "gw-01", machineId: sha256("machine-gw") });
});
afterAll(() => {
  gateway?.close();
});

describe("approvals", () => {
  test("an empty page says so", async () => {
    const page = await visit("/approvals");
    await page.getByText("Nothing waits for a person").waitFor();
  });

  test("what is asked appears by itself and is approved once", async () => {
    const page = await visit("/approvals");
    await page.getByText("Nothing waits for a person").waitFor();
    const id = await ask("trigger_refund", '{"amount":2000,"to":"order 7"}');
    const row = page.getByRole("row", { name: /trigger_refund/ });
    await row.waitFor();
    await picture(page, "approvals", true);
    expect(await accessibilityFaults(page)).toEqual([]);
    await row.getByRole("button").click();
    const drawer = page.getByRole("dialog");
    await drawer.getByText('{"amount":2000,"to":"order 7"}').waitFor();
    await drawer.getByText("Refunds above 1000 are looked at").waitFor();
    await drawer.getByLabel("Reason").fill("checked with the customer");
    await picture(page, "approval-drawer");
    await drawer.getByRole("button", { name: "Approve once" }).click();
    await drawer.getByText("approved", { exact: true }).waitFor();
    const approval = await visits.collector.get(`/api/v1/approvals/${id}`);
    expect(approval["state"]).toBe("APPROVAL_STATE_APPROVED");
    expect(approval["decision_reason"]).toBe("checked with the customer");
  });

  test("denying needs a reason", async () => {
    const id = await ask("send_email", '{"to":"everybody"}');
    const page = await visit(`/approvals/${id}`);
    const drawer = page.getByRole("dialog");
    expect(await drawer.getByRole("button", { name: "Deny" }).isDisabled()).toBe(true);
    await drawer.getByLabel("Reason").fill("not to everybody");
    await drawer.getByRole("button", { name: "Deny" }).click();
    await drawer.getByText("denied", { exact: true }).waitFor();
  });

  test("a person takes over and answers", async () => {
    const id = await ask("call_police", "{}", ApprovalKind.HUMAN);
    const page = await visit(`/approvals/${id}`);
    const drawer = page.getByRole("dialog");
    await drawer.getByRole("button", { name: "Take over" }).click();
    await drawer.getByLabel("Result").fill("They are on their way");
    await drawer.getByRole("button", { name: "Answer in its place" }).click();
    await drawer.getByText("They are on their way").waitFor();
    expect((await visits.collector.get(`/api/v1/approvals/${id}`))["result"]).toBe("They are on their way");
  });
});
