# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for clouds that serve a dialect in ways of their own: Azure OpenAI and Amazon Bedrock, on loopback.

What they answer is the demo provider's; how they are asked is theirs. Bedrock's stand-in computes each signature with botocore.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import struct
import sys
import threading
import urllib.parse
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "sdk" / "examples" / "demo"))
import provider as demo  # noqa: E402 - the path is set above

ACCESS_KEY_ID, SECRET_KEY, SESSION_TOKEN, REGION = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "a/token+=", "eu-test-1"


@dataclass
class Cloud:
    port: int = 0
    seen: list[dict[str, Any]] = field(default_factory=list)


def collect(events: AsyncIterator[bytes]) -> list[bytes]:
    async def all_of_them() -> list[bytes]:
        return [event async for event in events]

    return asyncio.run(all_of_them())


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cloud: Cloud

    def log_message(self, format: str, *args: object) -> None:
        pass

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", "0")))

    def note(self, body: bytes) -> None:
        self.cloud.seen.append({"path": self.path, "headers": {name.lower(): value for name, value in self.headers.items()},
                                "body": json.loads(body or b"null")})

    def answer(self, status: int, document: object, **headers: str) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def stream(self, kind: str, pieces: list[bytes]) -> None:
        self.send_response(200)
        for name, value in (("content-type", kind), ("transfer-encoding", "chunked"), ("x-amzn-requestid", "req-aws")):
            self.send_header(name, value)
        self.end_headers()
        for piece in [*pieces, b""]:
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")


class Azure(Handler):
    def do_GET(self) -> None:
        self.note(b"")
        self.answer(200, {"object": "list", "data": [{"id": "four", "object": "model", "created": 0, "owned_by": "azure"}]})

    def do_POST(self) -> None:
        body = self.body()
        self.note(body)
        path, _, query = self.path.partition("?")
        dated = re.fullmatch(r"/openai/deployments/([^/]+)/chat/completions", path)
        if self.headers.get("api-key") != "azure-key":
            return self.answer(401, {"error": {"code": "401", "message": "no such key"}})
        if not (dated and query == "api-version=2024-10-21") and path != "/openai/v1/chat/completions":
            return self.answer(404, {"error": {"code": "404", "message": "Resource not found"}})
        question = demo.Question(json.loads(body))
        if question.stream:
            return self.stream("text/event-stream", collect(demo.openai_stream(question)))
        return self.answer(200, demo.openai_reply(question))


def event_message(headers: dict[str, str], payload: bytes) -> bytes:
    """One message of application/vnd.amazon.eventstream."""
    block = b"".join(bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
                     for name, value in headers.items())
    prelude = struct.pack(">II", 16 + len(block) + len(payload), len(block))
    prelude += struct.pack(">I", zlib.crc32(prelude))
    return prelude + block + payload + struct.pack(">I", zlib.crc32(prelude + block + payload))


def chunk(event: bytes) -> bytes:
    data = next(line[6:] for line in event.split(b"\n") if line.startswith(b"data: "))
    payload = json.dumps({"bytes": base64.b64encode(data).decode(), "p": "abcdef"}).encode()
    return event_message({":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}, payload)


class Bedrock(Handler):
    def signature(self, body: bytes) -> str:
        """What botocore would have signed this request with."""
        sent = {name: self.headers[name] for name in ("host", "x-amz-date", "x-amz-security-token") if name in self.headers}
        request = AWSRequest(method="POST", url=f"http://{self.headers['host']}{self.path}", data=body, headers=sent)
        request.context["timestamp"] = self.headers["x-amz-date"]
        signer = SigV4Auth(Credentials(ACCESS_KEY_ID, SECRET_KEY, SESSION_TOKEN), "bedrock", REGION)
        return str(signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request))

    def do_POST(self) -> None:
        body = self.body()
        self.note(body)
        if f"Signature={self.signature(body)}" not in self.headers.get("authorization", ""):
            return self.answer(403, {"message": "The request signature we calculated does not match"}, **{"x-amzn-requestid": "r"})
        asked = re.fullmatch(r"/model/([^/]+)/invoke(-with-response-stream)?", self.path)
        document = json.loads(body)
        if not asked or document.get("anthropic_version") != "bedrock-2023-05-31" or {"model", "stream"} & set(document):
            return self.answer(400, {"message": "Malformed input request"})
        question = demo.Question({**document, "model": urllib.parse.unquote(asked.group(1)), "stream": bool(asked.group(2))})
        if question.status != 200:
            return self.answer(question.status, {"message": "Too many tokens, please wait"})
        if not question.stream:
            return self.answer(200, demo.anthropic_reply(question), **{"x-amzn-requestid": "req-aws"})
        pieces = [chunk(event) for event in collect(demo.anthropic_stream(question))]
        if question.has("exception"):
            told = {":exception-type": "throttlingException", ":content-type": "application/json", ":message-type": "exception"}
            pieces[5:] = [event_message(told, b'{"message":"Too many requests"}')]
        # Cut without regard to where messages end.
        wire = b"".join(pieces)
        return self.stream("application/vnd.amazon.eventstream", [wire[at:at + 100] for at in range(0, len(wire), 100)])


@contextmanager
def running(kind: type[Handler]) -> Iterator[Cloud]:
    cloud = Cloud()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type(kind.__name__, (kind,), {"cloud": cloud}))
    server.daemon_threads = True
    cloud.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield cloud
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
