# SPDX-License-Identifier: Apache-2.0
"""`detect.yaml` and `sandbox.yaml` of policies, from push to what the gateway finds and aispm-run starts."""

from __future__ import annotations

import base64
import datetime
import json
import os
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from conftest import Gateway, World, free_port, wait_for
from real_collector import binary

TOLD_SECONDS = 60  # rules are compiled, and machines of tests are busy


def pack(word: str, rule: str = "custom.bird") -> str:
    return (f"packs:\n  - pack: birds\n    category: custom\n    rules:\n"
            f"      - {{id: {rule}, label: bird, confidence: 0.9, severity: high, patterns: ['{word}'], message: m, hits: ['{word}'], misses: [m]}}\n")


def push(world: World, folder: Path, policy: str, agent: str, file: str, text: str) -> None:
    bundle = folder / policy
    bundle.mkdir(exist_ok=True)
    (bundle / file).write_text(text)
    world.collector.cli("policy", "push", policy, str(bundle), "--agent", agent)


def problem(world: World, policy: str, version: int) -> str:
    """What the gateway says of a version, when it says something."""
    state = wait_for(lambda: [s for s in world.states(policy) if int(s["version"]) == version], TOLD_SECONDS,
                     f"the gateway's word on version {version} of {policy}")[0]
    return str(state["problem"])


def enforce(world: World, policy: str, version: int) -> None:
    assert world.promote(policy, "MONITOR", version=version).status == 200
    assert problem(world, policy, version) == ""
    assert world.promote(policy, "ENFORCED").status == 200


# --- detect.yaml ----------------------------------------------------------------------------------------------------------


