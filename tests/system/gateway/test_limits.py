# SPDX-License-Identifier: Apache-2.0
"""Rates, budgets, prices and the model gate, as unmodified openai, anthropic and ollama clients meet them.

GW-005, GW-006, GW-015, GW-016, GW-043, GW-044, GW-045, GW-059.
"""

from __future__ import annotations

import http.server
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import ollama
import openai
import pytest
from conftest import KEY, POLICY, Gateway, Provider
from limiting import ANSWER, BUDGET, Made, QUESTION, ask, chat, content, left, messages, wait_for_bytes
from limiting import make  # noqa: F401


def test_the_request_over_the_rate_is_429_with_the_headers_clients_back_off_by(make: Made, provider: Provider) -> None:
    gateway = make.start("limits: {rates: {agent: {per_minute: 5, burst: 2}, user: {per_minute: 0}}}\n")
    client = chat(gateway, max_retries=0)
    for place in range(7):
        reply = client.chat.completions.with_raw_response.create(model="m", messages=QUESTION)
        assert reply.headers["x-ratelimit-limit"] == "7"
        assert reply.headers["x-ratelimit-remaining"] == str(6 - place)
    before = provider.seen()
    with pytest.raises(openai.RateLimitError) as refused:
        ask(client)
    assert refused.value.status_code == 429
    assert refused.value.code == "rate_limit_exceeded"
    assert "this agent may make 7 requests within 60 s" in str(refused.value)
    headers = refused.value.response.headers
    assert 1 <= int(headers["retry-after"]) <= 60
    assert headers["x-ratelimit-remaining"] == "0"
    assert headers["x-aispm-decision"] == "rate_limited"
    assert "x-should-retry" not in headers
    with pytest.raises(anthropic.RateLimitError) as limited:
        messages(gateway, max_retries=0).messages.create(model="m", max_tokens=9, messages=QUESTION)  # type: ignore[arg-type]
    assert limited.value.body["error"]["type"] == "rate_limit_error"  # type: ignore[index]
    with pytest.raises(ollama.ResponseError) as told:
        ollama.Client(host=gateway.url, headers={"Authorization": f"Bearer {KEY}"}).chat(model="m", messages=QUESTION)
    assert told.value.status_code == 429
    assert provider.seen() == before
    assert left(gateway)["rate"] == {"of": "agent", "limit": 7, "remaining": 0, "window_seconds": 60}


def test_real_clients_wait_and_get_their_answer(make: Made) -> None:
    gateway = make.start("limits: {rates: {agent: {per_second: 2}, user: {per_minute: 0}}}\n")
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: ask(chat(gateway, max_retries=10)).choices[0].message.content, range(6)))
    assert answers == [ANSWER] * 6


def test_exactly_the_limit_passes_of_many_at_once(make: Made) -> None:
    gateway = make.start("limits: {rates: {agent: {per_minute: 40}, user: {per_minute: 0}}}\n")

    def passes(_: int) -> bool:
        try:
            ask(chat(gateway, max_retries=0))
        except openai.RateLimitError:
            return False
        return True

    with ThreadPoolExecutor(32) as pool:
        assert sum(pool.map(passes, range(96))) == 40


