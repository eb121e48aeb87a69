// SPDX-License-Identifier: Apache-2.0
// Policies in Chromium, on the real collector: written with errors in place, tried on what was recorded, promoted, compared, restored.
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Decision_Outcome, Source } from "../../gateway/dashboard/src/api/gen/aispm/v1/event_pb";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Page } from "playwright-core";
import { accessibilityFaults, picture } from "./support/browser";
import { Producer, type EventInit } from "./support/producer";
import { sha256, uuid7 } from "./support/scenario";
import { useVisits } from "./support/visit";

const visits = useVisits();
const { visit } = visits;
let gateway: Producer;

function refund(ms: number, amount: number): EventInit {
  return {
    id: uuid7(ms), time: timestampFromMs(ms), agentId: "alice/refunds", source: Source.GATEWAY,
    body: { case: "actionCall", value: { surface: "reply", tool: "refund", argumentsText: JSON.stringify({ amount }), digest: sha256(`refund ${amount}`), inputs: ["tool=refund"] } },
    decision: { outcome: Decision_Outcome.ALLOW, mode: "enforce", ruleId: "old" },
  } as EventInit;
}

afterAll(() => gateway?.close());
beforeAll(async () => {
  gateway = await Producer.enrol(visits.collector, { component: "gateway", hostname: "gw-1", machineId: sha256("machine-gw") });
  const start = Date.now() - 600_000;
  await gateway.report([5, 20, 2000, 3000].map((amount, index) => refund(start + index * 1000, amount)));
});

const RULES = `rules:
  - {id: large, match: {tool: refund}, when: {tool_args_match: {amount: {gt: 1000}}}, outcome: require_approval, reason: looked at}
  - {id: small, match: {tool: refund}, outcome: allow}
`;

async function write(page: Page, text: string): Promise<void> {
  const editor = page.getByRole("textbox", { name: "actions.yaml" });
  await editor.click();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.insertText(text);
}

describe("policies", () => {
  test("a fresh collector has drafts to begin with", async () => {
    const page = await visit("/policies");
    await page.getByRole("table", { name: "Policies" }).waitFor();
    const { policies } = await visits.collector.get("/api/v1/policies");
    expect(policies.length).toBeGreaterThan(0);
    for (const { id } of policies) await page.getByRole("button", { name: id, exact: false }).first().waitFor();
    await page.getByText("Draft").first().waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await picture(page, "policies", true);
  });

  test("POL-021: errors stand where they are made", async () => {
    const page = await visit("/policies/new");
    await page.getByText("1 rule over actions").waitFor();
    await write(page, "rules:\n  - {id: a, outcome: perhaps}\n");
    await page.getByText("1 problem to mend").waitFor();
    await page.getByText("actions.yaml:2:13").waitFor();
    await page.locator(".cm-lintRange-error").waitFor();
    expect(await page.locator(".cm-lintRange-error").first().textContent()).toBe("outcome");
    expect(await page.getByRole("button", { name: "Save as new version" }).isDisabled()).toBe(true);
    expect(await page.getByRole("button", { name: "Simulate" }).isDisabled()).toBe(true);
    await picture(page, "policy-problem", true);
  });

  test("POL-022: a candidate is tried on what was recorded, with examples", async () => {
    const page = await visit("/policies/new", { colorScheme: "dark" });
    await write(page, RULES);
    await page.getByText("2 rules over actions").waitFor();
    await page.getByRole("button", { name: "Simulate" }).click();
    const row = page.getByRole("row", { name: /Allowed.*Approval required.*large/ });
    await row.waitFor();
    expect(await page.getByTestId("simulated-Stricter").innerText()).toContain("2");
    expect(await page.getByTestId("simulated-Unchanged").innerText()).toContain("2");
    await picture(page, "policy-simulated-dark", true);
    expect(await accessibilityFaults(page)).toEqual([]);
    await row.getByRole("button").first().click();
    await page.getByRole("dialog").getByText("refund").first().waitFor();
  });

  test("a version is saved, promoted with a reason, compared and restored", async () => {
    const page = await visit("/policies/new");
    await page.getByLabel("Id", { exact: true }).fill("refunds");
    await write(page, RULES);
    await page.getByText("2 rules over actions").waitFor();
    await page.getByLabel("What is new").fill("first");
    await page.getByRole("button", { name: "Save as new version" }).click();
    await page.getByRole("heading", { name: "refunds" }).waitFor();
    await write(page, RULES.replace("1000", "500"));
    await page.getByRole("button", { name: "Save as new version" }).and(page.locator(":enabled")).click();
    await page.getByText("2 of 2").or(page.getByText("1 of 2")).first().waitFor();
    await page.getByRole("button", { name: "Monitor version 2" }).click();
    await page.getByLabel("Reason").fill("SEC-42");
    await page.getByRole("button", { name: "Monitor version 2" }).click();
    await page.getByText("Monitored").first().waitFor();
    await page.getByRole("button", { name: "What is new in version 2" }).click();
    await page.getByRole("region", { name: "Comparison" }).getByText("500").waitFor();
    await picture(page, "policy-light", true);
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByRole("button", { name: "Restore version 1" }).click();
    await page.getByLabel("Reason").fill("too strict");
    await page.getByRole("button", { name: /Restore version 1 as/ }).click();
    await page.getByText("restored from 1").waitFor();
    const stored = await visits.collector.get("/api/v1/policies/refunds");
    expect([stored["stage"], stored["version"], stored["newest_version"]]).toEqual(["POLICY_STAGE_MONITOR", "2", "3"]);
  });
});
