// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test, vi } from "vitest";
import { Api, restUrl } from "../src/api/client";
import { ApiError } from "../src/api/errors";
import { Operator } from "../src/api/gen/aispm/v1/api_pb";

const { method } = Operator;

function answering(status: number, body: string) {
  return vi.fn<typeof fetch>(async () => new Response(body, { status }));
}

async function failure(promise: Promise<unknown>): Promise<ApiError> {
  const error = await promise.then(() => undefined, (reason: unknown) => reason);
  if (!(error instanceof ApiError)) throw new Error(`no ApiError but ${String(error)}`);
  return error;
}

describe("a call's address", () => {
  test("has the request's fields as its query, by their proto names", () =>
    expect(restUrl(method.listEvents, { kind: "llm_call", agentId: "alice/a b&c.py", pageSize: 50 })).toBe("/api/v1/events?page_size=50&kind=llm_call&agent_id=alice%2Fa+b%26c.py"));
  test("leaves out what is not set", () => expect(restUrl(method.listHosts, {})).toBe("/api/v1/hosts"));
  test("has path fields in their place, escaped", () => expect(restUrl(method.getSession, { sessionId: "../status?x" })).toBe("/api/v1/sessions/..%2Fstatus%3Fx"));
  test("needs its path fields", () => expect(() => restUrl(method.getSession, {})).toThrow(/session_id/));
  test("exists for reading calls only", () => expect(() => restUrl(method.createAgentKey, {})).toThrow(/no GET route/));
});

describe("an answer", () => {
  test("is read with defaults, big numbers and unknown fields", async () => {
    const fetch = answering(200, '{"hosts":"3","llm_calls":"9007199254740993","later_field":{"x":1},"calls_by_provider":[{"name":"openai","count":"2"}]}');
    const overview = await new Api({ token: () => "t0ken", fetch }).call(method.getOverview, { hours: 24 });
    expect([overview.hosts, overview.llmCalls, overview.denied, overview.callsByProvider[0]?.count]).toEqual([3n, 9007199254740993n, 0n, 2n]);
    const [url, request] = fetch.mock.calls[0]!;
    expect(url).toBe("/api/v1/overview?hours=24");
    expect(request?.headers).toEqual({ Authorization: "Bearer t0ken" });
  });
  test.each(["", "<html>", "[]", '{"hosts":"many"}', '{"calls_by_provider":{}}'])("that is %j is malformed", async (body) =>
    expect((await failure(new Api({ token: () => "t", fetch: answering(200, body) }).call(method.getOverview, {}))).kind).toBe("malformed"));
});

describe("a failed call", () => {
  test.each([[401, "refused"], [403, "forbidden"], [404, "missing"], [400, "invalid"], [500, "failed"], [503, "failed"]] as const)("with HTTP %i is %s", async (status, kind) => {
    const error = await failure(new Api({ token: () => "t", fetch: answering(status, '{"error":{"message":"because"}}') }).call(method.getStatus, {}));
    expect([error.kind, error.message, error.status]).toEqual([kind, "because", status]);
  });
  test("without a JSON body tells its status", async () =>
    expect((await failure(new Api({ token: () => "t", fetch: answering(502, "<html>") }).call(method.getStatus, {}))).message).toContain("502"));
  test("reports a refused token, and only that", async () => {
    const onRefused = vi.fn();
    await failure(new Api({ token: () => "t", fetch: answering(403, ""), onRefused }).call(method.getStatus, {}));
    expect(onRefused).not.toHaveBeenCalled();
    await failure(new Api({ token: () => null, fetch: answering(401, ""), onRefused }).call(method.getStatus, {}));
    expect(onRefused).toHaveBeenCalledOnce();
  });
  test("without any answer is unreachable and worth another try", async () => {
    const fetch = vi.fn<typeof globalThis.fetch>(async () => Promise.reject(new TypeError("refused")));
    const error = await failure(new Api({ token: () => "t", fetch }).call(method.getStatus, {}));
    expect([error.kind, error.isTransient]).toEqual(["unreachable", true]);
  });
  test("that its caller gave up is no error of the API", async () => {
    const control = new AbortController();
    control.abort();
    const fetch = vi.fn<typeof globalThis.fetch>(async () => Promise.reject(new DOMException("aborted", "AbortError")));
    await expect(new Api({ token: () => "t", fetch }).call(method.getStatus, {}, control.signal)).rejects.toHaveProperty("name", "AbortError");
  });
});

describe("a stream", () => {
  function streaming(chunks: readonly string[]) {
    return vi.fn<typeof fetch>(async () => new Response(new ReadableStream<Uint8Array>({
      start(control) {
        for (const chunk of chunks) control.enqueue(new TextEncoder().encode(chunk));
        control.close();
      },
    })));
  }
  async function follow(chunks: readonly string[]) {
    const seen: string[] = [];
    const onOpen = vi.fn();
    const api = new Api({ token: () => "t", fetch: streaming(chunks) });
    const ended = api.stream(method.streamEvents, {}, { onOpen, onMessage: ({ id }) => seen.push(id) }, new AbortController().signal);
    const error = await ended.then(() => undefined, (reason: unknown) => reason as ApiError);
    return { seen, error, opened: onOpen.mock.calls.length };
  }
  const text = ': hello\n\ndata: {"id":"a","agent_log":{"message":"ä"}}\n\n: alive\n\ndata: {"id":"b"}\n\n';
  test("gives its events in order, wherever it is cut", async () => {
    for (let cut = 1; cut < text.length; cut += 1) {
      expect(await follow([text.slice(0, cut), text.slice(cut)])).toEqual({ seen: ["a", "b"], error: undefined, opened: 1 });
    }
  });
  test("that lost events says so, and what came before stays", async () => {
    const { seen, error } = await follow([text, 'event: dropped\ndata: {"dropped":7}\n\n']);
    expect([seen, error?.kind]).toEqual([["a", "b"], "unreachable"]);
  });
  test("with a malformed event ends as malformed", async () => expect((await follow(["data: {nope\n\n"])).error?.kind).toBe("malformed"));
  test("with an endless line ends instead of growing", async () =>
    expect((await follow(Array.from({ length: 80 }, () => "data: " + "x".repeat(64 << 10)))).error?.kind).toBe("malformed"));
});
