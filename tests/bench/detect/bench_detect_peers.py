# SPDX-License-Identifier: Apache-2.0
"""The engine beside what is used in its place, in one run on the same texts: the usual lists of regular expressions in plain Python, and,
where they install, Presidio and LLM Guard.

Rounds of engine (a process that prints its own figures) and peers alternate; JSON lines with p50 and p99. Presidio gets an environment of
its own in build/peers, once, within a time and a size; only its recognizers by pattern run, since no package registry ships its model.
LLM Guard is measured where somebody has put an environment with it at build/peers/llm_guard. What is left out is told on stderr.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(os.environ.get("AISPM_SOURCE_DIR", Path(__file__).resolve().parents[3]))
BUILD = Path(os.environ.get("AISPM_BUILD_DIR", ROOT / "build" / "release"))
PEERS = ROOT / "build" / "peers"
PACKAGES = {"presidio": ["presidio-analyzer==2.2.360"], "llm_guard": []}
WHY_NOT = {"llm_guard": "0.3.16 does not start without torch, gigabytes, and loads its models from Hugging Face"}
INSTALL_SECONDS = 240
MAX_INSTALLED_BYTES = 1 << 30
ROUNDS = 2
CALL_SECONDS = 2.0  # per size, peer and round
PEER_SECONDS = 90
SIZES = {"100B": 100, "1KB": 1024, "10KB": 10_240, "76KB": 76_000, "1MB": 1 << 20}
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


def times_of(scan: Callable[[str], object], text: str) -> list[int]:
    """Nanoseconds of single calls, as many as fit into CALL_SECONDS, at least three and at most two hundred."""
    times: list[int] = []
    end = time.monotonic() + CALL_SECONDS
    while len(times) < 3 or (time.monotonic() < end and len(times) < 200):
        start = time.perf_counter_ns()
        scan(text)
        times.append(time.perf_counter_ns() - start)
    return times


def scan_with(peer: str) -> Callable[[str], object]:
    """Runs in the peer's own interpreter. ImportError and the like say why it cannot."""
    if peer == "python_re":
        patterns = [re.compile(pattern, re.IGNORECASE) for pattern in PATTERNS]
        return lambda text: [pattern.search(text) for pattern in patterns]
    if peer == "presidio":
        import spacy
        from presidio_analyzer import AnalyzerEngine
        from presidio_analyzer.nlp_engine import SpacyNlpEngine

        class Blank(SpacyNlpEngine):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__()
                self.nlp = {"en": spacy.blank("en")}
                self.nlp["en"].max_length = 2 << 20

            def load(self) -> None:
                """There is nothing to load."""

        analyzer = AnalyzerEngine(nlp_engine=Blank(), supported_languages=["en"])
        return lambda text: analyzer.analyze(text, language="en")
    from llm_guard.input_scanners.secrets import Secrets
    scanner = Secrets()
    return scanner.scan  # type: ignore[no-any-return]


def measure(peer: str) -> int:
    """As a program of its own: one JSON object, size -> times."""
    scan = scan_with(peer)
    scan(make_text(1024))  # what is made at the first call
    print(json.dumps({name: times_of(scan, make_text(size)) for name, size in SIZES.items()}))
    return 0


def python_of(peer: str) -> str:
    return sys.executable if peer == "python_re" else str(PEERS / peer / "bin" / "python")


def install(peer: str) -> str:
    """Why it cannot be used; empty when it can."""
    if peer == "python_re" or (PEERS / peer / ".ready").exists():
        return ""
    if peer in WHY_NOT:
        return "" if Path(python_of(peer)).exists() else WHY_NOT[peer]
    command = [python_of(peer), "-m", "pip", "install", "--disable-pip-version-check", "-q", "--only-binary", ":all:"]
    try:
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--clear", PEERS / peer], check=True, capture_output=True, timeout=60)
        subprocess.run([*command, *PACKAGES[peer]], check=True, capture_output=True, timeout=INSTALL_SECONDS)
    except subprocess.TimeoutExpired:
        return f"did not install within {INSTALL_SECONDS} s"
    except subprocess.CalledProcessError as problem:
        return "does not install: " + (problem.stderr.decode(errors="replace").strip().splitlines() or ["?"])[-1][:200]
    size = sum(path.stat().st_size for path in (PEERS / peer).rglob("*") if path.is_file() and not path.is_symlink())
    if size > MAX_INSTALLED_BYTES:
        return f"takes {size >> 20} MiB, more than {MAX_INSTALLED_BYTES >> 20}"
    (PEERS / peer / ".ready").touch()
    return ""


def run_peer(peer: str) -> tuple[dict[str, list[int]], str]:
    """Its times, or why there are none."""
    try:
        done = subprocess.run([python_of(peer), __file__, "--peer", peer], capture_output=True, text=True, check=False, timeout=PEER_SECONDS,
                              env={**os.environ, "TLDEXTRACT_CACHE": str(PEERS / "tld")})
    except subprocess.TimeoutExpired:
        return {}, f"took longer than {PEER_SECONDS} s"
    if done.returncode != 0:
        return {}, (done.stderr.strip().splitlines() or ["?"])[-1][:200]
    times: dict[str, list[int]] = json.loads(done.stdout.splitlines()[-1])
    return times, ""


def engine_figures() -> dict[str, float]:
    program = BUILD / "bin" / "bench_detect"
    out = subprocess.run([program, "--sizes"], capture_output=True, text=True, check=True).stdout
    return {row["name"]: row["value"] for row in map(json.loads, out.splitlines())}


def tell(name: str, value: float, unit: str) -> None:
    print(json.dumps({"name": name, "value": round(value, 4), "unit": unit, "target": None, "ok": None}), flush=True)


def main() -> int:
    if len(sys.argv) == 3 and sys.argv[1] == "--peer":
        return measure(sys.argv[2])
    peers = {}
    for peer in ("python_re", *PACKAGES):
        if reason := install(peer):
            print(f"skipped: {peer}: {reason}", file=sys.stderr)
        else:
            peers[peer] = {name: list[int]() for name in SIZES}
    ours: list[dict[str, float]] = []
    for _ in range(ROUNDS):
        ours.append(engine_figures())
        for peer in list(peers):
            times, reason = run_peer(peer)
            if reason:
                print(f"skipped: {peer}: {reason}", file=sys.stderr)
                del peers[peer]
            for name, more in times.items():
                peers[peer][name] += more
    for size in SIZES:
        best = {rank: min(one[f"detect.screen.{size}.{rank}"] for one in ours) for rank in ("p50", "p99")}
        for rank, value in best.items():
            tell(f"detect.peer.{size}.engine.{rank}", value, "ns")
        for peer, times in peers.items():
            middle = statistics.median(times[size])
            tell(f"detect.peer.{size}.{peer}.p50", middle, "ns")
            tell(f"detect.peer.{size}.{peer}.p99", sorted(times[size])[int(len(times[size]) * 0.99)], "ns")
            tell(f"detect.peer.{size}.{peer}.ratio", best["p50"] / middle, "x")
    return 0


if __name__ == "__main__":
    sys.exit(main())
