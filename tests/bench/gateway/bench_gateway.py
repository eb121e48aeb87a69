# SPDX-License-Identifier: Apache-2.0
"""The gateway, all checks on, against nginx, haproxy, Portkey and LiteLLM before the same upstream, one worker each. (agentgateway is published on
neither npm nor crates.io, and Bifrost's npm package downloads its program from elsewhere: they are not measured.)

Rounds are interleaved, so that whatever else the machine does meets all; the ratio of one round is what counts.
Prints JSON lines; figures in absolute terms are this machine's and nobody else's.

Each size is asked in two ways: `same` sends one body over and over, as a client that retries does (the gateway remembers
that it found nothing in these texts), `fresh` has a new last message in each, as an agent's next step has.

`own_work` is the gateway's own metric: what it works on an exchange, JSON included, without reading, writing and waits. Bifrost's published figure leaves
JSON out, too. `exchange_less_upstream` is the time from a request's head to the end of its reply less that from asking the upstream until it began to
answer, so the gateway's system calls are in it. The wall clock stands beside them as `p50_added`.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))

import rig  # noqa: E402 - the path is set above
from rig import show  # noqa: E402

ROUNDS = int(os.environ.get("AISPM_BENCH_ROUNDS", "3"))
SECONDS = int(os.environ.get("AISPM_BENCH_SECONDS", "2"))
CONNECTIONS = 32
OWN_P99_TARGET = 11.0
MARK = "@NUMBER@"
ENVIRONMENT = {"portkey": {"TRUSTED_CUSTOM_HOSTS": "127.0.0.1"},
               "litellm": {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}}

REPLY = json.dumps({
    "id": "chatcmpl-bench", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini-2024-07-18",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "The capital of France is Paris. " * 7, "refusal": None},
                 "logprobs": None, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 14, "completion_tokens": 49, "total_tokens": 63}}, separators=(",", ":"))
PROSE = ("When the user asks for a change, read the file first, keep to its style, and run the tests that cover it. "
         "Explain what was done in one paragraph; name files with their paths and lines where it helps. ")


class Load(NamedTuple):
    name: str
    body: str  # MARK stands where each request of a fresh load has a number
    rate_target: float | None
    added_target: float | None
    own_target: float | None = None


class Round(NamedTuple):
    rate: float  # requests a second
    p50: float  # microseconds
    p99: float


class Spent(NamedTuple):
    """What the gateway's metrics say so far, in seconds."""

    exchanges: float
    less_upstream: float
    worked_on: float  # exchanges whose own work was measured
    own_work: float
    own_buckets: dict[float, float]  # by their upper bound, each with those below

    def since(self, before: Spent) -> Spent:
        return Spent(self.exchanges - before.exchanges, self.less_upstream - before.less_upstream, self.worked_on - before.worked_on,
                     self.own_work - before.own_work, {bound: count - before.own_buckets[bound] for bound, count in self.own_buckets.items()})

    def own_p99_bound(self) -> float:
        """Microseconds that 99 of 100 did not exceed: a bucket's bound."""
        return min((bound for bound, count in self.own_buckets.items() if count >= 0.99 * self.worked_on), default=float("inf")) * 1e6


class NoAnswer(Exception):
    """Too slow to be measured on this machine; the load is in the message."""


def small_request(question: str) -> str:
    return json.dumps({"model": "gpt-4o-mini", "messages": [
        {"role": "system", "content": "You are a helpful assistant that answers briefly and to the point."},
        {"role": "user", "content": question}], "temperature": 0.2, "max_tokens": 64})


