// SPDX-License-Identifier: Apache-2.0
// The fleet's health in a few words. Pure.
import type { Status } from "./api/gen/aispm/v1/api_pb";
import { plural } from "./format";

export type HealthTone = "good" | "warn" | "bad" | "idle";

// The collector's own state and that of every component: one that is away or unwell must not hide behind a well collector.
export function healthOf({ state, components }: Pick<Status, "state" | "components">): [text: string, tone: HealthTone] {
  const away = components.filter(({ connected }) => !connected).length;
  const degraded = components.filter(({ connected, health }) => connected && health !== undefined && health.state !== "ok").length;
  if (away > 0) return [`${plural(away, "component")} not connected`, "bad"];
  if (state !== "ok") return ["Collector degraded", "warn"];
  if (degraded > 0) return [`${plural(degraded, "component")} degraded`, "warn"];
  if (components.length === 0) return ["No components yet", "idle"];
  return [`${plural(components.length, "component")} connected`, "good"];
}
