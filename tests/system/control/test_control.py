# SPDX-License-Identifier: Apache-2.0
"""Policies from push to enforced, and the kill switch, with the real programs."""

from __future__ import annotations

import getpass
import http.client
import json
import os
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from conftest import AGENT, Gateway, World, free_port, wait_for
from real_collector import binary

GOOD = "rules: [{id: a, match: {tool: t}, outcome: allow}]\n"
BETTER = "rules: [{id: a, match: {tool: t}, outcome: deny}]\n"
TOLD_SECONDS = 20  # generous: machines of tests are busy


def acknowledged(world: World, policy: str, version: int) -> list[dict[str, Any]]:
    states: list[dict[str, Any]] = wait_for(
        lambda: [s for s in world.states(policy) if int(s["version"]) == version], TOLD_SECONDS,
        f"a gateway's word on version {version} of {policy}")
    return states


# --- policies -------------------------------------------------------------------------------------------------------------


def test_a_fresh_install_has_twelve_policies_and_enforces_none_pol_032(world: World) -> None:
    listed = world.collector.cli("policy", "list")["policies"]
    shipped = [p for p in listed if p["created_by"].startswith("shipped")]
    assert len(shipped) == 12
    assert {p["stage"] for p in shipped} == {"POLICY_STAGE_DRAFT"}


def test_a_bad_bundle_is_refused_with_its_line_pol_021(world: World) -> None:
    made = world.push("bad", actions__yaml="rules:\n  - {id: a, outcome: perhaps}\n")
    assert made.status == 400
    assert "actions.yaml:2" in made.body["error"]["message"]
    assert world.rest("GET", "/api/v1/policies/bad").status == 404


def test_a_large_body_is_for_bundles_only(world: World) -> None:
    large = "# " + "x" * 200_000 + "\n"
    assert world.push("large", actions__yaml=large + GOOD).status == 200
    for path, status in (("/api/v1/freezes", 413), ("/api/v1/policies/x/versions", 413), ("/api/v1/policies/x/stage", 413)):
        connection = http.client.HTTPConnection("127.0.0.1", world.http_port, timeout=20)
        connection.putrequest("POST", path)
        connection.putheader("Content-Length", "3000000" if path.endswith("versions") else "70000")
        connection.endheaders()
        assert connection.getresponse().status == status, path
        connection.close()


def test_goes_from_draft_to_enforced_and_no_other_way_pol_019(world: World) -> None:
    assert world.push("ways", actions__yaml=GOOD).status == 200
    assert world.promote("ways", "ENFORCED").status == 409
    assert world.promote("ways", "MONITOR", reason="").status == 400
    assert world.promote("ways", "MONITOR").status == 200
    assert acknowledged(world, "ways", 1)[0]["problem"] == ""
    assert world.promote("ways", "ENFORCED").status == 200
    assert world.promote("ways", "DRAFT").status == 409
    assert world.push("ways", actions__yaml=BETTER).status == 200
    assert world.promote("ways", "ENFORCED", version=2).status == 409
    assert world.promote("ways", "MONITOR", version=2).body["candidate_version"] == "2"
    acknowledged(world, "ways", 2)
    assert world.promote("ways", "ENFORCED").body["version"] == "2"
    assert world.promote("ways", "DEPRECATED").status == 200
    assert world.promote("ways", "MONITOR").status == 409


