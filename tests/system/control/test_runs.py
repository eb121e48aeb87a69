# SPDX-License-Identifier: Apache-2.0
"""Sandboxed runs and operators' freezes: a session is its run to gateway and kernel, and whoever runs for it stands still with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from conftest import World, wait_for
from real_collector import binary

WAIT_SECONDS = 60  # generous: machines of tests are busy
# Says for ever who it is and whether the kernel lets it connect to itself.
AGENT = """import os, socket, time
listener = socket.create_server(("127.0.0.1", 0))
print("session", os.environ["AISPM_SESSION_ID"], flush=True)
while True:
    try:
        socket.create_connection(listener.getsockname()).close()
        listener.accept()[0].close()
        print("free", flush=True)
    except PermissionError:
        print("refused", flush=True)
    time.sleep(0.05)
"""


@dataclass
class Run:
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        threading.Thread(target=self.read, daemon=True).start()

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.strip())

    @property
    def session(self) -> str:
        return str(wait_for(lambda: [line.split()[1] for line in self.lines if line.startswith("session ")], WAIT_SECONDS,
                            f"the run says who it is: {self.lines}")[0])

    def says(self, word: str) -> bool:
        """Whether it says that from now on."""
        before = len(self.lines)
        wait_for(lambda: len(self.lines) > before + 2 or self.process.poll() is not None, WAIT_SECONDS, "the run goes on")
        assert self.process.poll() is None, self.lines[-12:]
        return self.lines[-1] == word

    def stands(self) -> bool:
        """Whether it says nothing any more."""
        before = len(self.lines)
        threading.Event().wait(0.5)
        return len(self.lines) == before


Start = Callable[..., Run]


def call(world: World, folder: Path, agent: str, *words: str) -> list[str]:
    return [str(binary("aispm-run")), "--gateway", str(world.gateway.socket), "--agent", agent, *words, str(folder / "agent.py")]


@pytest.fixture
def start(world: World, tmp_path: Path) -> Iterator[Start]:
    if not binary("aispm-run").exists():
        pytest.skip(f"{binary('aispm-run')} is not built")
    (tmp_path / "agent.py").write_text(AGENT)
    tmp_path.chmod(0o755)
    runs: list[Run] = []

    def begin(agent: str, *words: str) -> Run:
        environment = {name: value for name, value in os.environ.items() if name not in ("AISPM_SESSION_ID", "AISPM_AGENT_ID")}
        process = subprocess.Popen(call(world, tmp_path, agent, *words), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   text=True, env={**environment, "HOME": str(tmp_path)})
        runs.append(Run(process))
        return runs[-1]

    yield begin
    for run in runs:
        run.process.kill()
        run.process.wait(timeout=30)


def refusal(world: World, folder: Path, agent: str, **environment: str) -> str:
    """What aispm-run says when nothing is started."""
    (folder / "agent.py").write_text(AGENT)
    done = subprocess.run(call(world, folder, agent), cwd=folder, capture_output=True, text=True, check=False, timeout=60,
                          env={**os.environ, **environment, "HOME": str(folder)})
    assert done.returncode == 125, done.stderr
    assert "Nothing was started" in done.stderr
    return done.stderr


def test_who_runs_for_a_frozen_run_stands_still_with_it_pol_029(world: World, start: Start, tmp_path: Path) -> None:
    parent = start("planner.py")
    assert parent.says("free")
    child = start("worker.py", "--parent", parent.session)
    grandchild = start("helper.py", "--parent", child.session)
    assert child.says("free") and grandchild.says("free")
    frozen = world.freeze("SESSION", parent.session)
    for run in (parent, child, grandchild):
        wait_for(run.stands, WAIT_SECONDS, "it stands still")
    assert "stopped this" in refusal(world, tmp_path, "late.py", AISPM_AGENT_ID="x", AISPM_SESSION_ID=child.session)
    world.lift(frozen)
    assert all(run.says("free") for run in (parent, child, grandchild))
    # The child's own freeze is nobody else's, but of those who run for it.
    frozen = world.freeze("SESSION", child.session)
    wait_for(child.stands, WAIT_SECONDS, "it stands still")
    wait_for(grandchild.stands, WAIT_SECONDS, "it stands still")
    assert parent.says("free")
    world.lift(frozen)
    assert child.says("free")


def test_runs_run_for_runs_of_the_same_user_that_go_on(world: World, start: Start, tmp_path: Path) -> None:
    nobody = "0190a000-0000-7000-8000-00000000beef"
    assert "no run of yours" in refusal(world, tmp_path, "lost.py", AISPM_AGENT_ID="x", AISPM_SESSION_ID=nobody)
    runs = [start("deep.py")]
    for _ in range(3):
        assert runs[-1].says("free")
        runs.append(start("deep.py", "--parent", runs[-1].session))
    assert runs[-1].says("free")
    told = refusal(world, tmp_path, "deep.py", AISPM_AGENT_ID="x", AISPM_SESSION_ID=runs[-1].session)
    assert "3 deep" in told


# --- the kernel -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def sensor(world: World, tmp_path: Path) -> Iterator[None]:
    if os.geteuid() != 0:
        pytest.skip("aispm-sensord needs root")
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text(world.collector.enrolment_token() + "\n")
    config = tmp_path / "sensord.yaml"
    config.write_text(f"state_folder: {tmp_path}/state\ncollector: {world.collector.grpc}\nenrolment_token_file: {token}\n"
                      "enforce:\n  mode: enforce\n  pins: \"\"\n")
    log = tmp_path / "sensord.log"
    with log.open("wb") as out:
        process = subprocess.Popen([binary("aispm-sensord"), "--config", config], stdout=out, stderr=out)
    try:
        wait_for(lambda: b"event=started" in log.read_bytes() or process.poll() is not None, WAIT_SECONDS, "the sensor starts")
        assert process.poll() is None, log.read_text()
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def known_agent(world: World, run: Run) -> str:
    """The run's agent, once the collector has heard of its start."""
    path = f"/api/v1/sessions/{run.session}"
    answer = wait_for(lambda: (a := world.rest("GET", path)).status == 200 and "init:" in json.dumps(a.body) and a, WAIT_SECONDS,
                      "the collector knows the run")
    return str(answer.body["session"]["agent_id"])


