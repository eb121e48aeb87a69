// SPDX-License-Identifier: Apache-2.0
import { useEffect, useRef, useState } from "react";
import { ApiError } from "../api/errors";
import { Operator } from "../api/gen/aispm/v1/api_pb";
import type { Event } from "../api/gen/aispm/v1/event_pb";
import { api, type EventFilter } from "../api/queries";
import { EMPTY_FEED, EventFeed, MAX_FEED_EVENTS, type FeedSnapshot } from "./feed";

// Stored events read at first, and after a loss of the stream: then as many as the list holds, so that it has no hole.
const HISTORY_SIZE = 100;
// The stream may bring thousands a second: the page is drawn four times a second.
const DRAW_MS = 250;
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 15_000;

export type LiveState =
  | { readonly kind: "connecting" }
  | { readonly kind: "live" }
  | { readonly kind: "lost"; readonly error: ApiError; readonly retryAt: number };

export interface LiveEvents extends FeedSnapshot {
  readonly state: LiveState;
  // Whether the stored events were read at least once.
  readonly loaded: boolean;
  readonly paused: boolean;
  readonly setPaused: (paused: boolean) => void;
}

function asApiError(error: unknown): ApiError {
  return error instanceof ApiError ? error : new ApiError("failed", String(error));
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}

// Opens the stream first and reads the stored events once it is open, so that nothing falls between the two; repeats both
// after every loss of the connection.
async function follow(
  filter: EventFilter,
  signal: AbortSignal,
  on: { state: (state: LiveState) => void; events: (events: Event[]) => void; loaded: () => void },
): Promise<void> {
  let pageSize = HISTORY_SIZE;
  let delay = FIRST_RETRY_MS;
  while (!signal.aborted) {
    const attempt = new AbortController();
    const attemptSignal = AbortSignal.any([signal, attempt.signal]);
    try {
      const opened = Promise.withResolvers<void>();
      const history = opened.promise.then(async () => {
        const list = await api.call(Operator.method.listEvents, { ...filter, pageSize }, attemptSignal);
        on.events(list.events);
        on.loaded();
        on.state({ kind: "live" });
        delay = FIRST_RETRY_MS;
        pageSize = MAX_FEED_EVENTS;
      });
      const stream = api
        .stream(Operator.method.streamEvents, filter, { onOpen: opened.resolve, onMessage: (event) => on.events([event]) }, attemptSignal)
        .catch((error: unknown) => {
          opened.reject(error);
          throw error;
        });
      await Promise.all([history, stream]);
      throw new ApiError("unreachable", "The collector closed the event stream.");
    } catch (error) {
      attempt.abort();
      if (signal.aborted) return;
      const failure = asApiError(error);
      on.state({ kind: "lost", error: failure, retryAt: Date.now() + delay });
      if (failure.kind === "refused") return;
    }
    await pause(delay, signal);
    delay = Math.min(delay * 2, MAX_RETRY_MS);
  }
}

// Events that fit the filter, live until the component goes away. A change of the filter starts anew.
export function useLiveEvents(filter: EventFilter): LiveEvents {
  const { kind, agentId, sessionId } = filter;
  const feed = useRef(new EventFeed());
  const [view, setView] = useState<FeedSnapshot>(EMPTY_FEED);
  const [state, setState] = useState<LiveState>({ kind: "connecting" });
  const [loaded, setLoaded] = useState(false);
  const [paused, setPausedState] = useState(false);

  useEffect(() => {
    const current = new EventFeed();
    feed.current = current;
    setView(EMPTY_FEED);
    setLoaded(false);
    setPausedState(false);
    setState({ kind: "connecting" });
    const control = new AbortController();
    let dirty = false;
    const draw = () => {
      if (dirty) setView(current.snapshot());
      dirty = false;
    };
    const timer = setInterval(draw, DRAW_MS);
    void follow({ kind, agentId, sessionId }, control.signal, {
      state: setState,
      events: (events) => {
        current.add(events);
        dirty = true;
      },
      loaded: () => {
        draw();
        setLoaded(true);
      },
    });
    return () => {
      control.abort();
      clearInterval(timer);
    };
  }, [kind, agentId, sessionId]);

  const setPaused = (next: boolean) => {
    if (next) feed.current.pause();
    else feed.current.resume();
    setPausedState(next);
    setView(feed.current.snapshot());
  };
  return { ...view, state, loaded, paused, setPaused };
}
