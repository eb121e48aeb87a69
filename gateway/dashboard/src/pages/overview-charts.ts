// SPDX-License-Identifier: Apache-2.0
// Chart options out of API numbers. Pure.
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { NamedCount, TimeCount } from "../api/gen/aispm/v1/api_pb";

const MAX_BARS = 8;
const HOURS_WITH_CLOCK = 48;

const hourLabel = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const dayLabel = new Intl.DateTimeFormat("en-GB", { day: "2-digit", month: "short", hour: "2-digit" });

function palette(dark: boolean) {
  return dark
    ? { text: "#9aa4b0", line: "#30353d", calls: "#6c8cf5", denied: "#f26d6d", redacted: "#c58be0", tip: "#262a31", tipText: "#e6e9ed" }
    : { text: "#5b6570", line: "#e4e7eb", calls: "#4263d6", denied: "#d64545", redacted: "#9c4fb8", tip: "#ffffff", tipText: "#20252b" };
}

function base(dark: boolean) {
  const colors = palette(dark);
  return {
    colors,
    option: {
      aria: { enabled: false },
      tooltip: { trigger: "axis", axisPointer: { type: "shadow" }, backgroundColor: colors.tip, borderColor: colors.line, textStyle: { color: colors.tipText } },
    },
    category: { axisLabel: { color: colors.text, hideOverlap: true }, axisLine: { lineStyle: { color: colors.line } }, axisTick: { show: false } },
    value: { axisLabel: { color: colors.text }, splitLine: { lineStyle: { color: colors.line } }, minInterval: 1 },
  };
}

// Denied and redacted calls are part of all calls: the rest is what passed unchanged.
export function splitCalls({ calls, denied, redacted }: Pick<TimeCount, "calls" | "denied" | "redacted">) {
  const rest = Number(calls - denied - redacted);
  return { passed: Math.max(0, rest), denied: Number(denied), redacted: Number(redacted) };
}

export function callsOption(counts: readonly TimeCount[], hours: number, dark: boolean) {
  const { colors, option, category, value } = base(dark);
  const label = hours <= HOURS_WITH_CLOCK ? hourLabel : dayLabel;
  const split = counts.map(splitCalls);
  const series = (name: string, color: string, data: number[]) => ({ name, type: "bar", stack: "calls", color, data, barMaxWidth: 28 });
  return {
    ...option,
    grid: { left: 0, right: 8, top: 36, bottom: 0, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    legend: { top: 0, left: 0, itemWidth: 12, itemHeight: 12, icon: "roundRect", itemGap: 16, textStyle: { color: colors.text } },
    xAxis: { type: "category", data: counts.map(({ start }) => (start ? label.format(timestampDate(start)) : "")), ...category },
    yAxis: { type: "value", ...value },
    series: [
      series("Passed", colors.calls, split.map(({ passed }) => passed)),
      series("Redacted", colors.redacted, split.map(({ redacted }) => redacted)),
      series("Denied", colors.denied, split.map(({ denied }) => denied)),
    ],
  };
}

// The biggest ones by name; what does not fit is summed, not left out.
export function topCounts(counts: readonly NamedCount[], limit = MAX_BARS): { name: string; count: number }[] {
  const sorted = counts
    .map(({ name, count }) => ({ name: name ? name.replaceAll("_", " ") : "unnamed", count: Number(count) }))
    .sort((a, b) => b.count - a.count);
  if (sorted.length <= limit) return sorted;
  const rest = sorted.slice(limit - 1);
  return [...sorted.slice(0, limit - 1), { name: `${rest.length} others`, count: rest.reduce((sum, { count }) => sum + count, 0) }];
}

export function barsOption(counts: readonly NamedCount[], dark: boolean) {
  const { colors, option, category, value } = base(dark);
  const bars = topCounts(counts).reverse();
  return {
    ...option,
    grid: { left: 0, right: 40, top: 4, bottom: 0, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    xAxis: { type: "value", ...value, splitNumber: 3 },
    yAxis: { type: "category", data: bars.map(({ name }) => name), ...category, axisLabel: { ...category.axisLabel, width: 130, overflow: "truncate" } },
    series: [{ type: "bar", color: colors.calls, data: bars.map(({ count }) => count), barMaxWidth: 18, label: { show: true, position: "right", color: colors.text } }],
  };
}
