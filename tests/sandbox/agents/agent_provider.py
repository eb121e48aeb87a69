# SPDX-License-Identifier: Apache-2.0
"""A stand-in for model providers whose model does one thing: it writes a file with the tool it is offered, then says so; or what a test wants instead."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

DONE = "the file is written, pong"
CONTENT = "written by the agent"
PIECE_CHARACTERS = 6  # of text in one event of a stream


def make_certificate(folder: Path) -> tuple[Path, Path]:
    cert, key = folder / "provider.crt", folder / "provider.key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


class Provider:
    """Listens on a free port of loopback; `target` is the file its model writes, `wants` the tools it would rather call, by name with their
    arguments, `says` its words when it calls none."""

    def __init__(self, folder: Path) -> None:
        self.certificate, key = make_certificate(folder)
        self.target = ""
        self.says = DONE
        self.wants: dict[str, dict[str, Any]] | None = None
        self.seen: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                request = json.loads(body) if body[:1] == b"{" else {}
                provider.seen.append((self.path, {k.lower(): v for k, v in self.headers.items()}, request))
                kind, reply = provider.answer(self.path, request)
                self.send_response(200)
                self.send_header("Content-Type", kind)
                if isinstance(reply, bytes):
                    self.send_header("Content-Length", str(len(reply)))
                    self.end_headers()
                    self.wfile.write(reply)
                    return
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for event in [*reply, b""]:
                    self.wfile.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
                    self.wfile.flush()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = int(self.server.server_address[1])
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, path: str, request: dict[str, Any]) -> tuple[str, bytes | list[bytes]]:
        """The reply's type, and its body: whole, or a stream's events."""
        path = path.split("?")[0]
        if path.endswith("/messages"):
            return anthropic(request, self.call(request), self.says)
        if path.endswith("/responses"):
            return responses(self.call(request), self.says)
        if path.endswith("/chat/completions"):
            return chat(request, self.call(request), self.says)
        if path.endswith("enerateContent"):
            return gemini(self.call(request), self.says, is_stream=":stream" in path)
        if path.endswith("/count_tokens"):
            return "application/json", b'{"input_tokens": 3}'
        if path.endswith(":countTokens"):
            return "application/json", b'{"totalTokens": 3}'
        return "application/json", b"{}"

    def call(self, request: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
        """The tool to call and its arguments; None when it was called, or none that can write is offered."""
        text = json.dumps(request.get("messages") or request.get("input") or request.get("contents") or [])
        if any(mark in text for mark in ('"tool_result"', '"function_call_output"', '"role": "tool"', '"custom_tool_call_output"', '"functionResponse"')):
            return None
        offered = {name for tool in request.get("tools") or [] for name in names_of(tool)}
        shell = f"printf %s '{CONTENT}' > {self.target}"
        wanted = self.wants if self.wants is not None else {
            "Write": {"file_path": self.target, "content": CONTENT}, "write": {"filePath": self.target, "content": CONTENT},
            "write_file": {"file_path": self.target, "content": CONTENT}, "exec_command": {"cmd": shell}, "shell_command": {"command": shell},
            "shell": {"command": ["sh", "-c", shell]}}
        return next(((name, arguments) for name, arguments in wanted.items() if name in offered), None)


def names_of(tool: dict[str, Any]) -> list[Any]:
    if declared := tool.get("functionDeclarations"):
        return [function.get("name") for function in declared]
    return [tool.get("name") or tool.get("function", {}).get("name") or tool.get("type")]


def pieces(text: str) -> list[str]:
    return [text[at:at + PIECE_CHARACTERS] for at in range(0, len(text), PIECE_CHARACTERS)]


def events(items: list[dict[str, Any]]) -> tuple[str, list[bytes]]:
    return "text/event-stream", [f"event: {item['type']}\ndata: {json.dumps(item)}\n\n".encode() for item in items]


def anthropic(request: dict[str, Any], call: tuple[str, dict[str, Any]] | None, says: str) -> tuple[str, bytes | list[bytes]]:
    reason = "tool_use" if call else "end_turn"
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": request.get("model", "m"), "content": [], "stop_reason": None,
               "stop_sequence": None, "usage": {"input_tokens": 3, "output_tokens": 1}}
    block: dict[str, Any] = {"type": "tool_use", "id": "toolu_1", "name": call[0], "input": {}} if call else {"type": "text", "text": ""}
    if not request.get("stream"):
        whole = {**block, "input": call[1]} if call else {"type": "text", "text": says}
        return "application/json", json.dumps({**message, "content": [whole], "stop_reason": reason}).encode()
    deltas = ([{"type": "input_json_delta", "partial_json": piece} for piece in pieces(json.dumps(call[1]))] if call else
              [{"type": "text_delta", "text": piece} for piece in pieces(says)])
    return events([{"type": "message_start", "message": message}, {"type": "content_block_start", "index": 0, "content_block": block},
                   *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas), {"type": "content_block_stop", "index": 0},
                   {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": {"output_tokens": 2}},
                   {"type": "message_stop"}])


def responses(call: tuple[str, dict[str, Any]] | None, says: str) -> tuple[str, list[bytes]]:
    part = {"type": "output_text", "text": says, "annotations": []}
    place = {"item_id": "m1", "output_index": 0, "content_index": 0}
    item: dict[str, Any] = ({"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": call[0], "status": "completed",
                             "arguments": json.dumps(call[1])} if call else
                            {"type": "message", "id": "m1", "role": "assistant", "status": "completed",
                             "content": [part]})
    response = {"id": "r1", "object": "response", "status": "completed", "output": [item],
                "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5, "input_tokens_details": {"cached_tokens": 0},
                          "output_tokens_details": {"reasoning_tokens": 0}}}
    empty = {**item, "status": "in_progress", **({"arguments": ""} if call else {"content": []})}
    middle: list[dict[str, Any]] = (
        [{"type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 0, "delta": item["arguments"]},
         {"type": "response.function_call_arguments.done", "item_id": "fc_1", "output_index": 0, "arguments": item["arguments"]}] if call else
        [{"type": "response.content_part.added", **place, "part": {**part, "text": ""}},
         *({"type": "response.output_text.delta", **place, "delta": piece} for piece in pieces(says)),
         {"type": "response.output_text.done", **place, "text": says}, {"type": "response.content_part.done", **place, "part": part}])
    return events([{"type": "response.created", "response": {**response, "status": "in_progress", "output": []}},
                   {"type": "response.output_item.added", "output_index": 0, "item": empty}, *middle,
                   {"type": "response.output_item.done", "output_index": 0, "item": item}, {"type": "response.completed", "response": response}])


def chat(request: dict[str, Any], call: tuple[str, dict[str, Any]] | None, says: str) -> tuple[str, bytes | list[bytes]]:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    reason = "tool_calls" if call else "stop"
    if not request.get("stream"):
        message: dict[str, Any] = {"role": "assistant", "content": None if call else says}
        if call:
            message["tool_calls"] = [{"id": "call_1", "type": "function", "function": {"name": call[0], "arguments": json.dumps(call[1])}}]
        whole = {"id": "c1", "object": "chat.completion", "created": 1, "model": request.get("model", "m"),
                 "choices": [{"index": 0, "message": message, "finish_reason": reason}], "usage": usage}
        return "application/json", json.dumps(whole).encode()
    chunk = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": request.get("model", "m")}
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": piece} for piece in pieces(says)]
    if call:
        deltas = [{"role": "assistant", "tool_calls": [{"index": 0, "id": "call_1", "type": "function",
                                                        "function": {"name": call[0], "arguments": json.dumps(call[1])}}]}]
    parts = [*({**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas),
             {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": usage}]
    return "text/event-stream", [*(f"data: {json.dumps(part)}\n\n".encode() for part in parts), b"data: [DONE]\n\n"]


def gemini(call: tuple[str, dict[str, Any]] | None, says: str, *, is_stream: bool) -> tuple[str, bytes | list[bytes]]:
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}

    def reply(part: dict[str, Any], reason: str | None) -> dict[str, Any]:
        candidate = {"content": {"role": "model", "parts": [part]}, "index": 0, **({"finishReason": reason} if reason else {})}
        return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m", "responseId": "r1"}

    parts = [{"functionCall": {"name": call[0], "args": call[1]}}] if call else [{"text": piece} for piece in pieces(says)]
    if not is_stream:
        return "application/json", json.dumps(reply(parts[0] if call else {"text": says}, "STOP")).encode()
    replies = [reply(part, "STOP" if part is parts[-1] else None) for part in parts]
    return "text/event-stream", [f"data: {json.dumps(one)}\r\n\r\n".encode() for one in replies]
