# SPDX-License-Identifier: Apache-2.0
"""Freezes beyond the next request of one agent: delegates, several gateways of a host, a collector that is busy with something else."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import queue
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from conftest import AGENT, Answer, Gateway, World, wait_for

ACTIONS = "rules: [{id: a, match: {tool: t}, outcome: allow}]\n"
TOLD_SECONDS = 20  # generous: machines of tests are busy


def signed_task(folder: Path, by: str, to: str) -> tuple[str, str]:
    """A public key, and a token by which its holder hands a task on."""
    key, message = folder / "planner.key", folder / "planner.msg"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True, capture_output=True)
    public = subprocess.run(["openssl", "pkey", "-in", key, "-pubout"], check=True, capture_output=True, text=True).stdout
    claims = {"iss": by, "sub": to, "aud": "aispm-delegation", "exp": int(time.time()) + 600}
    text = ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({"alg": "EdDSA"}, claims)
    )
    message.write_text(text)
    signature = subprocess.run(
        ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", message], check=True, capture_output=True
    )
    return public, text + "." + base64.urlsafe_b64encode(signature.stdout).decode().rstrip("=")


@contextlib.contextmanager
def mcp_stream(world: World, delegation: str) -> Iterator[http.client.HTTPResponse]:
    """The stream of changes of a new session, which says on whose behalf it is."""
    headers = {"authorization": "Bearer " + world.key, "accept": "application/json, text/event-stream", "content-type": "application/json"}
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize",
             "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}
    request = urllib.request.Request(f"http://127.0.0.1:{world.gateway.port}/mcp", json.dumps(hello).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as reply:
        session = reply.headers["mcp-session-id"]
    connection = http.client.HTTPConnection("127.0.0.1", world.gateway.port, timeout=30)
    connection.request("GET", "/mcp", headers={**headers, "mcp-session-id": session, "x-aispm-delegation": delegation})
    answer = connection.getresponse()
    assert answer.status == 200
    yield answer
    connection.close()


def test_what_runs_for_a_frozen_agent_is_cut_pol_028(world: World, tmp_path: Path) -> None:
    public, token = signed_task(tmp_path, "team/planner", AGENT)
    bundle = tmp_path / "delegates"
    bundle.mkdir()
    (bundle / "agents.yaml").write_text(
        f"agents:\n  - {{agent: {AGENT}, roles: [a]}}\n  - {{agent: team/planner, roles: [a], key: {json.dumps(public)}}}\n"
    )
    (bundle / "actions.yaml").write_text(ACTIONS)
    world.collector.cli("policy", "push", "delegates", str(bundle), "--agent", AGENT)
    assert world.promote("delegates", "MONITOR").status == 200
    states = wait_for(lambda: world.states("delegates"), TOLD_SECONDS, "the gateway's word")
    assert states[0]["problem"] == ""
    assert world.promote("delegates", "ENFORCED").status == 200

    def asked(text: str, stream: bool) -> urllib.request.Request:
        request = world.gateway.request(world.key, text, stream=stream)
        request.add_header("x-aispm-delegation", token)
        return request

    def is_stopped() -> bool:
        try:
            with urllib.request.urlopen(asked("hello", False), timeout=30) as reply:
                return bool(reply.status != 200)
        except urllib.error.HTTPError as error:
            return b"agent.frozen" in error.read()

    def is_known() -> bool:
        try:
            with urllib.request.urlopen(asked("hello", False), timeout=30) as reply:
                return bool(reply.status == 200)
        except urllib.error.HTTPError:
            return False

    try:
        wait_for(is_known, TOLD_SECONDS, "the registry of the policy is in force")
        with urllib.request.urlopen(asked('slow split=1 say "' + "x" * 60 + '"', True), timeout=60) as reply:
            assert reply.readline()
            frozen = world.freeze("AGENT", "team/planner")
            rest = reply.read().decode()
        assert "an operator has stopped this" in rest
        assert "[DONE]" not in rest
        wait_for(is_stopped, TOLD_SECONDS, "what begins is denied")
        assert world.gateway.ask(world.key).status == 200, "by its own rights it may go on"
        world.lift(frozen)
        wait_for(lambda: not is_stopped(), TOLD_SECONDS, "it goes on")
        with mcp_stream(world, token) as handed_on:
            frozen = world.freeze("AGENT", "team/planner")
            assert handed_on.readline() == b"", "what runs for a frozen agent hears of no changes any more"
        with mcp_stream(world, token) as late:
            assert late.readline() == b"", "nor does what begins"
        world.lift(frozen)
    finally:
        assert world.promote("delegates", "DEPRECATED").status == 200


def test_each_gateway_of_a_host_has_its_own_word(world: World, tmp_path: Path, provider: tuple[int, Path]) -> None:
    (tmp_path / "gw").mkdir()
    second = Gateway(tmp_path / "gw", world.collector, *provider)
    second.start()
    try:
        frozen = world.freeze("AGENT", "tests/another")
        states = wait_for(lambda: len(found := world.freeze_states(frozen)) == 2 and found, TOLD_SECONDS, "both gateways' words")
        assert len({state["host_id"] for state in states}) == 1
        assert {state["component"] for state in states} == {
            "gateway " + f"{gateway.folder}/state"[-96:] for gateway in (world.gateway, second)
        }
        world.lift(frozen)
        assert world.push("twice", actions__yaml=ACTIONS).status == 200
        assert world.promote("twice", "MONITOR").status == 200
        wait_for(lambda: len(world.states("twice")) == 2, TOLD_SECONDS, "both gateways' words on the policy")
        assert world.promote("twice", "ENFORCED").status == 200
    finally:
        second.stop()
        world.promote("twice", "DEPRECATED")


def test_a_freeze_during_the_dial_stops_the_request(world: World, tmp_path: Path, provider: tuple[int, Path]) -> None:
    """The provider takes the connection and says nothing: nobody has got the request yet."""
    (tmp_path / "gw").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        waiting = Gateway(tmp_path / "gw", world.collector, silent.getsockname()[1], provider[1])
        waiting.start()
        try:
            answers: queue.Queue[Answer] = queue.Queue()

            def ask() -> None:
                answer = waiting.ask(world.key)
                while answer.status == 401:  # the agent's key is still on its way
                    answer = waiting.ask(world.key)
                answers.put(answer)

            asking = threading.Thread(target=ask)
            asking.start()
            silent.settimeout(TOLD_SECONDS)
            with silent.accept()[0]:
                frozen = world.freeze("AGENT", AGENT)
                answer = answers.get(timeout=TOLD_SECONDS)
            asking.join()
            world.lift(frozen)
            assert answer.status == 403, answer
            assert answer.body["error"]["code"] == "aispm_frozen"
        finally:
            waiting.stop()
    wait_for(lambda: world.gateway.ask(world.key).status == 200, TOLD_SECONDS, "it goes on")
