// SPDX-License-Identifier: Apache-2.0
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { NOTHING, formatAgo, formatBytes, formatCommand, formatCompact, formatCount, formatDurationMs, formatDurationUs, formatEventTime, formatOffset, formatUsd, plural, shortId } from "../src/format";

const NOW = Date.UTC(2026, 10, 21, 12, 0, 0);
const ago = (ms: number) => formatAgo(timestampFromMs(NOW - ms), NOW);

describe("counts", () => {
  test("are exact beyond what a double holds", () => expect(formatCount(9007199254740993n)).toBe("9,007,199,254,740,993"));
  test("are short from a million on", () => expect([formatCompact(999_999n), formatCompact(1_250_000n)]).toEqual(["999,999", "1.3M"]));
  test("agree with their noun", () => expect([plural(1n, "event"), plural(2, "event"), plural(0, "process", "processes")]).toEqual(["1 event", "2 events", "0 processes"]));
});

test.each([[0, "0 B"], [1023, "1023 B"], [1024, "1.0 KiB"], [1536n, "1.5 KiB"], [10 * 1024 * 1024, "10 MiB"], [3 * 1024 ** 4, "3.0 TiB"]])("%s bytes are %s", (bytes, text) =>
  expect(formatBytes(bytes)).toBe(text));

test.each([[0n, "0 µs"], [999n, "999 µs"], [2_400n, "2.4 ms"], [820_000n, "820 ms"], [1_900_000n, "1.9 s"], [65_000_000n, "1 min 5 s"]])("%s µs are %s", (us, text) =>
  expect(formatDurationUs(us)).toBe(text));

test("long durations keep two units", () => expect([formatDurationMs(3_661_000), formatDurationMs(90_061_000)]).toEqual(["1 h 1 min", "1 d 1 h"]));

describe("times", () => {
  test.each([[0, "just now"], [-5_000, "just now"], [12_000, "12 s ago"], [125_000, "2 min ago"], [7_200_000, "2 h ago"]])("%s ms ago is %s", (ms, text) =>
    expect(ago(ms)).toBe(text));
  test("beyond a day are dates", () => expect(ago(3 * 86_400_000)).toBe("18 Nov 2026"));
  test("that are absent are no zero", () => expect([formatAgo(undefined, NOW), formatOffset(undefined, 0), formatEventTime(undefined, NOW)]).toEqual([NOTHING, NOTHING, NOTHING]));
  test("of another day carry its date", () => {
    expect(formatEventTime(timestampFromMs(NOW - 1_000), NOW)).toMatch(/^\d\d:\d\d:\d\d\.\d{3}$/);
    expect(formatEventTime(timestampFromMs(NOW - 3 * 86_400_000), NOW)).toMatch(/^18 Nov 2026 /);
  });
  test("in a run count from its start, also before it", () =>
    expect([formatOffset(timestampFromMs(1_412), 1_000), formatOffset(timestampFromMs(900), 1_000), formatOffset(timestampFromMs(126_000), 1_000)]).toEqual(["+0.412 s", "−0.100 s", "+2 min 5 s"]));
});

test("a command can be typed again", () => expect(formatCommand(["sh", "-c", "echo it's", "a b", "x=1"])).toBe("sh -c 'echo it'\\''s' 'a b' x=1"));
test("an id keeps both ends", () => expect([shortId("01a1fc76-2c03-7111-8732-bfe79874ce11"), shortId("short")]).toEqual(["01a1fc76…ce11", "short"]));

test("money keeps what tells it from nothing", () => {
  expect(formatUsd(0n)).toBe("$0.00");
  expect(formatUsd(1n)).toBe("< $0.0001");
  expect(formatUsd(4_500_000n)).toBe("$0.0045");
  expect(formatUsd(1_234_567_890_000n)).toBe("$1,234.57");
});