def test_versions_diff_and_restore_pol_020(world: World, tmp_path: Path) -> None:
    for text in (GOOD, BETTER):
        folder = tmp_path / str(len(text))
        folder.mkdir()
        (folder / "actions.yaml").write_text(text)
        world.collector.cli("policy", "push", "history", str(folder), "--comment", "as the test has it")
    assert [v["version"] for v in world.collector.cli("policy", "versions", "history")["versions"]] == ["2", "1"]
    environment = {**os.environ, "AISPM_COLLECTOR": world.collector.grpc, "AISPM_TOKEN": world.collector.bootstrap["admin_token"],
                   "AISPM_CA_FILE": world.collector.bootstrap["ca_file"]}
    diff = subprocess.run([binary("aispm"), "policy", "diff", "history", "1", "2"], capture_output=True, text=True, check=True,
                          env=environment).stdout
    assert diff.splitlines() == ["--- actions.yaml", "+++ actions.yaml", "@@ -1 +1 @@", "-" + GOOD.strip(), "+" + BETTER.strip()]
    restored = world.collector.cli("policy", "restore", "history", "1", "--reason", "two was wrong")
    assert restored["newest_version"] == "3"
    first, third = (world.collector.cli("policy", "show", "history", "--version", str(n)) for n in (1, 3))
    assert third["restored_from"] == "1"
    assert (first["files"], first["digest"]) == (third["files"], third["digest"])


def test_who_demands_signatures_keeps_out_what_has_none_pol_006(world: World, tmp_path: Path,
                                                               provider: tuple[int, Path]) -> None:
    subprocess.run([binary("aispm"), "policy", "keygen", str(tmp_path / "k")], check=True, capture_output=True)
    (tmp_path / "gw").mkdir()
    strict = Gateway(tmp_path / "gw", world.collector, *provider,
                     extra=f"policies: {{trusted_keys: [{tmp_path}/k.pub], must_be_signed: true}}\n")
    world.gateway.stop()  # else it would have the unsigned one
    strict.start()
    try:
        bundle = tmp_path / "bundle"
        bundle.mkdir()
        (bundle / "actions.yaml").write_text(GOOD)
        world.collector.cli("policy", "push", "signed", str(bundle))
        assert world.promote("signed", "MONITOR").status == 200
        wait_for(lambda: any("not signed" in s["problem"] for s in world.states("signed")), TOLD_SECONDS, "the strict gateway refuses")
        assert "not signed" in world.promote("signed", "ENFORCED").body["error"]["message"]
        subprocess.run([binary("aispm"), "policy", "sign", str(bundle), "--key", str(tmp_path / "k.key")], check=True,
                       capture_output=True)
        world.collector.cli("policy", "push", "signed", str(bundle))
        assert world.promote("signed", "MONITOR").body["version"] == "2"
        wait_for(lambda: [s["problem"] for s in world.states("signed") if s["version"] == "2"] == [""], TOLD_SECONDS,
                 "the gateway has the signed one")
    finally:
        strict.stop()
        world.gateway.start()
        world.promote("signed", "DEPRECATED")
        wait_for(lambda: world.gateway.ask(world.key).status == 200, 60, "the other gateway serves again")


