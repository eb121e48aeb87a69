# SPDX-License-Identifier: Apache-2.0
"""What translation refuses, names, leaves out and routes; Codex and custom tools before providers of other protocols."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import anthropic
import openai
import pytest
from conftest import KEY, ROOT, Certificate, Gateway, Provider
from test_clients import TOOL
from translating import CLIENTS, FAILURES, PATHS, Pair, Turn, ask_anthropic, ask_openai, path_to, status_of
from translating import gateway  # noqa: F401


@pytest.mark.parametrize(("client", "upstream", "more", "field"), [
    ("openai", "anthropic", {"seed": 7}, "seed"),
    ("openai", "ollama", {"tool_choice": "required"}, "tool_choice"),
    ("anthropic", "openai", {"extra_body": {"top_k": 5}}, "top_k"),
    ("ollama", "anthropic", {"options": {"repeat_penalty": 1.5}}, "options.repeat_penalty"),
    ("gemini", "anthropic", {"seed": 7}, "generationConfig.seed"),
    ("gemini", "openai", {"cached_content": "cachedContents/x"}, "cachedContent"),
])
def test_what_cannot_be_said_there_is_refused_by_name(gateway: Gateway, provider: Provider, client: str, upstream: str,
                                                      more: dict[str, object], field: str) -> None:
    before = len(provider.seen())
    with pytest.raises(FAILURES) as refused:
        Pair(client, upstream, gateway, provider).ask("hello", False, **more)
    assert status_of(refused.value) == 400
    assert f"provider {upstream} speaks the protocol of {upstream}, and this request cannot be said in it: {field}: " in str(refused.value)
    assert len(provider.seen()) == before


@pytest.mark.parametrize("client", CLIENTS)
def test_a_model_has_the_name_that_its_provider_knows(gateway: Gateway, provider: Provider, client: str) -> None:
    for upstream in PATHS:  # its own, too
        CLIENTS[client](gateway.url, f"alias-{upstream}", [{"role": "user", "content": "hello"}], False, False)
        body = json.loads(str(provider.seen()[-1]["body"]))
        assert upstream == "gemini" or body["model"] == f"its-{upstream}"
        path = "/v1/responses" if (client, upstream) == ("responses", "openai") else path_to(upstream, "its-gemini", False)
        if client == upstream == "gemini":
            path = "/v1/models/its-gemini:generateContent"  # of the version that its client asks for
        assert provider.seen()[-1]["path"] == path


def test_a_provider_sees_its_own_headers_only(gateway: Gateway, provider: Provider) -> None:
    client = openai.OpenAI(base_url=gateway.url + "/v1", api_key=KEY, default_headers={"OpenAI-Beta": "x", "Cookie": "a=b"})
    raw = client.chat.completions.with_raw_response.create(model="at-anthropic", messages=[{"role": "user", "content": "hello"}])
    headers = provider.seen()[-1]["headers"]
    assert isinstance(headers, dict)
    assert headers["anthropic-version"] == "2023-06-01"
    assert headers["x-api-key"] == "sk-of-the-provider"
    assert not {"openai-beta", "cookie", "authorization"} & set(headers)
    assert raw.headers["content-type"] == "application/json"


def test_a_provider_serves_others_only_where_it_is_told_to(provider: Provider, certificate: Certificate,
                                                          tmp_path_factory: pytest.TempPathFactory) -> None:
    plain = Gateway(tmp_path_factory.mktemp("plain"))
    config = plain.configure(provider.port, certificate.cert)
    head, _, rest = config.read_text().partition("providers:\n")
    config.write_text(head + "providers:\n" + rest.split("  - name: anthropic")[0])
    plain.start(config)
    try:
        with pytest.raises(anthropic.NotFoundError, match=r"serves: \[anthropic\]"):
            ask_anthropic(plain.url, "m", [{"role": "user", "content": "hello"}], False, False)
    finally:
        assert plain.stop() == 0


def test_custom_tools_and_namespaces_of_responses_are_functions_elsewhere(gateway: Gateway, provider: Provider) -> None:
    """What Codex sends: the client gets its own kind of call back."""
    client = openai.OpenAI(base_url=gateway.url + "/v1", api_key=KEY, timeout=20, max_retries=0)
    tools = [{"type": "custom", "name": "send", "description": "Sends.",
              "format": {"type": "grammar", "syntax": "lark", "definition": "start: WORD"}},
             {"type": "namespace", "name": "agents", "description": "Agents.",
              "tools": [{"type": "function", "name": "close", "description": "Closes.", "parameters": TOOL["parameters"]}]},
             {"type": "web_search", "external_web_access": False}]
    for upstream in ("anthropic", "ollama", "gemini"):
        for stream in (False, True):
            asked = {"model": f"at-{upstream}", "store": False, "input": "call tool split=3", "tools": tools}
            if stream:
                types_seen = []
                for event in client.responses.create(**asked, stream=True):  # type: ignore[call-overload]
                    types_seen.append(event.type)
                    if event.type == "response.completed":
                        reply = event.response
                assert "response.custom_tool_call_input.done" in types_seen
            else:
                reply = client.responses.create(**asked)  # type: ignore[call-overload]
            calls = [item for item in reply.output if item.type == "custom_tool_call"]
            assert [call.name for call in calls] == ["send"]
            assert json.loads(calls[0].input) == {"text": "hello", "count": 2}  # the stand-in does not give `input`
            sent = str(provider.seen()[-1]["body"])
            assert "agents__close" in sent
            assert "start: WORD" in sent
            assert "web_search" not in sent


CODEX_CONFIG = """
model = "at-{upstream}"
model_provider = "gateway"
[model_providers.gateway]
name = "gateway"
base_url = "{url}/v1"
wire_api = "responses"
env_key = "GATEWAY_KEY"
request_max_retries = 0
stream_max_retries = 0
"""


@pytest.mark.parametrize("upstream", ["anthropic", "gemini"])
def test_codex_talks_to_a_model_of_another_protocol(gateway: Gateway, provider: Provider, tmp_path: Path, upstream: str) -> None:
    """The real command-line client, with all tools that it sends of its own."""
    codex = ROOT / "build" / "fixtures" / "bin" / "codex"
    if not codex.exists():
        pytest.skip("codex is not among the fixtures of the runtimes")
    (tmp_path / "home" / ".codex").mkdir(parents=True)
    (tmp_path / "home" / ".codex" / "config.toml").write_text(CODEX_CONFIG.format(upstream=upstream, url=gateway.url))
    (tmp_path / "work").mkdir()
    done = subprocess.run([codex, "exec", "--skip-git-repo-check", "What is the capital of France?"], cwd=tmp_path / "work", stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120, check=False,
                          env={"HOME": str(tmp_path / "home"), "PATH": os.environ["PATH"], "GATEWAY_KEY": KEY})
    assert "The capital of France is Paris." in done.stdout, done.stdout + done.stderr
    sent = str(provider.seen()[-1]["body"])
    assert "exec_command" in sent
    assert "multi_agent_v1__close_agent" in sent


def test_a_route_leads_to_candidates_of_another_protocol(provider: Provider, certificate: Certificate, tmp_path: Path) -> None:
    """A candidate that cannot be told the request is passed over; when nobody is left the field is named."""
    running = Gateway(tmp_path)
    config = running.configure(provider.port, certificate.cert)
    text = config.read_text().split("providers:\n")[0]
    text += "routes:\n  - {name: r, models: [far, near], providers: [{provider: anthropic, model: c-1}, {provider: gemini, model: g-1}]}\nproviders:\n"
    for name in ("anthropic", "gemini"):
        text += (f"  - {{name: {name}, dialect: {name}, origin: 'https://localhost:{provider.port}', ca_file: {certificate.cert},\n"
                 f"     key_file: {running.folder}/provider.key, allow_private: true, serves: [openai]}}\n")
    config.write_text(text)
    running.start(config)
    turns: list[Turn] = [{"role": "user", "content": "What is the capital of France?"}]
    try:
        for stream in (False, True):
            assert ask_openai(running.url, "far", turns, stream, False).text == "The capital of France is Paris."
            assert provider.seen()[-1]["path"] == "/v1/messages"
            assert json.loads(str(provider.seen()[-1]["body"]))["model"] == "c-1"
            assert ask_openai(running.url, "far", turns, stream, False, seed=7).text == "The capital of France is Paris."
            assert str(provider.seen()[-1]["path"]).startswith("/v1beta/models/g-1:")
        with pytest.raises(openai.BadRequestError, match="logit_bias: has no counterpart there"):
            ask_openai(running.url, "far", turns, False, False, logit_bias={"1": 5})
    finally:
        assert running.stop() == 0, running.log.read_text()
