# SPDX-License-Identifier: Apache-2.0
"""MCP-002: servers that hang, or name their tools as no client takes it, cost the others nothing; what they want and do not get is
said."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from conftest import POLICY, real_gateway, wait_for_rules
from mcp import Client
from test_mcp import call, with_client

CALL_SECONDS = 3.0
HUNG = 3
OVER = threading.Event()
SCHEMA = {"type": "object", "properties": {"is_lost": {"type": "boolean"}}}
TOOLS = [{"name": name, "description": "Adds", "inputSchema": SCHEMA} for name in ("add", "add two", "zähle", "n" * 129)]


class Odd(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:  # noqa: N802 - the name that http.server calls
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if asked["method"] == "tools/call":
            self.server.asked = asked  # type: ignore[attr-defined]
            self.say(b"id: 1\nretry: 50\ndata:\n\n")
            return
        results = {
            "initialize": {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "odd", "version": "1"}},
            "tools/list": {"tools": TOOLS},
        }
        body = b""
        if "id" in asked:
            answer = {"result": results[asked["method"]]} if asked["method"] in results else {"error": {"code": -32601, "message": "unknown"}}
            body = json.dumps({"jsonrpc": "2.0", "id": asked["id"], **answer}).encode()
        self.send_response(200 if body else 202)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


    def do_GET(self) -> None:  # noqa: N802
        """The rest of a call's stream, an event at a time; anything else is not to be had."""
        asked = getattr(self.server, "asked", None)
        place = self.headers.get("last-event-id")
        if asked is None or place is None or asked["params"]["arguments"].get("is_lost"):
            self.send_response(405)
            self.send_header("content-length", "0")
            self.end_headers()
            return
        note = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "half"}}
        answer = {"jsonrpc": "2.0", "id": asked["id"], "result": {"content": [{"type": "text", "text": f"asked at {place}"}]}}
        self.say(f"id: {int(place) + 1}\ndata: {json.dumps(note if place == '1' else answer)}\n\n".encode())

    def say(self, event: bytes) -> None:
        """An event, and the stream's end: so 2025-11-25 lets servers do that want to be polled."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(event)
        self.close_connection = True


class Hung(Odd):
    def do_POST(self) -> None:  # noqa: N802
        OVER.wait(60)
        self.close_connection = True


@pytest.fixture(scope="module")
def odd(provider: Any, certificate: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), kind) for kind in [Hung] * HUNG + [Odd]]
    for server in servers:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
    running = real_gateway.Gateway(tmp_path_factory.mktemp("odd"))
    listed = ", ".join(f"{{name: s{i}, origin: 'http://127.0.0.1:{server.server_port}', allow_private: true, agents: ['tests/*'], "
                       f"call: {CALL_SECONDS:.0f}s}}" for i, server in enumerate(servers))
    running.start(running.configure(provider.port, certificate.cert, f"mcp: {{servers: [{listed}]}}\n", policy=POLICY))
    wait_for_rules(running)
    yield running
    OVER.set()
    assert running.stop() == 0, running.log.read_text()
    for server in servers:
        server.shutdown()


def test_what_hangs_is_waited_for_once_and_an_odd_name_is_left_out_alone(odd: Any) -> None:
    async def use(client: Client) -> tuple[list[str], float]:
        begun = time.monotonic()
        listed = await client.list_tools()
        return [tool.name for tool in listed.tools], time.monotonic() - begun

    names, seconds = with_client(odd, use)
    assert names == [f"s{HUNG}__add"]
    assert seconds < CALL_SECONDS * (HUNG - 1), f"{HUNG} servers were waited for one after another: {seconds:.1f} s"


def test_a_server_that_wants_to_be_asked_again_is_asked_until_it_answers(odd: Any) -> None:
    failed, text = call(odd, f"s{HUNG}__add")
    assert not failed and text == "asked at 2", text


def test_a_server_that_lost_the_rest_of_its_answer_is_told_of_as_such(odd: Any) -> None:
    failed, text = call(odd, f"s{HUNG}__add", is_lost=True)
    assert failed and "ended the stream before the answer" in text and "405" in text, text
