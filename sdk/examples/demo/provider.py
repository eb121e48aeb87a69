# SPDX-License-Identifier: Apache-2.0
"""A stand-in LLM provider for demos and tests: OpenAI, Anthropic, Ollama and Gemini over TLS, streaming and not; no model.

    python3 provider.py --port 9443 --cert server.crt --key server.key

The last user message selects the answer; words in it act as switches:
  emit secret     the answer holds an invented AWS key, cut across the chunks of a stream
  emit person     the answer holds a mail address and an account number that nobody has
  emit private key  the answer holds the first line of a private key
  split=N         a stream's text is cut into pieces of N characters (default: 4)
  call tool       the answer calls the first offered tool; with "secret", its arguments hold the key
  args={...}      those arguments instead (JSON, to the end of the message)
  say "TEXT"      the answer is TEXT
  think           the answer starts with reasoning
  status=N        the answer is an error with HTTP status N
  break stream    the connection ends in the middle of a stream
  html            the answer is an HTML page with status 502
  slow            half a second passes between the chunks of a stream
After a tool's result the answer is what the tool said.
GET /_seen lists the requests received so far (newest last, at most 64): method, path, headers, body.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import sys
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import provider_gemini as gemini
import provider_protocols as protocols
from provider_words import Question, anthropic_reply, anthropic_stream, openai_reply, openai_stream

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 64 * 1024 * 1024

seen: deque[dict[str, Any]] = deque(maxlen=64)
counters = {"connections": 0}


def head(status: int, content_type: str, extra: str) -> bytes:
    return (f"HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\nx-request-id: req_standin\r\n"
            f"set-cookie: session=stand-in\r\n{extra}\r\n").encode()


def whole(body: object, status: int = 200) -> bytes:
    content = json.dumps(body).encode()
    return head(status, "application/json", f"content-length: {len(content)}\r\n") + content


def error(dialect: str, status: int) -> bytes:
    message = f"the stand-in was asked for status {status}"
    if dialect == "ollama":
        return whole({"error": message}, status)
    if dialect == "openai":
        return whole({"error": {"message": message, "type": "server_error", "param": None, "code": None}}, status)
    return whole({"type": "error", "error": {"type": "api_error", "message": message}}, status)


async def send_stream(writer: asyncio.StreamWriter, question: Question, events: AsyncIterator[bytes],
                      content_type: str = "text/event-stream; charset=utf-8") -> bool:
    """True when the stream was sent to its end."""
    writer.write(head(200, content_type, "transfer-encoding: chunked\r\n"))
    count = 0
    async for event in events:
        writer.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
        await writer.drain()
        count += 1
        if question.has("break stream") and count == 4:
            return False
        if question.has("slow"):
            await asyncio.sleep(0.5)
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    return True


async def read_request(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str], bytes] | None:
    try:
        text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return None
    lines = text.split("\r\n")
    method, path, _ = lines[0].split(" ", 2)
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        if name:
            headers[name.lower()] = value.strip()
    size = int(headers.get("content-length", "0"))
    if size > MAX_BODY_BYTES:
        return None
    return method, path, headers, await reader.readexactly(size)


async def answer(writer: asyncio.StreamWriter, method: str, path: str, body: bytes) -> bool:
    """Answers one request; True when the connection may carry another."""
    route = path.split("?")[0]
    if route == "/_seen":
        writer.write(whole({"requests": list(seen), "counters": counters}))
        return True
    if route == "/v1/models" and method == "GET":
        writer.write(whole({"object": "list", "data": [{"id": "stand-in", "object": "model", "type": "model", "created": 0,
                                                        "owned_by": "stand-in", "display_name": "Stand-in",
                                                        "created_at": "2026-01-01T00:00:00Z"}], "has_more": False}))
        return True
    told = protocols.listed(route) or gemini.listed(route) if method == "GET" else None
    if told is not None:
        writer.write(whole(told))
        return True
    asked_of_google = gemini.find_method(route)
    if asked_of_google and method == "POST":
        return await answer_gemini(writer, asked_of_google, json.loads(body), as_events="alt=sse" in path)
    dialect = {"/v1/chat/completions": "openai", "/v1/messages": "anthropic", "/v1/responses": "openai",
               "/v1/embeddings": "openai", "/v1/moderations": "openai", "/v1/messages/count_tokens": "anthropic",
               "/api/chat": "ollama", "/api/generate": "ollama"}.get(route)
    if dialect is None or method != "POST":
        writer.write(error("openai", 404))
        return True
    asked = json.loads(body)
    question = Question(asked)
    if dialect == "ollama":
        question.stream = asked.get("stream", True)
    if question.has("html"):
        send_html(writer)
    elif question.status != 200:
        writer.write(error(dialect, question.status))
    elif (counted := protocols.counted(route, asked)) is not None:
        writer.write(whole(counted))
    elif dialect == "ollama" and question.stream:
        return await send_stream(writer, question, protocols.ollama_stream(question, route), "application/x-ndjson")
    elif question.stream:
        return await send_stream(writer, question, event_stream(route, question))
    else:
        writer.write(whole(whole_reply(route, question)))
    return True


def send_html(writer: asyncio.StreamWriter) -> None:
    page = b"<html><body>bad gateway</body></html>"
    writer.write(head(502, "text/html", f"content-length: {len(page)}\r\n") + page)


async def answer_gemini(writer: asyncio.StreamWriter, asked: tuple[str, str], body: dict[str, Any], *, as_events: bool) -> bool:
    model, verb = asked
    question = Question(gemini.normalised(body, model, verb))
    if question.has("html"):
        send_html(writer)
    elif question.status != 200:
        told = gemini.error(question.status, f"the stand-in was asked for status {question.status}")
        # As Google does where the stream would have been an array.
        writer.write(whole([told] if question.stream and not as_events else told, question.status))
    elif gemini.lacks_signature(body, model):
        writer.write(whole(gemini.error(400, "Function call is missing a thought_signature in functionCall parts."), 400))
    elif (counted := gemini.counted(verb, body)) is not None:
        writer.write(whole(counted))
    elif question.stream:
        kind = "text/event-stream" if as_events else "application/json; charset=UTF-8"
        return await send_stream(writer, question, gemini.stream(question, as_events=as_events), kind)
    else:
        writer.write(whole(gemini.reply(question)))
    return True


def event_stream(route: str, question: Question) -> AsyncIterator[bytes]:
    if route == "/v1/responses":
        return protocols.responses_stream(question)
    return openai_stream(question) if route == "/v1/chat/completions" else anthropic_stream(question)


def whole_reply(route: str, question: Question) -> dict[str, Any]:
    if route == "/v1/responses":
        return protocols.responses_reply(question)
    if route.startswith("/api/"):
        return protocols.ollama_reply(question, route)
    return openai_reply(question) if route == "/v1/chat/completions" else anthropic_reply(question)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    counters["connections"] += 1
    try:
        while request := await read_request(reader):
            method, path, headers, body = request
            if not path.startswith("/_seen"):
                seen.append({"method": method, "path": path, "headers": headers, "body": body.decode("utf-8", "replace")})
            if "x-goog-api-key" in headers:
                path = path.replace("/v1/models", "/v1beta/models", 1)  # Google serves both versions
            if not await answer(writer, method, path, body):
                break
            await writer.drain()
    except (ConnectionError, ValueError, asyncio.IncompleteReadError, ssl.SSLError) as failure:
        print(f"connection: {failure}", file=sys.stderr)
    finally:
        writer.close()


async def run(options: argparse.Namespace) -> None:
    context = None
    if not options.plain:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.cert, options.key)
    server = await asyncio.start_server(serve, options.host, options.port, ssl=context, limit=MAX_HEAD_BYTES)
    port = server.sockets[0].getsockname()[1]
    print(f"listening on {options.host}:{port}", flush=True)
    async with server:
        await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9443, help="0: any free one, printed on stdout")
    parser.add_argument("--cert", help="certificate (PEM)")
    parser.add_argument("--key", help="its private key (PEM)")
    parser.add_argument("--plain", action="store_true", help="HTTP without TLS")
    options = parser.parse_args()
    if not options.plain and not (options.cert and options.key):
        parser.error("--cert and --key are needed, or --plain")
    try:
        asyncio.run(run(options))
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