def found(world: World, key: str, text: str) -> set[str]:
    """Rules that find something."""
    request = urllib.request.Request(f"http://127.0.0.1:{world.gateway.port}/aispm/v1/screen",
                                     data=json.dumps({"text": text, "surface": "prompt"}).encode(),
                                     headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return {one["rule_id"] for one in json.load(reply)["detections"]}
    except urllib.error.HTTPError as error:
        if error.code == 401:  # the agent's key is still on its way
            return set()
        raise


def test_detection_is_for_those_whose_policy_it_is(world: World, tmp_path: Path) -> None:
    key = str(world.collector.cli("agent", "create-key", "tests/birds")["key"])
    push(world, tmp_path, "birds", "tests/birds", "detect.yaml", pack("bluebird"))
    assert world.promote("birds", "MONITOR").status == 200
    assert problem(world, "birds", 1) == ""
    aws = "AKIA" + "Z7QJ3XNVB5KD2M4T"
    wait_for(lambda: found(world, key, aws) == {"secret.aws_access_key"}, TOLD_SECONDS, "the gateway knows the key")
    assert found(world, key, "a bluebird") == set(), "a policy that is monitored finds nothing"
    assert world.promote("birds", "ENFORCED").status == 200
    wait_for(lambda: found(world, key, f"a bluebird {aws}") == {"custom.bird", "secret.aws_access_key"}, TOLD_SECONDS,
             "the policy's rules are in force")
    assert found(world, world.key, "a bluebird") == set()

    # A shipped rule's threshold.
    push(world, tmp_path, "birds", "tests/birds", "detect.yaml",
         pack("kingfisher") + "thresholds: [{rule: secret.aws_access_key, alone: 1}, {category: secret, together: 1}]\n")
    enforce(world, "birds", 2)
    wait_for(lambda: found(world, key, f"a bluebird and a kingfisher {aws}") == {"custom.bird"}, TOLD_SECONDS, "the next version's are")
    assert found(world, key, "a bluebird") == set()
    assert found(world, world.key, aws) == {"secret.aws_access_key"}

    # Fits no gateway that has this rule already: the collector cannot know, the gateway says so, and nothing changes.
    push(world, tmp_path, "birds", "tests/birds", "detect.yaml", pack("heron", rule="secret.aws_access_key"))
    assert world.promote("birds", "MONITOR", version=3).status == 200
    assert "detect.yaml:5" in problem(world, "birds", 3)
    assert "stands twice" in problem(world, "birds", 3)
    assert world.promote("birds", "ENFORCED").status == 409
    assert found(world, key, "kingfisher heron") == {"custom.bird"}
    assert world.promote("birds", "DEPRECATED").status == 200
    wait_for(lambda: found(world, key, f"kingfisher {aws}") == {"secret.aws_access_key"}, TOLD_SECONDS, "the policy is gone")


def test_detection_that_is_only_watched_is_tried_on_what_passes_pol_019(world: World, tmp_path: Path) -> None:
    agent = "tests/watching"
    key = str(world.collector.cli("agent", "create-key", agent)["key"])
    aws = "AKIA" + "Z7QJ3XNVB5KD2M4T"
    text = pack("bluebird") + "thresholds: [{rule: secret.aws_access_key, alone: 1}, {category: secret, together: 1}]\n"
    push(world, tmp_path, "watching", agent, "detect.yaml", text)
    assert world.promote("watching", "MONITOR").status == 200
    assert problem(world, "watching", 1) == ""
    wait_for(lambda: world.gateway.ask(key, "nothing to find").status == 200, TOLD_SECONDS, "the gateway knows the key")

    def told() -> list[tuple[str, str, list[str]]]:
        events = world.rest("GET", f"/api/v1/events?page_size=200&kind=action_call&agent_id={agent}").body.get("events", [])
        return [(e["decision"]["mode"], e["decision"]["outcome"], sorted(e["action_call"]["inputs"])) for e in events
                if e["action_call"]["surface"] == "detection" and e["action_call"]["policy_id"] == "watching"]

    assert world.gateway.ask(key, f"look at {aws}").status == 200
    other = [("monitor", "OUTCOME_ALLOW", ["not found: prompt secret.aws_access_key"])]
    wait_for(lambda: told() == other, TOLD_SECONDS, "what it would not find")
    with urllib.request.urlopen(world.gateway.request(key, 'split=1 say "a bluebird sings"', stream=True), timeout=60) as reply:
        assert b"[DONE]" in reply.read(), "nothing of it is applied"
    found_both = ("monitor", "OUTCOME_ALLOW", ["found: prompt custom.bird", "found: reply custom.bird"])
    wait_for(lambda: told() == [found_both, *other], TOLD_SECONDS, "what it would find in a stream")
    assert world.gateway.ask(key, 'say "a bluebird sings"').status == 200
    wait_for(lambda: told() == [found_both, found_both, *other], TOLD_SECONDS, "and in a whole reply")
    assert world.gateway.ask(world.key, "a bluebird").status == 200
    calls = world.rest("GET", f"/api/v1/events?page_size=200&kind=llm_call&agent_id={agent}").body["events"]
    assert [d["rule_id"] for e in calls for d in e.get("detections", [])] == ["secret.aws_access_key"], "counted is what is in force"
    assert world.promote("watching", "DEPRECATED").status == 200
    assert len(told()) == 3


def test_detection_that_does_not_do_what_its_examples_say_is_refused_at_the_door(world: World) -> None:
    wrong = pack("bluebird").replace("hits: ['bluebird']", "hits: ['heron']")
    made = world.push("wrong", detect__yaml=wrong)
    assert made.status == 400
    assert "detect.yaml:5: custom.bird" in made.body["error"]["message"]
    files = [{"path": "detect.yaml", "content": base64.b64encode(wrong.encode()).decode()}]
    said = world.rest("POST", "/api/v1/policies:validate", {"files": files}).body
    assert (said["problems"][0]["path"], said["problems"][0]["line"]) == ("detect.yaml", 5)


# --- sandbox.yaml ---------------------------------------------------------------------------------------------------------


def run(world: World, folder: Path, agent: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(binary("aispm-run")), "--gateway", str(world.gateway.socket), "--agent", agent, *words], cwd=folder,
                          capture_output=True, text=True, check=False, timeout=60, env={**os.environ, "HOME": str(folder)})


@pytest.fixture
def boxed(world: World, tmp_path: Path) -> str:
    """An agent's name whose runs start here."""
    if not binary("aispm-run").exists():
        pytest.skip(f"{binary('aispm-run')} is not built")
    agent = f"boxed{free_port()}"
    trial = run(world, tmp_path, agent, "--", "/bin/true")
    if trial.returncode == 125:
        pytest.skip(f"this host starts no sandbox: {trial.stderr[:300]}")
    assert trial.returncode == 0, trial.stderr
    return agent


