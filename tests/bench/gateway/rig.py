# SPDX-License-Identifier: Apache-2.0
"""What both benches of the gateway share: the programs that are compared, one worker each, before one upstream."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(os.environ.get("AISPM_SOURCE_DIR", Path(__file__).resolve().parents[3]))
GATEWAY = Path(os.environ.get("AISPM_BIN_DIR", ROOT / "build" / "release" / "bin")) / "aispm-gateway"
KEY = "aispm-bench-" + "k" * 31
PORTKEY = "@portkey-ai/gateway@1.15.2"
LITELLM = "litellm[proxy]==1.106.2"
LITELLM_KEY = "sk-aispm-bench-" + "k" * 31
INSTALL_SECONDS = 480
OPEN_SECONDS = 120  # the first start compiles rules


def show(name: str, value: float | None, unit: str, target: float | None = None, ok: bool | None = None) -> None:
    print(json.dumps({"name": name, "value": value, "unit": unit, "target": target, "ok": ok}), flush=True)


def find_program(name: str) -> str | None:
    sbin = Path("/usr/sbin") / name
    return shutil.which(name) or (str(sbin) if sbin.exists() else None)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + OPEN_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"{process.args[0]} did not open port {port}: {log.read_text()[-400:]}")  # type: ignore[index]


@contextmanager
def running(command: list[str], port: int, log: Path, **options: object) -> Iterator[int]:
    """The program, from when its port is open; ends with all that it started."""
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True, **options)  # type: ignore[call-overload]
        try:
            wait_for(port, process, log)
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def processes_of(pid: int) -> list[int]:
    """It and its children: nginx works in one."""
    return [pid, *(int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def cpu_seconds(pid: int) -> float:
    total = 0
    for each in processes_of(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    pages = sum(int(Path(f"/proc/{each}/statm").read_text().split()[1]) for each in processes_of(pid))
    return pages * os.sysconf("SC_PAGE_SIZE")


def nginx_command(folder: Path, name: str, port: int, serves: str) -> list[str]:
    path = folder / f"{name}.conf"
    path.write_text(f"""
daemon off; worker_processes 1; pid {folder}/{name}.pid; error_log {folder}/{name}.log;
worker_rlimit_nofile 65536;
events {{ worker_connections 32768; }}
http {{
  access_log off; client_body_temp_path {folder}/{name}-body; proxy_temp_path {folder}/{name}-proxy;
  fastcgi_temp_path {folder}/{name}-f; uwsgi_temp_path {folder}/{name}-u; scgi_temp_path {folder}/{name}-s;
  client_max_body_size 16m; client_body_buffer_size 128k; keepalive_requests 1000000000;
  {serves.replace("PORT", str(port))}
}}""")
    return [find_program("nginx") or "nginx", "-c", str(path)]


def nginx_upstream(folder: Path, port: int, reply: str) -> list[str]:
    return nginx_command(folder, "upstream", port, f"""
  server {{ listen 127.0.0.1:PORT; location / {{ default_type application/json; return 200 '{reply}'; }} }}""")


def nginx_proxy(folder: Path, port: int, upstream: int) -> list[str]:
    return nginx_command(folder, "nginx", port, f"""
  upstream model {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:PORT;
    location / {{ proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; proxy_read_timeout 600s; }}
  }}""")


def haproxy_proxy(folder: Path, port: int, upstream: int) -> list[str] | None:
    program = find_program("haproxy")
    if program is None:
        return None
    path = folder / "haproxy.cfg"
    path.write_text(f"""
global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
frontend in
  bind 127.0.0.1:{port}
  default_backend model
backend model
  http-reuse always
  server one 127.0.0.1:{upstream}
""")
    return [program, "-db", "-f", str(path)]


def portkey_proxy(port: int) -> list[str] | None:
    """Portkey's gateway for node, installed from npm the first time."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        return None
    home = ROOT / "build" / "bench-peers"
    script = home / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    if not script.exists():
        home.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", PORTKEY], cwd=home, capture_output=True,
                              check=False, timeout=300)
        if done.returncode != 0 or not script.exists():
            return None
    return ["node", str(script), f"--port={port}", "--headless"]


def litellm_proxy(folder: Path, port: int, upstream: int) -> list[str] | None:
    """LiteLLM's proxy without a database, installed from PyPI the first time (740 MB, some minutes)."""
    home = ROOT / "build" / "bench-peers" / "litellm"
    program, stamp = home / "bin" / "litellm", home / ".aispm-version"
    if not stamp.exists() or stamp.read_text() != LITELLM:
        shutil.rmtree(home, ignore_errors=True)
        try:
            for command in (["/usr/bin/python3", "-m", "venv", str(home)],
                            [str(home / "bin" / "pip"), "install", "-q", "--disable-pip-version-check", LITELLM]):
                subprocess.run(command, capture_output=True, check=True, timeout=INSTALL_SECONDS)
        except (OSError, subprocess.SubprocessError):
            return None
        stamp.write_text(LITELLM)
    path = folder / "litellm.yaml"
    path.write_text(f"""
model_list:
  - model_name: gpt-4o-mini
    litellm_params: {{model: openai/gpt-4o-mini, api_base: 'http://127.0.0.1:{upstream}/v1', api_key: none}}
general_settings: {{master_key: {LITELLM_KEY}}}
""")
    return [str(program), "--config", str(path), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]


def gateway_command(folder: Path, port: int, upstream: int, operators: int = 0) -> list[str]:
    """With `operators`, also its port for operators, whose token is KEY."""
    admin = ""
    if operators:
        (folder / "operators.token").write_text(KEY + "\n")
        admin = (f"admin: {{socket: {folder}/admin.sock, rules_folder: {folder}/given, listen: '127.0.0.1:{operators}', "
                 f"token_file: {folder}/operators.token}}\n")
    (folder / "keys.yaml").write_text(f"keys:\n  - sha256: {hashlib.sha256(KEY.encode()).hexdigest()}\n    agent: bench\n")
    path = folder / "gateway.yaml"
    path.write_text(f"""
listen: 127.0.0.1:{port}
workers: 1
policy: {ROOT}/policies/rules/default.yaml
packs: {ROOT}/policies/detect
keys_file: {folder}/keys.yaml
audit: best_effort
limits: {{connections: 20000}}
{admin}report:
  collector: 127.0.0.1:1
  state_folder: {folder}/state
providers:
  - {{name: openai, dialect: openai, origin: 'http://127.0.0.1:{upstream}', allow_private: true}}
""")
    return [str(GATEWAY), "--config", str(path)]