def rule_of(world: World, key: str, tool: str) -> str:
    """The rule that decides about a call; "unknown" while the agent's key is on its way."""
    request = urllib.request.Request(f"http://127.0.0.1:{world.gateway.port}/aispm/v1/decide", data=json.dumps({"tool": tool}).encode(),
                                     headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return str(json.load(reply)["rule"])
    except urllib.error.HTTPError as error:
        if error.code == 401:
            return "unknown"
        raise


def test_an_agents_policy_is_attached_and_detached_pol_024(world: World) -> None:
    key = str(world.collector.cli("agent", "create-key", "tests/attached")["key"])
    wait_for(lambda: rule_of(world, key, "t") != "unknown", TOLD_SECONDS, "the gateway knows the key")
    before = rule_of(world, key, "t")

    def give_to(*agents: str) -> None:
        scoped = world.rest("POST", "/api/v1/policies/attach/scope", {"scope": {"agents": agents}, "reason": "a test says so"})
        assert scoped.status == 200, scoped.body

    assert world.push("attach", actions__yaml="rules: [{id: attached, match: {tool: t}, outcome: deny}]\n").status == 200
    give_to("tests/somebody")
    assert world.promote("attach", "MONITOR").status == 200
    assert acknowledged(world, "attach", 1)[0]["problem"] == ""
    assert world.promote("attach", "ENFORCED").status == 200
    give_to("tests/somebody", "tests/attached")
    wait_for(lambda: rule_of(world, key, "t") == "attached", TOLD_SECONDS, "the policy is attached")
    give_to("tests/somebody")
    wait_for(lambda: rule_of(world, key, "t") == before, TOLD_SECONDS, "the policy is detached")
    assert world.promote("attach", "DEPRECATED").status == 200


# --- freeze and kill ------------------------------------------------------------------------------------------------------


def test_the_next_request_is_refused_and_after_lifting_it_is_not_grd_009(world: World) -> None:
    assert world.gateway.ask(world.key).status == 200
    frozen = world.freeze("AGENT", AGENT)
    started = time.monotonic()
    state = wait_for(lambda: world.freeze_states(frozen), TOLD_SECONDS, "the gateway's word")[0]
    refused = world.gateway.ask(world.key)
    assert refused.status == 403
    assert refused.body["error"]["code"] == "aispm_frozen"
    assert "a test says so" in refused.body["error"]["message"]
    print(f"freeze in force after {int(state['latency_us']) / 1000:.1f} ms (seen after {(time.monotonic() - started) * 1000:.0f} ms)")
    assert int(state["latency_us"]) < TOLD_SECONDS * 1_000_000
    world.lift(frozen)
    wait_for(lambda: world.gateway.ask(world.key).status == 200, TOLD_SECONDS, "it goes on")
    wait_for(lambda: [event for event in world.rest("GET", "/api/v1/decisions?agent_id=" + AGENT).body["events"]
                      if event.get("decision", {}).get("outcome") == "OUTCOME_KILL_SWITCH"], TOLD_SECONDS, "the record")


@pytest.mark.parametrize(("scope", "value"), [("MODEL", "gpt-*"), ("USER", "tests"), ("TENANT", "default"), ("ALL", "")])
def test_each_scope_stops_what_it_names_pol_031(world: World, scope: str, value: str) -> None:
    frozen = world.freeze(scope, value)
    wait_for(lambda: world.gateway.ask(world.key).status == 403, TOLD_SECONDS, f"{scope} is stopped")
    world.lift(frozen)
    wait_for(lambda: world.gateway.ask(world.key).status == 200, TOLD_SECONDS, "it goes on")


def test_nobody_else_is_stopped(world: World) -> None:
    frozen = world.freeze("AGENT", "tests/another")
    wait_for(lambda: world.freeze_states(frozen), TOLD_SECONDS, "the gateway's word")
    assert world.gateway.ask(world.key).status == 200
    world.lift(frozen)


def test_a_running_stream_is_cut(world: World) -> None:
    with urllib.request.urlopen(world.gateway.request(world.key, 'slow split=1 say "' + "x" * 60 + '"', stream=True), timeout=60) as reply:
        assert reply.readline()
        frozen = world.freeze("AGENT", AGENT)
        frozen_at = time.monotonic()
        rest = reply.read().decode()
        ended = time.monotonic() - frozen_at
    world.lift(frozen)
    assert "an operator has stopped this" in rest
    assert "[DONE]" not in rest
    print(f"a running stream ended {ended * 1000:.0f} ms after the order")
    assert ended < 20  # of the 30 s that it would have taken
    wait_for(lambda: world.gateway.ask(world.key).status == 200, TOLD_SECONDS, "it goes on")


def test_survives_a_restart_without_the_collector_and_ends_by_itself_grd_007(world: World) -> None:
    frozen = world.freeze("AGENT", AGENT, kill=True)
    wait_for(lambda: world.freeze_states(frozen), TOLD_SECONDS, "the gateway's word")
    world.gateway.stop()
    world.collector.kill()
    world.gateway.start()
    assert world.gateway.ask(world.key).status == 403
    world.collector.start()
    assert [f["id"] for f in world.rest("GET", "/api/v1/freezes").body["freezes"]] == [frozen["id"]]
    world.lift(frozen)
    wait_for(lambda: world.gateway.ask(world.key).status == 200, TOLD_SECONDS, "it goes on")
    short = world.rest("POST", "/api/v1/freezes", {"freeze": {"scope": "FREEZE_SCOPE_AGENT", "value": AGENT, "reason": "short"},
                                                   "valid_seconds": 2}).body
    wait_for(lambda: world.freeze_states(short), TOLD_SECONDS, "the gateway's word")
    wait_for(lambda: world.gateway.ask(world.key).status == 200, TOLD_SECONDS, "it ended by itself")
    assert world.rest("GET", "/api/v1/freezes").body["freezes"] == []


def test_a_damaged_snapshot_stops_everybody(world: World) -> None:
    frozen = world.freeze("AGENT", "tests/another")
    wait_for(lambda: world.freeze_states(frozen), TOLD_SECONDS, "the gateway's word")
    world.gateway.stop()
    world.collector.kill()
    kept = world.gateway.folder / "state" / "freezes"
    kept.write_bytes(kept.read_bytes()[:-1])
    world.gateway.start()
    assert world.gateway.ask(world.key).status == 403
    world.collector.start()
    wait_for(lambda: world.gateway.ask(world.key).status == 200, TOLD_SECONDS, "the collector says what is right")
    world.lift(frozen)


def test_who_may_stop_whom(world: World) -> None:
    made = subprocess.run([binary("aispm-collector"), "token", "create", "--role", "operator", "--config", world.collector.config],
                          capture_output=True, text=True, check=True)
    token = made.stdout.strip().splitlines()[-1]
    everybody = {"freeze": {"scope": "FREEZE_SCOPE_ALL", "reason": "because"}}
    assert world.rest("POST", "/api/v1/freezes", everybody, token).status == 403
    for scope, value in (("AGENT", "*"), ("MODEL", "**"), ("AGENT", "?*")):  # the same in other words
        asked = {"freeze": {"scope": f"FREEZE_SCOPE_{scope}", "value": value, "kill": True, "reason": "because"}}
        assert world.rest("POST", "/api/v1/freezes", asked, token).status == 403, value
    frozen = world.freeze("ALL")
    assert world.rest("POST", f"/api/v1/freezes/{frozen['id']}/lift", {"reason": "because"}, token).status == 403
    world.lift(frozen)
    assert world.rest("POST", "/api/v1/freezes", {"freeze": {"scope": "FREEZE_SCOPE_UNSPECIFIED", "reason": "x"}}).status == 400


def test_the_command_line_lifts_nothing_that_was_not_named(world: World) -> None:
    frozen = world.freeze("AGENT", "nobody/here")
    environment = {**os.environ, "AISPM_COLLECTOR": world.collector.grpc, "AISPM_TOKEN": world.collector.bootstrap["admin_token"],
                   "AISPM_CA_FILE": world.collector.bootstrap["ca_file"]}
    for words in (["unfreeze", "", "--reason", "x"], ["approval", "approve", "", "--reason", "x"]):
        said = subprocess.run([binary("aispm"), *words], capture_output=True, text=True, env=environment)
        assert said.returncode != 0 and "id" in said.stderr, said
    world.lift(frozen)  # it was still there


def test_a_collector_that_falls_silent_is_noticed(world: World) -> None:
    """The machine that it runs on lost power: no connection was closed."""
    log = world.gateway.folder / "gateway.log"
    seen = log.read_text().count("freezes.disconnected")
    world.collector.pause()
    try:
        wait_for(lambda: log.read_text().count("freezes.disconnected") > seen, 60, "the gateway notices that nobody answers")
    finally:
        world.collector.resume()
    frozen = world.freeze("AGENT", AGENT)
    wait_for(lambda: world.freeze_states(frozen), 60, "the gateway's word once the collector is back")
    world.lift(frozen)


def test_every_change_is_an_event_of_the_collector_pol_020(world: World) -> None:
    def actions() -> set[str]:
        events = world.rest("GET", "/api/v1/events?kind=operator_action&page_size=500").body["events"]
        assert all(e["operator_action"]["who"] for e in events)
        return {e["operator_action"]["action"] for e in events if e["source"] == "SOURCE_COLLECTOR"}

    wait_for(lambda: {"policy.push", "policy.monitor", "policy.enforce", "policy.restore", "policy.deprecate", "freeze.create",
                      "freeze.lift", "freeze.kill"} <= actions(), TOLD_SECONDS, "the record of what was done")


# --- sandboxes ------------------------------------------------------------------------------------------------------------


class Run:
    """An agent under aispm-run that writes a line every 50 ms."""

    def __init__(self, world: World, folder: Path, agent: str) -> None:
        self.lines = 0
        environment = {**os.environ, "HOME": str(folder)}
        self.process = subprocess.Popen(
            [binary("aispm-run"), "--gateway", world.gateway.socket, "--agent", agent, "--", "/bin/sh", "-c",
             "(while :; do echo child; sleep 0.05; done) & while :; do echo parent; sleep 0.05; done"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=folder)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for _ in self.process.stdout:
            self.lines += 1

    def is_writing(self) -> bool:
        before = self.lines
        time.sleep(0.6)
        return self.lines > before

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=20)


@pytest.fixture
def run(world: World, tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    if not binary("aispm-run").exists():
        pytest.skip(f"{binary('aispm-run')} is not built")
    made = Run(world, tmp_path, f"run{free_port()}")
    try:
        wait_for(lambda: made.lines > 5 or made.process.poll() is not None, 30, "the agent writes")
        if made.process.poll() is not None:
            assert made.process.stderr
            pytest.skip(f"this host starts no sandbox: {made.process.stderr.read()[:300]}")
        yield made
    finally:
        made.end()


def session_of(world: World, agent: str) -> str:
    def find() -> str:
        sessions = world.rest("GET", f"/api/v1/sessions?query={agent}").body["sessions"]
        return str(sessions[0]["session_id"]) if sessions else ""

    return str(wait_for(find, TOLD_SECONDS, "the session"))


def agent_of(run: Any) -> str:
    words = [str(word) for word in run.process.args]
    return words[words.index("--agent") + 1]


def test_a_frozen_run_stands_still_with_all_its_processes(world: World, run: Any) -> None:
    frozen = world.freeze("SESSION", session_of(world, agent_of(run)))
    wait_for(lambda: not run.is_writing(), TOLD_SECONDS, "it stands still")
    # A signal from outside does not let it go.
    run.process.send_signal(signal.SIGCONT)
    assert not run.is_writing()
    world.lift(frozen)
    wait_for(run.is_writing, TOLD_SECONDS, "it goes on")


@pytest.mark.parametrize("scope", ["USER", "TENANT", "ALL"])
def test_each_scope_that_a_run_has_stops_it_pol_031(world: World, run: Any, scope: str) -> None:
    value = {"USER": getpass.getuser(), "TENANT": "default", "ALL": ""}[scope]
    frozen = world.freeze(scope, value)
    try:
        wait_for(lambda: not run.is_writing(), TOLD_SECONDS, "it stands still")
    finally:
        world.lift(frozen)
    wait_for(run.is_writing, TOLD_SECONDS, "it goes on")


def test_a_killed_run_ends(world: World, run: Any) -> None:
    started = time.monotonic()
    frozen = world.freeze("AGENT", f"*/{agent_of(run)}", kill=True)
    code = run.process.wait(timeout=TOLD_SECONDS)
    print(f"a killed run ended after {(time.monotonic() - started) * 1000:.0f} ms")
    errors = run.process.stderr.read()
    assert code != 0
    assert "a test says so" in errors
    # And none starts again.
    again = subprocess.run([binary("aispm-run"), "--gateway", world.gateway.socket, "--agent", agent_of(run), "--", "/bin/true"],
                           capture_output=True, text=True, check=False, timeout=60)
    assert again.returncode != 0
    assert "an operator has stopped this" in again.stderr
    world.lift(frozen)
