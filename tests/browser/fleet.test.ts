// SPDX-License-Identifier: Apache-2.0
// Inventory, MCP servers, topology and coverage in Chromium, on the real collector with what a sensor reported.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { accessibilityFaults, picture } from "./support/browser";
import { activity, assets, CODER, coverage, DRIFT, SERVER, toolCall, toolList } from "./support/fleet";
import { Producer } from "./support/producer";
import { sha256 } from "./support/scenario";
import { useVisits } from "./support/visit";

const visits = useVisits();
const { visit } = visits;
let sensor: Producer;

afterAll(() => {
  sensor?.close();
});

describe("before a sensor found anything", () => {
  test.each([
    ["/inventory/assets", "No assets yet"],
    ["/mcp", "No MCP servers yet"],
    ["/topology", "Nothing in this window"],
    ["/coverage", "No TLS traffic was measured yet"],
  ])("%s says so", async (path, words) => {
    const page = await visit(path);
    await page.getByText(words).first().waitFor();
  });
});

describe("with a host full of AI", () => {
  beforeAll(async () => {
    sensor = await Producer.enrol(visits.collector, { component: "sensord", hostname: "ws-07", machineId: sha256("machine-7") });
    const start = Date.now() - 120_000;
    await sensor.report([...assets(start), toolList(start + 100, false), toolCall(start + 200, "read_invoice"), ...activity(start + 1000), ...coverage(start + 2000)]);
    await sensor.report([toolList(start + 60_000, true), toolCall(start + 61_000, "list_invoices")]);
  });

  test("INV-016: the overview counts unsanctioned assets and calls past the gateway", async () => {
    const page = await visit("/");
    const overview = await visits.collector.get("/api/v1/overview?hours=24");
    expect(Number(overview["unsanctioned_assets"])).toBe(4);
    expect(Number(overview["direct_calls"])).toBe(1);
    for (const [label, field] of [["Unsanctioned assets", "unsanctioned_assets"], ["Calls past the gateway", "direct_calls"], ["MCP calls", "mcp_calls"], ["Enforced or monitored", "enforcements"]] as const) {
      await page.getByTestId(`tile-${label}`).waitFor();
      expect.soft(await page.getByTestId(`tile-${label}`).locator(".tile-value").textContent(), label).toBe(String(overview[field]));
    }
    expect(await page.getByTestId("tile-Wire bytes seen").innerText()).toContain("79 %");
    await picture(page, "fleet-overview", true);
  });

  test("INV-010: the inventory shows entities with risk, owners and policy", async () => {
    const page = await visit("/inventory");
    const { entities } = await visits.collector.get("/api/v1/inventory-summary");
    for (const entity of entities) {
      const card = page.getByTestId(`entity-${entity.entity}`);
      await card.waitFor();
      const text = await card.innerText();
      expect.soft(text.match(/\d+/g), entity.entity).toEqual([entity.total, entity.high_risk, entity.unowned, entity.no_policy]);
    }
    await page.getByRole("row", { name: /Claude Code/ }).waitFor();
    await picture(page, "assets", true);
  });

  test("INV-016: an asset shows its evidence and takes a decision that is kept with its author", async () => {
    const page = await visit("/inventory/assets?kind=model_server");
    const row = page.getByRole("row", { name: /ollama/ });
    await row.getByRole("button").click();
    const drawer = page.getByRole("dialog");
    await drawer.getByText("Port and process agree.").waitFor();
    await drawer.getByText("port.ollama").waitFor();
    await drawer.getByText("sanctioned", { exact: true }).last().click();
    await drawer.getByLabel("Owner").fill("ml-team");
    await drawer.getByLabel("Reason").fill("reviewed in SEC-42");
    await drawer.getByRole("button", { name: "Save decision" }).click();
    await drawer.getByText("“reviewed in SEC-42”").waitFor();
    await picture(page, "asset-drawer");
    await page.keyboard.press("Escape");
    await row.getByText("ml-team").waitFor();
    const list = await visits.collector.get("/api/v1/assets?owner=ml-team");
    expect(list["assets"].length).toBe(1);
    expect(list["assets"][0].state).toBe("sanctioned");
    expect(list["assets"][0].changed_by).toMatch(/^bootstrap \([0-9a-f]{8}\)$/);
  });

  test("assets can be filtered, and the address keeps the filter", async () => {
    const page = await visit("/inventory/assets?state=sanctioned");
    await page.getByRole("row", { name: /ollama/ }).waitFor();
    expect(await page.locator("table[class*=data-table] tbody tr").count()).toBe(1);
    await page.reload();
    await page.getByRole("row", { name: /ollama/ }).waitFor();
    await page.getByLabel("stale").click();
    await page.getByText("No assets fit this filter").waitFor();
  });

  test("an MCP server shows its tools and how one of them changed", async () => {
    const page = await visit("/mcp");
    const row = page.getByRole("row", { name: new RegExp(SERVER) });
    await row.getByText("2 changes").waitFor();
    await picture(page, "mcp");
    await row.getByRole("button").click();
    const changes = page.getByRole("region", { name: "Changes" });
    await changes.waitFor();
    const text = await changes.innerText();
    for (const words of [DRIFT.before.slice(0, 12), DRIFT.after.slice(0, 12), "read_invoice", "run_shell", "added", "description"]) expect.soft(text).toContain(words);
    await picture(page, "mcp-server");
    await page.getByRole("button", { name: "Close server" }).click();
    await page.getByRole("dialog").waitFor({ state: "detached" });
  });

  test("INV-013: the topology leads from the agent to model, tool, data and service", async () => {
    const page = await visit(`/topology?agent=${encodeURIComponent(CODER)}`);
    await page.getByTestId("topology").locator(".react-flow__node").first().waitFor();
    const names = await page.getByTestId("topology").locator(".topo-name").allInnerTexts();
    for (const name of [CODER, "claude-opus-4-5", SERVER, "read_invoice", "sensitive", "anthropic", "api.anthropic.com:443", "chroma"]) expect.soft(names).toContain(name);
    const { edges } = await visits.collector.get(`/api/v1/topology?agent_id=${encodeURIComponent(CODER)}`);
    await page.getByTestId("topology").locator(".react-flow__edge").first().waitFor({ state: "attached" });
    expect(await page.getByTestId("topology").locator(".react-flow__edge").count()).toBe(edges.length);
    await picture(page, "topology", true);
    await page.getByTestId("topology").getByText("sensitive").click();
    await page.getByRole("heading", { name: "Edges of sensitive" }).waitFor();
    expect(await page.locator("tbody tr").count()).toBe(1);
  });

  test("INV-013: a new edge is on the screen within 15 seconds", async () => {
    const page = await visit("/topology");
    await page.getByTestId("topology").locator(".react-flow__node").first().waitFor();
    await sensor.report([toolCall(Date.now(), "pay_invoice")]);
    await page.getByTestId("topology").getByText("pay_invoice").waitFor({ timeout: 15_000 });
  });

  test("coverage says what was seen and why the rest was not", async () => {
    const page = await visit("/coverage");
    const row = page.getByRole("row", { name: /shadow-cli/ });
    await row.getByText("no site for a probe is known").waitFor();
    expect(await row.innerText()).toMatch(/0 %/);
    expect(await page.getByRole("row", { name: /bin\/claude/ }).innerText()).toMatch(/96 %/);
    await picture(page, "coverage", true);
    await page.getByText("Agent", { exact: true }).click();
    await page.getByRole("row", { name: new RegExp(CODER) }).waitFor();
  });

  test("domains are listed by program", async () => {
    const page = await visit("/inventory/names");
    const row = page.getByRole("row", { name: /api\.anthropic\.com/ });
    await row.waitFor();
    expect(await row.innerText()).toMatch(/sni[\s\S]*anthropic[\s\S]*bin\/claude/);
  });

  test("the event feed has words for what sensors report", async () => {
    const page = await visit("/events");
    for (const words of ["MCP: read_invoice at invoices", "Tools of invoices: 3 tools", "TLS seen in plaintext: 96 %", "read: /home/carol/.ssh/id_ed25519", "Name api.anthropic.com",
      "Tampering: ptrace of aispm-sensord", "Would apply: refused connection to 203.0.113.66:443, 3 times", "Coding agent: Claude Code", "Connection ended: api.anthropic.com"]) {
      await page.getByText(words).first().waitFor();
    }
    await picture(page, "fleet-events", true);
  });

  const PAGES = [["/", "Unsanctioned assets"], ["/inventory/assets", "Claude Code"], ["/mcp", SERVER], ["/mcp/m1", "What changed"], ["/topology", "claude-opus-4-5"], ["/coverage", "shadow-cli"]] as const;

  test.each(["light", "dark"] as const)("pages have no serious accessibility fault in %s", async (colorScheme) => {
    const page = await visit("/", { colorScheme });
    for (const [path, ready] of PAGES) {
      await page.goto(`${visits.collector.url}/#${path}`);
      await page.getByText(ready).first().waitFor();
      await page.waitForTimeout(300);
      expect.soft(await accessibilityFaults(page), path).toEqual([]);
      await picture(page, `${colorScheme}-fleet${path.replaceAll("/", "-")}`, true);
    }
  });

  test("pages keep within a phone's screen", async () => {
    const page = await visit("/", { width: 390, height: 844 });
    for (const [path, ready] of PAGES) {
      await page.goto(`${visits.collector.url}/#${path}`);
      await page.getByText(ready).first().waitFor();
      await page.waitForTimeout(300);
      expect.soft(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth), path).toBeLessThanOrEqual(0);
      await picture(page, `phone-fleet${path.replaceAll("/", "-")}`, true);
    }
  });

  test("an asset that does not exist is an error that says so", async () => {
    const page = await visit(`/inventory/assets?asset=a99999`);
    await page.getByRole("alert").getByText("Not found").waitFor();
  });
});
