# SPDX-License-Identifier: Apache-2.0
"""What clients say that no other test here uses, as they say it: paths, query parameters, embeddings of Ollama."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import KEY, SECRET, Gateway, stop
from test_clients import INJECTION, REDACTED
from upstreams import Upstream, configure


class Embedder(Upstream):
    """Gives every request numbers."""

    def completion(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"model": body["model"], "embeddings": [[0.5, 0.25]], "embedding": [0.5, 0.25], "prompt_eval_count": 3}


@pytest.fixture(scope="module")
def embedder() -> Iterator[Embedder]:
    running = Embedder("local")
    yield running
    running.close()


@pytest.fixture(scope="module")
def local(embedder: Embedder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway in front of an Ollama."""
    running = Gateway(tmp_path_factory.mktemp("local"))
    policy = ("defaults: {mode: enforce, store_text: false, fail: closed}\nrules:\n"
              "  - {id: secrets, match: {category: secret}, outcome: redact, reason: secrets are cut out}\n"
              "  - {id: injection, match: {category: prompt_injection, direction: request, severity: high}, outcome: deny, reason: no}\n")
    running.start(configure(running, [embedder], "", policy, dialect="ollama")).wait_until_ready()
    yield running
    stop(running.process)  # type: ignore[arg-type]


def post(gateway: Gateway, path: str, body: dict[str, Any], key: str = f"Bearer {KEY}") -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    name = "authorization" if key.startswith("Bearer") else "x-goog-api-key"
    connection.request("POST", path, json.dumps(body), {name: key, "content-type": "application/json"})
    reply = connection.getresponse()
    answer = json.loads(reply.read())
    connection.close()
    return reply.status, answer


# ollama's own client, llama-index-embeddings-ollama, langchain-ollama and litellm use the first, older ones the second.
@pytest.mark.parametrize(("path", "field"), [("/api/embed", "input"), ("/api/embeddings", "prompt")])
def test_texts_for_ollamas_embeddings_are_judged(local: Gateway, embedder: Embedder, path: str, field: str) -> None:
    status, reply = post(local, path, {"model": "nomic-embed-text", field: f"the key {SECRET} works"})
    assert (status, reply["embedding"], reply["embeddings"]) == (200, [0.5, 0.25], [[0.5, 0.25]])
    assert embedder.bodies[-1] == {"model": "nomic-embed-text", field: f"the key {REDACTED} works"}
    before = len(embedder.bodies)
    status, reply = post(local, path, {"model": "nomic-embed-text", field: INJECTION})
    assert status == 400
    assert "denied by rule injection" in reply["error"]
    assert len(embedder.bodies) == before


# LlamaIndex's Ollama asks for the length of the context first, and fails without an answer.
def test_ollama_says_what_a_model_can_do(local: Gateway, embedder: Embedder) -> None:
    name = "hf.co/user/model-GGUF:Q4_K_M"
    for body in ({"model": name, "system": "what nobody judges"}, {"name": name}):
        assert post(local, "/api/show", body)[0] == 200
        assert embedder.bodies[-1] == {"model": name}
    before = len(embedder.bodies)
    for body in ({"model": "two words"}, {"model": "../x"}, {}, {"model": "m", "pad": "x" * 5000}):
        assert post(local, "/api/show", body)[0] in (400, 413)
    assert post(local, "/api/show", {"model": "m"}, "Bearer wrong")[0] == 401
    assert len(embedder.bodies) == before


# google-generativeai and google-ai-generativelanguage with transport="rest".
@pytest.mark.parametrize("verb", ["generateContent", "streamGenerateContent"])
def test_googles_generated_clients_may_ask_for_numbers(gateway: Gateway, verb: str) -> None:
    path = f"/v1beta/models/gemini-x:{verb}?%24alt=json%3Benum-encoding%3Dint"
    status, reply = post(gateway, path, {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}, KEY)
    assert status == 200
    pieces = reply if isinstance(reply, list) else [reply]
    assert pieces[-1]["candidates"][0]["finishReason"] == "STOP"  # the stand-in knows words only
    status, reply = post(gateway, path, {"contents": [{"role": "user", "parts": [{"text": INJECTION}]}]}, KEY)
    assert status == 400
    assert "denied by rule injection" in json.dumps(reply)


def test_openais_paths_are_served_behind_a_vendors_prefix(gateway: Gateway) -> None:
    asked = {"model": "m", "messages": [{"role": "user", "content": "What is the capital of France?"}]}
    status, reply = post(gateway, "/openai/v1/chat/completions", asked)
    assert (status, reply["choices"][0]["message"]["content"]) == (200, "The capital of France is Paris.")
    asked["messages"] = [{"role": "user", "content": INJECTION}]
    assert post(gateway, "/openai/v1/chat/completions", asked)[0] == 400
    for path, words in (("/chat/completions", "ends in /v1"), ("/v1/v1/chat/completions", "does not end in /v1")):
        status, reply = post(gateway, path, asked)
        assert status == 404
        assert words in reply["error"]["message"]