def test_actions_are_limited_by_tool_and_the_caller_is_told(make: Made) -> None:
    gateway = make.start("limits: {rates: {tool: {per_minute: 2}}}\n")

    def decide(tool: str) -> dict[str, Any]:
        request = urllib.request.Request(gateway.url + "/aispm/v1/decide", json.dumps({"tool": tool, "arguments": {}}).encode(),
                                         {"Authorization": f"Bearer {KEY}", "content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as reply:
            answer: dict[str, Any] = json.load(reply)
        return answer

    assert [decide("send")["allowed"] for _ in range(3)] == [True, True, False]
    refused = decide("send")
    assert refused["outcome"] == "rate_limited"
    assert refused["rule"] == "limits.rate.tool"
    assert "this tool may make 2 calls within 60 s; try again in" in refused["reason"]
    assert decide("read")["allowed"]


class Registry(http.server.BaseHTTPRequestHandler):
    """A model registry: says what is approved, slowly or not at all where the test wants that."""

    states = {"good": "approved", "vendor/new:1": "review"}
    asked: list[str] = []
    delay = 0.0

    def do_GET(self) -> None:
        type(self).asked.append(self.path)
        time.sleep(type(self).delay)
        state = self.states.get(urllib.parse.unquote(self.path.removeprefix("/models/")))
        body = json.dumps({"model": {"status": state}}).encode()
        self.send_response(404 if state is None else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def registry() -> Iterator[http.server.ThreadingHTTPServer]:
    Registry.asked, Registry.delay = [], 0.0
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_only_models_on_the_list_are_reached(make: Made, provider: Provider) -> None:
    gateway = make.start("model_gate:\n  models:\n    - {model: 'good-*', agents: ['tests/*']}\n    - {model: other, agents: ['team/*']}\n"
                         "    - {model: prod-only, environments: [production]}\n")
    client = chat(gateway)
    assert ask(client, model="good-1").choices[0].message.content == ANSWER
    before = provider.seen()
    for model, why in (("m", "not on the list"), ("other", "approved for others"), ("prod-only", "approved for others"),
                       ("", "no name of a model"), ("..", "no name of a model")):
        with pytest.raises(openai.PermissionDeniedError) as refused:
            ask(client, model=model)
        assert refused.value.code == "model_not_approved"
        assert why in str(refused.value)
        assert refused.value.response.headers["x-should-retry"] == "false"
    with pytest.raises(anthropic.PermissionDeniedError) as denied:
        messages(gateway).messages.create(model="m", max_tokens=9, messages=QUESTION)  # type: ignore[arg-type]
    assert denied.value.body["error"]["details"]["error_code"] == "model_not_approved"  # type: ignore[index]
    assert provider.seen() == before


def test_the_registry_is_asked_once_and_fails_closed(make: Made, registry: http.server.ThreadingHTTPServer) -> None:
    gateway = make.start(f"model_gate:\n  registry: {{url: 'http://127.0.0.1:{registry.server_port}/models/{{model}}', "
                         "status_field: model.status, allow_private: true, cache: 10s, deadline: 3s}\n")
    client = chat(gateway, max_retries=0)
    for _ in range(3):
        assert ask(client, model="good").choices[0].message.content == ANSWER
    assert Registry.asked == ["/models/good"]
    for model, why in (("vendor/new:1", "says `review` of it"), ("../admin", "does not know it")):
        with pytest.raises(openai.PermissionDeniedError) as refused:
            ask(client, model=model)
        assert why in str(refused.value)
    assert Registry.asked[1:] == ["/models/vendor%2Fnew%3A1", "/models/..%2Fadmin"]
    Registry.delay = 8.0
    with pytest.raises(openai.PermissionDeniedError) as late:
        ask(client, model="never-asked")
    assert "the model registry: " in str(late.value)
    Registry.delay = 0.0
    registry.shutdown()
    registry.server_close()
    deadline = time.monotonic() + 40
    while True:  # until what was heard is too old
        try:
            ask(client, model="good")
        except openai.PermissionDeniedError as down:
            assert "the model registry: " in str(down)
            return
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_prompts_over_the_limit_are_413(make: Made, provider: Provider) -> None:
    gateway = make.start("limits: {prompt: 1000}\n")
    assert ask(chat(gateway)).choices[0].message.content == ANSWER
    before = provider.seen()
    with pytest.raises(openai.APIStatusError) as refused:
        ask(chat(gateway), messages=[{"role": "system", "content": "a" * 600}, {"role": "user", "content": "b" * 600}])
    assert refused.value.status_code == 413
    assert "limits.prompt allows 1000" in str(refused.value)
    assert provider.seen() == before


def test_no_text_of_a_prompt_or_reply_is_in_any_sink_unless_policy_stores_it(make: Made) -> None:
    extra = make.report() + BUDGET.format(folder=make.folder, budget="of: agent, per: day, tokens: 100000")
    words = [b"zanzibar-prompt", b"zanzibar-reply"]
    asked = [{"role": "user", "content": 'zanzibar-prompt say "zanzibar-reply"'}]

    def talk(gateway: Gateway) -> None:
        client = chat(gateway)
        assert ask(client, messages=asked).choices[0].message.content == "zanzibar-reply"
        list(client.chat.completions.create(model="m", messages=asked, stream=True))
        messages(gateway).messages.create(model="m", max_tokens=9, messages=asked)  # type: ignore[arg-type]
        assert gateway.stop() == 0

    talk(make.start(extra))
    wait_for_bytes(make, b"chatcmpl-standin", b"msg_standin")  # the calls are there ...
    for path in make.sinks():
        for word in words:
            assert word not in content(path), path  # ... and their words are not
    talk(make.start(extra, POLICY.replace("store_text: false", "store_text: true")))
    wait_for_bytes(make, *words)
