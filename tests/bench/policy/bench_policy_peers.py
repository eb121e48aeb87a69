# SPDX-License-Identifier: Apache-2.0
"""The same decisions by the real `opa`: its engine (`opa bench`), its server over loopback, one `opa eval` a decision.

    python tests/bench/policy/bench_policy_peers.py build/release

Prints JSON lines. Ours and theirs alternate; the medians count. The module is policies/rego/tools.rego for both, and for the thousand
rules a set of Rego rules that says the same as the native policy (a name of a tool, an environment, a role, an amount). The npm package
of Agent-SPM is in no registry under that name, so it is no peer.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
OPA_VERSION = "1.22.2"
ROUNDS = 3
REQUESTS = 600
SERVER_SECONDS = 60
RULES = 1000
INPUT = {"tool": {"name": "gmail.send"}, "scopes": ["gmail:send"], "posture": 0.1, "signals": [], "intent": "send mail"}


def line(name: str, value: float, unit: str, target: float | None = None, ok: bool | None = None) -> None:
    print(json.dumps({"name": name, "value": round(value, 3), "unit": unit, "target": target, "ok": ok}), flush=True)


def opa() -> Path:
    folder = ROOT / "build" / "tools" / f"opa-{OPA_VERSION}"
    if not (folder / "opa").exists():
        if shutil.which("go") is None:
            sys.exit("no Go toolchain to build opa with")
        subprocess.run(["go", "install", f"github.com/open-policy-agent/opa@v{OPA_VERSION}"], check=True,
                       env={**os.environ, "GOBIN": str(folder)})
    return folder / "opa"


def ours(build: Path) -> dict[str, float]:
    done = subprocess.run([build / "tests" / "bench_policy"], capture_output=True, text=True, check=True)
    return {one["name"]: one["value"] for one in map(json.loads, done.stdout.splitlines())}


def rego_rules() -> str:
    """What bench_policy's thousand rules say, first match by the lowest number."""
    rules = ["package bench", "import rego.v1", 'default decision := "deny"', 'decision := "require_approval" if count(hits) > 0']
    for i in range(RULES):
        rules.append(f'hits contains {i} if {{ input.tool == "tool_{i}"; input.environment == "prod"; "role_{i % 7}" in input.roles; '
                     f"input.arguments.amount > {i} }}")
    return "\n".join(rules) + "\n"


def bench(program: Path, policies: list[Path], data: dict[str, object], query: str, folder: Path) -> dict[str, float]:
    """Nanoseconds of one evaluation within opa, prepared query, no network."""
    (folder / "input.json").write_text(json.dumps(data))
    command = [program, "bench", "--format", "json", "--count", "1", "--benchmem=false", "--input", folder / "input.json",
               *(word for file in policies for word in ("--data", file)), query]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    extra = found.get("Extra", {})
    return {"ns": found["T"] / found["N"], "p50": extra.get("histogram_timer_rego_query_eval_ns_median", 0),
            "p99": extra.get("histogram_timer_rego_query_eval_ns_99%", 0)}


def serve(program: Path, policies: list[Path]) -> tuple[subprocess.Popen[bytes], http.client.HTTPConnection]:
    process = subprocess.Popen([program, "run", "--server", "--addr", "127.0.0.1:0", "--log-level", "error", *policies])
    until = time.monotonic() + SERVER_SECONDS
    while time.monotonic() < until and process.poll() is None:
        sockets = {os.readlink(entry) for entry in Path(f"/proc/{process.pid}/fd").iterdir() if entry.is_symlink()}
        for row in Path(f"/proc/{process.pid}/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
            parts = row.split()
            if parts[3] == "0A" and f"socket:[{parts[9]}]" in sockets:
                return process, http.client.HTTPConnection("127.0.0.1", int(parts[1].split(":")[1], 16), timeout=10)
        time.sleep(0.1)
    process.kill()
    raise SystemExit("opa's server listens nowhere")


def ask(connection: http.client.HTTPConnection, count: int) -> list[float]:
    body = json.dumps({"input": INPUT})
    times = []
    for _ in range(count):
        start = time.perf_counter()
        connection.request("POST", "/v1/data/aispm/tools/decision", body, {"content-type": "application/json"})
        answer = json.loads(connection.getresponse().read())
        times.append((time.perf_counter() - start) * 1e6)
        assert answer["result"]["outcome"] == "allow", answer
    return times


def main(build: Path) -> None:
    program = opa()
    modules = sorted((ROOT / "policies" / "rego").glob("*.rego"))
    results: dict[str, list[float]] = {}

    def add(name: str, value: float) -> None:
        results.setdefault(name, []).append(value)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "rules.rego").write_text(rego_rules())
        flat = {"tool": "tool_500", "environment": "prod", "roles": ["role_3"], "arguments": {"amount": 600}}
        process, connection = serve(program, modules)
        try:
            ask(connection, 100)
            for _ in range(ROUNDS):
                for key, value in ours(build).items():
                    add(f"ours.{key}", value)
                tools = bench(program, modules, INPUT, "data.aispm.tools.decision", folder)
                add("opa.tools.mean_us", tools["ns"] / 1000)
                add("opa.tools.p50_us", tools["p50"] / 1000)
                add("opa.tools.p99_us", tools["p99"] / 1000)
                thousand = bench(program, [folder / "rules.rego"], flat, "data.bench.decision", folder)
                add("opa.decisions_per_second_1000_rules", 1e9 / thousand["ns"])
                times = sorted(ask(connection, REQUESTS))
                add("opa.server.p50_us", times[REQUESTS // 2])
                add("opa.server.p99_us", times[REQUESTS * 99 // 100])
                start = time.perf_counter()
                subprocess.run([program, "eval", "--input", folder / "input.json", "--data", folder / "rules.rego",
                                "data.bench.decision"], capture_output=True, check=True)
                add("opa.eval_ms", (time.perf_counter() - start) * 1e3)
        finally:
            connection.close()
            process.terminate()
            process.wait(10)
    middle = {key: statistics.median(values) for key, values in results.items()}
    for key, value in middle.items():
        line(key, value, "")
    native = middle["ours.native.decisions_per_second_1000_rules"]
    line("ratio.native_to_opa_engine", native / middle["opa.decisions_per_second_1000_rules"], "x")
    line("ratio.rego_p50_to_opa_engine", middle["ours.rego.tools.p50"] / middle["opa.tools.p50_us"], "x")
    line("ratio.rego_p50_to_opa_server", middle["ours.rego.tools.p50"] / middle["opa.server.p50_us"], "x")
    line("load", os.getloadavg()[0], "")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "release")
