# SPDX-License-Identifier: Apache-2.0
"""SBX-033: what aispm-run wraps is in a real collector's inventory, with the policy that holds it, what it did and how it ended. SBX-032, SBX-034."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

from agent_provider import Provider
from conftest import Sandbox
from fleet import Fleet
from test_agents import AGENTS, PROMPT, agent, project, search_path  # noqa: F401 - fixtures

pytest_plugins = ("behind",)
LIVE_SECONDS = 5.0  # SBX-032
PYTHON = "/usr/bin/python3"


def run(sandbox: Sandbox, fleet: Fleet, *words: str | Path, cwd: Path | None = None, path: str = "/usr/bin:/bin") -> subprocess.CompletedProcess[str]:
    (sandbox.folder / "events.jsonl").unlink(missing_ok=True)
    return subprocess.run(sandbox.command("--gateway", fleet.gateway.socket, "--events", sandbox.folder / "events.jsonl", *words), cwd=cwd or sandbox.folder,
                          env=sandbox.environment({"PATH": path}), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180, check=False)


def told(events: list[dict[str, Any]], kind: str) -> Counter[tuple[str, ...]]:
    """What events of a kind say, without ids: equal for a file and the collector when nothing was lost or changed."""
    found: Counter[tuple[str, ...]] = Counter()
    for event in events:
        if event.get("source", "SOURCE_SANDBOX") == "SOURCE_SANDBOX" and (body := event.get(kind)):
            count = int(body.get("count", 1))
            # Whole milliseconds are written as .921Z by one and as .921000Z by the other.
            found[tuple(f"{key}={datetime.fromisoformat(value) if key.endswith('_time') else value}" for key, value in sorted(body.items())
                        if value and value != "0" and key != "count")] += count
    return found


def inside(fleet: Fleet, kind: str, session_id: str) -> list[dict[str, Any]]:
    return [row for row in fleet.ask("inventory", kind).get(kind, []) if row.get("session_id", row.get("last_session_id")) == session_id]


def test_a_wrapped_agent_is_in_the_inventory_with_its_policy(agent: tuple[str, Path], sandbox: Sandbox, project: Path, provider: Provider,  # noqa: F811
                                                             fleet: Fleet) -> None:
    name, program = agent
    provider.target = str(project / "made.txt")
    ended = run(sandbox, fleet, "--", name, *AGENTS[name], PROMPT, cwd=project, path=search_path(program))
    events = sandbox.events()
    start, session_id, agent_id = events[0]["sandbox_start"], events[0]["session_id"], events[0]["agent_id"]
    story = fleet.story(session_id)
    session = story["session"]
    assert (session["profile"], session["workspace"]) == ("coding-agent", str(project))
    assert session["mechanisms"] == start["mechanisms"]
    assert session["agent_id"] == agent_id and agent_id.endswith(f"/{name}")
    assert session["command"] == [name, *AGENTS[name], PROMPT]
    assert session.get("exit_code", 0) == ended.returncode
    for kind in ("sandbox_start", "sandbox_exit", "sandbox_denial", "agent_log"):
        assert told(story["events"], kind) == told(events, kind), kind
    assert told(events, "agent_log"), "what it printed"
    (row,) = inside(fleet, "agents", session_id)
    assert (row["agent_id"], row["last_profile"]) == (agent_id, "coding-agent")
    assert ended.returncode == 0, ended.stderr[-2000:]
    calls = [event for event in story["events"] if event.get("source") == "SOURCE_GATEWAY" and "llm_call" in event]
    assert len(calls) >= 2
    assert all(event["decision"]["outcome"] == "OUTCOME_ALLOW" and event["agent_id"] == agent_id for event in calls)
    assert row["models"]
    if fleet.sensor is None or program.is_symlink():  # a script: what the sensor sees is node
        return
    # The sensor, which knows nothing of aispm-run, saw the program: the collector joined it to the run.
    found = fleet.wait(f"the process {name}", lambda: [one for one in inside(fleet, "processes", session_id) if name in one["process"]["exe"]])
    process = found[0]  # codex starts itself again for each command
    assert (process["agent_id"], process["profile"]) == (agent_id, "coding-agent")
    assert process["verdict"] == "sanctioned"
    # Its events come over another stream, which may be behind.
    fleet.wait(f"the start of {name} as the sensor saw it", lambda: [
        event for event in fleet.ask("session", "show", session_id)["events"]
        if event.get("source") == "SOURCE_SENSOR" and "process_exec" in event and Path(event["process"]["exe"]).name == name])


# Every way to be refused, and one limit. The last connection is one of a name.
REFUSED = """
import ctypes, fcntl, os, socket, sys
def attempt(what):
    try: what()
    except OSError as error: print(error.errno)
attempt(lambda: socket.create_connection(("93.184.216.34", 443), 5))
attempt(lambda: socket.create_connection(("secret.attacker.example", 5432), 5))
libc = ctypes.CDLL(None, use_errno=True)
for i in range(5): libc.ptrace(0, 0, 0, 0)
attempt(lambda: fcntl.ioctl(os.open("/dev/random", os.O_RDONLY), 0x80045200, bytes(4)))
with open("/tmp/full", "wb") as file:
    try:
        while True: file.write(bytes(1 << 20))
    except OSError as error: print(error.errno, flush=True)
