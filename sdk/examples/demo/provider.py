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
import re
import ssl
import sys
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import provider_gemini as gemini
import provider_protocols as protocols

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 64 * 1024 * 1024
# In AWS's format and invented; put together here so that scanners of repositories do not take it for a live one.
SECRET = "AKIA" + "Z7QJ3XNVB5KD2M4T"

seen: deque[dict[str, Any]] = deque(maxlen=64)
counters = {"connections": 0}


class Question:
    """What a request asks for, whatever its dialect."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.model = str(body.get("model", "stand-in"))
        self.stream = bool(body.get("stream", False))
        self.usage_wanted = bool((body.get("stream_options") or {}).get("include_usage"))
        self.tools = body.get("tools") or []
        self.text = last_user_text(body.get("messages") or []) or protocols.last_input_text(body)
        split = re.search(r"split=(\d+)", self.text)
        self.split = max(1, int(split.group(1))) if split else 4
        self.tool_result = body.get("tool_result") or protocols.last_tool_result(body)
        status = re.search(r"status=(\d{3})", self.text)
        self.status = int(status.group(1)) if status else 200

    def has(self, words: str) -> bool:
        return words in self.text.lower()

    def calls_tool(self) -> bool:
        return self.has("call tool") and bool(self.tools) and not self.tool_result

    def tool_name(self) -> str:
        tool = self.tools[0]
        return str((tool.get("function") or tool).get("name", "tool"))

    def tool_arguments(self) -> str:
        given = re.search(r"args=(\{.*\})", self.text, re.DOTALL)
        if given:
            return given.group(1)
        return json.dumps({"text": SECRET if self.has("secret") else "hello", "count": 2})

    def answer(self) -> str:
        if self.tool_result:
            return f"The tool said {self.tool_result}."
        said = re.search(r'say "([^"]*)"', self.text)
        if said:
            return said.group(1)
        if self.has("emit secret"):
            return f"The deployment key is {SECRET} and it works."
        if self.has("emit person"):
            return "Write to jane.doe@example.com, or pay to the account IBAN DE89 3704 0044 0532 0130 00 of Jane."
        if self.has("emit private key"):
            return "Here it is: -----BEGIN RSA PRIVATE " + "KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE " + "KEY-----"
        if self.has("capital of france"):
            return "The capital of France is Paris."
        if self.has("one word"):
            return "Growing."
        if self.has("summar"):
            return "Revenue grew by four percent; costs stayed level."
        return "This is the stand-in provider. It has no model behind it, but it heard you."


def last_user_text(messages: list[dict[str, Any]]) -> str:
    for message in reversed(messages):
        if message.get("role") != "user":
            continue
        content = message.get("content")
        if isinstance(content, str):
            return content
        if isinstance(content, list):
            return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return ""


def pieces(text: str, size: int) -> list[str]:
    return [text[i:i + size] for i in range(0, len(text), size)]


def sse(data: object, event: str = "") -> bytes:
    text = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {event}\n" if event else "").encode() + f"data: {text}\n\n".encode()


# --- OpenAI chat completions

def openai_usage(question: Question) -> dict[str, int]:
    prompt, completion = len(question.text) // 4 + 1, len(question.answer()) // 4 + 1
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def openai_reply(question: Question) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": question.answer()}
    reason = "stop"
    if question.calls_tool():
        function = {"name": question.tool_name(), "arguments": question.tool_arguments()}
        message = {"role": "assistant", "content": None,
                   "tool_calls": [{"id": "call_1", "type": "function", "function": function}]}
        reason = "tool_calls"
    return {"id": "chatcmpl-standin", "object": "chat.completion", "created": int(time.time()), "model": question.model,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
            "usage": openai_usage(question)}


async def openai_stream(question: Question) -> AsyncIterator[bytes]:
    created = int(time.time())

    def chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
        data: dict[str, Any] = {"id": "chatcmpl-standin", "object": "chat.completion.chunk", "created": created,
                                "model": question.model, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
        if question.usage_wanted:
            data["usage"] = None
        return sse(data)

    yield chunk({"role": "assistant", "content": ""})
    if question.calls_tool():
        function = {"name": question.tool_name(), "arguments": ""}
        yield chunk({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]})
        for piece in pieces(question.tool_arguments(), question.split):
            yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
        yield chunk({}, "tool_calls")
    else:
        for piece in pieces(question.answer(), question.split):
            yield chunk({"content": piece})
        yield chunk({}, "stop")
    if question.usage_wanted:
        yield sse({"id": "chatcmpl-standin", "object": "chat.completion.chunk", "created": created, "model": question.model,
                   "choices": [], "usage": openai_usage(question)})
    yield sse("[DONE]")


# --- Anthropic messages

def anthropic_usage(question: Question) -> dict[str, int]:
    return {"input_tokens": len(question.text) // 4 + 1, "output_tokens": len(question.answer()) // 4 + 1}


def anthropic_blocks(question: Question) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if question.has("think"):
        blocks.append({"type": "thinking", "thinking": "Let me see.", "signature": "c2lnbmF0dXJl"})
    if question.calls_tool():
        blocks.append({"type": "text", "text": "I will use a tool."})
        blocks.append({"type": "tool_use", "id": "toolu_1", "name": question.tool_name(),
                       "input": json.loads(question.tool_arguments())})
    else:
        blocks.append({"type": "text", "text": question.answer()})
    return blocks


def anthropic_reply(question: Question) -> dict[str, Any]:
    return {"id": "msg_standin", "type": "message", "role": "assistant", "model": question.model,
            "content": anthropic_blocks(question), "stop_reason": "tool_use" if question.calls_tool() else "end_turn",
            "stop_sequence": None, "usage": anthropic_usage(question)}


async def anthropic_stream(question: Question) -> AsyncIterator[bytes]:
    def event(name: str, **fields: Any) -> bytes:
        return sse({"type": name, **fields}, name)

    usage = anthropic_usage(question)
    yield event("message_start", message={
        "id": "msg_standin", "type": "message", "role": "assistant", "model": question.model, "content": [], "stop_reason": None,
        "stop_sequence": None, "usage": {"input_tokens": usage["input_tokens"], "output_tokens": 1}})
    for index, block in enumerate(anthropic_blocks(question)):
        empty: dict[str, Any]
        if block["type"] == "text":
            empty, kind, text = {"type": "text", "text": ""}, "text", block["text"]
        elif block["type"] == "thinking":
            empty, kind, text = {"type": "thinking", "thinking": "", "signature": ""}, "thinking", block["thinking"]
        else:
            empty, kind, text = {**block, "input": {}}, "tool", json.dumps(block["input"])
        yield event("content_block_start", index=index, content_block=empty)
        yield event("ping")
        for piece in pieces(text, question.split):
            delta = {"text": {"type": "text_delta", "text": piece}, "thinking": {"type": "thinking_delta", "thinking": piece},
                     "tool": {"type": "input_json_delta", "partial_json": piece}}[kind]
            yield event("content_block_delta", index=index, delta=delta)
        if kind == "thinking":
            yield event("content_block_delta", index=index, delta={"type": "signature_delta", "signature": block["signature"]})
        yield event("content_block_stop", index=index)
    reason = "tool_use" if question.calls_tool() else "end_turn"
    yield event("message_delta", delta={"stop_reason": reason, "stop_sequence": None},
                usage={"output_tokens": usage["output_tokens"]})
    yield event("message_stop")


# --- HTTP

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
