# SPDX-License-Identifier: Apache-2.0
"""The engine beside plain Python: the usual lists of regular expressions, in one run on the same texts.

Usage: bench_python_peer.py BENCH_DETECT. Rounds of engine (a process that prints its own figures) and peer alternate; JSON lines.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time

ROUNDS = 3
SIZES = {"100B": 100, "1KB": 1024, "10KB": 10_240, "76KB": 76_000}
# What input filters written in Python look for: one list each for injection, secrets and personal data.
PATTERNS = [
    r"ignore\s+(all\s+)?(previous|prior|above)\s+(instructions|prompts|rules)",
    r"disregard\s+(all\s+)?(previous|prior|above)",
    r"forget\s+(everything|all|your)\s+(instructions|rules|training)?",
    r"you\s+are\s+now\s+(dan|in\s+developer\s+mode|unrestricted)",
    r"(reveal|show|print|repeat)\s+(me\s+)?(your|the)\s+(system\s+)?(prompt|instructions)",
    r"act\s+as\s+(if|though)\s+you\s+(have|had)\s+no\s+(restrictions|rules)",
    r"pretend\s+(to\s+be|you\s+are)\s+",
    r"do\s+anything\s+now",
    r"\bjailbreak\b",
    r"system\s*:\s*you\s+are",
    r"override\s+(safety|security|content)\s+(policy|filters?)",
    r"new\s+instructions?\s*:",
    r"<\|im_start\|>",
    r"\[INST\]",
    r"AKIA[0-9A-Z]{16}",
    r"gh[pousr]_[A-Za-z0-9]{36,}",
    r"sk-[A-Za-z0-9]{20,}",
    r"xox[abpr]-[A-Za-z0-9-]{10,}",
    r"AIza[0-9A-Za-z_-]{35}",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+",
    r"(password|passwd|secret|token|api_key)\s*[:=]\s*\S{8,}",
    r"\b[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}\b",
    r"\b\d{3}-\d{2}-\d{4}\b",
    r"\b(?:\d[ -]?){13,16}\b",
    r"\b[A-Z]{2}\d{2}[A-Z0-9]{11,30}\b",
    r"\+?\d{1,3}[ -]?\(?\d{2,4}\)?[ -]?\d{3,4}[ -]?\d{3,4}",
    r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b",
]
PARTS = [
    "You are working in a repository. Read the files before you change them and run the tests afterwards.\n",
    '{"type":"object","properties":{"path":{"type":"string","description":"Absolute path of the file"},"limit":{"type":"integer"}}}\n',
    "def load(path: str, retries: int = 3) -> dict:\n    with open(path) as file:\n        return json.load(file)\n",
    "The build of 2026-11-20 took 318 seconds; 2 of 1,204 tests failed, see /home/dev/project/build/results/unit.xml line 42.\n",
    "Use this tool to search the code base. It takes a regular expression and returns matching lines with their numbers.\n",
]


def make_text(size: int) -> str:
    """The same text as bench_detect's."""
    text = ""
    while len(text) < size:
        text += "".join(PARTS)
    return text[:size]


def peer_ns(text: str, patterns: list[re.Pattern[str]]) -> float:
    """Best time of one pass of all patterns over the text, in nanoseconds."""
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter_ns()
        for pattern in patterns:
            pattern.search(text)
        best = min(best, time.perf_counter_ns() - start)
    return best


def engine_ns(program: str) -> dict[str, float]:
    """The engine's p50 by size."""
    out = subprocess.run([program, "--sizes"], capture_output=True, text=True, check=True).stdout
    rows = [json.loads(line) for line in out.splitlines()]
    return {row["name"]: row["value"] for row in rows}


def main() -> int:
    patterns = [re.compile(pattern, re.IGNORECASE) for pattern in PATTERNS]
    peer = dict.fromkeys(SIZES, float("inf"))
    ours = dict.fromkeys(SIZES, float("inf"))
    for _ in range(ROUNDS):
        figures = engine_ns(sys.argv[1])
        for name, size in SIZES.items():
            ours[name] = min(ours[name], figures[f"detect.screen.{name}.p50"])
            peer[name] = min(peer[name], peer_ns(make_text(size), patterns))
    for name in SIZES:
        for who, value, unit in (
            ("engine", ours[name], "ns"),
            ("python_re", peer[name], "ns"),
            ("ratio", ours[name] / peer[name], "x"),
        ):
            print(
                json.dumps(
                    {"name": f"detect.peer.{name}.{who}", "value": round(value, 4), "unit": unit, "target": None, "ok": None}
                )
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
