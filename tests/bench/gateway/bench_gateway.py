# SPDX-License-Identifier: Apache-2.0
"""The gateway, all checks on, against nginx proxying the same bytes to the same upstream, one worker each.

Rounds are interleaved, so that whatever else the machine does meets both; the ratio of one round is what counts.
Prints JSON lines; figures in absolute terms are this machine's and nobody else's.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(os.environ.get("AISPM_SOURCE_DIR", Path(__file__).resolve().parents[3]))
GATEWAY = Path(os.environ.get("AISPM_BIN_DIR", ROOT / "build" / "release" / "bin")) / "aispm-gateway"
KEY = "aispm-bench-" + "k" * 31
ROUNDS = int(os.environ.get("AISPM_BENCH_ROUNDS", "3"))
SECONDS = int(os.environ.get("AISPM_BENCH_SECONDS", "2"))
LARGE_BYTES = 76_000

REPLY = json.dumps({
    "id": "chatcmpl-bench", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini-2024-07-18",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "The capital of France is Paris. " * 7, "refusal": None},
                 "logprobs": None, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 14, "completion_tokens": 49, "total_tokens": 63}}, separators=(",", ":"))


def small_request() -> str:
    return json.dumps({"model": "gpt-4o-mini", "messages": [
        {"role": "system", "content": "You are a helpful assistant that answers briefly and to the point."},
        {"role": "user", "content": "What is the capital of France, and why is it?"}], "temperature": 0.2, "max_tokens": 64})


def large_request() -> str:
    """The shape of a coding agent's request: a long system prompt and two dozen tools."""
    prose = ("When the user asks for a change, read the file first, keep to its style, and run the tests that cover it. "
             "Explain what was done in one paragraph; name files with their paths and lines where it helps. ")
    tools = [{"type": "function", "function": {
        "name": f"tool_{i}", "description": prose * 8,
        "parameters": {"type": "object", "required": ["path"], "properties": {
            "path": {"type": "string", "description": "Absolute path of the file."},
            "limit": {"type": "integer", "description": "How many lines to read at most."}}}}} for i in range(24)]
    body = {"model": "gpt-4o-mini", "tools": tools,
            "messages": [{"role": "system", "content": ""}, {"role": "user", "content": "say hi"}]}
    missing = LARGE_BYTES - len(json.dumps(body))
    body["messages"][0]["content"] = (prose * (missing // len(prose) + 1))[:missing]  # type: ignore[index]
    return json.dumps(body)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    for _ in range(400):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"port {port} did not open")


def nginx_config(folder: Path, upstream: int, proxy: int) -> Path:
    path = folder / "nginx.conf"
    path.write_text(f"""
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; client_max_body_size 16m; client_body_buffer_size 128k;
  keepalive_requests 1000000000;
  upstream model {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{proxy};
    location / {{ proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}""")
    return path


def upstream_config(folder: Path, port: int) -> Path:
    path = folder / "upstream.conf"
    path.write_text(f"""
daemon off; worker_processes 1; pid {folder}/upstream.pid; error_log {folder}/upstream.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path {folder}/ub; proxy_temp_path {folder}/up; fastcgi_temp_path {folder}/uf;
  uwsgi_temp_path {folder}/uu; scgi_temp_path {folder}/us; client_max_body_size 16m; client_body_buffer_size 128k;
  keepalive_requests 1000000000;
  server {{ listen 127.0.0.1:{port}; location / {{ default_type application/json; return 200 '{REPLY}'; }} }}
}}""")
    return path


def gateway_config(folder: Path, upstream: int, port: int) -> Path:
    (folder / "keys.yaml").write_text(f"keys:\n  - sha256: {hashlib.sha256(KEY.encode()).hexdigest()}\n    agent: bench\n")
    path = folder / "gateway.yaml"
    path.write_text(f"""
listen: 127.0.0.1:{port}
workers: 1
policy: {ROOT}/policies/rules/default.yaml
packs: {ROOT}/policies/detect
keys_file: {folder}/keys.yaml
audit: best_effort
report:
  collector: 127.0.0.1:1
  state_folder: {folder}/state
providers:
  - {{name: openai, dialect: openai, origin: 'http://127.0.0.1:{upstream}', allow_private: true}}
""")
    return path


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and of its children (nginx works in one)."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    total = 0
    for each in (str(pid), *children):
        fields = Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def wrk(port: int, body: Path, connections: int) -> tuple[float, float]:
    """Requests a second and median latency in microseconds."""
    script = body.with_suffix(".lua")
    script.write_text(f"""
wrk.method = "POST"
wrk.path = "/v1/chat/completions"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer {KEY}"
local file = io.open("{body}"); wrk.body = file:read("*a"); file:close()
done = function(summary, latency)
  io.write(string.format("RESULT %d %d %f %d\\n", summary.requests, summary.duration, latency:percentile(50),
                         summary.errors.status))
end
""")
    done = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "-s", str(script), f"http://127.0.0.1:{port}"],
                          capture_output=True, text=True, check=True)
    found = re.search(r"RESULT (\d+) (\d+) ([\d.]+) (\d+)", done.stdout)
    if not found or int(found.group(4)) > 0 or int(found.group(1)) == 0:
        raise SystemExit(f"wrk: {done.stdout} {done.stderr}")
    return int(found.group(1)) / (int(found.group(2)) / 1e6), float(found.group(3))