def test_a_run_is_held_to_what_its_policy_permits(world: World, tmp_path: Path, boxed: str) -> None:
    shared = Path("/var/tmp") / f"aispm-shared-{boxed}"
    shared.mkdir()
    try:
        rules = ("rules:\n  - {id: small, limits: {open_files: 64, wall_time: 1h}}\n"
                 f"  - {{id: own, agent: '*/{boxed}', read_write: [/srv], dangerous: false, reason: Nothing is shared}}\n")
        push(world, tmp_path, boxed, f"*/{boxed}", "sandbox.yaml", rules)
        count = ("--", "/bin/sh", "-c", "ulimit -n")
        assert world.promote(boxed, "MONITOR").status == 200
        assert problem(world, boxed, 1) == ""
        assert run(world, tmp_path, boxed, *count).stdout == "1024\n", "monitored: not applied"
        assert world.promote(boxed, "ENFORCED").status == 200
        ended: Any = wait_for(lambda: (e := run(world, tmp_path, boxed, *count)).stdout == "64\n" and e, TOLD_SECONDS, "the limit holds")
        assert ended.returncode == 0
        assert "limits.open_files is lowered, by rule small of sandbox.yaml" in ended.stderr
        assert "wall_time" in ended.stderr
        assert run(world, tmp_path, f"other{boxed}", *count).stdout == "1024\n", "another agent has another policy"

        refused = run(world, tmp_path, boxed, "--rw", str(shared), "--", "/bin/sh", "-c", f"touch {shared}/x")
        assert refused.returncode == 126
        assert f"--rw {shared} is not permitted" in refused.stderr
        assert "rule own of sandbox.yaml: Nothing is shared" in refused.stderr
        assert list(shared.iterdir()) == []
        def events(agent: str) -> list[Any]:
            return [e for e in world.rest("GET", "/api/v1/events?page_size=500").body["events"] if e.get("agent_id", "").endswith(agent)]

        wait_for(lambda: "is not permitted" in json.dumps(events(boxed)), TOLD_SECONDS, "the collector has heard of the refusal")

        # Without the rule it starts again.
        assert world.promote(boxed, "DEPRECATED").status == 200
        wait_for(lambda: run(world, tmp_path, boxed, *count).stdout == "1024\n", TOLD_SECONDS, "the policy is gone")
        assert run(world, tmp_path, boxed, "--rw", str(shared), "--", "/bin/sh", "-c", f"touch {shared}/x").returncode == 0
        assert [path.name for path in shared.iterdir()] == ["x"]
    finally:
        for path in shared.iterdir():
            path.unlink()
        shared.rmdir()


def test_hosts_that_a_watched_policy_would_refuse_are_events(world: World, tmp_path: Path, boxed: str, provider: tuple[int, Path]) -> None:
    (tmp_path / "gw").mkdir()
    open_gateway = Gateway(tmp_path / "gw", world.collector, *provider, extra="egress: {allow_hosts: ['watched.test:80', 'good.test:80']}\n")
    open_gateway.start()
    try:
        push(world, tmp_path, boxed, f"*/{boxed}", "sandbox.yaml", "rules: [{id: few, allow_hosts: ['good.test:80'], reason: Nothing else}]\n")
        assert world.promote(boxed, "MONITOR").status == 200
        wait_for(lambda: len([s for s in world.states(boxed) if s["problem"] == ""]) == 2, TOLD_SECONDS, "both gateways' words")
        (tmp_path / "profile.yaml").write_text("network: {allow_hosts: ['watched.test:80', 'good.test:80']}\n")
        # Neither name exists: what counts is that the gateway would go there.
        code = ("import urllib.request\nfor host in ('good', 'watched'):\n    try: urllib.request.urlopen(f'http://{host}.test/')\n"
                "    except OSError as error: print(host, getattr(error, 'code', error))\n")
        ended = subprocess.run([str(binary("aispm-run")), "--gateway", str(open_gateway.socket), "--agent", boxed, "--profile",
                                str(tmp_path / "profile.yaml"), "--", "/usr/bin/python3", "-c", code], cwd=tmp_path, capture_output=True, text=True,
                               check=False, timeout=120, env={**os.environ, "HOME": str(tmp_path)})
        assert ended.stdout.split() == ["good", "502", "watched", "502"], (ended.stdout, ended.stderr)

        def watched() -> list[Any]:
            events = world.rest("GET", "/api/v1/events?page_size=500&kind=socket_close").body["events"]
            return [e for e in events if e.get("agent_id", "").endswith(boxed) and e.get("decision", {}).get("mode") == "monitor"]

        found: Any = wait_for(watched, TOLD_SECONDS, "what would be refused")
        assert [(e["socket_close"]["name"], e["decision"]["rule_id"], e["decision"]["outcome"]) for e in found] == [
            ("watched.test", "few", "OUTCOME_DENY")]
    finally:
        open_gateway.stop()
        world.promote(boxed, "DEPRECATED")


EGRESS = """package aispm.egress
import rego.v1
decision := {"outcome": "allow", "rule": "good", "reason": ""} if input.egress.host == "good.test"
else := {"outcome": "deny", "rule": "bad", "reason": "Not there"}
"""
UNTIL_EXPIRED = """import time, urllib.request
end = time.monotonic() + 90
while time.monotonic() < end:
    said = []
    for host in ('good', 'bad'):
        try: urllib.request.urlopen(f'http://{host}.test/')
        except OSError as error: said.append(f"{host} {getattr(error, 'code', '?')} {error.read().decode() if hasattr(error, 'read') else error}")
    print('|'.join(said).replace(chr(10), ' '), flush=True)
    if 'policy.expired' in said[0]: break
    time.sleep(0.2)
"""


