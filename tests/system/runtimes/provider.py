# SPDX-License-Identifier: Apache-2.0
"""A TLS server on loopback that remembers every plaintext byte of each connection, to compare with what was captured."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import ssl
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path


def stamped(size: int, seed: int) -> bytes:
    """Bytes in which every place differs: a lost, repeated or moved piece shows."""
    line = b"".join(b"%08x.%06x;" % (i, seed) for i in range(size // 16 + 1))
    return line[:size]


@dataclass
class Conversation:
    """One connection as the server saw it."""

    port: int
    received: bytes = b""
    sent: bytes = b""
    requests: list[bytes] = field(default_factory=list)


def make_certificates(folder: Path) -> None:
    """Writes ca.pem, ca.der and server.pem (certificate and key for localhost)."""

    def openssl(*arguments: str | Path) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-days", "30", "-subj", "/CN=capture test CA", "-keyout", "ca.key", "-out", "ca.pem",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl("req", *key, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
    (folder / "server.ext").write_text("subjectAltName=DNS:localhost,DNS:api.anthropic.com,DNS:api.openai.com\n"
                                       "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n"
                                       "authorityKeyIdentifier=keyid\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
            "-extfile", "server.ext", "-out", "server.crt")
    openssl("x509", "-in", "ca.pem", "-outform", "DER", "-out", "ca.der")
    (folder / "server.pem").write_bytes((folder / "server.crt").read_bytes() + (folder / "server.key").read_bytes())


class Island:
    """A network namespace with nothing but loopback: what runs in it reaches its test server and nobody else."""

    _CLONE_NEWNET = 0x40000000

    def __init__(self) -> None:
        self._ready, self._done = threading.Event(), threading.Event()
        self._error = ""
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._error:
            raise OSError(self._error)

    def _live(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(self._CLONE_NEWNET) != 0:
            self._error = f"unshare: {os.strerror(ctypes.get_errno())}"
        else:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
            self._path = f"/proc/{os.getpid()}/task/{threading.get_native_id()}/ns/net"
        self._ready.set()
        self._done.wait()

    def command(self, *arguments: str | Path) -> list[str | Path]:
        """The command that runs `arguments` there."""
        return ["nsenter", f"--net={self._path}", *arguments]

    def close(self) -> None:
        self.listener.close()
        self._done.set()


class Provider:
    """Answers every POST with as many stamped bytes, or with a model's reply where one was asked for. HTTP/1.1 only."""

    def __init__(self, folder: Path) -> None:
        make_certificates(folder)
        self.folder = folder
        self.conversations: list[Conversation] = []
        self._lock = threading.Lock()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(folder / "server.pem")
        self._context.set_alpn_protocols(["http/1.1"])
        self.island = Island()
        self.port = int(self.island.listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    def close(self) -> None:
        self.island.close()

    def forget(self) -> None:
        with self._lock:
            self.conversations = []

    def seen(self) -> list[Conversation]:
        with self._lock:
            return list(self.conversations)

    def _accept(self) -> None:
        while True:
            try:
                peer, address = self.island.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer, Conversation(int(address[1]))), daemon=True).start()

    def _serve(self, peer: socket.socket, conversation: Conversation) -> None:
        peer.settimeout(60)
        try:
            with self._context.wrap_socket(peer, server_side=True) as tls:
                with self._lock:
                    self.conversations.append(conversation)
                pending = b""
                while True:
                    head, pending = self._read_until(tls, pending, b"\r\n\r\n", conversation)
                    length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n")
                                   if line.lower().startswith(b"content-length:")), 0)
                    while len(pending) < length:
                        pending += self._read(tls, conversation)
                    body, pending = pending[:length], pending[length:]
                    conversation.requests.append(head + body)
                    reply = answer(head, body, len(conversation.requests))
                    tls.sendall(reply)
                    conversation.sent += reply
        except (OSError, EOFError, ValueError):
            pass
        finally:
            peer.close()

    @staticmethod
    def _read(tls: ssl.SSLSocket, conversation: Conversation) -> bytes:
        piece = tls.recv(65536)
        if not piece:
            raise EOFError
        conversation.received += piece
        return piece

    def _read_until(self, tls: ssl.SSLSocket, pending: bytes, mark: bytes, conversation: Conversation) -> tuple[bytes, bytes]:
        while mark not in pending:
            pending += self._read(tls, conversation)
        at = pending.index(mark) + len(mark)
        return pending[:at], pending[at:]


def _reply(content_type: str, body: bytes) -> bytes:
    return (f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body


def _events(events: list[dict[str, object]]) -> bytes:
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


def _anthropic(request: dict[str, object]) -> bytes:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": request.get("model", "claude"), "content": [],
               "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 3, "output_tokens": 1}}
    if not request.get("stream"):
        return _reply("application/json", json.dumps({**message, "content": [{"type": "text", "text": "pong"}],
                                                      "stop_reason": "end_turn"}).encode())
    return _reply("text/event-stream", _events([
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "pong"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"}]))


def _responses() -> bytes:
    item = {"type": "message", "id": "m1", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": "pong", "annotations": []}]}
    response = {"id": "r1", "object": "response", "status": "completed", "output": [item],
                "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5, "input_tokens_details": {"cached_tokens": 0},
                          "output_tokens_details": {"reasoning_tokens": 0}}}
    return _reply("text/event-stream", _events([
        {"type": "response.created", "response": {**response, "status": "in_progress", "output": []}},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "status": "in_progress", "content": []}},
        {"type": "response.output_text.delta", "item_id": "m1", "output_index": 0, "content_index": 0, "delta": "pong"},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": response}]))


def _chat(request: dict[str, object]) -> bytes:
    chunk = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": request.get("model", "gpt")}
    if not request.get("stream"):
        return _reply("application/json", json.dumps({
            "id": "c1", "object": "chat.completion", "created": 1, "model": request.get("model", "gpt"),
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "pong"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}).encode())
    parts = [{**chunk, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "pong"}, "finish_reason": None}]},
             {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
              "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}]
    return _reply("text/event-stream", b"".join(f"data: {json.dumps(part)}\n\n".encode() for part in parts) + b"data: [DONE]\n\n")


def answer(head: bytes, body: bytes, number: int) -> bytes:
    """What a request gets: a model's words where its path asks a model, else as many stamped bytes as it had."""
    path = head.split(b" ")[1].split(b"?")[0]
    try:
        request = json.loads(body) if body[:1] == b"{" else {}
    except ValueError:
        request = {}
    if path.endswith(b"/messages"):
        return _anthropic(request)
    if path.endswith(b"/responses"):
        return _responses()
    if path.endswith(b"/chat/completions"):
        return _chat(request)
    if path.startswith(b"/echo"):
        return _reply("application/octet-stream", stamped(len(body), number))
    return _reply("application/json", b"{}")
