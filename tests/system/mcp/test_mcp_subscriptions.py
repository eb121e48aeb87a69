# SPDX-License-Identifier: Apache-2.0
"""What changes at servers reaches the clients that want to hear of it, in both eras on either side, and only what they may read."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import socket
import struct
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from conftest import KEY, OTHER_KEY, POLICY, TOOLS, Changing, real_gateway, wait_for_rules, write_private
from mcp import Client, MCPError
from mcp.client.subscriptions import ResourcesListChanged, ResourceUpdated
from programs import wait_for
from test_mcp import HELLO, META, open_session, post, with_client

TOKEN = "of-the-operator-" + "0" * 32
# Of those that there are: not `zoo`.
GRANTED = ("?", "attic*", "denied", "desk", "door", "hall", "lamp", "refused", "roof", "window")
ACTIONS = """
rules:
  - {id: not-that, match: {tool: resources/subscribe}, when: {tool_args_match: {uri: {eq: 'office://denied'}}}, outcome: deny, reason: nobody waits for it}
  - {id: rest, match: {tool: '*'}, outcome: allow}
"""


def start_gateway(folder: Path, provider: Any, certificate: Any, servers: list[Changing], more: str = "", limits: str = "") -> Any:
    running = real_gateway.Gateway(folder)
    (folder / "bundle").mkdir(mode=0o700)
    write_private(folder / "bundle" / "actions.yaml", ACTIONS)
    write_private(folder / "bundle" / "tools.yaml", TOOLS)
    running.admin_port = real_gateway.free_port()
    write_private(folder / "admin.token", TOKEN + "\n")
    extra = limits + (f"bundle: {{folder: {folder}/bundle}}\nadmin: {{socket: {folder}/admin.sock, rules_folder: {folder}/given, "
             f"listen: '127.0.0.1:{running.admin_port}', token_file: {folder}/admin.token}}\nmcp:\n{more}  servers:\n")
    for server in servers:
        extra += (f"    - {{name: {server.form}, origin: 'http://127.0.0.1:{server.port}', allow_private: true, agents: ['tests/*'], "
                  f"tools: ['*'], resources: [{', '.join(repr('office://' + name) for name in GRANTED)}]}}\n")
    config = running.configure(provider.port, certificate.cert, extra, policy=POLICY)
    with (folder / "keys.yaml").open("a") as keys:
        keys.write(f"  - sha256: {hashlib.sha256(OTHER_KEY.encode()).hexdigest()}\n    agent: others/agent\n")
    running.start(config)
    wait_for_rules(running)
    return running


@pytest.fixture(scope="module")
def office(provider: Any, certificate: Any, changing: dict[str, Changing], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    running = start_gateway(tmp_path_factory.mktemp("office"), provider, certificate, list(changing.values()), "  subscriptions: 3\n")
    yield running
    assert running.stop() == 0, running.log.read_text()


def counters(gateway: Any) -> dict[str, float]:
    """Of the operators' port."""
    request = urllib.request.Request(f"http://127.0.0.1:{gateway.admin_port}/metrics", headers={"authorization": "Bearer " + TOKEN})
    with urllib.request.urlopen(request, timeout=20) as reply:
        lines = [line.rsplit(" ", 1) for line in reply.read().decode().splitlines() if line and not line.startswith("#")]
    return {name.removeprefix("aispm_gateway_").removesuffix("_total"): float(value) for name, value in lines}


class Heard:
    """What a client with a session was told, by its message handler."""

    def __init__(self) -> None:
        self.all: list[str] = []  # URIs
        self.lists: list[str] = []

    async def __call__(self, message: Any) -> None:
        method = getattr(message, "method", "")
        if method == "notifications/resources/updated":
            self.all.append(str(message.params.uri))
        elif method:
            self.lists.append(method)

    async def wait_for(self, uri: str, poke: Callable[[], Any]) -> None:
        """`poke` again and again: the stream may only just be opening."""
        with anyio.fail_after(30):
            while uri not in self.all + self.lists:
                await anyio.to_thread.run_sync(poke)
                await anyio.sleep(0.2)


