// SPDX-License-Identifier: Apache-2.0
// Calls of the Operator service over REST. Paths, parameters and shapes all come from the generated descriptors: there is no
// second copy of the API here.
import {
  create,
  fromJson,
  getOption,
  toJson,
  type DescMessage,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type JsonValue,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { createParser } from "eventsource-parser";
import { ApiError, errorFromReply, unreachable } from "./errors";
import { rest } from "./gen/aispm/v1/options_pb";

// Longest stored event with room to spare; a line beyond it ends the stream with an error instead of eating memory.
const MAX_STREAM_LINE_CHARS = 4 << 20;
const CALL_TIMEOUT_MS = 20_000;

export interface ApiOptions {
  // Origin of the API; empty for the page's own.
  readonly base?: string;
  readonly token: () => string | null;
  // Called when a call is answered with 401.
  readonly onRefused?: () => void;
  readonly fetch?: typeof fetch;
}

type ReadMethod<I extends DescMessage> = DescMethodUnary<I> | DescMethodServerStreaming<I>;

interface RestRequest {
  readonly verb: "GET" | "POST" | "DELETE";
  readonly url: string;
  // JSON of the fields that are not in the path; POST only.
  readonly body?: string;
}

// A call as HTTP, by its REST rule.
export function restRequest<I extends DescMessage>(method: ReadMethod<I>, input: MessageInitShape<I>): RestRequest {
  const path = getOption(method, rest).path;
  if (path.case === undefined) throw new Error(`${method.name} has no route`);
  const fields = toJson(method.input, create(method.input, input), { useProtoFieldName: true }) as Record<string, JsonValue>;
  const url = path.value.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = fields[name];
    if (typeof value !== "string" || value === "") throw new Error(`${method.name} needs ${name}`);
    delete fields[name];
    return encodeURIComponent(value);
  });
  if (path.case === "post") return { verb: "POST", url, body: JSON.stringify(fields) };
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) query.set(name, String(value));
  return { verb: path.case === "get" ? "GET" : "DELETE", url: query.size > 0 ? `${url}?${query}` : url };
}

// Path and query of a call whose REST rule is a `get`.
export function restUrl<I extends DescMessage>(method: ReadMethod<I>, input: MessageInitShape<I>): string {
  const { verb, url } = restRequest(method, input);
  if (verb !== "GET") throw new Error(`${method.name} has no GET route`);
  return url;
}

export class Api {
  constructor(private readonly options: ApiOptions) {}

  // One answer. Throws ApiError, or the signal's own error when the caller gave up.
  async call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    input: MessageInitShape<I>,
    signal?: AbortSignal,
  ): Promise<MessageShape<O>> {
    const deadline = AbortSignal.timeout(CALL_TIMEOUT_MS);
    const reply = await this.#send(method, input, signal ? AbortSignal.any([signal, deadline]) : deadline, signal);
    let text: string;
    try {
      text = await reply.text();
    } catch {
      signal?.throwIfAborted();
      throw unreachable();
    }
    return decode(method.output, text);
  }

  // Messages as they come, until the collector or the signal ends the stream. `onOpen` is called once, before the first one.
  async stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    input: MessageInitShape<I>,
    handlers: { onOpen: () => void; onMessage: (message: MessageShape<O>) => void },
    signal: AbortSignal,
  ): Promise<void> {
    const reply = await this.#send(method, input, signal, signal);
    if (!reply.body) throw unreachable();
    handlers.onOpen();
    let broken: ApiError | undefined;
    const parser = createParser({
      maxBufferSize: MAX_STREAM_LINE_CHARS,
      onEvent: (event) => {
        if (event.event === "dropped") {
          broken = new ApiError("unreachable", "Events came faster than this page could take them.");
        } else if (event.data && !broken) {
          handlers.onMessage(decode(method.output, event.data));
        }
      },
      onError: (error) => {
        if (error.type === "max-buffer-size-exceeded") broken = new ApiError("malformed", "The event stream sent a line that is too long.");
      },
    });
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        parser.feed(value);
        if (broken) throw broken;
      }
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof ApiError ? error : unreachable();
    } finally {
      reader.cancel().catch(() => undefined);
    }
  }

  async #send<I extends DescMessage>(
    method: ReadMethod<I>,
    input: MessageInitShape<I>,
    signal: AbortSignal,
    callerSignal: AbortSignal | undefined,
  ): Promise<Response> {
    const { verb, url, body } = restRequest(method, input);
    let reply: Response;
    try {
      reply = await (this.options.fetch ?? fetch)((this.options.base ?? "") + url, {
        ...(verb === "GET" ? {} : { method: verb }),
        ...(body === undefined ? {} : { body }),
        headers: { Authorization: `Bearer ${this.options.token() ?? ""}`, ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
        cache: "no-store",
        credentials: "omit",
        signal,
      });
    } catch {
      callerSignal?.throwIfAborted();
      throw unreachable();
    }
    if (reply.ok) return reply;
    const error = errorFromReply(reply.status, await reply.text().catch(() => ""));
    if (error.kind === "refused") this.options.onRefused?.();
    throw error;
  }
}

function decode<O extends DescMessage>(shape: O, text: string): MessageShape<O> {
  try {
    return fromJson(shape, JSON.parse(text) as JsonValue, { ignoreUnknownFields: true });
  } catch (error) {
    throw new ApiError("malformed", `The answer is not a valid ${shape.name}: ${String(error).slice(0, 200)}`);
  }
}