def large_request(size: int, tool_count: int, question: str) -> str:
    """The shape of a coding agent's request: a long system prompt and its tools."""
    tools = [{"type": "function", "function": {
        "name": f"tool_{i}", "description": PROSE * 8,
        "parameters": {"type": "object", "required": ["path"], "properties": {
            "path": {"type": "string", "description": "Absolute path of the file."},
            "limit": {"type": "integer", "description": "How many lines to read at most."}}}}} for i in range(tool_count)]
    body = {"model": "gpt-4o-mini", "tools": tools,
            "messages": [{"role": "system", "content": ""}, {"role": "user", "content": question}]}
    missing = size - len(json.dumps(body))
    body["messages"][0]["content"] = (PROSE * (missing // len(PROSE) + 1))[:missing]  # type: ignore[index]
    return json.dumps(body)


def loads() -> list[Load]:
    ask, fresh = "What is the capital of France, and why is it?", f"What is the capital of France, and why is it? ({MARK})"
    return [Load("239B.same", small_request(ask), 1.0, 45.0, 8.0), Load("239B.fresh", small_request(fresh), 1.0, 45.0, 8.0),
            Load("4KB.fresh", large_request(4_096, 1, fresh), None, None),
            Load("76KB.same", large_request(76_000, 24, ask), None, 400.0),
            Load("76KB.fresh", large_request(76_000, 24, fresh), None, 400.0)]


def wrk(port: int, folder: Path, load: Load, connections: int, headers: dict[str, str]) -> Round:
    body = folder / f"{load.name}.json"
    body.write_text(load.body)
    script = folder / f"{load.name}.lua"
    lines = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items())
    script.write_text(f"""
wrk.method = "POST"
wrk.path = "/v1/chat/completions"
wrk.headers["Content-Type"] = "application/json"
{lines}
local file = io.open("{body}"); wrk.body = file:read("*a"); file:close()
local first, last = wrk.body:find("{MARK}", 1, true)
if first then
  local head, tail, number = wrk.body:sub(1, first - 1), wrk.body:sub(last + 1), 0
  local run = os.time() % 100000 .. ", "  -- digits enough to differ, too few for a card's number
  request = function()
    number = number + 1
    return wrk.format(nil, nil, nil, head .. run .. number .. tail)
  end
end
done = function(summary, latency)
  io.write(string.format("RESULT %d %d %f %f %d\\n", summary.requests, summary.duration, latency:percentile(50),
                         latency:percentile(99), summary.errors.status))
end
""")
    done = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "-s", str(script), f"http://127.0.0.1:{port}"],
                          capture_output=True, text=True, check=True)
    found = re.search(r"RESULT (\d+) (\d+) ([\d.]+) ([\d.]+) (\d+)", done.stdout)
    if not found or int(found.group(5)) > 0:
        raise SystemExit(f"wrk: {done.stdout} {done.stderr}")
    if int(found.group(1)) == 0:
        raise NoAnswer(f"no answer in {SECONDS} s at {connections} connections, {load.name}")
    return Round(int(found.group(1)) / (int(found.group(2)) / 1e6), float(found.group(3)), float(found.group(4)))