@pytest.mark.parametrize("form", ["sessions", "modern"])
def test_a_session_hears_of_what_it_has_subscribed_to(office: Any, changing: dict[str, Changing], form: str) -> None:
    heard = Heard()
    server = changing[form]

    async def use(client: Client) -> None:
        await client.subscribe_resource(f"mcp+{form}+office://door")
        await heard.wait_for(f"mcp+{form}+office://door", lambda: server.ask("/_touch", uri="office://door"))
        assert set(heard.all) == {f"mcp+{form}+office://door"}
        assert (await client.read_resource(f"mcp+{form}+office://door")).contents[0].text == "this is door"
        await client.unsubscribe_resource(f"mcp+{form}+office://door")
        await client.subscribe_resource(f"mcp+{form}+office://window")
        await heard.wait_for(f"mcp+{form}+office://window", lambda: server.ask("/_touch", uri="office://window"))
        heard.all.clear()
        server.ask("/_touch", uri="office://door")
        await heard.wait_for(f"mcp+{form}+office://window", lambda: server.ask("/_touch", uri="office://window"))
        assert f"mcp+{form}+office://door" not in heard.all

    with_client(office, use, message_handler=heard)


def test_one_stream_tells_of_many_servers(office: Any, changing: dict[str, Changing]) -> None:
    heard = Heard()

    async def use(client: Client) -> None:
        for form in ("sessions", "modern"):
            await client.subscribe_resource(f"mcp+{form}+office://desk")
        for form in ("sessions", "modern"):
            await heard.wait_for(f"mcp+{form}+office://desk", lambda form=form: changing[form].ask("/_touch", uri="office://desk"))

    with_client(office, use, message_handler=heard)


@pytest.mark.parametrize("form", ["sessions", "modern"])
def test_a_request_listens_without_a_session(office: Any, changing: dict[str, Changing], form: str) -> None:
    uri = f"mcp+{form}+office://lamp"
    server = changing[form]

    async def use(client: Client) -> None:
        with anyio.fail_after(30):
            async with client.listen(resource_subscriptions=[uri, f"mcp+{form}+office://denied", f"mcp+{form}+office://zoo"],
                                     resources_list_changed=True, prompts_list_changed=True) as listening:
                assert listening.honored.resource_subscriptions == [uri]  # neither what policy denies nor what is not granted
                assert listening.honored.resources_list_changed and not listening.honored.prompts_list_changed
                async with anyio.create_task_group() as tasks:

                    async def poke() -> None:
                        while True:
                            await anyio.to_thread.run_sync(lambda: server.ask("/_touch", uri="office://lamp"))
                            await anyio.to_thread.run_sync(lambda: server.ask("/_lists"))
                            await anyio.sleep(0.2)

                    tasks.start_soon(poke)
                    told = set()
                    async for event in listening:
                        told.add(event)
                        if told == {ResourceUpdated(uri=uri), ResourcesListChanged()}:
                            break
                    tasks.cancel_scope.cancel()

    with_client(office, use, "2026-07-28")


def test_lists_that_change_are_told_and_read_anew(office: Any, changing: dict[str, Changing]) -> None:
    heard = Heard()

    async def use(client: Client) -> None:
        await client.subscribe_resource("mcp+sessions+office://hall")
        await heard.wait_for("notifications/resources/list_changed", lambda: changing["sessions"].ask("/_lists"))

    with_client(office, use, message_handler=heard)


def test_what_a_server_tells_beside_its_answer_is_told_and_judged_like_the_rest(provider: Any, certificate: Any, changing: dict[str, Changing],
                                                                               tmp_path: Path) -> None:
    alone = start_gateway(tmp_path, provider, certificate, [changing["sessions"]])
    heard = Heard()

    async def use(client: Client) -> None:
        await client.subscribe_resource("mcp+sessions+office://hall")
        with anyio.fail_after(30):
            while "mcp+sessions+office://hall" not in heard.all:
                for uri in ("office://zoo", "office://hall"):
                    assert not (await client.call_tool("sessions__change", {"uri": uri})).is_error
                await anyio.sleep(0.2)
            while "notifications/resources/list_changed" not in heard.lists:
                await anyio.sleep(0.05)
        assert set(heard.all) == {"mcp+sessions+office://hall"}

    with_client(alone, use, message_handler=heard)
    assert alone.stop() == 0, alone.log.read_text()


def test_what_may_not_be_read_is_not_told_of(office: Any, changing: dict[str, Changing]) -> None:
    heard = Heard()
    server = changing["sessions"]
    before = counters(office)["mcp_changes_dropped"]

    async def use(client: Client) -> None:
        await client.subscribe_resource("mcp+sessions+office://attic")
        await heard.wait_for("mcp+sessions+office://attic", lambda: server.ask("/_touch", uri="office://attic"))
        for uri in ("office://zoo", "office://attic/../zoo", "other://attic", "office://door", "office://attic AKIA" + "Z7QJ3XNVB5KD2M4T"):
            server.ask("/_touch", uri=uri, anyway="1")
        server.ask("/_touch", uri="office://attic/box", anyway="1")  # a part of it may be named
        await heard.wait_for("mcp+sessions+office://attic/box", lambda: None)
        heard.all.clear()
        await heard.wait_for("mcp+sessions+office://attic", lambda: server.ask("/_touch", uri="office://attic"))
        assert set(heard.all) == {"mcp+sessions+office://attic"}

    with_client(office, use, message_handler=heard)
    assert counters(office)["mcp_changes_dropped"] >= before + 5