def test_a_run_that_outlives_its_policy_reaches_no_host(world: World, tmp_path: Path, boxed: str, provider: tuple[int, Path]) -> None:
    (tmp_path / "gw").mkdir()
    open_gateway = Gateway(tmp_path / "gw", world.collector, *provider, extra="egress: {allow_hosts: ['good.test:80', 'bad.test:80']}\n")
    open_gateway.start()
    (tmp_path / "profile.yaml").write_text("network: {allow_hosts: ['good.test:80', 'bad.test:80']}\n")
    words = [str(binary("aispm-run")), "--gateway", str(open_gateway.socket), "--agent", boxed, "--profile", str(tmp_path / "profile.yaml"), "--"]
    running = None
    try:
        # It begins before there is a policy: how long that takes to come is not its matter.
        running = subprocess.Popen([*words, "/usr/bin/python3", "-c", UNTIL_EXPIRED], cwd=tmp_path, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env={**os.environ, "HOME": str(tmp_path)})
        assert running.stdout is not None
        assert running.stdout.readline().startswith("good 502"), "the name does not exist, and the gateway would go there"
        end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=20)
        (tmp_path / boxed / "rego").mkdir(parents=True)
        (tmp_path / boxed / "rego" / "egress.rego").write_text(EGRESS)
        push(world, tmp_path, boxed, f"*/{boxed}", "actions.yaml",
             f"expires_at: {end.strftime('%Y-%m-%dT%H:%M:%SZ')}\ndefaults: {{outcome: allow}}\nrules: []\n")
        assert world.promote(boxed, "MONITOR").status == 200
        wait_for(lambda: len([s for s in world.states(boxed) if s["problem"] == ""]) == 2, TOLD_SECONDS, "both gateways' words")
        assert world.promote(boxed, "ENFORCED").status == 200
        said, problems = running.communicate(timeout=100)
        good, _, bad = said.splitlines()[-1].partition("|")
        assert good.startswith("good 403") and "policy.expired" in good, (said[-2000:], problems)
        assert bad.startswith("bad 403") and "policy.expired" in bad, "what its module denies was denied by it before"
        again = subprocess.run([*words, "/bin/true"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
        assert again.returncode != 0
        assert "has expired" in again.stderr
    finally:
        if running is not None:
            running.kill()
            running.wait()
        open_gateway.stop()
        world.promote(boxed, "DEPRECATED")


class OldGreeting:
    """Hands one greeting on to the gateway, without the header by which aispm-run says that it obeys such rules."""

    def __init__(self, path: Path, gateway: Path) -> None:
        self.path, self.gateway, self.changed = path, gateway, 0
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self._thread = threading.Thread(target=self._carry)
        self._thread.start()

    def _carry(self) -> None:
        asked, _ = self._server.accept()
        with asked, socket.socket(socket.AF_UNIX) as gateway:
            gateway.connect(str(self.gateway))
            request = b""
            while not request.endswith(b"\r\n\r\n"):
                request += asked.recv(65536)
            old = request.replace(b"X-Aispm-Run: sandbox-rules\r\n", b"")
            self.changed = int(old != request)
            gateway.sendall(old)
            while part := gateway.recv(65536):
                asked.sendall(part)

    def close(self) -> None:
        self._thread.join(timeout=20)
        self._server.close()


def test_an_older_aispm_run_that_knows_no_such_rules_starts_nothing(world: World, tmp_path: Path, boxed: str) -> None:
    """Its greeting, as it was before there were any: without the header that says what it obeys."""
    push(world, tmp_path, boxed, f"*/{boxed}", "sandbox.yaml", "rules: [{id: small, limits: {pids: 100}}]\n")
    enforce(world, boxed, 1)
    wait_for(lambda: "limits.pids" in run(world, tmp_path, boxed, "--", "/bin/true").stderr, TOLD_SECONDS, "the rule is in force")
    relay = OldGreeting(tmp_path / "old.sock", world.gateway.socket)
    ended = subprocess.run([binary("aispm-run"), "--gateway", str(relay.path), "--agent", boxed, "--", "/bin/echo", "started"],
                           capture_output=True, text=True, check=False, timeout=60)
    relay.close()
    assert relay.changed == 1
    assert ended.returncode == 125
    assert ended.stdout == ""
    assert "does not know: update it" in ended.stderr
    assert world.promote(boxed, "DEPRECATED").status == 200


def test_a_bad_sandbox_file_is_refused_with_its_line(world: World) -> None:
    made = world.push("bad-sandbox", sandbox__yaml="rules:\n  - {id: a, limits: {memory: much}}\n")
    assert made.status == 400
    assert "sandbox.yaml:2" in made.body["error"]["message"]
