# SPDX-License-Identifier: Apache-2.0
"""Judging by whole exchanges: each text stands where its surface is in a request to a model, and what is withheld counts.

What the policy lets pass is not seen here, even when a rule found something: for that there is screening.py.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from typing import Any

from connection import Gateway, Reply, RunFailed
from judge import Unjudged
from stand_in import StandIn
from verdicts import HIGH, Finding, Verdict

PATH = "/v1/chat/completions"
_RULE = re.compile(r"denied by rule (\S+?):")
_CUT = re.compile(r"\[REDACTED:[^\]\s]{1,128}\]|<[A-Z][A-Z0-9_]{0,63}_\d{1,9}>")
# From which tool a text of this surface would come.
_TOOLS = {"tool_result": "lookup", "email": "read_email", "web": "fetch_page", "document": "retrieve_document", "memory": "memory_write"}
_ASK = {"role": "user", "content": "Please go on."}


def _tool(name: str, description: str) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {"input": {"type": "string"}}}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


def _call(name: str, arguments: str) -> dict[str, Any]:
    return {"role": "assistant", "content": None,
            "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}]}


def _arguments(text: str) -> str:
    try:
        if isinstance(json.loads(text), dict):
            return text
    except ValueError:
        pass
    return json.dumps({"input": text}, ensure_ascii=False)


def request_of(text: str, surface: str) -> dict[str, Any]:
    """Messages and tools that hold `text` on its surface. A reply is not part of a request: the stand-in gives it."""
    if surface == "user_prompt":
        return {"messages": [{"role": "user", "content": text}]}
    if surface == "system_prompt":
        return {"messages": [{"role": "system", "content": text}, _ASK]}
    if surface == "tool_description":
        return {"messages": [_ASK], "tools": [_tool("lookup", text)]}
    if surface == "tool_call":
        return {"messages": [_ASK, _call("lookup", _arguments(text)), {"role": "tool", "tool_call_id": "call_1", "content": "done"}]}
    if surface in _TOOLS:
        return {"messages": [_ASK, _call(_TOOLS[surface], "{}"), {"role": "tool", "tool_call_id": "call_1", "content": text}]}
    return {"messages": [_ASK]}


def cut_spans(text: str, seen: str) -> list[tuple[int, int]]:
    """Which bytes of `text` were replaced in `seen`; all of it when the two cannot be laid side by side."""
    whole = [(0, len(text.encode("utf-8", "replace")))]
    spans: list[tuple[int, int]] = []
    at = 0
    for number, piece in enumerate(_CUT.split(seen)):
        found = text.find(piece, at) if number else (0 if text.startswith(piece) else -1)
        if found < 0:
            return whole
        if number:
            end = found if piece else len(text)
            spans.append((len(text[:at].encode("utf-8", "replace")), len(text[:end].encode("utf-8", "replace"))))
            found = end
        at = found + len(piece)
    return spans if at == len(text) else whole


def _withheld(rule: str, kinds: tuple[str, ...], spans: list[tuple[int, int]]) -> tuple[Finding, ...]:
    return tuple(Finding(rule, kind, HIGH, 1.0, *span) for kind in kinds for span in spans)


def _message(reply: Reply) -> tuple[str, str]:
    """Code and message of an error in OpenAI's form; empty where it is none."""
    try:
        error = json.loads(reply.body)["error"]
        return str(error["code"] or ""), str(error["message"])
    except (ValueError, KeyError, TypeError):
        return "", ""


class Exchanges:
    """Call it from any thread. `stand_in` is the provider behind the gateway, where the run has one: only with it can replies be
    judged and is known which part of a text was cut out."""

    def __init__(self, gateway: Gateway, model: str, stand_in: StandIn | None) -> None:
        self._gateway, self._model, self._stand_in = gateway, model, stand_in
        self._numbers = itertools.count(1)

    def __call__(self, text: str, surface: str) -> Verdict:
        if surface == "llm_output" and not self._stand_in:
            raise Unjudged("a reply, and no --provider to give it")
        text = text.encode("utf-8", "replace").decode()
        number = next(self._numbers)
        body: dict[str, Any] = {"model": self._model, "user": f"redteam-{number}", **request_of(text, surface)}
        if surface == "llm_output":
            body["messages"] = [{"role": "user", "content": f"Please go on with part {number}."}]
        if self._stand_in:
            self._stand_in.expect(number, text if surface == "llm_output" else "OK.")
        try:
            reply = self._gateway.post(PATH, json.dumps(body, ensure_ascii=False).encode())
        finally:
            seen = self._stand_in.forget(number) if self._stand_in else None
        return self._read(reply, text, surface, seen)

    def _read(self, reply: Reply, text: str, surface: str, seen: dict[str, Any] | None) -> Verdict:
        decision = reply.headers.get("x-aispm-decision", "")
        everything = [(0, len(text.encode("utf-8", "replace")))]
        if decision == "deny":
            rule = _RULE.search(_message(reply)[1])
            name = rule.group(1) if rule else "unknown"
            if name == "aispm.unscannable":
                return Verdict(refused=_message(reply)[1])
            return Verdict(_withheld(name, ("custom", "secret", "pii"), everything))
        if reply.status == 200 and decision in ("", "redact"):
            if self._stand_in and seen is None:
                raise RunFailed("the gateway answered, but not from --provider: one of its providers must have that as its origin")
            if decision == "":
                return Verdict()
            spans = self._spans(text, reply, seen, surface) if self._stand_in else everything
            return Verdict(_withheld("redacted", ("secret", "pii"), spans))
        code, message = _message(reply)
        if reply.status == 401:
            raise RunFailed("the gateway does not know this key; `aispm agent create-key` makes one")
        if reply.status == 404:
            raise RunFailed(f"the gateway has nothing for model {self._model}: {message or 'HTTP 404'}; see --model")
        raise Unjudged(code or f"HTTP {reply.status}")

    def _spans(self, text: str, reply: Reply, seen: dict[str, Any] | None, surface: str) -> list[tuple[int, int]]:
        if surface == "llm_output":
            try:
                return cut_spans(text, str(json.loads(reply.body)["choices"][0]["message"]["content"]))
            except (ValueError, LookupError, TypeError):
                return [(0, len(text.encode("utf-8", "replace")))]
        return cut_spans(text, _text_of(seen or {}, surface))


_WHERE: dict[str, Callable[[dict[str, Any]], Any]] = {
    "user_prompt": lambda body: body["messages"][0]["content"],
    "system_prompt": lambda body: body["messages"][0]["content"],
    "tool_description": lambda body: body["tools"][0]["function"]["description"],
    "tool_call": lambda body: body["messages"][1]["tool_calls"][0]["function"]["arguments"],
}


def _text_of(body: dict[str, Any], surface: str) -> str:
    """The text of a request made by request_of(), as it arrived."""
    try:
        where = _WHERE.get(surface)
        text = str(where(body) if where else body["messages"][2]["content"])
        if surface != "tool_call":
            return text
        sent = json.loads(text)
        return str(sent["input"]) if isinstance(sent, dict) and sent.keys() == {"input"} else text
    except (LookupError, TypeError, ValueError):
        return ""