def kernel_has(world: World, frozen: dict[str, object]) -> bool:
    return any(state["component"] == "sensord" and not state.get("problem") for state in world.freeze_states(frozen))


@pytest.mark.usefixtures("sensor")
def test_a_session_is_its_run_to_the_kernel_grd_009(world: World, start: Start) -> None:
    run, other = start("boxed.py"), start("other.py")
    assert run.says("free") and other.says("free")
    known_agent(world, run)
    assert world.gateway.process is not None
    # The gateway cannot tell aispm-run: what stops the run now is the kernel alone.
    world.gateway.process.send_signal(signal.SIGSTOP)
    try:
        frozen = world.freeze("SESSION", run.session)
        wait_for(lambda: kernel_has(world, frozen), WAIT_SECONDS, "the sensor's word")
        assert run.says("refused"), "what is acknowledged is true"
        [state] = [one for one in world.freeze_states(frozen) if one["component"] == "sensord"]
        print(f"in force in the kernel after {int(state['latency_us']) / 1000:.1f} ms")
        assert other.says("free")
        world.lift(frozen)
        wait_for(lambda: run.says("free"), WAIT_SECONDS, "the kernel refuses no longer")
    finally:
        world.gateway.process.send_signal(signal.SIGCONT)


@pytest.mark.usefixtures("sensor")
def test_a_run_for_a_frozen_agent_is_stopped_by_the_kernel_too(world: World, start: Start) -> None:
    parent = start("boss.py")
    assert parent.says("free")
    child = start("clerk.py", "--parent", parent.session)
    assert child.says("free")
    agent = known_agent(world, parent)
    known_agent(world, child)
    assert world.gateway.process is not None
    world.gateway.process.send_signal(signal.SIGSTOP)
    try:
        frozen = world.freeze("AGENT", agent)
        wait_for(lambda: child.says("refused"), WAIT_SECONDS, "the kernel refuses")
        world.lift(frozen)
        wait_for(lambda: child.says("free"), WAIT_SECONDS, "the kernel refuses no longer")
    finally:
        world.gateway.process.send_signal(signal.SIGCONT)


@pytest.mark.usefixtures("sensor")
def test_a_run_whose_launcher_is_killed_ends_with_its_process_1(world: World, start: Start) -> None:
    run, other = start("shot.py"), start("whole.py")
    assert run.says("free") and other.says("free")
    for one in (run, other):
        known_agent(world, one)
    run.process.kill()
    run.process.wait(timeout=30)

    def session(one: Run) -> dict[str, object]:
        return dict(world.rest("GET", f"/api/v1/sessions/{one.session}").body["session"])

    wait_for(lambda: not session(run).get("running"), WAIT_SECONDS, "the collector knows that it ended")
    # Process 1 is killed with its launcher, or hears of that and ends by itself.
    assert session(run)["end"], session(run)
    assert session(other)["running"]
