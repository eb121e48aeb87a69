# SPDX-License-Identifier: Apache-2.0
"""./dev up, down, status and logs: one host with everything on it."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import build
import daemons
import state as states
from state import State
from ui import Refusal, step

PARTS = ["collector", "gateway", "sensord", "provider"]
SENSOR_CONNECT_SECONDS = 15.0


def _check_host() -> None:
    if os.geteuid() != 0:
        raise Refusal("not root: the sensor loads BPF programs and reads other users' processes. Run: sudo ./dev up")
    if not Path("/sys/kernel/btf/vmlinux").exists():
        print("  note: this kernel has no BTF (/sys/kernel/btf/vmlinux): the sensor will poll /proc instead of using eBPF, "
              "without TLS plaintext. A kernel built with CONFIG_DEBUG_INFO_BTF=y has it (Debian 11+, Ubuntu 20.10+).")


def _check_ports(state: State, demo: bool) -> None:
    wanted = {"collector": [("GRPC", state.grpc), ("HTTP", state.http)], "gateway": [("GATEWAY", state.gateway)]}
    if demo:
        wanted["provider"] = [("PROVIDER", state.provider)]
    for part, ports in wanted.items():
        if daemons.running(state, part) is not None:
            continue
        for variable, port in ports:
            owner = daemons.port_owner(port)
            if owner is not None:
                raise Refusal(f"port {port} of the {part} is taken by {owner}: stop it, or choose another with "
                              f"AISPM_PORT_{variable}=N ./dev up")


def _bootstrap(state: State) -> None:
    """Makes the collector's CA, store, admin token and enrolment tokens where they do not exist yet."""
    done = subprocess.run(
        [build.binary("aispm-collector"), "bootstrap", "--config", state.config / "collector.yaml"],
        capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Refusal(f"aispm-collector bootstrap exited {done.returncode}: {done.stderr.strip()}")
    made = json.loads(done.stdout)
    if made.get("admin_token"):
        _save(state.config / "admin.token", made["admin_token"])
    if not (state.config / "admin.token").exists():
        raise Refusal(f"the admin token file {state.config}/admin.token is gone; make a new one with "
                      f"{build.binary('aispm-collector')} token create --role admin --config "
                      f"{state.config}/collector.yaml > {state.config}/admin.token")
    _save(state.folder / "cli.yaml",
          f"collector: 127.0.0.1:{state.grpc}\nca_file: {made['ca_file']}\n"
          f"token_file: {state.config}/admin.token\n", 0o600)


def _save(path: Path, text: str, mode: int = 0o600) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text if text.endswith("\n") else text + "\n")


def _enrolment_token(state: State, part: str) -> None:
    """Each daemon enrols once with a token of its own; afterwards it has a certificate and needs none."""
    if (state.folder / part / "client.crt").exists():
        return
    done = subprocess.run([build.binary("aispm"), "enrol-token", "create", "--json"], capture_output=True, text=True,
                          check=False, env=cli_environment(state))
    if done.returncode != 0:
        raise Refusal(f"aispm enrol-token create exited {done.returncode}: {done.stderr.strip()}")
    _save(state.config / f"{part}.token", json.loads(done.stdout)["token"])


def cli_environment(state: State) -> dict[str, str]:
    """What the aispm command reads before any file: this host's collector, as admin."""
    return {**os.environ, "AISPM_COLLECTOR": f"127.0.0.1:{state.grpc}", "AISPM_CA_FILE": str(state.collector_ca),
            "AISPM_TOKEN": (state.config / "admin.token").read_text().strip()}


def _start_all(state: State, demo: bool) -> None:
    if demo:
        import demo as demonstration
        demonstration.make_certificate(state)
        if daemons.running(state, "provider") is None:
            with step("start the stand-in provider"):
                demonstration.start_provider(state)
    if daemons.running(state, "collector") is None:
        with step("start the collector"):
            _bootstrap(state)
            daemons.start(state, "collector",
                          [str(build.binary("aispm-collector")), "--config", f"{state.config}/collector.yaml"])
            daemons.wait_for_port(state, "collector", state.http)
            daemons.wait_for_port(state, "collector", state.grpc)
    if daemons.running(state, "gateway") is None:
        with step("start the gateway"):
            _enrolment_token(state, "gateway")
            daemons.start(state, "gateway",
                          [str(build.binary("aispm-gateway")), "--config", f"{state.config}/gateway.yaml"])
            daemons.wait_for_port(state, "gateway", state.gateway)
    if daemons.running(state, "sensord") is None:
        with step("start the sensor"):
            _enrolment_token(state, "sensord")
            daemons.start(state, "sensord",
                          [str(build.binary("aispm-sensord")), "--config", f"{state.config}/sensord.yaml"])
            _wait_for_sensor(state)