class Bench:
    def __init__(self, folder: Path, ports: dict[str, int], pids: dict[str, int], operators: int) -> None:
        self.folder, self.ports, self.pids, self.operators = folder, ports, pids, operators

    def spent(self) -> Spent:
        request = urllib.request.Request(f"http://127.0.0.1:{self.operators}/metrics", headers={"Authorization": f"Bearer {rig.KEY}"})
        with urllib.request.urlopen(request, timeout=20) as reply:
            lines = [line.rsplit(" ", 1) for line in reply.read().decode().splitlines() if not line.startswith("#")]

        def total(metric: str) -> float:
            return sum(float(value) for name, value in lines if re.match(rf"\w*{metric}(?:{{|$)", name))

        buckets = {float(found.group(1)): float(value) for name, value in lines
                   if (found := re.search(r'own_work_seconds_bucket{le="([^"]+)"}$', name))}
        return Spent(total("exchange_seconds_count"), total("exchange_seconds_sum") - total("upstream_first_byte_seconds_sum"),
                     total("own_work_seconds_count"), total("own_work_seconds_sum"), buckets)

    def headers(self, name: str) -> dict[str, str]:
        if name == "portkey":
            return {"x-portkey-provider": "openai", "x-portkey-custom-host": f"http://127.0.0.1:{self.ports['direct']}/v1",
                    "Authorization": "Bearer none"}
        return {"Authorization": f"Bearer {rig.LITELLM_KEY if name == 'litellm' else rig.KEY}"}

    def measure(self, load: Load) -> None:
        one: dict[str, list[Round]] = {name: [] for name in self.ports}
        many: dict[str, list[Round]] = {name: [] for name in self.ports}
        costs: dict[str, list[float]] = {name: [] for name in self.ports}
        spent: dict[int, list[Spent]] = {1: [], CONNECTIONS: []}
        for _ in range(ROUNDS):
            for name, port in list(self.ports.items()):
                so_far = self.spent() if name == "gateway" else None
                try:
                    one[name].append(wrk(port, self.folder, load, 1, self.headers(name)))
                    if so_far is not None:
                        spent[1].append(self.spent().since(so_far))
                    so_far = self.spent() if name == "gateway" else None
                    before = rig.cpu_seconds(self.pids[name])
                    many[name].append(wrk(port, self.folder, load, CONNECTIONS, self.headers(name)))
                except NoAnswer as why:
                    if name in ("direct", "nginx", "gateway"):
                        raise SystemExit(f"{name}: {why}") from why
                    print(f"without {name} from here on: {why}", file=sys.stderr)
                    del self.ports[name]
                    continue
                costs[name].append((rig.cpu_seconds(self.pids[name]) - before) * 1e6 / (many[name][-1].rate * SECONDS))
                if so_far is not None:
                    spent[CONNECTIONS].append(self.spent().since(so_far))
        ratio = statistics.median(a.rate / b.rate for a, b in zip(many["gateway"], many["nginx"], strict=True))
        show(f"gateway.{load.name}.c{CONNECTIONS}.rps_ratio_to_nginx", round(ratio, 3), "x", load.rate_target,
             None if load.rate_target is None else ratio >= load.rate_target)
        for connections, rounds in spent.items():
            work, tail = (statistics.median(figures) for figures in zip(
                *((each.own_work * 1e6 / each.worked_on, each.own_p99_bound()) for each in rounds), strict=True))
            for figure, value, target in (("own_work_mean", work, load.own_target),
                                          ("own_work_p99_at_most", tail, load.own_target and OWN_P99_TARGET)):
                show(f"gateway.{load.name}.c{connections}.{figure}", round(value, 1), "us", target, target and value <= target)
        show(f"gateway.{load.name}.c1.exchange_less_upstream_mean",
             round(statistics.median(each.less_upstream * 1e6 / each.exchanges for each in spent[1]), 1), "us")
        for name in self.ports:
            if name == "direct":
                continue
            show(f"{name}.{load.name}.c{CONNECTIONS}.rps", round(statistics.median(r.rate for r in many[name])), "1/s")
            show(f"{name}.{load.name}.c{CONNECTIONS}.p99", round(statistics.median(r.p99 for r in many[name])), "us")
            show(f"{name}.{load.name}.c{CONNECTIONS}.cpu_per_request", round(statistics.median(costs[name]), 1), "us")
            added = statistics.median(a.p50 - b.p50 for a, b in zip(one[name], one["direct"], strict=True))
            is_ours = name == "gateway" and load.added_target is not None
            show(f"{name}.{load.name}.c1.p50_added", round(added, 1), "us", load.added_target if is_ours else None,
                 added <= load.added_target if is_ours and load.added_target is not None else None)

    def warm_up(self) -> None:
        """LiteLLM's first answer takes seconds."""
        for name, port in self.ports.items():
            request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/chat/completions", small_request("hello").encode(),
                                             {"Content-Type": "application/json", **self.headers(name)})
            urllib.request.urlopen(request, timeout=60).close()

    def run(self) -> None:
        self.warm_up()
        for load in loads():
            self.measure(load)
        for name in self.ports:
            if name != "direct":
                show(f"{name}.rss_after", round(rig.resident_bytes(self.pids[name]) / 2**20, 1), "MiB", 64 if name == "gateway" else None,
                     rig.resident_bytes(self.pids[name]) <= 64 << 20 if name == "gateway" else None)


def main() -> None:
    missing = [name for name in ("nginx", "wrk") if rig.find_program(name) is None]
    if missing or not rig.GATEWAY.exists():
        print(f"skipped: needs {', '.join(missing) or rig.GATEWAY}", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        ports = {each: rig.free_port() for each in ("direct", "nginx", "haproxy", "portkey", "litellm", "gateway")}
        operators = rig.free_port()
        upstream = ports["direct"]
        commands = {"direct": rig.nginx_upstream(folder, upstream, REPLY), "nginx": rig.nginx_proxy(folder, ports["nginx"], upstream),
                    "haproxy": rig.haproxy_proxy(folder, ports["haproxy"], upstream), "portkey": rig.portkey_proxy(ports["portkey"]),
                    "litellm": rig.litellm_proxy(folder, ports["litellm"], upstream),
                    "gateway": rig.gateway_command(folder, ports["gateway"], upstream, operators)}
        pids: dict[str, int] = {}
        for each, command in commands.items():
            if command is None:
                print(f"without {each}: it is not installed", file=sys.stderr)
                del ports[each]
                continue
            options = {"env": {**os.environ, **ENVIRONMENT[each]}} if each in ENVIRONMENT else {}
            pids[each] = stack.enter_context(rig.running(command, ports[each], folder / f"{each}.out", **options))
        Bench(folder, ports, pids, operators).run()


if __name__ == "__main__":
    main()