def show(name: str, value: float | None, unit: str, target: float | None = None, ok: bool | None = None) -> None:
    print(json.dumps({"name": name, "value": value, "unit": unit, "target": target, "ok": ok}), flush=True)


def measure(ports: dict[str, int], pids: dict[str, int], body: Path, label: str, ratio_target: float | None,
            added_target: float) -> None:
    rates: dict[str, list[float]] = {name: [] for name in ports}
    costs: dict[str, list[float]] = {name: [] for name in ports}
    delays: dict[str, list[float]] = {name: [] for name in ports}
    for _ in range(ROUNDS):
        for name, port in ports.items():
            delays[name].append(wrk(port, body, 1)[1])
            if name != "direct":
                before = cpu_seconds(pids[name])
                rates[name].append(wrk(port, body, 32)[0])
                costs[name].append((cpu_seconds(pids[name]) - before) * 1e6 / (rates[name][-1] * SECONDS))
    ratios = [ours / theirs for ours, theirs in zip(rates["gateway"], rates["nginx"], strict=True)]
    ratio = statistics.median(ratios)
    verdict = None if ratio_target is None else ratio >= ratio_target
    show(f"gateway.{label}.c32.rps_ratio_to_nginx", round(ratio, 3), "x", ratio_target, verdict)
    show(f"gateway.{label}.c32.rps", round(statistics.median(rates["gateway"])), "1/s")
    show(f"nginx.{label}.c32.rps", round(statistics.median(rates["nginx"])), "1/s")
    for name in ("gateway", "nginx"):
        show(f"{name}.{label}.c32.cpu_per_request", round(statistics.median(costs[name]), 1), "us")
    added = {name: statistics.median(a - b for a, b in zip(delays[name], delays["direct"], strict=True))
             for name in ("gateway", "nginx")}
    show(f"gateway.{label}.c1.p50_added", round(added["gateway"], 1), "us", added_target, added["gateway"] <= added_target)
    show(f"nginx.{label}.c1.p50_added", round(added["nginx"], 1), "us")


def main() -> None:
    missing = [name for name in ("nginx", "wrk") if not (shutil.which(name) or Path(f"/usr/sbin/{name}").exists())]
    if missing or not GATEWAY.exists():
        print(f"skipped: needs {', '.join(missing) or GATEWAY}", file=sys.stderr)
        return
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        upstream, proxy, gateway = free_port(), free_port(), free_port()
        running: list[subprocess.Popen[bytes]] = []
        try:
            for command in ([nginx, "-c", str(upstream_config(folder, upstream))],
                            [nginx, "-c", str(nginx_config(folder, upstream, proxy))],
                            [str(GATEWAY), "--config", str(gateway_config(folder, upstream, gateway))]):
                running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            for port in (upstream, proxy, gateway):
                wait_for(port)
            ports = {"direct": upstream, "nginx": proxy, "gateway": gateway}
            small, large = folder / "small.json", folder / "large.json"
            small.write_text(small_request())
            large.write_text(large_request())
            pids = dict(zip(ports, (process.pid for process in running), strict=True))
            measure(ports, pids, small, "239B", 1.0, 45.0)
            measure(ports, pids, large, "76KB", None, 400.0)
        finally:
            for process in running:
                process.terminate()
            for process in running:
                process.wait(timeout=20)


if __name__ == "__main__":
    main()