@pytest.mark.parametrize(("uri", "code", "words"), [
    ("mcp+sessions+office://zoo", -32002, "not found"), ("mcp+sessions+office://b/../zoo", -32002, "not found"), ("office://b", -32002, "not found"),
    ("mcp+sessions+office://denied", -31000, "not-that"), ("mcp+plain+office://b", -32601, "does not tell"),
    ("mcp+sessions+office://refused", -32602, "refused it")])
def test_nobody_subscribes_to_what_is_not_theirs(office: Any, uri: str, code: int, words: str) -> None:
    async def use(client: Client) -> tuple[int, str]:
        with pytest.raises(MCPError) as refused:
            await client.subscribe_resource(uri)
        return refused.value.error.code, refused.value.error.message

    said = with_client(office, use)
    assert said[0] == code and words in said[1] and "instructions" not in said[1]


def test_subscriptions_of_a_session_are_limited(office: Any) -> None:
    before = counters(office)["mcp_subscriptions_refused"]

    async def use(client: Client) -> str:
        for name in "abc":
            await client.subscribe_resource(f"mcp+sessions+office://{name}")
        await client.subscribe_resource("mcp+sessions+office://a")  # once more is no more
        with pytest.raises(MCPError) as refused:
            await client.subscribe_resource("mcp+modern+office://d")
        await client.unsubscribe_resource("mcp+sessions+office://a")
        await client.subscribe_resource("mcp+modern+office://d")
        return refused.value.error.message

    assert "at most 3 subscriptions" in with_client(office, use)
    assert counters(office)["mcp_subscriptions_refused"] == before + 1

    async def listen(client: Client) -> str:
        with pytest.raises(MCPError) as refused:
            async with client.listen(resource_subscriptions=[f"mcp+modern+office://{name}" for name in "abcd"]):
                pass
        return refused.value.error.message

    assert "at most 3 subscriptions" in with_client(office, listen, "2026-07-28")


def test_a_server_that_comes_back_is_subscribed_to_again(office: Any, changing: dict[str, Changing]) -> None:
    heard = Heard()
    server = changing["sessions"]

    async def use(client: Client) -> None:
        await client.subscribe_resource("mcp+sessions+office://roof")
        await heard.wait_for("mcp+sessions+office://roof", lambda: server.ask("/_touch", uri="office://roof"))
        heard.all.clear()
        await anyio.to_thread.run_sync(server.stop)
        await anyio.to_thread.run_sync(server.start)
        # Told by the gateway itself: what changed meanwhile is not known.
        await heard.wait_for("mcp+sessions+office://roof", lambda: None)
        assert "office://roof" in server.ask("/_state")

    with_client(office, use, message_handler=heard)


@contextlib.contextmanager
def stream(gateway: Any, session: str, key: str = KEY, **headers: str) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    connection.request("GET", "/mcp", headers={"authorization": "Bearer " + key, "accept": "text/event-stream", "mcp-session-id": session, **headers})
    yield connection.getresponse()
    connection.close()


def test_a_stream_belongs_to_one_session_of_one_agent(office: Any) -> None:
    session = open_session(office)
    with stream(office, session, OTHER_KEY) as refused:
        assert refused.status == 401
    with stream(office, "nothing") as refused:
        assert refused.status == 404
    with stream(office, "") as refused:
        assert refused.status == 405
    with stream(office, session, accept="application/json") as refused:
        assert refused.status == 406
    with stream(office, session) as first:
        assert (first.status, first.getheader("content-type")) == (200, "text/event-stream")
        with stream(office, session) as second:
            assert second.status == 200
            assert first.read() == b""  # there is one; the newest
            assert post(office, None, {"mcp-session-id": session}, "DELETE")[0] == 204
            assert second.read() == b""  # and it ends with its session


def test_what_was_not_subscribed_to_is_not_taken_back_at_a_server(office: Any, changing: dict[str, Changing]) -> None:
    """Nobody judged it, and it is no action: a server must not be reached by it."""
    async def use(client: Client) -> None:
        await client.unsubscribe_resource("mcp+sessions+office://lamp")
        await client.subscribe_resource("mcp+sessions+office://hall")
        await client.unsubscribe_resource("mcp+sessions+office://hall")
        await client.unsubscribe_resource("mcp+sessions+office://hall")

    with_client(office, use)
    ended = changing["sessions"].ask("/_sessions")["ended"]
    assert "office://lamp" not in ended and ended.count("office://hall") == 1


