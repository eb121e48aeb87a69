# SPDX-License-Identifier: Apache-2.0
"""A tool call is made once: a server that hangs up without an answer may have done what it was asked."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import POLICY, real_gateway, wait_for_rules
from test_mcp import call

TOOL = {"name": "pay", "description": "Pays.", "inputSchema": {"type": "object"}}


class HangsUp(http.server.BaseHTTPRequestHandler):
    """Keeps connections, and closes one on which a tool is called without a word."""

    protocol_version = "HTTP/1.1"
    calls: list[int] = []  # how many requests its connection had had before

    def setup(self) -> None:
        super().setup()
        self.served = 0

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if asked["method"] == "tools/call":
            HangsUp.calls.append(self.served)
            self.close_connection = True
            return
        self.served += 1
        results: dict[str, Any] = {
            "initialize": {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}},
            "tools/list": {"tools": [TOOL]},
        }
        answer = b""
        if "id" in asked:
            answer = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": results.get(asked["method"], {})}).encode()
        self.send_response(200 if answer else 202)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def unsure(provider: Any, certificate: Any, tmp_path: Path) -> Iterator[Any]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), HangsUp)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    running = real_gateway.Gateway(tmp_path)
    extra = (f"mcp: {{servers: [{{name: bank, origin: 'http://127.0.0.1:{server.server_port}', allow_private: true, agents: ['tests/*'], "
             "tools: [pay]}]}\n")
    running.start(running.configure(provider.port, certificate.cert, extra, policy=POLICY))
    wait_for_rules(running)
    yield running
    assert running.stop() == 0, running.log.read_text()
    server.shutdown()


def test_a_call_without_an_answer_is_not_made_again(unsure: Any) -> None:
    HangsUp.calls.clear()
    failed, text = call(unsure, "bank__pay", "legacy")
    assert failed
    assert "it is not known whether it was done" in text
    assert len(HangsUp.calls) == 1
    assert HangsUp.calls[0] > 0, "its connection was one that had been kept"
