# SPDX-License-Identifier: Apache-2.0
"""Gemini: the unmodified google-genai client, and plain HTTP where it has no method, through the real gateway."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from conftest import KEY, SECRET, Gateway, Provider
from google import genai
from google.genai import errors, types
from test_clients import INJECTION, REDACTED

both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
TOOLS = [types.Tool(function_declarations=[types.FunctionDeclaration(
    name="send", description="Sends a text.",
    parameters_json_schema={"type": "object", "properties": {"text": {"type": "string"}}})])]


def client_of(gateway: Gateway, key: str = KEY) -> genai.Client:
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=gateway.url, timeout=20_000))


@pytest.fixture
def client(gateway: Gateway) -> genai.Client:
    return client_of(gateway)


def ask(client: genai.Client, prompt: str, stream: bool) -> str:
    if not stream:
        return client.models.generate_content(model="gemini-x", contents=prompt).text or ""
    return "".join(piece.text or "" for piece in client.models.generate_content_stream(model="gemini-x", contents=prompt))


def post(gateway: Gateway, path: str, prompt: str, **headers: str) -> Any:
    body = json.dumps({"contents": [{"role": "user", "parts": [{"text": prompt}]}]}).encode()
    request = urllib.request.Request(gateway.url + path, body, {"x-goog-api-key": KEY, **headers})
    with urllib.request.urlopen(request, timeout=20) as reply:
        return json.load(reply)


@both
def test_an_allowed_question_is_answered(client: genai.Client, stream: bool) -> None:
    assert ask(client, "What is the capital of France?", stream) == "The capital of France is Paris."


@both
def test_a_secret_in_the_reply_is_redacted(client: genai.Client, stream: bool) -> None:
    assert ask(client, "Please emit secret material.", stream) == f"The deployment key is {REDACTED} and it works."


def test_a_secret_cut_at_every_place_of_a_stream_is_redacted(client: genai.Client) -> None:
    for split in range(1, 64):
        assert ask(client, f"emit secret split={split}", True) == f"The deployment key is {REDACTED} and it works.", split


@both
def test_a_secret_in_the_request_never_reaches_the_provider(client: genai.Client, provider: Provider, stream: bool) -> None:
    ask(client, f"Deploy with {SECRET} please.", stream)
    seen = provider.seen()[-1]
    assert SECRET not in str(seen["body"])
    assert REDACTED in str(seen["body"])
    headers = seen["headers"]
    assert isinstance(headers, dict)
    assert headers["x-goog-api-key"] == "sk-of-the-provider"
    assert not {"authorization", "x-api-key", "x-goog-api-client"} & set(headers)


@both
def test_a_denied_request_shows_our_words_and_is_not_sent_on(client: genai.Client, provider: Provider, stream: bool) -> None:
    before = len(provider.seen())
    with pytest.raises(errors.ClientError) as refused:
        ask(client, INJECTION, stream)
    assert refused.value.code == 400
    assert refused.value.status == "INVALID_ARGUMENT"
    assert "denied by rule injection" in str(refused.value.message)
    details = refused.value.details["error"]["details"][0]
    assert details["reason"] == "aispm_deny"
    assert details["metadata"]["case_id"] in str(refused.value.message)
    assert len(provider.seen()) == before


def test_a_denied_stream_ends_with_a_notice_that_its_user_sees(client: genai.Client) -> None:
    pieces = list(client.models.generate_content_stream(model="gemini-x", contents="emit private key split=5"))
    text = "".join(piece.text or "" for piece in pieces)
    assert text.startswith("Here it is: ")
    assert "AISPM stopped this reply: rule private-keys, case " in text
    assert "BEGIN" not in text
    assert pieces[-1].candidates[0].finish_reason == types.FinishReason.SAFETY
    with pytest.raises(errors.ClientError) as refused:
        ask(client, "emit private key split=5", False)
    assert text.split("case ")[1].rstrip("]") in str(refused.value)


@both
@pytest.mark.parametrize(("prompt", "said"), [("call tool", "hello"), ("call tool with secret", REDACTED)])
def test_a_tool_call_arrives_whole_and_redacted(client: genai.Client, prompt: str, said: str, stream: bool) -> None:
    asked: dict[str, Any] = {"model": "gemini-x", "contents": prompt, "config": types.GenerateContentConfig(tools=TOOLS)}
    replies = list(client.models.generate_content_stream(**asked)) if stream else [client.models.generate_content(**asked)]
    calls = [call for reply in replies for call in reply.function_calls or []]
    assert [(call.name, call.args) for call in calls] == [("send", {"text": said, "count": 2})]


def test_parts_of_a_request_are_redacted_wherever_they_stand(client: genai.Client, provider: Provider) -> None:
    client.models.generate_content(
        model="gemini-x", config=types.GenerateContentConfig(system_instruction=f"key {SECRET}", stop_sequences=[SECRET]),
        contents=[types.Content(role="user", parts=[types.Part.from_text(text=f"use {SECRET}")]),
                  types.Content(role="model", parts=[types.Part.from_function_call(name="f", args={"k": SECRET})]),
                  types.Content(role="user", parts=[types.Part.from_function_response(name="f", response={"r": SECRET})]),
                  types.Content(role="user", parts=[types.Part.from_text(text="and then?")])])
    body = str(provider.seen()[-1]["body"])
    assert SECRET not in body
    assert body.count(REDACTED) == 5


def test_thoughts_usage_and_model_come_through(client: genai.Client) -> None:
    reply = client.models.generate_content(model="gemini-x", contents="think: capital of France?")
    assert reply.model_version == "gemini-x"
    assert reply.usage_metadata.prompt_token_count == 7
    assert [part.thought for part in reply.candidates[0].content.parts] == [True, None]


def test_a_stream_without_events_is_one_array_and_is_judged_alike(gateway: Gateway) -> None:
    path = "/v1beta/models/gemini-x:streamGenerateContent"

    def text_of(documents: list[dict[str, Any]]) -> str:
        return "".join(part["text"] for one in documents for part in one["candidates"][0]["content"]["parts"])

    assert text_of(post(gateway, path, "emit secret split=3")) == f"The deployment key is {REDACTED} and it works."
    stopped = post(gateway, path, "emit private key split=6")  # another prompt: verdicts stick
    assert "AISPM stopped this reply: rule private-keys" in text_of(stopped)
    assert stopped[-1]["candidates"][0]["finishReason"] == "SAFETY"
    assert "error" in post(gateway, path, "break stream split=2")[-1]
    with pytest.raises(urllib.error.HTTPError) as failed:
        post(gateway, path, "status=503")
    assert failed.value.code == 503
    assert "asked for status 503" in json.load(failed.value)["error"]["message"]


def test_tokens_and_embeddings_are_of_the_redacted_text(client: genai.Client, provider: Provider) -> None:
    counts = [client.models.count_tokens(model="gemini-x", contents=f"key {text}").total_tokens for text in (SECRET, REDACTED)]
    assert counts[0] == counts[1]
    made = client.models.embed_content(model="emb", contents=["plain", f"key {SECRET}"])
    assert [one.values for one in made.embeddings] == [[5.0], [float(len(f"key {REDACTED}"))]]
    assert SECRET not in str(provider.seen()[-1]["body"])
    with pytest.raises(errors.ClientError, match="denied by rule injection"):
        client.models.embed_content(model="emb", contents=INJECTION)


def test_models_are_listed(client: genai.Client) -> None:
    assert [model.name for model in client.models.list()] == ["models/stand-in"]
    assert client.models.get(model="stand-in").display_name == "Stand-in"


def test_a_key_is_taken_from_headers_and_never_from_the_url(gateway: Gateway, provider: Provider) -> None:
    path = "/v1/models/gemini-x:generateContent"
    bearer = {"x-goog-api-key": "", "Authorization": f"Bearer {KEY}"}
    assert post(gateway, path, "one word", **bearer)["candidates"][0]["content"]["parts"][0]["text"] == "Growing."
    before = len(provider.seen())
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(gateway, path + "?key=" + KEY, "one word")
    told = json.load(refused.value)["error"]
    assert refused.value.code == 400
    assert "x-goog-api-key" in told["message"]
    with pytest.raises(errors.ClientError) as unknown:
        ask(client_of(gateway, "wrong"), "hi", False)
    assert (unknown.value.code, unknown.value.status) == (401, "UNAUTHENTICATED")
    assert len(provider.seen()) == before


def test_what_nobody_here_can_read_is_refused(client: genai.Client, gateway: Gateway, provider: Provider) -> None:
    before = len(provider.seen())
    with pytest.raises(errors.ClientError, match="cachedContent"):
        client.models.generate_content(model="gemini-x", contents="hi",
                                       config=types.GenerateContentConfig(cached_content="cachedContents/abc"))
    body = json.dumps({"model": "models/other", "contents": [{"parts": [{"text": "hi"}]}]}).encode()
    request = urllib.request.Request(gateway.url + "/v1beta/models/gemini-x:generateContent", body, {"x-goog-api-key": KEY})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=20)
    assert "another model than the path" in refused.value.read().decode()
    assert len(provider.seen()) == before


@both
def test_a_providers_error_keeps_its_status(client: genai.Client, stream: bool) -> None:
    with pytest.raises(errors.ClientError) as refused:
        ask(client, "status=429", stream)
    assert refused.value.code == 429


def test_a_stream_that_breaks_is_an_error_at_the_client(client: genai.Client) -> None:
    with pytest.raises(errors.APIError, match="the upstream ended the stream early"):
        ask(client, "break stream split=2", True)
