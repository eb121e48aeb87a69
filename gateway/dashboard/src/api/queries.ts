// SPDX-License-Identifier: Apache-2.0
// What pages read, as cached queries. Every number shown comes out of one of these.
import type { DescMessage, DescMethodUnary, MessageInitShape } from "@bufbuild/protobuf";
import { infiniteQueryOptions, QueryCache, QueryClient, queryOptions } from "@tanstack/react-query";
import { Api } from "./client";
import { ApiError } from "./errors";
import { Operator, type ListRequestSchema } from "./gen/aispm/v1/api_pb";
import { TokenStore } from "./token";

const REFRESH_MS = 10_000;
const PAGE_SIZE = 100;
const MAX_RETRIES = 1;

export const tokens = new TokenStore(window.sessionStorage);

export const api = new Api({ token: () => tokens.snapshot().token, onRefused: () => tokens.signOut("refused") });

// As the library's own hash, for keys that hold 64-bit numbers, too.
function hashKey(key: readonly unknown[]): string {
  return JSON.stringify(key, (_, value: unknown) => {
    if (typeof value === "bigint") return `${value}n`;
    if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
    return Object.fromEntries(Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1)));
  });
}

export const queryClient = new QueryClient({
  queryCache: new QueryCache(),
  defaultOptions: {
    queries: {
      queryKeyHashFn: hashKey,
      staleTime: 2_000,
      // The collector is on the same host as a rule: the browser's own idea of being offline says nothing about it.
      networkMode: "always",
      retry: (failures, error) => failures < MAX_RETRIES && error instanceof ApiError && error.isTransient,
      retryDelay: 1_000,
    },
  },
});

const { method } = Operator;

export const overviewQuery = (hours: number) =>
  queryOptions({
    queryKey: ["overview", hours],
    queryFn: ({ signal }) => api.call(method.getOverview, { hours }, signal),
    refetchInterval: REFRESH_MS,
  });

export const spendQuery = (by: string, days: number) =>
  queryOptions({
    queryKey: ["spend", by, days],
    queryFn: ({ signal }) => api.call(method.getSpend, { by, days }, signal),
    refetchInterval: REFRESH_MS,
  });

export const statusQuery = () =>
  queryOptions({
    queryKey: ["status"],
    queryFn: ({ signal }) => api.call(method.getStatus, {}, signal),
    refetchInterval: REFRESH_MS,
  });

export interface EventFilter {
  readonly kind: string;
  readonly agentId: string;
  readonly sessionId: string;
}

// Newest events that carry a detection or a decision other than ALLOW, for the overview.
export const recentQuery = (list: "detections" | "decisions", pageSize: number) =>
  queryOptions({
    queryKey: [list, pageSize],
    queryFn: ({ signal }) =>
      api.call(list === "detections" ? method.listDetections : method.listDecisions, { pageSize }, signal),
    refetchInterval: REFRESH_MS,
  });

export const sessionQuery = (sessionId: string) =>
  queryOptions({
    queryKey: ["session", sessionId],
    queryFn: ({ signal }) => api.call(method.getSession, { sessionId }, signal),
    // A finished run may still get late records of the sensor, but not for long.
    refetchInterval: (query) => (query.state.data?.session?.running === false ? REFRESH_MS * 3 : 2_000),
  });

// Any paged list with its own filters.
export function pagedQuery<I extends DescMessage, O extends DescMessage>(list: DescMethodUnary<I, O>, input: MessageInitShape<I>) {
  return infiniteQueryOptions({
    queryKey: ["list", list.name, input],
    queryFn: ({ signal, pageParam }) => api.call(list, { ...(input as object), pageSize: PAGE_SIZE, pageToken: pageParam } as unknown as MessageInitShape<I>, signal),
    initialPageParam: "",
    getNextPageParam: (last) => ("nextPageToken" in last && (last.nextPageToken as string)) || undefined,
    refetchInterval: REFRESH_MS,
  });
}

// One answer, asked for again while it is shown.
export function answerQuery<I extends DescMessage, O extends DescMessage>(call: DescMethodUnary<I, O>, input: MessageInitShape<I>, refetchInterval = REFRESH_MS) {
  return queryOptions({ queryKey: [call.name, input], queryFn: ({ signal }) => api.call(call, input, signal), refetchInterval });
}

// A paged list, read page by page as the operator asks for more; `search` is a part of a name.
export function listQuery<O extends DescMessage>(list: DescMethodUnary<typeof ListRequestSchema, O>, search: string) {
  return infiniteQueryOptions({
    queryKey: ["list", list.name, search],
    queryFn: ({ signal, pageParam }) =>
      api.call(list, { query: search, pageSize: PAGE_SIZE, pageToken: pageParam }, signal),
    initialPageParam: "",
    getNextPageParam: (last) => ("nextPageToken" in last && (last.nextPageToken as string)) || undefined,
    refetchInterval: REFRESH_MS,
  });
}
