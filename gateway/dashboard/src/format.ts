// SPDX-License-Identifier: Apache-2.0
// Numbers and times as people read them. Absent values are an en dash, never a zero that nobody measured.
import { timestampDate, type Timestamp } from "@bufbuild/protobuf/wkt";

export const NOTHING = "–";

const LOCALE = "en-GB";
const whole = new Intl.NumberFormat(LOCALE);
// The short forms of en-GB differ between browsers ("1.2m", "1.2M").
const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });
const day = new Intl.DateTimeFormat(LOCALE, { day: "2-digit", month: "short", year: "numeric" });
const dayClock = new Intl.DateTimeFormat(LOCALE, {
  day: "2-digit", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
});

const MS_PER_SECOND = 1000;
const MS_PER_MINUTE = 60 * MS_PER_SECOND;
const MS_PER_HOUR = 60 * MS_PER_MINUTE;
const MS_PER_DAY = 24 * MS_PER_HOUR;

export function formatCount(value: bigint | number): string {
  return whole.format(value);
}

// "1.2M" from a million on; exact below.
export function formatCompact(value: bigint | number): string {
  return value >= 1_000_000 ? compact.format(value) : whole.format(value);
}

// US dollars from billionths of one: small amounts with all that tells them from nothing.
export function formatUsd(nano: bigint): string {
  const usd = Number(nano) / 1e9;
  if (nano !== 0n && usd < 0.0001) return "< $0.0001";
  return `$${usd.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: usd < 1 ? 4 : 2 })}`;
}

export function formatPercent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

export function formatBytes(value: bigint | number): string {
  let rest = Number(value);
  if (rest < 1024) return `${rest} B`;
  for (const unit of ["KiB", "MiB", "GiB"]) {
    rest /= 1024;
    if (rest < 1024) return `${rest.toFixed(rest < 10 ? 1 : 0)} ${unit}`;
  }
  return `${(rest / 1024).toFixed(1)} TiB`;
}

export function formatDurationUs(value: bigint | number): string {
  const us = Number(value);
  if (us < 1000) return `${us} µs`;
  if (us < 10_000) return `${(us / 1000).toFixed(1)} ms`;
  if (us < 1_000_000) return `${Math.round(us / 1000)} ms`;
  return formatDurationMs(us / 1000);
}

export function formatDurationMs(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < MS_PER_SECOND) return `${Math.round(ms)} ms`;
  if (ms < MS_PER_MINUTE) return `${(ms / MS_PER_SECOND).toFixed(1)} s`;
  if (ms < MS_PER_HOUR) return `${Math.floor(ms / MS_PER_MINUTE)} min ${Math.floor((ms % MS_PER_MINUTE) / MS_PER_SECOND)} s`;
  if (ms < MS_PER_DAY) return `${Math.floor(ms / MS_PER_HOUR)} h ${Math.floor((ms % MS_PER_HOUR) / MS_PER_MINUTE)} min`;
  return `${Math.floor(ms / MS_PER_DAY)} d ${Math.floor((ms % MS_PER_DAY) / MS_PER_HOUR)} h`;
}

export function formatClock(time: Timestamp | undefined): string {
  return time ? clock.format(timestampDate(time)) : NOTHING;
}

// The clock alone on the day of `nowMs`, with the date before it on any other day.
export function formatEventTime(time: Timestamp | undefined, nowMs: number): string {
  if (!time) return NOTHING;
  const date = timestampDate(time);
  return day.format(date) === day.format(nowMs) ? clock.format(date) : `${day.format(date)} ${clock.format(date)}`;
}

export function formatDateTime(time: Timestamp | undefined): string {
  return time ? dayClock.format(timestampDate(time)) : NOTHING;
}

// "12 s ago" within a day, the date beyond it. Clocks of hosts may be ahead of the browser's: "just now" then.
export function formatAgo(time: Timestamp | undefined, nowMs: number): string {
  if (!time) return NOTHING;
  const ms = nowMs - timestampDate(time).getTime();
  if (ms < 2 * MS_PER_SECOND) return "just now";
  if (ms < MS_PER_MINUTE) return `${Math.floor(ms / MS_PER_SECOND)} s ago`;
  if (ms < MS_PER_HOUR) return `${Math.floor(ms / MS_PER_MINUTE)} min ago`;
  if (ms < MS_PER_DAY) return `${Math.floor(ms / MS_PER_HOUR)} h ago`;
  return day.format(timestampDate(time));
}

// "+0.412 s" since the start of a run.
export function formatOffset(time: Timestamp | undefined, startMs: number): string {
  if (!time) return NOTHING;
  const seconds = (timestampDate(time).getTime() - startMs) / MS_PER_SECOND;
  const sign = seconds < 0 ? "−" : "+";
  const size = Math.abs(seconds);
  return size < 60 ? `${sign}${size.toFixed(3)} s` : `${sign}${formatDurationMs(size * MS_PER_SECOND)}`;
}

// The start of an id: enough to tell runs apart. Version 7 ids begin with the time, so the end is what differs.
export function shortId(id: string): string {
  return id.length > 13 ? `${id.slice(0, 8)}…${id.slice(-4)}` : id;
}

// A command line as one would type it again.
export function formatCommand(argv: readonly string[]): string {
  return argv.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(" ");
}

export function plural(count: bigint | number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${Number(count) === 1 ? one : many}`;
}
