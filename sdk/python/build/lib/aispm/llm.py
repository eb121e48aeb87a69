# SPDX-License-Identifier: Apache-2.0
"""Language models through the gateway, in OpenAI's or Anthropic's dialect."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Union, overload

from aispm._gateway import DEFAULT_TIMEOUT_SECONDS, Gateway, Reply
from aispm.errors import GatewayUnavailable, PolicyDenied

Provider = Literal["openai", "anthropic"]
Message = Mapping[str, Any]
Prompt = Union[str, Sequence[Message]]  # noqa: UP007 - evaluated at run time, also by Python 3.9

_ANTHROPIC_DEFAULT_MAX_TOKENS = 1024
# What the gateway writes instead of the rest of a stream that policy stops: always one piece of its own.
_NOTICE = re.compile(r"\s*\[(AISPM stopped this reply: .*, case ([^\s\]]+))\]")


@dataclass(frozen=True)
class Usage:
    """Tokens as the provider counted them; 0 when it did not say."""

    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True)
class Completion:
    """A finished answer.

    `text` is all text of the first choice; `finish_reason` and `id` are the provider's own words; `decision` is what policy
    said: "allow", or "redact" when the gateway masked something in the prompt or the answer.
    """

    text: str
    usage: Usage
    finish_reason: str
    id: str
    decision: str
    model: str


class CompletionStream:
    """Pieces of text as they arrive. Iterate to the end (or use as a context manager), then read `completion`.

    Raises `PolicyDenied` where policy stops the answer (pieces given before stay valid, the gateway's notice is the error's text
    and no piece), and the errors of `complete` otherwise. Not for several threads.
    """

    def __init__(self, reply: Reply, provider: Provider) -> None:
        self._reply = reply
        self._provider = provider
        self._parts = _Parts(provider)
        self._pieces = self._read()

    def __iter__(self) -> Iterator[str]:
        """The same iterator each time: a stream is read once."""
        return self._pieces

    def __enter__(self) -> CompletionStream:
        return self

    def __exit__(self, *_: object) -> None:
        self._reply.close()

    @property
    def completion(self) -> Completion:
        """What has arrived so far; complete once the iteration has ended."""
        return self._parts.completion(self._reply.decision or "allow")

    def _read(self) -> Iterator[str]:
        with self._reply:
            held = ""
            for event in self._reply.events():
                piece = self._parts.add(event)
                if held and piece:  # words of the model after all: nothing follows the gateway's notice
                    piece, held = held + piece, ""
                if _NOTICE.fullmatch(piece):
                    held = piece
                elif piece:
                    yield piece
            if not self._parts.finish_reason:
                raise GatewayUnavailable("the stream ended before the answer did")
            if held and self._parts.finish_reason == ("content_filter" if self._provider == "openai" else "end_turn"):
                self._parts.drop_last()
                raise _denied(held)
            if held:
                yield held


@overload
def complete(prompt: Prompt, *, model: str, provider: Provider = ..., stream: Literal[False] = ..., system: str = ...,
             max_tokens: int | None = ..., temperature: float | None = ..., timeout: float = ...,
             **options: Any) -> Completion: ...


@overload
def complete(prompt: Prompt, *, model: str, provider: Provider = ..., stream: Literal[True], system: str = ...,
             max_tokens: int | None = ..., temperature: float | None = ..., timeout: float = ...,
             **options: Any) -> CompletionStream: ...


def complete(
    prompt: Prompt,
    *,
    model: str,
    provider: Provider = "openai",
    stream: bool = False,
    system: str = "",
    max_tokens: int | None = None,
    temperature: float | None = None,
    timeout: float = DEFAULT_TIMEOUT_SECONDS,
    **options: Any,
) -> Completion | CompletionStream:
    """Asks a model and gives its answer.

    `prompt` is a text or a list of messages in the provider's form. `options` go into the request body as they are (tools,
    top_p, ...). `timeout` is in seconds, for each wait on the network. `max_tokens` defaults to 1024 for Anthropic, which
    demands it. With `stream` the text comes in pieces: see `CompletionStream`.

    Raises `PolicyDenied` when policy refuses (also when it stops the answer half-way), `GatewayError` for other errors of
    gateway or provider, `GatewayUnavailable` when no whole answer came, `NotConfigured` without a gateway, ValueError for
    arguments that make no request. Nothing is retried. Any thread.
    """
    if provider not in ("openai", "anthropic"):
        raise ValueError(f"provider {provider!r}: allowed is openai or anthropic")
    body: dict[str, Any] = {**options, "model": model, "stream": stream}
    messages: list[Message] = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else list(prompt)
    if temperature is not None:
        body["temperature"] = temperature
    headers: dict[str, str] = {}
    if provider == "openai":
        body["messages"] = [{"role": "system", "content": system}, *messages] if system else messages
        if max_tokens is not None:
            body["max_tokens"] = max_tokens
        if stream:
            body.setdefault("stream_options", {"include_usage": True})
    else:
        body["messages"] = messages
        body["max_tokens"] = _ANTHROPIC_DEFAULT_MAX_TOKENS if max_tokens is None else max_tokens
        if system:
            body["system"] = system
        headers["anthropic-version"] = "2023-06-01"
    path = "/v1/chat/completions" if provider == "openai" else "/v1/messages"
    reply = Gateway.from_environment().post(path, body, headers, timeout)
    if stream:
        return CompletionStream(reply, provider)
    with reply:
        parts = _Parts(provider)
        parts.set_whole(reply.json())
        return parts.completion(reply.decision or "allow")


class _Parts:
    """Collects an answer of either dialect, whole or in pieces."""

    def __init__(self, provider: Provider) -> None:
        self._is_openai = provider == "openai"
        self._texts: list[str] = []
        self._input_tokens = 0
        self._output_tokens = 0
        self.finish_reason = ""
        self._id = ""
        self._model = ""

    def set_whole(self, body: Mapping[str, Any]) -> None:
        self._identify(body)
        self._count(body.get("usage"))
        if self._is_openai:
            choice = _first(body.get("choices"))
            self._texts.append(_text(_map(choice.get("message")).get("content")))
            self.finish_reason = _text(choice.get("finish_reason"))
        else:
            for block in _maps(body.get("content")):
                if block.get("type") == "text":
                    self._texts.append(_text(block.get("text")))
            self.finish_reason = _text(body.get("stop_reason"))

    def add(self, event: Mapping[str, Any]) -> str:
        """Takes one event of a stream and gives the text it brings."""
        piece = self._add_openai(event) if self._is_openai else self._add_anthropic(event)
        if piece:
            self._texts.append(piece)
        return piece

    def drop_last(self) -> None:
        """Forgets the newest piece."""
        self._texts.pop()

    def completion(self, decision: str) -> Completion:
        return Completion("".join(self._texts), Usage(self._input_tokens, self._output_tokens), self.finish_reason,
                          self._id, decision, self._model)

    def _add_openai(self, chunk: Mapping[str, Any]) -> str:
        self._identify(chunk)
        self._count(chunk.get("usage"))
        choice = _first(chunk.get("choices"))
        if choice.get("index", 0) != 0:
            return ""
        self.finish_reason = _text(choice.get("finish_reason")) or self.finish_reason
        return _text(_map(choice.get("delta")).get("content"))

    def _add_anthropic(self, event: Mapping[str, Any]) -> str:
        kind = event.get("type")
        if kind == "message_start":
            message = _map(event.get("message"))
            self._identify(message)
            self._count(message.get("usage"))
        elif kind == "message_delta":
            self._count(event.get("usage"))
            self.finish_reason = _text(_map(event.get("delta")).get("stop_reason")) or self.finish_reason
        elif kind == "content_block_delta":
            return _text(_map(event.get("delta")).get("text"))
        return ""

    def _identify(self, body: Mapping[str, Any]) -> None:
        self._id = _text(body.get("id")) or self._id
        self._model = _text(body.get("model")) or self._model

    def _count(self, usage: object) -> None:
        counts = _map(usage)
        for name in ("prompt_tokens", "input_tokens"):
            if isinstance(counts.get(name), int):
                self._input_tokens = counts[name]
        for name in ("completion_tokens", "output_tokens"):
            if isinstance(counts.get(name), int):
                self._output_tokens = counts[name]


def _denied(notice: str) -> PolicyDenied:
    """A reply that policy stops ends as an answer with a notice, since clients ignore or retry error events."""
    found = _NOTICE.fullmatch(notice)
    message, case_id = found.groups() if found else (notice, "")
    return PolicyDenied(message, status=0, code="aispm_deny", decision="deny", case_id=case_id)


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _maps(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _first(value: object) -> Mapping[str, Any]:
    items = _maps(value)
    return items[0] if items else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