def test_streams_count_in_rates(provider: Any, certificate: Any, changing: dict[str, Changing], tmp_path: Path) -> None:
    alone = start_gateway(tmp_path, provider, certificate, [changing["sessions"]], limits="limits: {rates: {tool: {per_minute: 2}}}\n")
    session = open_session(alone)
    for status in (200, 200, 429):
        with stream(alone, session) as opened:
            assert opened.status == status
            if status == 429:
                assert b"limits.rate.tool" in opened.read()
    assert alone.stop() == 0, alone.log.read_text()


LISTEN = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen",
          "params": {"notifications": {"resourcesListChanged": True}, "_meta": META}}


def test_a_client_that_leaves_before_its_stream_begins_leaves_no_session_behind(provider: Any, certificate: Any, changing: dict[str, Changing],
                                                                               tmp_path: Path) -> None:
    server = changing["sessions"]
    alone = start_gateway(tmp_path, provider, certificate, [server])
    body = json.dumps(LISTEN).encode()
    head = (f"POST /mcp HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-type: application/json\r\n"
            "accept: application/json, text/event-stream\r\nmcp-protocol-version: 2026-07-28\r\nmcp-method: subscriptions/listen\r\n"
            f"content-length: {len(body)}\r\n\r\n").encode()
    before = server.ask("/_sessions")
    server.ask("/_hold", on="1")
    for asked in range(3):
        with socket.create_connection(("127.0.0.1", alone.port)) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(head + body)
            wait_for(lambda asked=asked: server.ask("/_sessions")["asked"] > before["asked"] + asked, 20, "the gateway opens a session")
    server.ask("/_hold", on="0")
    wait_for(lambda: server.ask("/_sessions")["closed"] == before["closed"] + 3, 20, "the gateway ends these sessions")
    assert alone.stop() == 0, alone.log.read_text()


def test_a_stream_that_was_ended_tells_nothing_more(provider: Any, certificate: Any, changing: dict[str, Changing], tmp_path: Path) -> None:
    server = changing["sessions"]
    alone = start_gateway(tmp_path, provider, certificate, [server])
    session = open_session(alone)
    headers = {"mcp-session-id": session, "mcp-protocol-version": "2025-11-25"}
    wanted = {"jsonrpc": "2.0", "id": 2, "method": "resources/subscribe", "params": {"uri": "mcp+sessions+office://attic"}}
    assert post(alone, wanted, headers)[1]["result"] == {}
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(60)
        slow.connect(("127.0.0.1", alone.port))
        slow.sendall(f"GET /mcp HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\naccept: text/event-stream\r\n"
                     f"mcp-session-id: {session}\r\n\r\n".encode())
        assert slow.recv(12) == b"HTTP/1.1 200"
        # More than the connection takes and the gateway keeps: that ends the stream while a write waits.
        wait_for(lambda: server.ask("/_touch", uri="office://attic", parts="6000") and counters(alone)["mcp_changes_dropped"] > 0, 60, "too many changes")
        told = counters(alone)["mcp_changes"]
        text = b""
        while part := slow.recv(1 << 16):
            text += part
            if text.endswith(b"0\r\n\r\n"):
                break
    assert text.count(b"notifications/resources/updated") <= told + 1
    assert alone.stop() == 0, alone.log.read_text()


def test_what_no_server_has_is_not_offered(office: Any, changing: dict[str, Changing], provider: Any, certificate: Any, tmp_path: Path) -> None:
    offered = post(office, HELLO)[1]["result"]["capabilities"]
    assert offered["resources"] == {"listChanged": True, "subscribe": True}
    alone = start_gateway(tmp_path, provider, certificate, [changing["plain"]])
    assert post(alone, HELLO)[1]["result"]["capabilities"]["resources"] == {}
    asked = {"jsonrpc": "2.0", "id": 2, "method": "resources/subscribe", "params": {"uri": "mcp+plain+office://a"}}
    assert post(alone, asked, {"mcp-session-id": open_session(alone)})[1]["error"]["code"] == -32601
    assert alone.stop() == 0


def test_a_gateway_that_stops_ends_its_streams(changing: dict[str, Changing], provider: Any, certificate: Any, tmp_path: Path) -> None:
    running = start_gateway(tmp_path, provider, certificate, [changing["sessions"]])
    with stream(running, open_session(running)) as open_one:
        assert open_one.status == 200
        assert running.stop() == 0, running.log.read_text()
        assert open_one.read() == b""
