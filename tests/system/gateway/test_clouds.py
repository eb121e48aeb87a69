# SPDX-License-Identifier: Apache-2.0
"""Azure OpenAI, Amazon Bedrock and base paths as upstreams of unmodified openai and anthropic clients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import anthropic
import openai
import pytest
from clouds import ACCESS_KEY_ID, REGION, SECRET_KEY, SESSION_TOKEN, Azure, Bedrock, Cloud, running
from conftest import KEY, SECRET, Certificate, Gateway, Provider
from test_clients import REDACTED, TOOL, ask_anthropic, ask_openai

both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
ANSWER = f"The deployment key is {REDACTED} and it works."
CLAUDE = "eu.anthropic.claude-test-v1:0"


def start(folder: Path, certificate: Certificate, providers: str) -> Gateway:
    gateway = Gateway(folder)
    config = gateway.configure(1, certificate.cert)
    config.write_text(config.read_text().partition("providers:\n")[0] + "providers:\n" + providers)
    return gateway.start(config)


@pytest.fixture(scope="module")
def azure() -> Iterator[Cloud]:
    with running(Azure) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def bedrock() -> Iterator[Cloud]:
    with running(Bedrock) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def gateway(azure: Cloud, bedrock: Cloud, certificate: Certificate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("clouds")
    for name, text in (("azure", "azure-key"), ("id", ACCESS_KEY_ID), ("secret", SECRET_KEY), ("token", SESSION_TOKEN)):
        (folder / name).write_text(text + "\n")
    base = f"dialect: openai, service: azure, origin: 'http://127.0.0.1:{azure.port}', key_file: {folder}/azure, allow_private: true"
    gateway = start(folder, certificate, (
        f"  - {{name: dated, {base}, api_version: 2024-10-21, deployments: {{gpt-x: four}}, models: [gpt-x]}}\n"
        f"  - {{name: newer, {base}, deployments: {{gpt-new: five}}}}\n"
        f"  - {{name: aws, dialect: anthropic, service: bedrock, region: {REGION}, origin: 'http://127.0.0.1:{bedrock.port}',\n"
        f"     access_key_id_file: {folder}/id, key_file: {folder}/secret, session_token_file: {folder}/token,\n"
        f"     deployments: {{m: '{CLAUDE}'}}, allow_private: true}}\n"))
    yield gateway
    assert gateway.stop() == 0, gateway.log.read_text()


@pytest.fixture
def chat(gateway: Gateway) -> openai.OpenAI:
    return openai.OpenAI(base_url=gateway.url + "/v1", api_key=KEY, timeout=20, max_retries=0)


@pytest.fixture
def messages(gateway: Gateway) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=gateway.url, api_key=KEY, timeout=20, max_retries=0)


@pytest.mark.parametrize(("model", "path", "named"), [
    ("gpt-x", "/openai/deployments/four/chat/completions?api-version=2024-10-21", "four"),
    ("gpt-new", "/openai/v1/chat/completions", "five")])
def test_azure_is_asked_for_the_deployment(chat: openai.OpenAI, azure: Cloud, model: str, path: str, named: str) -> None:
    reply = chat.chat.completions.create(model=model, messages=[{"role": "user", "content": f"emit secret, not {SECRET}"}])
    assert reply.choices[0].message.content == ANSWER
    seen = azure.seen[-1]
    assert (seen["path"], seen["headers"]["api-key"], seen["body"]["model"]) == (path, "azure-key", named)
    assert "authorization" not in seen["headers"]
    assert SECRET not in str(seen["body"])


def test_azure_streams_lists_and_has_no_moderations(chat: openai.OpenAI, azure: Cloud) -> None:
    assert ask_openai(chat, "emit secret split=3", True) == ANSWER
    assert [model.id for model in chat.models.list()] == ["four"]
    assert azure.seen[-1]["path"] == "/openai/v1/models"
    with pytest.raises(openai.NotFoundError, match="its cloud has no such API"):
        chat.moderations.create(input="x")


@both
def test_bedrock_answers_anthropics_clients(messages: anthropic.Anthropic, bedrock: Cloud, stream: bool) -> None:
    assert ask_anthropic(messages, "What is the capital of France?", stream) == "The capital of France is Paris."
    assert ask_anthropic(messages, f"emit secret split=3, not {SECRET}", stream) == ANSWER
    seen = bedrock.seen[-1]
    assert seen["path"] == "/model/eu.anthropic.claude-test-v1%3A0/invoke" + ("-with-response-stream" if stream else "")
    assert seen["headers"]["x-amz-security-token"] == SESSION_TOKEN
    assert not {"x-api-key", "anthropic-version"} & set(seen["headers"])
    assert SECRET_KEY not in str(seen)
    assert SECRET not in str(seen["body"])


def test_bedrock_gets_betas_in_the_body(messages: anthropic.Anthropic, bedrock: Cloud) -> None:
    messages.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}],
                             extra_headers={"anthropic-beta": "one-2025, two-2026"})
    assert bedrock.seen[-1]["body"]["anthropic_beta"] == ["one-2025", "two-2026"]


def test_bedrocks_stream_is_judged_as_anthropics(messages: anthropic.Anthropic) -> None:
    stopped = ask_anthropic(messages, "emit private key split=5", True)
    assert stopped.startswith("Here it is: ")
    assert "AISPM stopped this reply: rule private-keys, case " in stopped
    assert "BEGIN" not in stopped
    tool = {"name": "send", "description": "Sends.", "input_schema": TOOL["parameters"]}
    with messages.messages.stream(model="m", max_tokens=9, tools=[tool],
                                  messages=[{"role": "user", "content": "call tool with secret"}]) as events:
        call = events.get_final_message().content[-1]
    assert call.input == {"text": REDACTED, "count": 2}


def test_bedrocks_errors_are_anthropics(messages: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.RateLimitError, match="Too many tokens, please wait") as limited:
        ask_anthropic(messages, "status=429", False)
    assert limited.value.body["error"]["type"] == "rate_limit_error"
    with pytest.raises(anthropic.APIStatusError, match="Too many requests"):
        ask_anthropic(messages, "exception split=2", True)
    with pytest.raises(anthropic.NotFoundError, match="its cloud has no such API"):
        messages.messages.count_tokens(model="m", messages=[{"role": "user", "content": "hi"}])


def test_a_wrong_aws_key_is_the_clouds_refusal(bedrock: Cloud, certificate: Certificate, tmp_path: Path) -> None:
    for name, text in (("id", ACCESS_KEY_ID), ("secret", "wrong")):
        (tmp_path / name).write_text(text)
    gateway = start(tmp_path, certificate, (
        f"  - {{name: aws, dialect: anthropic, service: bedrock, region: {REGION}, origin: 'http://127.0.0.1:{bedrock.port}',\n"
        f"     access_key_id_file: {tmp_path}/id, key_file: {tmp_path}/secret, allow_private: true}}\n"))
    try:
        asking = anthropic.Anthropic(base_url=gateway.url, api_key=KEY, timeout=20)
        with pytest.raises(anthropic.PermissionDeniedError, match="signature we calculated does not match"):
            ask_anthropic(asking, "hi", False)
    finally:
        assert gateway.stop() == 0


def test_a_base_path_stands_before_what_clients_ask_for(provider: Provider, certificate: Certificate, tmp_path: Path) -> None:
    gateway = start(tmp_path, certificate, (
        f"  - {{name: based, dialect: openai, origin: 'https://localhost:{provider.port}/hub/v4', ca_file: {certificate.cert},\n"
        "     allow_private: true}\n"))
    try:
        with pytest.raises(openai.NotFoundError):  # the stand-in serves its own paths only
            ask_openai(openai.OpenAI(base_url=gateway.url + "/v1", api_key=KEY, timeout=20), "hi", False)
        assert provider.seen()[-1]["path"] == "/hub/v4/chat/completions"
    finally:
        assert gateway.stop() == 0
