# SPDX-License-Identifier: Apache-2.0
"""Clients of one protocol before clouds that serve another: Azure OpenAI for anthropic's and ollama's, Bedrock for openai's and ollama's."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from clouds import ACCESS_KEY_ID, REGION, SECRET_KEY, SESSION_TOKEN, Azure, Bedrock, Cloud, running
from conftest import SECRET, Certificate, Gateway
from test_clouds import CLAUDE, start
from translating import ANSWER, CLIENTS, FAILURES, Turn, both, status_of

PAIRS = [(client, cloud) for client in ("openai", "anthropic", "ollama", "responses", "gemini") for cloud in ("azure", "bedrock")
         if (client, cloud) not in (("openai", "azure"), ("responses", "azure"), ("anthropic", "bedrock"))]


@pytest.fixture(scope="module")
def clouds() -> Iterator[dict[str, Cloud]]:
    with running(Azure) as azure, running(Bedrock) as bedrock:
        yield {"azure": azure, "bedrock": bedrock}


@pytest.fixture(scope="module")
def gateway(clouds: dict[str, Cloud], certificate: Certificate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("cloud-translation")
    for name, text in (("azure", "azure-key"), ("id", ACCESS_KEY_ID), ("secret", SECRET_KEY), ("token", SESSION_TOKEN)):
        (folder / name).write_text(text + "\n")
    gateway = start(folder, certificate, (
        f"  - {{name: azure, dialect: openai, service: azure, origin: 'http://127.0.0.1:{clouds['azure'].port}', key_file: {folder}/azure,\n"
        "     allow_private: true, deployments: {at-azure: five}, models: [at-azure], serves: [anthropic, ollama, gemini]}\n"
        f"  - {{name: aws, dialect: anthropic, service: bedrock, region: {REGION}, origin: 'http://127.0.0.1:{clouds['bedrock'].port}',\n"
        f"     access_key_id_file: {folder}/id, key_file: {folder}/secret, session_token_file: {folder}/token, allow_private: true,\n"
        f"     deployments: {{at-bedrock: '{CLAUDE}'}}, models: [at-bedrock], serves: [openai, ollama, gemini]}}\n"))
    yield gateway
    assert gateway.stop() == 0, gateway.log.read_text()


@both
@pytest.mark.parametrize(("client", "cloud"), PAIRS)
def test_a_cloud_answers_clients_of_other_protocols(gateway: Gateway, clouds: dict[str, Cloud], client: str, cloud: str, stream: bool) -> None:
    turns: list[Turn] = [{"role": "user", "content": f"emit secret, not {SECRET}"}]
    said = CLIENTS[client](gateway.url, f"at-{cloud}", turns, stream, False)
    assert said.text == ANSWER and said.input_tokens > 0 and said.output_tokens > 0
    seen = clouds[cloud].seen[-1]
    if cloud == "azure":
        assert (seen["path"], seen["headers"]["api-key"], seen["body"]["model"]) == ("/openai/v1/chat/completions", "azure-key", "five")
        assert "authorization" not in seen["headers"]
    else:  # its stand-in has checked the signature over the translated body
        assert seen["path"].startswith("/model/eu.anthropic.claude-test-v1%3A0/invoke") and seen["path"].endswith("stream") is stream
        assert seen["body"]["anthropic_version"] == "bedrock-2023-05-31" and not {"model", "stream"} & set(seen["body"])
    assert SECRET not in json.dumps(seen["body"])


@both
@pytest.mark.parametrize(("client", "cloud"), PAIRS)
def test_a_clouds_model_calls_the_tools_of_other_protocols(gateway: Gateway, client: str, cloud: str, stream: bool) -> None:
    said = CLIENTS[client](gateway.url, f"at-{cloud}", [{"role": "user", "content": "call tool split=3"}], stream, True)
    assert (said.tool, json.loads(said.arguments)) == ("send", {"text": "hello", "count": 2})


def test_a_clouds_error_keeps_its_status(gateway: Gateway) -> None:
    with pytest.raises(FAILURES) as failed:
        CLIENTS["openai"](gateway.url, "at-bedrock", [{"role": "user", "content": "status=429"}], False, False)
    assert status_of(failed.value) == 429
