// SPDX-License-Identifier: Apache-2.0
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, test, vi } from "vitest";
import { Api, restRequest } from "../src/api/client";
import { Operator } from "../src/api/gen/aispm/v1/api_pb";
import { EventSchema } from "../src/api/gen/aispm/v1/event_pb";
import { TopologyEdgeSchema, TopologyNodeSchema } from "../src/api/gen/aispm/v1/inventory_pb";
import { describe as describeEvent } from "../src/events/describe";
import { assetKind, shareOf } from "../src/events/describe-fleet";
import { chooseNodes, COLUMN_WIDTH, MAX_DRAWN_NODES, place, ROW_HEIGHT, rowCount } from "../src/topology/layout";

const { method } = Operator;
const told = (body: MessageInitShape<typeof EventSchema>["body"]) => describeEvent(create(EventSchema, { body: body! }));

describe("a call that changes something", () => {
  test("is a POST with its path field in the path and the rest as JSON", () =>
    expect(restRequest(method.setAssetState, { id: "a1/2", state: "sanctioned", owner: "", reason: "why" })).toEqual({
      verb: "POST", url: "/api/v1/assets/a1%2F2/state", body: '{"state":"sanctioned","owner":"","reason":"why"}',
    }));
  test("leaves the owner alone when none is given", () => expect(restRequest(method.setAssetState, { id: "a1", state: "ignored" }).body).toBe('{"state":"ignored"}'));
  test("may be a DELETE", () => expect(restRequest(method.revokeAgentKey, { keyId: "k1" })).toEqual({ verb: "DELETE", url: "/api/v1/agent-keys/k1" }));
  test("is sent with its type", async () => {
    const fetch = vi.fn<typeof globalThis.fetch>(async () => new Response("{}"));
    await new Api({ token: () => "t", fetch }).call(method.setAssetState, { id: "a1", state: "ignored" });
    const [url, request] = fetch.mock.calls[0]!;
    expect([url, request?.method, request?.body]).toEqual(["/api/v1/assets/a1/state", "POST", '{"state":"ignored"}']);
    expect(request?.headers).toEqual({ Authorization: "Bearer t", "Content-Type": "application/json" });
  });
});

describe("what sensors report", () => {
  test("a monitored order never reads as if it had been applied", () => {
    const monitored = told({ case: "enforcement", value: { action: "refuse_connect", target: "203.0.113.1:443", mode: "monitor", orderId: "o1", count: 2n } });
    expect([monitored.title, monitored.detail, monitored.tone]).toEqual(["Would apply: refused connection to 203.0.113.1:443, 2 times", "order o1 · monitor: not applied", "neutral"]);
    expect(told({ case: "enforcement", value: { action: "kill", target: "pid 7", mode: "enforce", orderId: "o1" } })).toMatchObject({ title: "Killed: pid 7", tone: "bad" });
  });
  test("a changed tool is louder than a new one, and a first list says nothing", () => {
    expect(told({ case: "mcpTools", value: { serverName: "files", changed: ["read"] } })).toMatchObject({ detail: "changed read", tone: "bad" });
    expect(told({ case: "mcpTools", value: { serverName: "files", added: ["run"] } })).toMatchObject({ detail: "added run", tone: "warn" });
    expect(told({ case: "mcpTools", value: { serverName: "files" } })).toMatchObject({ detail: "first list", tone: "info" });
  });
  test("coverage names the first gap", () =>
    expect(told({ case: "tlsCoverage", value: { wireBytes: 2048n, plaintextBytes: 512n, gaps: [{ library: "ring", reason: "no site" }] } })).toMatchObject({ title: "TLS seen in plaintext: 25 % of 2.0 KiB", detail: "ring: no site", tone: "warn" }));
  test("a call past the gateway stands out", () => {
    const call = told({ case: "llmCall", value: { provider: "openai", requestModel: "gpt-x", status: 200, route: "direct" } });
    expect(call.detail).toContain("past the gateway");
    expect(call.tone).toBe("warn");
    expect(told({ case: "llmCall", value: { provider: "openai", status: 200, route: "gateway" } }).tone).toBe("info");
  });
  test("a call says that another provider answered, nobody was asked, or nobody got the reply", () => {
    const detail = (value: object) => told({ case: "llmCall", value: { provider: "openai", status: 200, upstream: "spare", ...value } }).detail;
    expect(detail({ fallback: true })).toContain("fallback to spare");
    expect(detail({ cached: true })).toContain("cached");
    expect(detail({ shadowOf: "0199" })).toContain("shadow");
    expect(detail({})).toBe("HTTP 200 · 0 tokens");
  });
  test("sensitive files and tampering are alarms", () => {
    expect(told({ case: "fileAccess", value: { path: "/etc/shadow", operation: "read", fileClass: "sensitive" } }).tone).toBe("bad");
    expect(told({ case: "fileAccess", value: { path: "/tmp/x", operation: "read", fileClass: "other" } }).tone).toBe("neutral");
    expect(told({ case: "tamper", value: { kind: "probe_detached", target: "SSL_write" } })).toMatchObject({ title: "Tampering: probe detached of SSL_write", tone: "critical" });
  });
  test("kinds have names, also those that are not known yet", () => expect([assetKind("gpu_user"), assetKind("robot_arm")]).toEqual(["GPU user", "robot arm"]));
  test("a share is between 0 and 1, and 0 without bytes", () => expect([shareOf(1n, 0n), shareOf(1n, 4n), shareOf(9n, 4n)]).toEqual([0, 0.25, 1]));
});