def api(state: State, path: str) -> dict:  # type: ignore[type-arg]
    """GET of the collector's REST API as admin."""
    token = (state.config / "admin.token").read_text().strip()
    request = urllib.request.Request(f"http://127.0.0.1:{state.http}{path}", headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=5) as reply:
            answer: dict = json.load(reply)  # type: ignore[type-arg]
    except OSError as problem:
        tail = daemons.log_tail(state, "collector")
        raise Refusal(f"the collector does not answer {path}: {problem}\n{tail}") from problem
    return answer


def _wait_for_sensor(state: State) -> None:
    deadline = time.monotonic() + SENSOR_CONNECT_SECONDS
    while time.monotonic() < deadline:
        if daemons.running(state, "sensord") is None:
            raise Refusal(f"sensord ended at start:\n{daemons.log_tail(state, 'sensord')}")
        if any(part.get("component") == "sensord" and part.get("connected") and part.get("health")
               for part in api(state, "/api/v1/status").get("components", [])):
            return
        time.sleep(0.05)
    raise Refusal(f"the sensor runs but does not report to the collector:\n{daemons.log_tail(state, 'sensord')}")


def up(demo: bool, assume_yes: bool) -> int:
    begin = time.monotonic()
    state = states.current()
    print("AISPM on this host" + (" with the demo" if demo else ""))
    _check_host()
    build.everything_for_running(assume_yes)
    if demo:
        build.python_environment()
    state.make()
    _check_ports(state, demo)
    if states.write_configs(state, demo) and daemons.stop(state, "gateway"):
        print("  the gateway's configuration changed: restarting it")
    _start_all(state, demo)
    token = (state.config / "admin.token").read_text().strip()
    bin_folder = build.binary("aispm").parent
    print(f"""
  Dashboard   http://127.0.0.1:{state.http}/#token={token}
  Token       {token}
  Gateway     http://127.0.0.1:{state.gateway}   (OpenAI: /v1/chat/completions, Anthropic: /v1/messages)
  State       {state.folder}   (logs in {state.log})
  Programs    {bin_folder}

  Next: {bin_folder}/aispm status; {bin_folder}/aispm-run your_agent.py; ./dev down""")
    print(f"  Ready after {time.monotonic() - begin:.1f} s.")
    if demo:
        import demo as demonstration
        demonstration.run_demonstrators(state)
    return 0


def down() -> int:
    state = states.current()
    for name in ["demo", "sensord", "gateway", "collector", "provider"]:
        if daemons.stop(state, name):
            print(f"  stopped {name}")
    print(f"  state is kept in {state.folder} (./dev clean --state removes it)")
    return 0


def status() -> int:
    state = states.current()
    everything = True
    for name in PARTS:
        found = daemons.running(state, name)
        if found is None:
            everything = everything and name == "provider"
            if name != "provider":
                print(f"  {name:<10} down")
        else:
            print(f"  {name:<10} up    pid {found.pid}, for {time.time() - found.started:.0f} s")
    if daemons.running(state, "collector") is not None:
        print(flush=True)
        subprocess.call([build.binary("aispm"), "status"], env=cli_environment(state))
    return 0 if everything else 1


def logs(part: str | None, follow: bool) -> int:
    state = states.current()
    files = [state.log / f"{part}.log"] if part else sorted(state.log.glob("*.log"))
    files = [path for path in files if path.exists()]
    if not files:
        have = ", ".join(path.stem for path in sorted(state.log.glob("*.log"))) or "none yet"
        raise Refusal(f"no log of {part or 'any part'} in {state.log}; there are: {have}")
    return subprocess.call(["tail", "-n", "200", *(["-F"] if follow else []), *map(str, files)], stdout=sys.stdout)


def ordinary_user() -> str:
    """A user without privileges for the demonstrators: who called sudo, else nobody."""
    name = os.environ.get("SUDO_USER", "nobody")
    return name if pwd.getpwnam(name).pw_uid != 0 else "nobody"
