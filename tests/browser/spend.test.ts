// SPDX-License-Identifier: Apache-2.0
// GW-043, GW-045: tokens and money of calls in Chromium, on the real collector with what a gateway reported.
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, expect, test } from "vitest";
import { Source } from "../../gateway/dashboard/src/api/gen/aispm/v1/event_pb";
import { accessibilityFaults, picture } from "./support/browser";
import { Producer, type EventInit } from "./support/producer";
import { sha256, uuid7 } from "./support/scenario";
import { useVisits } from "./support/visit";

const visits = useVisits();
const { visit } = visits;
let gateway: Producer | undefined;

afterAll(() => {
  gateway?.close();
});

function call(ms: number, agentId: string, model: string, tokens: [bigint, bigint], costNanoUsd?: bigint): EventInit {
  return {
    id: uuid7(ms), time: timestampFromMs(ms), agentId, source: Source.GATEWAY,
    body: { case: "llmCall", value: {
      provider: "openai", api: "openai.chat", host: "api.openai.com", requestModel: model, responseModel: model, status: 200,
      inputTokens: tokens[0], outputTokens: tokens[1], tokensEstimated: costNanoUsd === undefined, ...(costNanoUsd === undefined ? {} : { costNanoUsd }),
      promptSha256: sha256(`p${ms}`), replySha256: sha256(`r${ms}`), durationUs: 900_000n } },
  } as EventInit;
}

test("before any call there is nothing to show", async () => {
  const page = await visit("/spend");
  await page.getByText("No LLM calls in this window").waitFor();
});

test("costs add up by agent and model, and what is not known is no zero", async () => {
  gateway = await Producer.enrol(visits.collector, { component: "gateway", hostname: "gw-01", machineId: sha256("machine-gw") });
  const now = Date.now() - 60_000;
  await gateway.report([
    call(now, "alice/planner", "gpt-4o-mini", [1_000_000n, 200_000n], 270_000_000n),
    call(now + 1, "alice/planner", "gpt-4o-mini", [10n, 5n], 4_500n),
    call(now + 2, "bob/local", "house-model", [700n, 90n]),
  ]);
  const page = await visit("/spend");
  await page.getByTestId("tile-Cost").waitFor();
  expect(await page.getByTestId("tile-Cost").innerText()).toMatch(/0\.27[\s\S]*without 1 of no known price/);
  expect(await page.getByTestId("tile-Calls").locator(".tile-value").textContent()).toBe("3");
  expect(await page.getByRole("row", { name: /bob\/local/ }).innerText()).toContain("not known");
  await picture(page, "spend", true);
  expect(await accessibilityFaults(page)).toEqual([]);
  await page.getByText("Model", { exact: true }).click();
  expect(await page.getByRole("row", { name: /gpt-4o-mini/ }).innerText()).toMatch(/1,000,010|1.000.010|1000010/);
});