describe("the layout of a topology", () => {
  const nodes = [["n1", "agent"], ["n2", "model"], ["n3", "mcp_server"], ["n4", "tool"], ["n5", "provider"], ["n6", "data"], ["n7", "service"], ["n8", "robot"]]
    .map(([id, kind]) => create(TopologyNodeSchema, { id: id!, kind: kind!, name: id! }));
  const edges = [["n1", "n2"], ["n1", "n3"], ["n2", "n4"], ["n2", "n5"], ["n1", "n6"], ["n1", "n7"]].map(([from, to]) => create(TopologyEdgeSchema, { from: from!, to: to!, count: 1n }));
  const at = new Map(place(nodes, edges).map(({ node, x, y }) => [node.id, { x, y }]));

  test("goes from agents over models to tools and providers", () => expect(["n1", "n2", "n4", "n5"].map((id) => at.get(id)!.x / COLUMN_WIDTH)).toEqual([0, 1, 2, 3]));
  test("puts data below the chain and services below data", () => {
    const chain = Math.max(...["n1", "n2", "n3", "n4", "n5"].map((id) => at.get(id)!.y));
    expect(at.get("n6")!.y).toBeGreaterThan(chain);
    expect(at.get("n7")!.y).toBeGreaterThan(at.get("n6")!.y);
  });
  test("gives no two nodes the same place, and kinds it does not know one too", () => expect(new Set([...at.values()].map(({ x, y }) => `${x}/${y}`)).size).toBe(nodes.length));
  test("leaves no empty column", () => expect(place([nodes[0]!, nodes[6]!], []).map(({ x }) => x)).toEqual([0, COLUMN_WIDTH]));
  test("knows how high it is", () => expect(rowCount(place(nodes, edges)) * ROW_HEIGHT).toBeGreaterThan(at.get("n7")!.y));
  test("draws the most used nodes when there are too many", () => {
    const many = Array.from({ length: MAX_DRAWN_NODES + 10 }, (_, index) => create(TopologyNodeSchema, { id: `m${index}`, kind: "tool", name: `m${index}` }));
    const chosen = chooseNodes(many, [create(TopologyEdgeSchema, { from: "x", to: `m${MAX_DRAWN_NODES + 9}`, count: 5n })]);
    expect([chosen.length, chosen[0]?.id]).toEqual([MAX_DRAWN_NODES, `m${MAX_DRAWN_NODES + 9}`]);
  });
});
