# SPDX-License-Identifier: Apache-2.0
"""Responses, embeddings, moderations, token counts and Ollama: unmodified clients through the real gateway."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import anthropic
import ollama
import openai
import pytest
from conftest import GATEWAY, KEY, SECRET, Certificate, Gateway, Provider
from test_clients import INJECTION, REDACTED, TOOL
from test_other_clients import post

both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
ANSWER = f"The deployment key is {REDACTED} and it works."


@pytest.fixture
def client(gateway: Gateway) -> openai.OpenAI:
    return openai.OpenAI(base_url=gateway.url + "/v1", api_key=KEY, timeout=20, max_retries=0)


@pytest.fixture
def local(gateway: Gateway) -> ollama.Client:
    return ollama.Client(host=gateway.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=20)


def ask_responses(client: openai.OpenAI, prompt: str, stream: bool) -> str:
    if not stream:
        return client.responses.create(model="m", input=prompt).output_text
    with client.responses.stream(model="m", input=prompt) as events:
        text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        assert events.get_final_response().output_text == text  # the last event says what the deltas said
    return text


def ask_chat(client: ollama.Client, prompt: str, stream: bool) -> str:
    asked = [{"role": "user", "content": prompt}]
    if not stream:
        return client.chat(model="m", messages=asked).message.content or ""
    return "".join(piece.message.content or "" for piece in client.chat(model="m", messages=asked, stream=True))


def ask_generate(client: ollama.Client, prompt: str, stream: bool) -> str:
    if not stream:
        return client.generate(model="m", prompt=prompt).response
    return "".join(piece.response for piece in client.generate(model="m", prompt=prompt, stream=True))


@pytest.fixture(params=["responses", "ollama chat", "ollama generate"])
def ask(request: pytest.FixtureRequest, client: openai.OpenAI, local: ollama.Client):  # noqa: ANN201
    if request.param == "responses":
        return lambda prompt, stream: ask_responses(client, prompt, stream)
    asked = ask_chat if request.param == "ollama chat" else ask_generate
    return lambda prompt, stream: asked(local, prompt, stream)


@both
def test_an_allowed_question_is_answered(ask, stream: bool) -> None:
    assert ask("What is the capital of France?", stream) == "The capital of France is Paris."


@both
def test_a_secret_in_the_reply_is_redacted(ask, stream: bool) -> None:
    assert ask("Please emit secret material.", stream) == ANSWER


def test_a_secret_cut_at_every_place_of_a_stream_is_redacted(ask) -> None:
    for split in range(1, 64):
        assert ask(f"emit secret split={split}", True) == ANSWER, split


@both
def test_a_secret_in_the_request_never_reaches_the_provider(ask, provider: Provider, stream: bool) -> None:
    ask(f"Deploy with {SECRET} please.", stream)
    body = str(provider.seen()[-1]["body"])
    assert SECRET not in body
    assert REDACTED in body


@both
def test_a_denied_request_shows_our_words_and_is_not_sent_on(ask, provider: Provider, stream: bool) -> None:
    before = len(provider.seen())
    with pytest.raises((openai.BadRequestError, ollama.ResponseError)) as refused:
        ask(INJECTION, stream)
    assert refused.value.status_code == 400
    assert "denied by rule injection" in str(refused.value)
    assert len(provider.seen()) == before


@pytest.mark.parametrize("protocol", ["ollama chat", "ollama generate"])
def test_a_denied_ollama_stream_ends_with_a_notice_and_stays_denied(local: ollama.Client, protocol: str) -> None:
    asked = ask_chat if protocol == "ollama chat" else ask_generate
    streamed = asked(local, "emit private key split=5", True)
    assert streamed.startswith("Here it is: ")
    assert "AISPM stopped this reply: rule private-keys, case " in streamed
    assert "BEGIN" not in streamed
    with pytest.raises(ollama.ResponseError) as refused:
        asked(local, "emit private key split=5", False)
    assert streamed.split("case ")[1].rstrip("]") in str(refused.value)


def test_a_denied_response_ends_incomplete_with_a_notice(client: openai.OpenAI) -> None:
    events = list(client.responses.create(model="m", input="emit private key split=5", stream=True))
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text.startswith("Here it is: ")
    assert "AISPM stopped this reply: rule private-keys, case " in text
    assert "BEGIN" not in text
    last = events[-1]
    assert last.type == "response.incomplete"
    assert last.response.incomplete_details.reason == "content_filter"
    assert last.response.output_text == text
    assert [event.sequence_number for event in events] == list(range(len(events)))
    with pytest.raises(openai.BadRequestError) as refused:
        ask_responses(client, "emit private key split=5", False)
    assert refused.value.code == "aispm_deny"


@both
@pytest.mark.parametrize(("prompt", "said"), [("call tool split=3", "hello"), ("call tool with secret split=3", REDACTED)])
def test_a_responses_tool_call_arrives_whole_and_redacted(client: openai.OpenAI, prompt: str, said: str, stream: bool) -> None:
    tools = [{"type": "function", "name": "send", "parameters": TOOL["parameters"], "strict": False}]
    if stream:
        with client.responses.stream(model="m", input=prompt, tools=tools) as events:
            deltas = "".join(event.delta for event in events if event.type == "response.function_call_arguments.delta")
            call = events.get_final_response().output[0]
        assert deltas == call.arguments
    else:
        call = client.responses.create(model="m", input=prompt, tools=tools).output[0]
    assert call.name == "send"
    assert json.loads(call.arguments) == {"text": said, "count": 2}


@both
@pytest.mark.parametrize(("prompt", "said"), [("call tool", "hello"), ("call tool with secret", REDACTED)])
def test_an_ollama_tool_call_arrives_whole_and_redacted(local: ollama.Client, prompt: str, said: str, stream: bool) -> None:
    asked = {"model": "m", "messages": [{"role": "user", "content": prompt}], "tools": [{"type": "function", "function": TOOL}]}
    if stream:
        calls = [call for piece in local.chat(**asked, stream=True) for call in piece.message.tool_calls or []]
    else:
        calls = list(local.chat(**asked).message.tool_calls or [])
    assert [(call.function.name, dict(call.function.arguments)) for call in calls] == [("send", {"text": said, "count": 2})]


def test_parts_of_a_responses_request_are_redacted_wherever_they_stand(client: openai.OpenAI, provider: Provider) -> None:
    client.responses.create(model="m", instructions=f"key {SECRET}", metadata={"note": SECRET}, input=[
        {"role": "user", "content": [{"type": "input_text", "text": f"use {SECRET}"}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": json.dumps({"k": SECRET})},
        {"type": "function_call_output", "call_id": "c", "output": f"it said {SECRET}"},
        {"role": "user", "content": "and then?"}])
    body = str(provider.seen()[-1]["body"])
    assert SECRET not in body
    assert body.count(REDACTED) == 5


def test_nothing_is_kept_at_the_provider_unless_the_gateway_is_told_so(client: openai.OpenAI, provider: Provider) -> None:
    client.responses.create(model="m", input="hello")
    assert json.loads(str(provider.seen()[-1]["body"]))["store"] is False
    before = len(provider.seen())
    for kept in ({"store": True}, {"previous_response_id": "resp_1"}, {"conversation": "conv_1"}, {"background": True},
                 {"prompt": {"id": "pmpt_1"}}):
        with pytest.raises(openai.BadRequestError) as refused:
            client.responses.create(model="m", input="hello", **kept)
        assert f'"{next(iter(kept))}" stands for text that the provider keeps' in str(refused.value.body["message"])
    with pytest.raises(openai.BadRequestError, match='"item_reference" stands for'):
        client.responses.create(model="m", input=[{"id": "msg_1"}])  # type: ignore[list-item]
    assert len(provider.seen()) == before


# What the provider would read, or do, before anybody here sees it.
@pytest.mark.parametrize(("path", "body", "rule"), [
    ("/v1/chat/completions", {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}]}, "provider_history"),
    ("/v1/responses", {"input": "x", "tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]}, "provider_history"),
    ("/v1/responses", {"input": "x", "tools": [{"type": "mcp", "server_label": "s", "server_url": "https://mcp.example"}]}, "remote_mcp"),
    ("/v1/messages", {"max_tokens": 9, "messages": [{"role": "user", "content": [
        {"type": "document", "source": {"type": "file", "file_id": "file_1"}}]}]}, "provider_history"),
    ("/v1/messages", {"max_tokens": 9, "messages": [{"role": "user", "content": "x"}],
                      "mcp_servers": [{"type": "url", "url": "https://mcp.example", "name": "s"}]}, "remote_mcp"),
    ("/v1beta/models/g:generateContent", {"contents": [{"parts": [{"text": "x"}]}], "tools": [{"fileSearch": {"fileSearchStoreNames": ["s"]}}]},
     "provider_history"),
])
def test_what_only_the_provider_sees_is_denied(gateway: Gateway, provider: Provider, path: str, body: dict[str, Any], rule: str) -> None:
    before = len(provider.seen())
    status, reply = post(gateway, path, body if "generateContent" in path else {"model": "m", **body})
    assert status == 400
    assert f"denied by rule aispm.{rule}" in json.dumps(reply)
    assert len(provider.seen()) == before


def test_history_at_the_provider_may_be_allowed(provider: Provider, certificate: Certificate, tmp_path: Path) -> None:
    running = Gateway(tmp_path)
    running.start(running.configure(provider.port, certificate.cert, extra="responses: {history: allow, remote_mcp: allow}\n"))
    try:
        asking = openai.OpenAI(base_url=running.url + "/v1", api_key=KEY, timeout=20)
        asking.responses.create(model="m", input="hello", previous_response_id="resp_1")
        body = json.loads(str(provider.seen()[-1]["body"]))
        assert body["previous_response_id"] == "resp_1"
        assert "store" not in body
        asking.responses.create(model="m", input="hello", tools=[{"type": "mcp", "server_label": "s", "server_url": "https://mcp.example"}])
        assert json.loads(str(provider.seen()[-1]["body"]))["tools"][0]["server_url"] == "https://mcp.example"
    finally:
        assert running.stop() == 0


def test_embeddings_are_of_the_redacted_text(client: openai.OpenAI, provider: Provider) -> None:
    made = client.embeddings.create(model="m", input=["plain", f"key {SECRET}"], encoding_format="float")
    assert made.data[0].embedding == [5.0, *(float(ord(c)) for c in "pla")]
    assert made.data[1].embedding[0] == len(f"key {REDACTED}")
    assert made.usage.prompt_tokens == 3
    assert SECRET not in str(provider.seen()[-1]["body"])
    before = len(provider.seen())
    with pytest.raises(openai.BadRequestError, match="denied by rule injection"):
        client.embeddings.create(model="m", input=INJECTION)
    with pytest.raises(openai.BadRequestError, match="tokens in place of text"):
        client.embeddings.create(model="m", input=[[1, 2, 3]])
    assert len(provider.seen()) == before


def test_moderations_are_of_the_redacted_text(client: openai.OpenAI, provider: Provider) -> None:
    assert client.moderations.create(input=["fine", f"key {SECRET}"]).results[1].flagged is False
    body = str(provider.seen()[-1]["body"])
    assert SECRET not in body
    assert REDACTED in body


def test_tokens_are_counted_of_what_would_be_sent(gateway: Gateway, provider: Provider) -> None:
    asking = anthropic.Anthropic(base_url=gateway.url, api_key=KEY, timeout=20)
    counts = [asking.messages.count_tokens(model="m", messages=[{"role": "user", "content": text}]).input_tokens
              for text in (f"key {SECRET}", f"key {REDACTED}")]
    assert counts[0] == counts[1]
    assert SECRET not in str(provider.seen()[-2]["body"])
    with pytest.raises(anthropic.BadRequestError, match="denied by rule injection"):
        asking.messages.count_tokens(model="m", messages=[{"role": "user", "content": INJECTION}])


def test_ollama_tells_its_models_and_version_but_is_not_managed(local: ollama.Client, provider: Provider) -> None:
    assert [model.model for model in local.list().models] == ["stand-in:latest"]
    before = len(provider.seen())
    for manage in (lambda: local.pull("llama"), lambda: local.delete("llama"), lambda: local.copy("a", "b"), lambda: local.show("llama")):
        with pytest.raises(ollama.ResponseError) as refused:
            manage()
        assert refused.value.status_code == 404
    assert len(provider.seen()) == before


def test_ollama_needs_a_key_and_keeps_it_here(gateway: Gateway, provider: Provider) -> None:
    with pytest.raises(ollama.ResponseError) as refused:
        ollama.Client(host=gateway.url).generate(model="m", prompt="hello")
    assert refused.value.status_code == 401
    ollama.Client(host=gateway.url, headers={"Authorization": f"Bearer {KEY}"}).generate(model="m", prompt="hello")
    headers = provider.seen()[-1]["headers"]
    assert isinstance(headers, dict)
    assert headers["authorization"] == "Bearer sk-of-the-provider"


def test_a_stream_that_breaks_is_an_error_at_the_client(ask) -> None:
    with pytest.raises((openai.APIError, ollama.ResponseError)):
        ask("break stream split=2", True)


def test_a_providers_error_keeps_its_status(ask) -> None:
    with pytest.raises((openai.RateLimitError, ollama.ResponseError)) as refused:
        ask("status=429", False)
    assert refused.value.status_code == 429


def test_the_kind_of_provider_that_is_missing_is_named(provider: Provider, certificate: Certificate, tmp_path: Path) -> None:
    running = Gateway(tmp_path)
    config = running.configure(provider.port, certificate.cert)
    kept = config.read_text().partition("  - name: ollama")[0]
    config.write_text(kept)
    assert subprocess.run([str(GATEWAY), "--config", str(config), "--check-config"], check=False, timeout=60).returncode == 0
    running.start(config)
    try:
        with pytest.raises(ollama.ResponseError) as refused:
            ollama.Client(host=running.url, headers={"Authorization": f"Bearer {KEY}"}).generate(model="m", prompt="hello")
        assert refused.value.status_code == 404
        assert "dialect: ollama" in str(refused.value)
    finally:
        assert running.stop() == 0
