// SPDX-License-Identifier: Apache-2.0
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { ComponentSchema, NamedCountSchema, Operator, type Component } from "../src/api/gen/aispm/v1/api_pb";
import { Decision_Outcome, DecisionSchema, EventSchema, type Event } from "../src/api/gen/aispm/v1/event_pb";
import { cleanToken, tokenFromFragment, TokenStore } from "../src/api/token";
import { decisionLabel, describe as describeEvent, endpoint, EVENT_KINDS } from "../src/events/describe";
import { EventFeed, MAX_FEED_EVENTS } from "../src/events/feed";
import { healthOf } from "../src/health";
import { splitCalls, topCounts } from "../src/pages/overview-charts";

const event = (id: string, ms = 0): Event => create(EventSchema, { id, time: timestampFromMs(ms) });
const ids = (feed: EventFeed) => feed.snapshot().events.map(({ id }) => id);

describe("the feed", () => {
  test("shows each event once, newest first, whatever the order of delivery", () => {
    const feed = new EventFeed();
    feed.add([event("b", 2), event("a", 1)]);
    feed.add([event("c", 3), event("b", 2)]);
    expect(ids(feed)).toEqual(["c", "b", "a"]);
  });
  test("stands still while paused and counts what waits", () => {
    const feed = new EventFeed();
    feed.add([event("a", 1)]);
    feed.pause();
    feed.add([event("b", 2), event("a", 1)]);
    expect([ids(feed), feed.snapshot().waiting]).toEqual([["a"], 1]);
    feed.resume();
    expect([ids(feed), feed.snapshot().waiting]).toEqual([["b", "a"], 0]);
  });
  test("keeps the newest within its bound and says that it is cut", () => {
    const feed = new EventFeed();
    feed.add(Array.from({ length: MAX_FEED_EVENTS + 5 }, (_, index) => event(`e${index}`, index)));
    const { events, cut } = feed.snapshot();
    expect([events.length, events.at(-1)?.id, cut]).toEqual([MAX_FEED_EVENTS, "e5", true]);
  });
});

describe("the token", () => {
  class MemoryStorage implements Pick<Storage, "getItem" | "setItem" | "removeItem"> {
    readonly values = new Map<string, string>();
    getItem = (name: string) => this.values.get(name) ?? null;
    setItem = (name: string, value: string) => void this.values.set(name, value);
    removeItem = (name: string) => void this.values.delete(name);
  }
  const store = (storage = new MemoryStorage()) => new TokenStore(storage as unknown as Storage);
  test.each(["", " ", "a b", "a\nb", "ä", "x".repeat(513)])("%j is none", (text) => expect(cleanToken(text)).toBeNull());
  test.each([["#token=abc", "abc"], ["#token=a%2Bb", "a+b"], ["#token=", null], ["#token=%", null], ["#/events", null], ["", null]])("of the fragment %j is %j", (fragment, token) =>
    expect(tokenFromFragment(fragment)).toBe(token));
  test("leaves the address even when it is no good", () => {
    const seen: unknown[] = [];
    const tokens = store();
    tokens.acceptFragment({ hash: "#token=a%20b", pathname: "/", search: "" } as Location, { replaceState: (...args: unknown[]) => seen.push(args[2]) } as unknown as History);
    expect([seen, tokens.snapshot().token]).toEqual([["/#/"], null]);
  });
  test("is forgotten at logout and tells why", () => {
    const storage = new MemoryStorage();
    const tokens = store(storage);
    tokens.signIn("abc");
    expect(store(storage).snapshot().token).toBe("abc");
    tokens.signOut("refused");
    expect([tokens.snapshot(), storage.values.size]).toEqual([{ token: null, reason: "refused" }, 0]);
  });
});

describe("an event's words", () => {
  test("cover every kind of the API", () => {
    const bodies = EventSchema.oneofs.find(({ name }) => name === "body")!.fields;
    expect(Object.values(EVENT_KINDS).map(({ apiName }) => apiName).sort()).toEqual(bodies.map(({ name }) => name).sort());
    for (const field of bodies) {
      const { title } = describeEvent(create(EventSchema, { body: { case: field.localName, value: {} } } as never));
      expect(title, field.name).not.toMatch(/undefined|does not know/);
    }
  });
  test("never call a decision applied that was not", () => {
    const label = (mode: string) => decisionLabel(create(DecisionSchema, { outcome: Decision_Outcome.DENY, mode }));
    expect([label("enforce"), label("monitor"), label("")]).toEqual(["Denied", "Denied (monitor: not applied)", "Denied (mode unknown: not applied)"]);
  });
  test("put IPv6 addresses in brackets", () => expect([endpoint("::1", 80), endpoint("192.0.2.1", 80)]).toEqual(["[::1]:80", "192.0.2.1:80"]));
});

describe("the health word", () => {
  const component = (connected: boolean, state?: string): Component => create(ComponentSchema, { connected, ...(state !== undefined && { health: { state } }) });
  test.each([
    ["ok", [component(true, "ok")], "good"], ["ok", [component(true)], "good"], ["ok", [component(true, "degraded")], "warn"], ["degraded", [component(true, "ok")], "warn"],
    ["ok", [component(true, "ok"), component(false, "ok")], "bad"], ["ok", [], "idle"],
  ] as const)("of state %s is the worst of all parts", (state, components, tone) => expect(healthOf({ state, components: [...components] })[1]).toBe(tone));
});

describe("chart numbers", () => {
  test("split calls without losing one", () => expect(splitCalls({ calls: 10n, denied: 2n, redacted: 3n })).toEqual({ passed: 5, denied: 2, redacted: 3 }));
  test("sum what does not fit", () => {
    const counts = [5n, 4n, 3n, 2n, 1n].map((count, index) => create(NamedCountSchema, { name: `n${index}`, count }));
    expect(topCounts(counts, 3)).toEqual([{ name: "n0", count: 5 }, { name: "n1", count: 4 }, { name: "3 others", count: 6 }]);
  });
});

test("every call of the dashboard has a route that a viewer may use", async () => {
  const { getOption } = await import("@bufbuild/protobuf");
  const { rest } = await import("../src/api/gen/aispm/v1/options_pb");
  const { getOverview, getStatus, listHosts, listProcesses, listAgents, listProviders, listModels, listEvents, streamEvents, listDetections, listDecisions, listSessions, getSession } = Operator.method;
  for (const method of [getOverview, getStatus, listHosts, listProcesses, listAgents, listProviders, listModels, listEvents, streamEvents, listDetections, listDecisions, listSessions, getSession]) {
    expect([method.name, getOption(method, rest).path.case, getOption(method, rest).role]).toEqual([method.name, "get", "viewer"]);
  }
});
