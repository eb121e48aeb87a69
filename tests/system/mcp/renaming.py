# SPDX-License-Identifier: Apache-2.0
"""Between programs that know no keys and no prefixes, and the gateway's endpoint, which wants both: adds the key, and names what one
server has as that server does. Nothing else is changed."""

from __future__ import annotations

import http.client
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def to_gateway(body: bytes, server: str) -> bytes:
    try:
        message: Any = json.loads(body)
    except ValueError:
        return body
    params = message.get("params") if isinstance(message, dict) else None
    if isinstance(params, dict) and message.get("method") in ("tools/call", "prompts/get"):
        params["name"] = f"{server}__{params['name']}"
    if isinstance(params, dict) and message.get("method") == "resources/read":
        params["uri"] = f"mcp+{server}+{params['uri']}"
    ref = params.get("ref") if isinstance(params, dict) else None
    if isinstance(ref, dict) and "name" in ref:
        ref["name"] = f"{server}__{ref['name']}"
    return json.dumps(message).encode()


def from_gateway(body: bytes, server: str) -> bytes:
    return body.replace(f'"{server}__'.encode(), b'"').replace(f"mcp+{server}+".encode(), b"")


@contextmanager
def serve(port: int, key: str, server: str) -> Iterator[str]:
    """The URL to use in place of the gateway's at `port`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = to_gateway(self.rfile.read(int(self.headers.get("content-length") or 0)), server)
            headers = {name: value for name, value in self.headers.items() if name.lower() not in ("content-length", "connection", "host")}
            headers["authorization"] = "Bearer " + key
            for name, value in headers.items():
                if name.lower() == "mcp-name" and value:
                    headers[name] = f"mcp+{server}+{value}" if headers.get("Mcp-Method", headers.get("mcp-method")) == "resources/read" else f"{server}__{value}"
            gateway = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            gateway.request(self.command, self.path, body=body or None, headers=headers)
            reply = gateway.getresponse()
            self.send_response(reply.status)
            for name, value in reply.getheaders():
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("connection", "close")
            self.end_headers()
            # Line by line: events must not wait for each other.
            for line in reply:
                self.wfile.write(from_gateway(line, server))
                self.wfile.flush()
            gateway.close()
            self.close_connection = True

        do_POST = do_GET = do_DELETE = pass_on

        def log_message(self, *_: object) -> None:
            pass

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.daemon_threads = True
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}/mcp"
    running.shutdown()
    running.server_close()
