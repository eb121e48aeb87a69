# SPDX-License-Identifier: Apache-2.0
"""Turns with tools at a Gemini 3, which refuses calls without their thought signatures, as real clients of other protocols keep them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import ollama
import openai
import pytest
from conftest import KEY, Certificate, Gateway, Provider
from google import genai
from google.genai import types

SIGNATURE, NONE = "c2lnbmF0dXJl", "skip_thought_signature_validator"
PARAMETERS = {"type": "object", "properties": {"text": {"type": "string"}, "count": {"type": "integer"}}}
both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@pytest.fixture(scope="module")
def gateway(provider: Provider, certificate: Certificate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    running = Gateway(tmp_path_factory.mktemp("signatures"))
    config = running.configure(provider.port, certificate.cert)
    text = config.read_text().partition("providers:\n")[0]
    config.write_text(text + f"providers:\n  - {{name: gemini, dialect: gemini, origin: 'https://localhost:{provider.port}', ca_file: {certificate.cert},\n"
                      f"     key_file: {running.folder}/provider.key, allow_private: true, serves: [openai, anthropic, ollama],\n"
                      "     model_names: {mine: gemini-3-test}}\n")
    yield running.start(config)
    assert running.stop() == 0, running.log.read_text()


def signatures(provider: Provider) -> list[str]:
    body = json.loads(str(provider.seen()[-1]["body"]))
    return [part.get("thoughtSignature", "") for content in body["contents"] for part in content["parts"] if "functionCall" in part]


@both
def test_openais_client_gives_back_what_it_was_given(gateway: Gateway, provider: Provider, stream: bool) -> None:
    client = openai.OpenAI(base_url=gateway.url + "/v1", api_key=KEY, timeout=20, max_retries=0)
    turns: list[Any] = [{"role": "user", "content": "call tool split=3"}]
    more: Any = {"model": "mine", "tools": [{"type": "function", "function": {"name": "send", "parameters": PARAMETERS}}]}
    if stream:
        with client.chat.completions.stream(messages=turns, **more) as events:
            message = events.get_final_completion().choices[0].message
    else:
        message = client.chat.completions.create(messages=turns, **more).choices[0].message
    calls = message.tool_calls or []
    turns += [message.model_dump(exclude_none=True, exclude={"parsed": True, "tool_calls": {"__all__": {"function": {"parsed_arguments"}}}}),
              {"role": "tool", "tool_call_id": calls[0].id, "content": "it was sent"}, {"role": "user", "content": "What is the capital of France?"}]
    assert client.chat.completions.create(messages=turns, **more).choices[0].message.content == "The capital of France is Paris."
    assert signatures(provider) == [SIGNATURE]


@both
def test_anthropics_client_gives_back_what_it_was_given(gateway: Gateway, provider: Provider, stream: bool) -> None:
    client = anthropic.Anthropic(base_url=gateway.url, api_key=KEY, timeout=20, max_retries=0)
    turns: list[Any] = [{"role": "user", "content": "call tool think split=3"}]
    more: Any = {"model": "mine", "max_tokens": 99, "tools": [{"name": "send", "input_schema": PARAMETERS}]}
    if stream:
        with client.messages.stream(messages=turns, **more) as events:
            message = events.get_final_message()
    else:
        message = client.messages.create(messages=turns, **more)
    call = message.content[-1]
    assert call.type == "tool_use" and call.input == {"text": "hello", "count": 2}
    turns += [{"role": "assistant", "content": message.content},
              {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "it was sent"},
                                           {"type": "text", "text": "What is the capital of France?"}]}]
    assert client.messages.create(messages=turns, **more).content[-1].text == "The capital of France is Paris."
    assert signatures(provider) == [SIGNATURE]


def test_a_client_that_keeps_none_is_served_all_the_same(gateway: Gateway, provider: Provider) -> None:
    client = ollama.Client(gateway.url, headers={"authorization": f"Bearer {KEY}"})
    tools: Any = [{"type": "function", "function": {"name": "send", "description": "Sends.", "parameters": PARAMETERS}}]
    turns: list[Any] = [{"role": "user", "content": "call tool"}]
    turns += [client.chat("mine", turns, tools=tools).message, {"role": "tool", "tool_name": "send", "content": "it was sent"},
              {"role": "user", "content": "What is the capital of France?"}]
    assert client.chat("mine", turns, tools=tools).message.content == "The capital of France is Paris."
    assert signatures(provider) == [NONE]


@both
def test_geminis_own_client_names_the_model_as_the_operator_does(gateway: Gateway, provider: Provider, stream: bool) -> None:
    client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=gateway.url))
    contents: Any = "What is the capital of France?"
    if stream:
        text = "".join(piece.text or "" for piece in client.models.generate_content_stream(model="mine", contents=contents))
    else:
        text = client.models.generate_content(model="mine", contents=contents).text or ""
    assert text == "The capital of France is Paris."
    path = str(provider.seen()[-1]["path"])
    assert path.endswith("/models/gemini-3-test:" + ("streamGenerateContent?alt=sse" if stream else "generateContent"))
    client.models.generate_content(model="other", contents=contents)
    assert str(provider.seen()[-1]["path"]).endswith("/models/other:generateContent")
