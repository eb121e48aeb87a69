# SPDX-License-Identifier: Apache-2.0
"""Completions of texts (/v1/completions), as unmodified openai clients ask vLLM and its like for them."""

from __future__ import annotations

import http.server
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from conftest import KEY, SECRET, Gateway, stop
from test_clients import INJECTION, REDACTED
from upstreams import Upstream, configure

POLICY = ("defaults: {mode: enforce, store_text: false, fail: closed}\nrules:\n"
          "  - {id: private-keys, match: {rule_id: 'secret.private_key*'}, outcome: deny, reason: no}\n"
          "  - {id: secrets, match: {category: secret}, outcome: redact, reason: secrets are cut out}\n"
          "  - {id: injection, match: {category: prompt_injection, direction: request, severity: high}, outcome: deny, reason: no}\n")
TEXT = f"def key(): return '{SECRET}'"
SHOWN = f"def key(): return '{REDACTED}'"
both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


class Completer(Upstream):
    """Says its text for each prompt, whole or six letters at a time, all prompts side by side."""

    def completion(self, body: dict[str, Any]) -> dict[str, Any]:
        prompts = body["prompt"] if isinstance(body["prompt"], list) else [body["prompt"]]
        return {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": body["model"], "choices": [
            {"text": self.text, "index": index, "finish_reason": "stop",
             "logprobs": {"tokens": [self.text], "token_logprobs": [-1.0], "top_logprobs": None, "text_offset": [0]}}
            for index, _ in enumerate(prompts)], "usage": self.usage}

    def send_stream(self, handler: http.server.BaseHTTPRequestHandler, body: dict[str, Any], is_anthropic: bool) -> None:
        whole = self.completion(body)
        pieces = [self.text[at:at + 6] for at in range(0, len(self.text), 6)]
        events = [{**whole, "usage": None, "choices": [{**choice, "text": piece, "finish_reason": None, "logprobs": None}]}
                  for piece in pieces for choice in whole["choices"]]
        events += [{**whole, "usage": None, "choices": [{**choice, "text": "", "logprobs": None}]} for choice in whole["choices"]]
        if (body.get("stream_options") or {}).get("include_usage"):
            events.append({**whole, "choices": []})
        content = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.send_header("content-length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content.encode())


@pytest.fixture(scope="module")
def completer() -> Iterator[Completer]:
    running = Completer("vllm", TEXT)
    yield running
    running.close()


@pytest.fixture(scope="module")
def fronted(completer: Completer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    running = Gateway(tmp_path_factory.mktemp("completions"))
    running.start(configure(running, [completer], "", POLICY)).wait_until_ready()
    yield running
    stop(running.process)  # type: ignore[arg-type]


@pytest.fixture
def client(fronted: Gateway) -> openai.OpenAI:
    return openai.OpenAI(base_url=fronted.url + "/v1", api_key=KEY, max_retries=0, timeout=20)


def complete(client: openai.OpenAI, stream: bool, **asked: Any) -> dict[int, str]:
    texts: dict[int, str] = {}
    replies = client.completions.create(model="m", stream=stream, **asked)
    for reply in replies if stream else [replies]:
        for choice in reply.choices:
            texts[choice.index] = texts.get(choice.index, "") + choice.text
    return texts


@both
def test_prompts_and_texts_are_redacted(client: openai.OpenAI, completer: Completer, stream: bool) -> None:
    shown = complete(client, stream, prompt=[f"first {SECRET} x", "second"], suffix=f"# {SECRET} ", max_tokens=50, echo=False)
    assert shown == {0: SHOWN, 1: SHOWN}
    body = completer.bodies[-1]
    assert (body["prompt"], body["suffix"]) == ([f"first {REDACTED} x", "second"], f"# {REDACTED} ")


def test_tokens_do_not_spell_what_was_cut_out(client: openai.OpenAI) -> None:
    reply = client.completions.create(model="m", prompt="x", logprobs=1)
    assert reply.choices[0].logprobs is None
    assert SECRET not in reply.model_dump_json()


@both
def test_a_denied_prompt_is_an_error(client: openai.OpenAI, completer: Completer, stream: bool) -> None:
    before = len(completer.bodies)
    with pytest.raises(openai.BadRequestError) as denied:
        complete(client, stream, prompt=["fine", INJECTION])
    assert "denied by rule injection" in str(denied.value)
    for tokens in ([1, 2, 3], [[1, 2], [3]]):
        with pytest.raises(openai.BadRequestError) as unread:
            complete(client, stream, prompt=tokens)
        assert "tokens in place of text" in str(unread.value)
    assert len(completer.bodies) == before


def test_a_denied_text_is_an_error_or_a_notice(client: openai.OpenAI, completer: Completer) -> None:
    completer.text = "Here: -----BEGIN RSA PRIVATE KEY-----\nMIIE8HlrwYMfvea9lkxwkkMxzwwM5hpA6eEfujfoRnxa6wHW\n"
    try:
        with pytest.raises(openai.BadRequestError):
            complete(client, False, prompt="a key, whole")
        shown = complete(client, True, prompt="a key, streamed")[0]  # a denial counts for the same prompt, too
        assert shown.startswith("Here: ")
        assert "AISPM stopped this reply" in shown
        assert "BEGIN" not in shown
    finally:
        completer.text = TEXT


def test_usage_comes_to_whoever_asks_for_it(client: openai.OpenAI, completer: Completer) -> None:
    asked = client.completions.create(model="m", prompt="x", stream=True, stream_options={"include_usage": True})
    assert [reply.usage.total_tokens for reply in asked if reply.usage] == [18]
    unasked = client.completions.create(model="m", prompt="x", stream=True)
    assert [reply.usage for reply in unasked if reply.usage] == []
    assert completer.bodies[-1]["stream_options"] == {"include_usage": True}
