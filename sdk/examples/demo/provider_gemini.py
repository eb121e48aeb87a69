# SPDX-License-Identifier: Apache-2.0
"""The stand-in provider as Google's Gemini API: generateContent, streamed as events or as one array, counts and embeddings."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

from provider_protocols import Question

_METHOD = re.compile(r"/v1(?:beta)?/models/([^/:]+):(\w+)$")
_SIGNATURE = "c2lnbmF0dXJl"
_MODEL = {"name": "models/stand-in", "displayName": "Stand-in", "inputTokenLimit": 1000, "outputTokenLimit": 1000,
          "supportedGenerationMethods": ["generateContent", "countTokens"]}


def find_method(route: str) -> tuple[str, str] | None:
    """Model and verb of a path; None when it is none of Gemini's."""
    found = _METHOD.match(route)
    return (found.group(1), found.group(2)) if found else None


def listed(route: str) -> dict[str, Any] | None:
    """The answer to a GET; None when it is none of Gemini's."""
    if route == "/v1beta/models":
        return {"models": [_MODEL]}
    return _MODEL if route.startswith("/v1beta/models/") else None


def _texts(content: Any) -> str:
    parts = content.get("parts", []) if isinstance(content, dict) else []
    return "\n".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))


def normalised(body: dict[str, Any], model: str, verb: str) -> dict[str, Any]:
    """The request as the other dialects' questions are read: model, stream, tools, and the last text as `input`."""
    contents = [*body.get("contents", []), *([body["content"]] if "content" in body else []),
                *(one.get("content", {}) for one in body.get("requests", []))]
    said = [_texts(content) for content in contents if content.get("role", "user") == "user"]
    tools = [tool for group in body.get("tools") or [] for tool in group.get("functionDeclarations", [])]
    last = contents[-1].get("parts", []) if contents else []
    # Who has said something after it is answered, not the tool.
    results = [part["functionResponse"] for part in last if "functionResponse" in part]
    if any("text" in part for part in last):
        results = []
    asked = next((text for text in reversed(said) if text), "")
    return {"model": model, "stream": verb == "streamGenerateContent", "tools": tools, "input": asked,
            "tool_result": json.dumps(results[0].get("response")) if results else ""}


def lacks_signature(body: dict[str, Any], model: str) -> bool:
    """Gemini 3 refuses turns of the model whose first call does not bear what it was given with, or the word for "none"."""
    turns = [[part for part in content.get("parts", []) if "functionCall" in part] for content in body.get("contents", [])]
    known = (_SIGNATURE, "skip_thought_signature_validator")
    return "gemini-3" in model and any(calls and calls[0].get("thoughtSignature") not in known for calls in turns)


def counted(verb: str, body: dict[str, Any]) -> dict[str, Any] | None:
    """The answer to what no model writes; None when one does."""
    if verb == "countTokens":
        return {"totalTokens": len(json.dumps(body)) // 4}
    if verb not in ("embedContent", "batchEmbedContents"):
        return None
    made = [{"values": [float(len(_texts(one.get("content"))))]} for one in body.get("requests", [body])]
    return {"embeddings": made} if verb == "batchEmbedContents" else {"embedding": made[0]}


def _usage(question: Question) -> dict[str, int]:
    prompt, answer = len(question.text) // 4 + 1, len(question.answer()) // 4 + 1
    return {"promptTokenCount": prompt, "candidatesTokenCount": answer, "totalTokenCount": prompt + answer}


def _piece(question: Question, parts: list[dict[str, Any]], *, last: bool) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if last:
        candidate["finishReason"] = "STOP"
    return {"candidates": [candidate], "usageMetadata": _usage(question), "modelVersion": question.model,
            "responseId": "r-standin"}


def _thoughts(question: Question) -> list[dict[str, Any]]:
    return [{"text": "Let me see.", "thought": True}] if question.has("think") else []


def _call(question: Question) -> dict[str, Any]:
    return {"functionCall": {"name": question.tool_name(), "args": json.loads(question.tool_arguments())},
            "thoughtSignature": _SIGNATURE}


def reply(question: Question) -> dict[str, Any]:
    parts = [{"text": "I will use a tool."}, _call(question)] if question.calls_tool() else [{"text": question.answer()}]
    return _piece(question, _thoughts(question) + parts, last=True)


def _documents(question: Question) -> Iterator[dict[str, Any]]:
    for thought in _thoughts(question):
        yield _piece(question, [thought], last=False)
    if question.calls_tool():
        yield _piece(question, [{"text": "I will use a tool."}, _call(question)], last=False)
    else:
        text = question.answer()
        for at in range(0, len(text), question.split):
            yield _piece(question, [{"text": text[at:at + question.split]}], last=False)
    yield _piece(question, [{"text": ""}], last=True)


async def stream(question: Question, *, as_events: bool) -> AsyncIterator[bytes]:
    """Events with CRLF as Google sends them, or the elements of one array."""
    separator = b"["
    for document in _documents(question):
        text = json.dumps(document).encode()
        yield b"data: " + text + b"\r\n\r\n" if as_events else separator + text
        separator = b",\r\n"
    if not as_events:
        yield b"]"


def error(status: int, message: str) -> dict[str, Any]:
    return {"error": {"code": status, "message": message, "status": "UNAVAILABLE" if status >= 500 else "INVALID_ARGUMENT"}}
