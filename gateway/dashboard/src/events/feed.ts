// SPDX-License-Identifier: Apache-2.0
// Stored events and the live stream joined into one list, newest first.
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Event } from "../api/gen/aispm/v1/event_pb";

// Most rows kept in the page; older ones are still in the store and can be filtered for.
export const MAX_FEED_EVENTS = 1000;

export interface FeedSnapshot {
  readonly events: readonly Event[];
  // Events that arrived while the list stands still.
  readonly waiting: number;
  // Whether older events were dropped from the list to keep it within MAX_FEED_EVENTS.
  readonly cut: boolean;
}

export const EMPTY_FEED: FeedSnapshot = { events: [], waiting: 0, cut: false };

function newestFirst(left: Event, right: Event): number {
  const leftTime = left.time ? timestampMs(left.time) : 0;
  const rightTime = right.time ? timestampMs(right.time) : 0;
  if (leftTime !== rightTime) return rightTime - leftTime;
  return left.id < right.id ? 1 : left.id > right.id ? -1 : 0;
}

// Adds events that are not there yet; an id is shown once, however often it is delivered.
export function merge(list: readonly Event[], added: readonly Event[]): { events: Event[]; cut: boolean } {
  const byId = new Map(list.map((event) => [event.id, event]));
  for (const event of added) byId.set(event.id, event);
  const events = [...byId.values()].sort(newestFirst);
  return { events: events.slice(0, MAX_FEED_EVENTS), cut: events.length > MAX_FEED_EVENTS };
}

export class EventFeed {
  #shown: Event[] = [];
  #held: Event[] = [];
  #paused = false;
  #cut = false;

  // Takes events of the store or of the stream, in any order.
  add(events: readonly Event[]): void {
    if (this.#paused) {
      const known = new Set(this.#shown.map((event) => event.id));
      const merged = merge(this.#held, events.filter((event) => !known.has(event.id)));
      this.#held = merged.events;
      this.#cut ||= merged.cut;
      return;
    }
    const merged = merge(this.#shown, events);
    this.#shown = merged.events;
    this.#cut ||= merged.cut;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    const held = this.#held;
    this.#held = [];
    this.add(held);
  }

  snapshot(): FeedSnapshot {
    return { events: this.#shown, waiting: this.#held.length, cut: this.#cut };
  }
}