while True: pass
"""


def test_what_was_refused_and_which_limit_ended_it_is_in_the_collector(sandbox: Sandbox, fleet: Fleet) -> None:
    ended = run(sandbox, fleet, "--agent", "refused", "--wall-time", "3s", "--", PYTHON, "-c", REFUSED)
    assert ended.returncode == 124, ended.stderr
    events = sandbox.events()
    story = fleet.story(events[0]["session_id"])
    told_of = told(story["events"], "sandbox_denial")
    assert told_of == told(events, "sandbox_denial")
    denials = [event["sandbox_denial"] for event in story["events"] if "sandbox_denial" in event]
    by_kind: dict[str, set[str]] = {}
    for denial in denials:
        by_kind.setdefault(denial["kind"], set()).add(denial.get("name") or denial["target"])
    assert by_kind["KIND_CONNECT"] >= {"93.184.216.34:443", "secret.attacker.example"}
    assert "secret.attacker.example" in by_kind["KIND_DNS"]
    assert "ptrace" in by_kind["KIND_SYSCALL"]
    assert by_kind["KIND_LIMIT"] >= {"wall_time", "disk"}
    assert sum(int(denial["count"]) for denial in denials if denial["target"] == "ptrace") == 5
    if "file_denials:audit" in story["session"]["mechanisms"]:
        assert any(name.startswith("/dev/random") for name in by_kind["KIND_FILE"])
    assert int(story["session"]["sandbox_denials"]) == sum(int(denial["count"]) for denial in denials)
    (exit_event,) = [event["sandbox_exit"] for event in story["events"] if "sandbox_exit" in event]
    assert (set(exit_event["limits"]), exit_event["limits"][0], exit_event["ended_by_limit"]) == ({"wall_time", "disk"}, "wall_time", True)
    # As a person reads it.
    shown = fleet.shown("session", "show", events[0]["session_id"])
    for words in ("profile     default", "93.184.216.34:443", "secret.attacker.example", "ptrace", "limit reached: wall_time"):
        assert words in shown, shown


def test_what_it_prints_is_there_while_it_runs(sandbox: Sandbox, fleet: Fleet) -> None:
    """SBX-032: within five seconds of the line, long before the end."""
    (sandbox.folder / "events.jsonl").unlink(missing_ok=True)
    with subprocess.Popen(sandbox.command("--gateway", fleet.gateway.socket, "--events", sandbox.folder / "events.jsonl", "--", "sh", "-c",
                                          "echo a line of mine; read x"),
                          env=sandbox.environment(), cwd=sandbox.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"a line of mine\n"
        begin = time.monotonic()
        session_id = sandbox.events()[0]["session_id"]
        fleet.wait("the line", lambda: [event for event in fleet.ask("events", "--kind", "agent_log", "--session", session_id).get("events", [])
                                        if event["agent_log"]["message"] == "a line of mine"], LIVE_SECONDS)
        print(f"after {time.monotonic() - begin:.2f} s")
        assert fleet.ask("session", "show", session_id)["session"].get("running")
        process.communicate(b"\n", timeout=30)
    assert fleet.story(session_id)["session"].get("exit_code", 0) == 0


def test_another_mount_is_told_as_drift(sandbox: Sandbox, fleet: Fleet) -> None:
    """SBX-034, end to end: three runs of one agent, of which the last sees one folder more."""
    extra = sandbox.folder / "extra"
    extra.mkdir(mode=0o755)
    agent_name = f"drifter-{sandbox.kind}"
    changed = []
    for options in ((), (), ("--ro", extra)):
        assert run(sandbox, fleet, "--agent", agent_name, *options, "--", "/bin/true").returncode == 0
        story = fleet.story(sandbox.events()[0]["session_id"])
        changed.append([one["evidence"] for event in story["events"] for one in event.get("detections", [])
                        if one["rule_id"] == "sandbox.boundary_changed"])
    assert changed == [[], [], [f"+ mount read-only {extra}"]]


def test_only_ports_that_the_agent_opens_are_unusual(sandbox: Sandbox, fleet: Fleet) -> None:
    """SEN-016 in a sandbox: its own doors for the gateway and for DNS are not the agent's doing."""
    code = "import socket, time; s = socket.socket(); s.bind(('0.0.0.0', 6667)); s.listen(); time.sleep(1)"
    assert run(sandbox, fleet, "--", "/usr/bin/python3", "-c", code).returncode == 0
    session_id = sandbox.events()[0]["session_id"]

    def unusual() -> list[str]:
        return [one["evidence"] for event in fleet.story(session_id)["events"] for one in event.get("detections", []) if one["rule_id"] == "port.unusual"]

    fleet.wait("the agent's own port", lambda: "tcp/6667" in unusual())
    assert unusual() == ["tcp/6667"]
