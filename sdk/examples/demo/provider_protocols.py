# SPDX-License-Identifier: Apache-2.0
"""The stand-in provider besides chat and messages: Responses, embeddings, moderations, Anthropic's token counts, Ollama."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any, Protocol


class Question(Protocol):
    """What a request asks for, whatever its dialect."""

    model: str
    text: str
    split: int

    def has(self, words: str) -> bool: ...
    def calls_tool(self) -> bool: ...
    def tool_name(self) -> str: ...
    def tool_arguments(self) -> str: ...
    def answer(self) -> str: ...


def last_input_text(body: dict[str, Any]) -> str:
    """The last text of a Responses, embeddings or moderations `input`, or of an Ollama `prompt`; "" when there is none."""
    given = body.get("input", body.get("prompt", ""))
    if isinstance(given, str):
        return given
    for item in reversed(given if isinstance(given, list) else []):
        if isinstance(item, str):
            return item
        if isinstance(item, dict) and item.get("role", "user") == "user":
            content = item.get("content", item.get("text", ""))
            if isinstance(content, str):
                return content
            return "\n".join(str(part.get("text", "")) for part in content or [] if isinstance(part, dict))
    return ""


def last_tool_result(body: dict[str, Any]) -> str:
    """What a tool gave, where that is the last word of the conversation; else ""."""
    items = body.get("messages") or body.get("input")
    last = items[-1] if isinstance(items, list) and items and isinstance(items[-1], dict) else {}
    if last.get("role") == "tool":
        return str(last.get("content"))
    if last.get("type") == "function_call_output":
        return str(last.get("output"))
    parts = last["content"] if isinstance(last.get("content"), list) else []
    if any(isinstance(part, dict) and part.get("type") == "text" for part in parts):
        return ""  # the user has said something after it
    results = [part for part in parts if isinstance(part, dict) and part.get("type") == "tool_result"]
    return _text_of(results[0].get("content")) if results else ""


def _text_of(content: Any) -> str:
    return content if isinstance(content, str) else "".join(str(part.get("text", "")) for part in content or [])


def _pieces(text: str, size: int) -> list[str]:
    return [text[i:i + size] for i in range(0, len(text), size)]


# --- OpenAI Responses

def _item(question: Question, status: str = "completed", whole: bool = True) -> dict[str, Any]:
    if question.calls_tool():
        return {"id": "fc_standin", "type": "function_call", "status": status, "call_id": "call_1", "name": question.tool_name(),
                "arguments": question.tool_arguments() if whole else ""}
    return {"id": "msg_standin", "type": "message", "status": status, "role": "assistant",
            "content": [_part(question.answer())] if whole else []}


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def responses_reply(question: Question, status: str = "completed") -> dict[str, Any]:
    is_whole = status == "completed"
    used = (len(question.text) // 4 + 1, len(question.answer()) // 4 + 1)
    usage = {"input_tokens": used[0], "input_tokens_details": {"cached_tokens": 0}, "output_tokens": used[1],
             "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": sum(used)}
    return {"id": "resp_standin", "object": "response", "created_at": int(time.time()), "status": status, "error": None,
            "incomplete_details": None, "instructions": None, "metadata": {}, "model": question.model,
            "output": [_item(question)] if is_whole else [], "parallel_tool_calls": True, "temperature": 1.0,
            "tool_choice": "auto", "tools": [], "top_p": 1.0, "usage": usage if is_whole else None}


async def responses_stream(question: Question) -> AsyncIterator[bytes]:
    number = 0

    def event(kind: str, **fields: Any) -> bytes:
        nonlocal number
        data = json.dumps({"type": kind, "sequence_number": number, **fields})
        number += 1
        return f"event: {kind}\ndata: {data}\n\n".encode()

    item = _item(question)
    at: dict[str, Any] = {"item_id": item["id"], "output_index": 0}
    yield event("response.created", response=responses_reply(question, "in_progress"))
    yield event("response.in_progress", response=responses_reply(question, "in_progress"))
    yield event("response.output_item.added", output_index=0, item=_item(question, "in_progress", whole=False))
    if question.calls_tool():
        for piece in _pieces(question.tool_arguments(), question.split):
            yield event("response.function_call_arguments.delta", **at, delta=piece)
        yield event("response.function_call_arguments.done", **at, name=question.tool_name(), arguments=question.tool_arguments())
    else:
        at["content_index"] = 0
        yield event("response.content_part.added", **at, part=_part(""))
        for piece in _pieces(question.answer(), question.split):
            yield event("response.output_text.delta", **at, delta=piece, logprobs=[])
        yield event("response.output_text.done", **at, text=question.answer(), logprobs=[])
        yield event("response.content_part.done", **at, part=_part(question.answer()))
    yield event("response.output_item.done", output_index=0, item=item)
    yield event("response.completed", response=responses_reply(question))


# --- Ollama

def _ollama_piece(question: Question, path: str, text: str, done: bool, calls: bool = False) -> dict[str, Any]:
    piece: dict[str, Any] = {"model": question.model, "created_at": "2026-01-01T00:00:00.000000Z", "done": done}
    if path == "/api/generate":
        piece["response"] = text
    else:
        piece["message"] = {"role": "assistant", "content": text}
        if calls:
            function = {"name": question.tool_name(), "arguments": json.loads(question.tool_arguments())}
            piece["message"]["tool_calls"] = [{"function": function}]
    if done:
        piece |= {"done_reason": "stop", "total_duration": 9, "load_duration": 1,
                  "prompt_eval_count": len(question.text) // 4 + 1, "prompt_eval_duration": 1,
                  "eval_count": len(question.answer()) // 4 + 1, "eval_duration": 7}
        if path == "/api/generate":
            piece["context"] = [1, 2, 3]
    return piece


def ollama_reply(question: Question, path: str) -> dict[str, Any]:
    calls = path == "/api/chat" and question.calls_tool()
    return _ollama_piece(question, path, "" if calls else question.answer(), True, calls)


async def ollama_stream(question: Question, path: str) -> AsyncIterator[bytes]:
    def line(text: str, done: bool = False, calls: bool = False) -> bytes:
        return json.dumps(_ollama_piece(question, path, text, done, calls)).encode() + b"\n"

    if path == "/api/chat" and question.calls_tool():
        yield line("", calls=True)
    else:
        for piece in _pieces(question.answer(), question.split):
            yield line(piece)
    yield line("", done=True)


# --- What no model writes

def counted(path: str, body: dict[str, Any]) -> dict[str, Any] | None:
    """The reply of embeddings, moderations and counts of tokens; nothing for any other path."""
    given = body.get("input", "")
    texts = given if isinstance(given, list) else [given]
    if path == "/v1/embeddings":
        # The vector tells what was embedded: its length and its first letters.
        vectors = [[float(len(str(text))), *(float(ord(c)) for c in str(text)[:3])] for text in texts]
        return {"object": "list", "model": body.get("model", ""),
                "data": [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)],
                "usage": {"prompt_tokens": 3, "total_tokens": 3}}
    if path == "/v1/moderations":
        result = {"flagged": False, "categories": {"violence": False}, "category_scores": {"violence": 0.01},
                  "category_applied_input_types": {"violence": ["text"]}}
        return {"id": "modr_standin", "model": "stand-in", "results": [result for _ in texts]}
    if path == "/v1/messages/count_tokens":
        return {"input_tokens": len(json.dumps(body.get("messages", [])))}
    return None


def listed(path: str) -> dict[str, Any] | None:
    """What an Ollama server tells of itself; nothing for any other path."""
    if path == "/api/version":
        return {"version": "0.0.0-stand-in"}
    if path == "/api/tags":
        return {"models": [{"model": "stand-in:latest", "modified_at": "2026-01-01T00:00:00Z", "size": 1, "digest": "0" * 64,
                            "details": {"family": "none", "parameter_size": "0B"}}]}
    return None
