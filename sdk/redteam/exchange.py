# SPDX-License-Identifier: Apache-2.0
"""Judging by whole exchanges: each text stands where its surface is in a request to a model, and what is withheld counts.

What the policy lets pass is not seen here, even when a rule found something: for that there is screening.py.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from connection import Gateway, Reply, RunFailed
from judge import Unjudged, is_busy
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


@dataclass(frozen=True)
class Heard:
    """What a client hears: status, decision and words of an answer, whether it came whole or as a stream."""

    status: int
    decision: str
    text: str = ""
    code: str = ""
    error: str = ""


def _deltas(stream: bytes) -> Iterator[dict[str, Any]]:
    for line in stream.decode("utf-8", "replace").split("\n"):
        if line.startswith("data: ") and line != "data: [DONE]":
            yield json.loads(line[6:])


def hear(reply: Reply) -> Heard:
    """ValueError, LookupError or TypeError where that is no answer of the API. A stream that was ended by policy has the decision
    `deny`: its last words are the gateway's."""
    decision = reply.headers.get("x-aispm-decision", "")
    if not reply.headers.get("content-type", "").startswith("text/event-stream"):
        if reply.status != 200:
            return Heard(reply.status, decision, "", *_message(reply))
        return Heard(200, decision, str(json.loads(reply.body)["choices"][0]["message"]["content"] or ""))
    said: list[str] = []
    finish = ""
    for event in _deltas(reply.body):
        if "error" in event:
            return Heard(502, "", "", str(event["error"].get("code") or ""), str(event["error"].get("message")))
        for choice in event["choices"]:
            said.append(str(choice["delta"].get("content") or ""))
            finish = choice["finish_reason"] or finish
    if finish == "content_filter" and said:
        notice = next(words for words in reversed(said) if words)
        return Heard(200, "deny", "".join(said)[:-len(notice)], "", notice)
    return Heard(200, decision, "".join(said))


class Exchanges:
    """Call it from any thread. `stand_in` is the provider behind the gateway, where the run has one: only with it can replies be
    judged and is known which part of a text was cut out. `stream`: replies come as streams."""

    def __init__(self, gateway: Gateway, model: str, stand_in: StandIn | None, stream: bool = False) -> None:
        self._gateway, self._model, self._stand_in, self._stream = gateway, model, stand_in, stream
        self._numbers = itertools.count(1)

    def __call__(self, text: str, surface: str, turns: tuple[str, ...] = ()) -> Verdict:
        """Of a conversation each turn is an exchange of its own, with all that was said before, as a user has it. It ends with
        the first that is not answered."""
        before: list[dict[str, Any]] = []
        for turn in turns:
            verdict, answer = self._exchange(turn, "user_prompt", before)
            if verdict.refused or verdict.found:
                return verdict
            before += [{"role": "user", "content": turn}, {"role": "assistant", "content": answer}]
        return self._exchange(text, surface, before)[0]

    def _exchange(self, text: str, surface: str, before: list[dict[str, Any]]) -> tuple[Verdict, str]:
        if surface == "llm_output" and not self._stand_in:
            raise Unjudged("a reply, and no --provider to give it")
        text = text.encode("utf-8", "replace").decode()
        number = next(self._numbers)
        body: dict[str, Any] = {"model": self._model, "user": f"redteam-{number}", "stream": self._stream, **request_of(text, surface)}
        if surface == "llm_output":
            body["messages"] = [{"role": "user", "content": f"Please go on with part {number}."}]
        body["messages"] = before + body["messages"]
        if self._stand_in:
            self._stand_in.expect(number, text if surface == "llm_output" else "OK.")
        try:
            reply = self._gateway.post(PATH, json.dumps(body, ensure_ascii=False).encode())
        finally:
            seen = self._stand_in.forget(number) if self._stand_in else None
        try:
            heard = hear(reply)
        except (ValueError, LookupError, TypeError, AttributeError) as problem:
            raise Unjudged("an answer that is none") from problem
        if seen:
            seen = seen | {"messages": seen["messages"][len(before):]}
        return self._read(heard, text, surface, seen), heard.text

    def _read(self, heard: Heard, text: str, surface: str, seen: dict[str, Any] | None) -> Verdict:
        everything = [(0, len(text.encode("utf-8", "replace")))]
        if heard.decision == "deny":
            rule = _RULE.search(heard.error)
            if rule and rule.group(1) in ("aispm.unscannable", "aispm.guard_unavailable"):
                if is_busy(heard.error):
                    raise Unjudged("the gateway had no time", busy=True)
                return Verdict(refused=heard.error)
            return Verdict(_withheld(rule.group(1) if rule else "unknown", ("custom", "secret", "pii"), everything))
        if heard.status == 200 and heard.decision in ("", "redact"):
            if self._stand_in and seen is None:
                raise RunFailed("the gateway answered, but not from --provider: one of its providers must have that as its origin")
            # What a stream cuts out comes behind its head.
            cut = surface == "llm_output" and self._stream and heard.text != text
            if heard.decision == "" and not cut:
                return Verdict()
            return Verdict(_withheld("redacted", ("secret", "pii"), self._spans(text, heard, seen, surface) if self._stand_in else everything))
        if heard.status == 401:
            raise RunFailed("the gateway does not know this key; `aispm agent create-key` makes one")
        if heard.status == 404:
            raise RunFailed(f"the gateway has nothing for model {self._model}: {heard.error or 'HTTP 404'}; see --model")
        raise Unjudged(heard.code or f"HTTP {heard.status}", busy=heard.status in (429, 503))

    def _spans(self, text: str, heard: Heard, seen: dict[str, Any] | None, surface: str) -> list[tuple[int, int]]:
        return cut_spans(text, heard.text if surface == "llm_output" else _text_of(seen or {}, surface))


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
