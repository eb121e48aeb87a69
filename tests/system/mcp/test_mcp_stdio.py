# SPDX-License-Identifier: Apache-2.0
"""MCP-002: servers that are programs, each session's in a sandbox of its own, behind the gateway."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from conftest import HERE, real_gateway, wait_for_rules, write_private
from mcp import Client
from mcp_types import CreateMessageResult, ListRootsResult, Root, TextContent
from test_mcp import call, names, with_client

RUN = real_gateway.GATEWAY.parent / "aispm-run"
SDK = real_gateway.ROOT / "sdk" / "python"
TOKEN = "token-of-the-bridge"
POLICY = """
defaults: {mode: enforce, store_text: false, fail: closed}
rules: [{id: secrets, match: {category: secret}, outcome: redact, reason: secrets are cut out}]
"""


def wait_until(holds: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"did not come true in {seconds} s"
        time.sleep(0.05)


class Bridge:
    def __init__(self, folder: Path, command: list[str], *options: str) -> None:
        write_private(folder / "bridge.token", TOKEN + "\n")
        self.log = folder / "programs.log"
        self.port = real_gateway.free_port()
        self.out = folder / "bridge.log"
        with self.out.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "aispm.mcp_stdio", "--listen", f"127.0.0.1:{self.port}", "--token-file", str(folder / "bridge.token"),
                 "--log", str(self.log), *options, "--", *command], stdout=out, stderr=out, env={**os.environ, "PYTHONPATH": str(SDK)})
        real_gateway.wait_for_port(self.port, self.process, self.out)

    def post(self, body: object, **headers: str) -> int:
        sent = {"authorization": "Bearer " + TOKEN, "content-type": "application/json", **headers}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/mcp", data=json.dumps(body).encode(), headers=sent)
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return int(reply.status)
        except urllib.error.HTTPError as refused:
            return refused.code

    def get(self, session: str) -> int:
        headers = {"authorization": "Bearer " + TOKEN, "mcp-session-id": session}
        try:
            with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{self.port}/mcp", headers=headers), timeout=30) as reply:
                return int(reply.status)
        except urllib.error.HTTPError as refused:
            return refused.code

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


def program() -> list[str]:
    """The server in a sandbox: it sees Python and itself, and no network."""
    if not RUN.exists():
        pytest.skip(f"{RUN} is not built")
    venv = Path(sys.prefix).resolve()
    return [str(RUN), "--offline", "--ro", str(venv), "--ro", str(HERE), "--", str(venv / "bin" / "python"), str(HERE / "stdio_server.py")]


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    running = Bridge(tmp_path_factory.mktemp("bridge"), program())
    yield running
    assert running.stop() == 0, running.out.read_text()


@pytest.fixture(scope="module")
def noting(provider: Any, certificate: Any, bridge: Bridge, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("noting")
    running = real_gateway.Gateway(folder)
    write_private(folder / "bridge.token", TOKEN + "\n")
    mcp = (f"mcp:\n  servers:\n    - {{name: notes, origin: 'http://127.0.0.1:{bridge.port}', allow_private: true, key_file: {folder}/bridge.token, "
           "agents: ['tests/*'], grants: [sampling]}\n")
    running.start(running.configure(provider.port, certificate.cert, mcp, policy=POLICY))
    wait_for_rules(running)
    yield running
    assert running.stop() == 0, running.log.read_text()


def in_session(gateway: Any, *calls: tuple[str, dict[str, Any]]) -> list[tuple[bool, str]]:
    async def use(client: Client) -> list[tuple[bool, str]]:
        answers = []
        for tool, arguments in calls:
            result = await client.call_tool("notes__" + tool, arguments)
            answers.append((bool(result.is_error), "\n".join(getattr(block, "text", "") for block in result.content)))
        return answers

    answered: list[tuple[bool, str]] = with_client(gateway, use)
    return answered


def test_each_session_has_a_program_of_its_own(noting: Any) -> None:
    first, second = (in_session(noting, ("keep", {"note": "a"}), ("keep", {"note": "b"})) for _ in range(2))
    for answers in (first, second):
        assert [text.split(",")[0] for _, text in answers] == ["1 notes", "2 notes"]


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
def test_its_tools_are_listed_and_its_results_judged(noting: Any, mode: str) -> None:
    assert "notes__keep" in names(noting, mode)
    failed, text = call(noting, "notes__leak", mode)
    assert not failed and "AKIA" not in text and "keep it" in text


def test_it_is_in_a_sandbox(noting: Any, provider: Any, tmp_path: Path) -> None:
    (tmp_path / "private").write_text("private words")
    for tool, arguments in (("read", {"path": str(tmp_path / "private")}), ("reach", {"port": provider.port})):
        [(failed, text)] = in_session(noting, (tool, arguments))
        assert failed and "private words" not in text and "reached" not in text


def test_what_it_says_on_standard_error_is_kept(noting: Any, bridge: Bridge) -> None:
    in_session(noting, ("keep", {"note": "something particular"}))
    wait_until(lambda: "kept something particular" in bridge.log.read_text())


def test_a_program_that_ends_is_started_again(noting: Any) -> None:
    answers = in_session(noting, ("keep", {"note": "a"}), ("die", {}), ("keep", {"note": "b"}))
    assert answers[0][1].startswith("1 notes") and answers[1][0] and answers[2][1].startswith("1 notes")


def test_it_may_ask_the_clients_model_where_that_is_granted(noting: Any) -> None:
    async def sample(_: Any, params: Any) -> CreateMessageResult:
        return CreateMessageResult(role="assistant", content=TextContent(type="text", text=params.messages[0].content.text + "!"), model="m")

    async def use(client: Client) -> str:
        return str((await client.call_tool("notes__think", {"question": "why"})).content[0].text)

    assert with_client(noting, use, sampling_callback=sample) == "thought: why!"


HELLO = {"jsonrpc": "2.0", "id": 1, "method": "initialize",
         "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}


def test_only_who_has_the_token_is_served(bridge: Bridge) -> None:
    assert bridge.post(HELLO, authorization="Bearer wrong") == 401
    assert bridge.post(HELLO, authorization="") == 401
    assert bridge.post(HELLO, origin="http://localhost") == 403
    assert bridge.post({"jsonrpc": "2.0", "id": 1, "method": "ping"}) == 400
    assert bridge.post({"jsonrpc": "2.0", "id": 1, "method": "ping"}, **{"mcp-session-id": "x"}) == 404


def test_a_program_that_is_not_the_approved_one_is_not_started(tmp_path: Path) -> None:
    script = tmp_path / "server"
    script.write_text("#!/bin/sh\ncat\n")
    script.chmod(0o700)
    good = hashlib.sha256(script.read_bytes()).hexdigest()
    running = Bridge(tmp_path, [str(script)], "--sha256", good)
    try:
        assert bridge_answers(running)
        script.write_text("#!/bin/sh\ntouch " + str(tmp_path / "started") + "\ncat\n")
        assert running.post(HELLO) == 503
        assert not (tmp_path / "started").exists()
    finally:
        assert running.stop() == 0


def bridge_answers(running: Bridge) -> bool:
    """`cat` sends the request itself back, which is no answer; a session is open all the same, and ends with the bridge."""
    try:
        urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{running.port}/mcp", data=json.dumps(HELLO).encode(), headers={
            "authorization": "Bearer " + TOKEN, "content-type": "application/json"}), timeout=1).read()
    except TimeoutError:
        return True
    return True


def test_a_program_that_ends_at_once_is_started_less_and_less(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    running = Bridge(tmp_path, ["/bin/sh", "-c", f"echo x >> {marks}; exit 1"])
    try:
        for _ in range(30):
            running.post(HELLO)
        assert 1 < len(marks.read_text().split()) < 10
    finally:
        assert running.stop() == 0


def test_who_ends_a_program_that_works_ends_it_for_nobody_else(tmp_path: Path) -> None:
    """It answers what opens a session and dies of the next request: each session has a program of its own."""
    script = "import json; print(json.dumps({'jsonrpc': '2.0', 'id': json.loads(input())['id'], 'result': {}}), flush=True); input()"
    running = Bridge(tmp_path, [sys.executable, "-c", script])

    def open_session() -> str:
        sent = {"authorization": "Bearer " + TOKEN, "content-type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{running.port}/mcp", data=json.dumps(HELLO).encode(), headers=sent)
        with urllib.request.urlopen(request, timeout=30) as reply:
            assert reply.status == 200 and b"result" in reply.read()
            return str(reply.headers["mcp-session-id"])

    try:
        other = open_session()
        for _ in range(4):
            ended = open_session()
            assert running.post({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}, **{"mcp-session-id": ended}) == 200
            wait_until(lambda gone=ended: running.post({"jsonrpc": "2.0", "method": "x"}, **{"mcp-session-id": gone}) == 404)
        assert open_session() != other
    finally:
        assert running.stop() == 0


def test_programs_end_with_the_bridge(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    running = Bridge(tmp_path, ["/bin/sh", "-c", f"echo $$ > {pid_file}; trap '' TERM; while :; do sleep 1; done"])
    assert bridge_answers(running)
    wait_until(pid_file.exists)
    pid = int(pid_file.read_text())
    assert running.stop() == 0
    wait_until(lambda: not Path(f"/proc/{pid}").exists())


# Tells and asks half a second after the answer to a call, when nobody waits for anything, and says then what it was answered.
ASIDE = """
import json, sys, time
def say(**message): print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)
answered = None
for line in sys.stdin:
    got = json.loads(line)
    method, number = got.get("method"), got.get("id")
    if method == "initialize":
        say(id=number, result={"protocolVersion": "2025-11-25", "capabilities": {"tools": {"listChanged": True}, "logging": {}},
                               "serverInfo": {"name": "a", "version": "1"}})
    elif method == "tools/list":
        say(id=number, result={"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in ("later", "told")]})
    elif method == "tools/call":
        text = json.dumps(answered) if got["params"]["name"] == "told" else "soon"
        say(id=number, result={"content": [{"type": "text", "text": text}]})
        if text == "soon":
            time.sleep(0.5)
            say(method="notifications/tools/list_changed")
            say(method="notifications/message", params={"level": "info", "data": "beside"})
            say(id="q", method="roots/list")
    elif number == "q":
        answered = got.get("result") or got.get("error")
"""


def test_what_a_program_says_beside_requests_reaches_the_client(provider: Any, certificate: Any, tmp_path: Path) -> None:
    """Changes, logs, and questions where they are granted."""
    running = Bridge(tmp_path, [sys.executable, "-c", ASIDE])
    gateway = real_gateway.Gateway(tmp_path)
    mcp = (f"mcp:\n  servers:\n    - {{name: aside, origin: 'http://127.0.0.1:{running.port}', allow_private: true, "
           f"key_file: {tmp_path}/bridge.token, agents: ['tests/*'], grants: [roots]}}\n")
    gateway.start(gateway.configure(provider.port, certificate.cert, mcp, policy=POLICY))
    heard: list[str] = []

    async def roots(_: Any) -> ListRootsResult:
        heard.append("roots")
        return ListRootsResult(roots=[Root(uri="file:///work/project")])

    async def hear(message: Any) -> None:
        heard.append(str(getattr(message, "method", "")))

    async def use(client: Client) -> str:
        await client.list_tools()
        await client.call_tool("aside__later", {})
        with anyio.fail_after(20):
            while not {"roots", "notifications/tools/list_changed", "notifications/message"} <= set(heard):
                await anyio.sleep(0.05)
            while (told := str((await client.call_tool("aside__told", {})).content[0].text)) == "null":
                await anyio.sleep(0.05)
        return told

    try:
        wait_for_rules(gateway)
        assert json.loads(with_client(gateway, use, list_roots_callback=roots, message_handler=hear)) == {"roots": [{"uri": "file:///work/project"}]}
    finally:
        assert gateway.stop() == 0, gateway.log.read_text()
        assert running.stop() == 0, running.out.read_text()


def test_a_session_has_one_stream_which_gets_what_came_before_it(tmp_path: Path) -> None:
    running = Bridge(tmp_path, [sys.executable, "-c", ASIDE], "--idle", "2")
    sent = {"authorization": "Bearer " + TOKEN, "content-type": "application/json"}

    def listen(session: str) -> Any:
        headers = {"authorization": "Bearer " + TOKEN, "mcp-session-id": session}
        return urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{running.port}/mcp", headers=headers), timeout=30)

    def next_method(stream: Any) -> str:
        while not (line := stream.readline().decode()).startswith("data: "):
            assert line, "the stream ended"
        return str(json.loads(line[6:])["method"])

    try:
        assert running.get("x") == 404
        hello = urllib.request.Request(f"http://127.0.0.1:{running.port}/mcp", data=json.dumps(HELLO).encode(), headers=sent)
        with urllib.request.urlopen(hello, timeout=30) as reply:
            session = str(reply.headers["mcp-session-id"])
        mine = {"mcp-session-id": session}
        call_later = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "later"}}
        assert running.post(call_later, **mine) == 200
        time.sleep(1)
        with listen(session) as first:
            assert [next_method(first), next_method(first)] == ["notifications/tools/list_changed", "notifications/message"]
            time.sleep(4)  # longer than --idle: who listens uses it
            with listen(session) as second:
                assert first.read().strip() == b"", "the older stream goes on"
                assert running.post({**call_later, "id": 3}, **mine) == 200
                assert [next_method(second) for _ in range(3)] == ["notifications/tools/list_changed", "notifications/message", "roots/list"]
        time.sleep(4)
        assert running.get(session) == 404
    finally:
        assert running.stop() == 0, running.out.read_text()
