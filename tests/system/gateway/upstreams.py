# SPDX-License-Identifier: Apache-2.0
"""Providers that misbehave on demand, and the events that a gateway without a collector keeps."""

from __future__ import annotations

import http.server
import json
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from conftest import ROOT, Gateway, free_port

HANG_SECONDS = 30


class Upstream:
    """A provider for OpenAI and Anthropic clients. `mode` says how it answers: "ok", a status, "reset" (before a byte),
    "hang", "garbage", "switch" (another protocol), "die" (within a stream), "half" (within an event of it), "cut" (within a
    whole reply)."""

    def __init__(self, name: str, text: str = "") -> None:
        self.name, self.text = name, text or f"I am {name}."
        self.host = "127.0.0.1"  # as the gateway's configuration names it
        self.mode: str | int = "ok"
        self.bodies: list[dict[str, Any]] = []
        self.usage: dict[str, Any] = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}  # of chat completions
        self.wait = 0.0
        self.pause = 0.0  # before each event of a stream but the first
        self.port = free_port()
        self.server: http.server.ThreadingHTTPServer | None = None
        self.released = threading.Event()
        self.start()

    def start(self) -> None:
        upstream = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                upstream.bodies.append(body)
                upstream.answer(self, body)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def refuse(self) -> None:
        """From now on nobody listens."""
        assert self.server
        self.server.shutdown()
        self.server.server_close()
        self.server = None

    def close(self) -> None:
        self.released.set()
        if self.server:
            self.refuse()

    def answer(self, handler: http.server.BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        time.sleep(self.wait)
        if isinstance(self.mode, int):
            return self.send(handler, self.mode, {"error": {"message": "in trouble", "type": "server_error"}}, {"retry-after": "7"})
        if self.mode == "reset":
            return self.reset(handler)
        if self.mode == "hang":
            self.released.wait(HANG_SECONDS)
            return self.reset(handler)
        if self.mode == "garbage":
            handler.wfile.write(b"\x00\x01 nonsense\r\n\r\n")
            return self.reset(handler, 0.3)
        if self.mode == "switch":
            handler.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n" + json.dumps(self.completion(body)).encode())
            return self.reset(handler, 0.3)
        is_anthropic = handler.path.startswith("/v1/messages")
        if body.get("stream"):
            return self.send_stream(handler, body, is_anthropic)
        is_gemini = handler.path.endswith(":generateContent")
        reply = self.message(body) if is_anthropic else self.generated(handler.path) if is_gemini else self.completion(body)
        if self.mode == "cut":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n{\"id\":")
            return self.reset(handler, 0.3)
        return self.send(handler, 200, reply)

    def message(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"id": f"msg-{self.name}", "type": "message", "role": "assistant", "model": body["model"],
                "content": [{"type": "text", "text": self.text}], "stop_reason": "end_turn", "stop_sequence": None,
                "usage": {"input_tokens": 11, "output_tokens": 7}}

    def generated(self, path: str) -> dict[str, Any]:
        content = {"role": "model", "parts": [{"text": self.text}]}
        return {"candidates": [{"index": 0, "content": content, "finishReason": "STOP"}],
                "usageMetadata": {"promptTokenCount": 11, "candidatesTokenCount": 7, "totalTokenCount": 18},
                "modelVersion": path.rpartition("/")[2].partition(":")[0]}

    def completion(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"id": f"chatcmpl-{self.name}", "object": "chat.completion", "created": 1, "model": body["model"], "choices": [
            {"index": 0, "message": {"role": "assistant", "content": self.text}, "finish_reason": "stop"}],
            "usage": self.usage}

    def send(self, handler: http.server.BaseHTTPRequestHandler, status: int, reply: dict[str, Any],
             headers: dict[str, str] | None = None) -> None:
        content = json.dumps(reply).encode()
        handler.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(content)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    def send_stream(self, handler: http.server.BaseHTTPRequestHandler, body: dict[str, Any], is_anthropic: bool) -> None:
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.send_header("transfer-encoding", "chunked")
        handler.end_headers()
        events = list(self.anthropic_events(body) if is_anthropic else self.openai_events(body))
        for place, event in enumerate(events):
            if self.mode == "die" and place == len(events) - 2:
                self.reset(handler, 0.3)
                return
            if self.mode == "half" and place == 2:
                half = event[:len(event) // 2]
                handler.wfile.write(f"{len(half):x}\r\n".encode() + half + b"\r\n")
                self.reset(handler, 0.3)
                return
            time.sleep(self.pause if place else 0)
            handler.wfile.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
        handler.wfile.write(b"0\r\n\r\n")

    def openai_events(self, body: dict[str, Any]) -> Iterator[bytes]:
        def chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
            data = {"id": f"chatcmpl-{self.name}", "object": "chat.completion.chunk", "created": 1, "model": body["model"],
                    "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
            return f"data: {json.dumps(data)}\n\n".encode()

        yield chunk({"role": "assistant", "content": ""})
        for word in self.text.split(" "):
            yield chunk({"content": word + " "})
        yield chunk({}, "stop")
        yield b"data: [DONE]\n\n"

    def anthropic_events(self, body: dict[str, Any]) -> Iterator[bytes]:
        def event(kind: str, **data: object) -> bytes:
            return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()

        yield event("message_start", message={**self.message(body), "content": [], "stop_reason": None})
        yield event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        for word in self.text.split(" "):
            yield event("content_block_delta", index=0, delta={"type": "text_delta", "text": word + " "})
        yield event("content_block_stop", index=0)
        yield event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 7})
        yield event("message_stop")

    @staticmethod
    def reset(handler: http.server.BaseHTTPRequestHandler, after: float = 0) -> None:
        """Ends the connection with a reset; what was sent has `after` seconds to arrive, else it may be lost with it."""
        time.sleep(after)
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.close_connection = True
        os.close(handler.connection.detach())


def configure(gateway: Gateway, upstreams: list[Upstream], more: str, policy: str, dialect: str = "openai") -> Path:
    """Writes the configuration of a gateway in front of these upstreams that keeps its events on disk."""
    state = gateway.folder / "state"
    state.mkdir(exist_ok=True)
    (state / "token").write_text("of-nobody." + "0" * 64 + "\n")
    report = f"report:\n  collector: 127.0.0.1:1\n  state_folder: {state}\n  enrolment_token_file: {state}/token\naudit: best_effort\n"
    config = gateway.configure(1, Path("/unused"), extra=report + more, policy=policy)
    text = config.read_text()
    providers = "".join(f"  - {{name: {one.name}, dialect: {dialect}, origin: 'http://{one.host}:{one.port}', allow_private: true, "
                        f"key_file: {gateway.folder}/provider.key}}\n" for one in upstreams)
    config.write_text(text[:text.index("providers:\n  - name:")] + "providers:\n" + providers)
    return config


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Fields of a protobuf message: numbers, and bytes of texts and messages."""
    place = 0

    def varint() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = data[place]
            place += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while place < len(data):
        number, kind = divmod(varint(), 8)
        if kind == 0:
            yield number, varint()
            continue
        size = varint() if kind == 2 else {1: 8, 5: 4}[kind]
        yield number, data[place:place + size]
        place += size


def numbers_of(message: str) -> dict[str, int]:
    """The numbers of a message's fields, from the .proto file."""
    text = (ROOT / "proto" / "aispm" / "v1" / "event.proto").read_text()
    body = text[text.index(f"message {message} {{"):]
    found = {}
    for line in body[:body.index("\n}")].splitlines():
        words = line.split(" //")[0].strip().rstrip(";").split(" = ")
        if len(words) == 2 and words[1].isdigit():
            found[words[0].split()[-1]] = int(words[1])
    return found


def spooled(folder: Path) -> list[bytes]:
    """Every event that lies in the gateway's spool, serialized, oldest first."""
    events = []
    for path in sorted((folder / "state").rglob("*")):
        data = path.read_bytes() if path.is_file() else b""
        if not data.startswith(b"AISPMSP1"):
            continue
        place = 36
        while place + 44 <= len(data):
            size = struct.unpack_from("<I", data, place + 4)[0]
            payload = data[place + 44:place + 44 + size]
            if len(payload) < size:
                break
            events += [value for number, value in fields(payload) if number == 2]
            place += 44 + size
    return events


def calls(folder: Path) -> list[dict[str, Any]]:
    """The llm_call events that were kept, with `id` and the number of `detections`."""
    event_numbers, call_numbers = numbers_of("Event"), numbers_of("LlmCall")
    names = {number: name for name, number in call_numbers.items()}
    found = []
    for event in spooled(folder):
        parts = list(fields(event))
        body = next((value for number, value in parts if number == event_numbers["llm_call"]), None)
        if body is None:
            continue
        call: dict[str, Any] = {"failed_attempts": [], "detections": 0}
        for number, value in fields(body):
            text = value.decode() if isinstance(value, bytes) and names.get(number) != "attribution_confidence" else value
            if names.get(number) == "failed_attempts":
                call["failed_attempts"].append(text)
            elif number in names:
                call[names[number]] = text
        call["id"] = next(value.decode() for number, value in parts if number == event_numbers["id"])
        call["detections"] = sum(number == event_numbers["detections"] for number, _ in parts)
        found.append(call)
    return found


def health(folder: Path) -> tuple[dict[str, int], dict[str, str]]:
    """Counters and features of the newest health event that was kept."""
    event_numbers, health_numbers = numbers_of("Event"), numbers_of("ComponentHealth")
    counters: dict[str, int] = {}
    features: dict[str, str] = {}
    for event in spooled(folder):
        body = next((value for number, value in fields(event) if number == event_numbers["component_health"]), None)
        if body is None:
            continue
        counters, features = {}, {}
        for number, value in fields(body):
            if number == health_numbers["counters"]:
                entry = dict(fields(value))
                counters[entry[1].decode()] = entry.get(2, 0)
            if number == health_numbers["features"]:
                entry = dict(fields(value))
                features[entry[1].decode()] = entry.get(2, b"").decode()
    return counters, features

