# SPDX-License-Identifier: Apache-2.0
"""What the stand-in provider is asked for and what it says, in OpenAI's chat completions and Anthropic's messages."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator
from typing import Any

import provider_protocols as protocols

# In AWS's format and invented; put together here so that scanners of repositories do not take it for a live one.
SECRET = "AKIA" + "Z7QJ3XNVB5KD2M4T"


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
