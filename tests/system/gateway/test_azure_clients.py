# SPDX-License-Identifier: Apache-2.0
"""Clients that speak to Azure, pointed at the gateway: unmodified AzureOpenAI, in front of a provider that is none."""

from __future__ import annotations

import http.server
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from conftest import KEY, SECRET, Gateway, stop
from test_clients import INJECTION, REDACTED
from upstreams import Upstream, configure

POLICY = ("defaults: {mode: enforce, store_text: false, fail: closed}\nrules:\n"
          "  - {id: secrets, match: {category: secret}, outcome: redact, reason: secrets are cut out}\n"
          "  - {id: injection, match: {category: prompt_injection, direction: request, severity: high}, outcome: deny, reason: no}\n")
LIMITS = "model_gate:\n  models: [{model: 'four*'}, {model: text-small}, {model: org/five}]\n"
both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


class Plain(Upstream):
    """An OpenAI-compatible provider that remembers how it was asked."""

    def __init__(self, name: str) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        super().__init__(name)

    def answer(self, handler: http.server.BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        self.asked.append((handler.path, {name.lower(): value for name, value in handler.headers.items()}))
        super().answer(handler, body)

    def completion(self, body: dict[str, Any]) -> dict[str, Any]:
        if "input" not in body:
            return super().completion(body)
        return {"object": "list", "model": body["model"], "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}],
                "usage": {"prompt_tokens": 1, "total_tokens": 1}}


@pytest.fixture(scope="module")
def plain() -> Iterator[Plain]:
    running = Plain("plain")
    yield running
    running.close()


@pytest.fixture(scope="module")
def fronted(plain: Plain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    running = Gateway(tmp_path_factory.mktemp("azure-clients"))
    running.start(configure(running, [plain], LIMITS, POLICY)).wait_until_ready()
    yield running
    stop(running.process)  # type: ignore[arg-type]


def client_of(gateway: Gateway, **more: Any) -> openai.AzureOpenAI:
    return openai.AzureOpenAI(azure_endpoint=gateway.url, api_key=KEY, api_version="2024-10-21", max_retries=0, timeout=20, **more)


def say(client: openai.AzureOpenAI, model: str, content: str, stream: bool) -> str:
    asked: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": content}]}
    if not stream:
        return client.chat.completions.create(**asked).choices[0].message.content or ""
    chunks = client.chat.completions.create(**asked, stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks).rstrip()


@both
def test_a_deployment_is_the_model(fronted: Gateway, plain: Plain, stream: bool) -> None:
    assert say(client_of(fronted), "four", f"the key {SECRET} works", stream) == "I am plain."
    path, headers = plain.asked[-1]
    assert path == "/v1/chat/completions"
    assert headers["authorization"] == "Bearer sk-of-the-provider"
    assert "api-key" not in headers
    assert (plain.bodies[-1]["model"], plain.bodies[-1]["messages"][0]["content"]) == ("four", f"the key {REDACTED} works")


# Azure goes by the path; what the SDK is given as `model` beside a deployment is often the model's own name.
@both
def test_the_path_counts_and_not_the_body(fronted: Gateway, plain: Plain, stream: bool) -> None:
    client = client_of(fronted, azure_deployment="four-eu")
    assert say(client, "of-no-list", "hello", stream) == "I am plain."
    assert plain.bodies[-1]["model"] == "four-eu"
    before = len(plain.bodies)
    with pytest.raises(openai.APIStatusError) as refused:
        say(client_of(fronted, azure_deployment="of-no-list"), "four", "hello", stream)
    assert refused.value.status_code == 403
    assert len(plain.bodies) == before


def test_embeddings_names_with_slashes_and_bodies_without_a_model(fronted: Gateway, plain: Plain) -> None:
    client = client_of(fronted)
    assert client.embeddings.create(model="text-small", input="a text", encoding_format="float").data[0].embedding == [0.5, 0.25]
    assert plain.asked[-1][0] == "/v1/embeddings"
    assert say(client, "org/five", "hello", False) == "I am plain."
    assert plain.bodies[-1]["model"] == "org/five"
    for model in ({}, {"model": None}):
        reply = client.post("/deployments/four/chat/completions", cast_to=object,
                            body={**model, "messages": [{"role": "user", "content": "hello"}]})
        assert reply["choices"][0]["message"]["content"] == "I am plain."  # type: ignore[index]
        assert plain.bodies[-1]["model"] == "four"


@both
def test_denials_are_errors_of_the_client(fronted: Gateway, plain: Plain, stream: bool) -> None:
    before = len(plain.bodies)
    with pytest.raises(openai.BadRequestError) as denied:
        say(client_of(fronted), "four", INJECTION, stream)
    assert "denied by rule injection" in str(denied.value)
    wrong = openai.AzureOpenAI(azure_endpoint=fronted.url, api_key="wrong", api_version="2024-10-21", max_retries=0)
    with pytest.raises(openai.AuthenticationError):
        say(wrong, "four", "hello", stream)
    assert len(plain.bodies) == before
