# SPDX-License-Identifier: Apache-2.0
"""Unmodified clients of one protocol before a provider of another: GW-012. About 20 s of work."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import anthropic
import ollama
import openai
import pytest
from google import genai
from google.genai import errors, types
from conftest import KEY, ROOT, SECRET, Certificate, Gateway, Provider
from test_clients import INJECTION, REDACTED, TOOL

ANSWER = f"The deployment key is {REDACTED} and it works."
PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages", "ollama": "/api/chat", "gemini": "/v1beta/models/{}:{}"}
FAILURES = (openai.APIError, anthropic.APIError, ollama.ResponseError, errors.APIError)
both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def path_to(upstream: str, model: str, stream: bool) -> str:
    return PATHS[upstream].format(model, "streamGenerateContent" if stream else "generateContent")


def status_of(failed: BaseException) -> int:
    """google-genai calls it `code`."""
    return int(getattr(failed, "status_code", 0) or getattr(failed, "code", 0))


@pytest.fixture(scope="module")
def gateway(provider: Provider, certificate: Certificate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Asked for the model `at-DIALECT`, the provider of that dialect answers, whoever asks."""
    running = Gateway(tmp_path_factory.mktemp("translate"))
    config = running.configure(provider.port, certificate.cert)
    text = config.read_text().split("providers:\n")[0] + "providers:\n"
    for name in PATHS:
        text += (f"  - {{name: {name}, dialect: {name}, origin: 'https://localhost:{provider.port}', ca_file: {certificate.cert},\n"
                 f"     key_file: {running.folder}/provider.key, allow_private: true, models: [at-{name}, alias-{name}],\n"
                 f"     serves: [{', '.join(PATHS)}], model_names: {{alias-{name}: its-{name}}}}}\n")
    config.write_text(text)
    running.start(config)
    yield running
    assert running.stop() == 0, running.log.read_text()


@dataclass
class Said:
    text: str = ""
    tool: str = ""
    arguments: str = ""
    call_id: str = ""
    reason: str = ""
    input_tokens: int = 0
    output_tokens: int = 0


Turn = dict[str, object]


def ask_openai(url: str, model: str, turns: list[Turn], stream: bool, tools: bool, **more: object) -> Said:
    client = openai.OpenAI(base_url=url + "/v1", api_key=KEY, timeout=20, max_retries=0)
    asked = {"model": model, "messages": turns, **more} | ({"tools": [{"type": "function", "function": TOOL}]} if tools else {})
    said = Said()
    if not stream:
        reply = client.chat.completions.create(**asked)
        message = reply.choices[0].message
        said.text, said.reason = message.content or "", reply.choices[0].finish_reason
        calls, usage = message.tool_calls or [], reply.usage
    else:
        calls, usage = [], None
        for event in client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}):
            usage = event.usage or usage
            for choice in event.choices:
                said.text += choice.delta.content or ""
                calls += choice.delta.tool_calls or []
                said.reason = choice.finish_reason or said.reason
    for call in calls:
        said.call_id, said.tool = call.id or said.call_id, call.function.name or said.tool
        said.arguments += call.function.arguments or ""
    if usage:
        said.input_tokens, said.output_tokens = usage.prompt_tokens, usage.completion_tokens
    return said


def ask_anthropic(url: str, model: str, turns: list[Turn], stream: bool, tools: bool, **more: object) -> Said:
    client = anthropic.Anthropic(base_url=url, api_key=KEY, timeout=20, max_retries=0)
    asked = {"model": model, "max_tokens": 99, "messages": turns, **more}
    if tools:
        asked["tools"] = [{"name": TOOL["name"], "description": TOOL["description"], "input_schema": TOOL["parameters"]}]
    if stream:
        with client.messages.stream(**asked) as events:
            streamed = "".join(events.text_stream)
            reply = events.get_final_message()
    else:
        reply = client.messages.create(**asked)
    said = Said(reason=reply.stop_reason or "", input_tokens=reply.usage.input_tokens, output_tokens=reply.usage.output_tokens)
    for block in reply.content:
        if block.type == "text":
            said.text += block.text
        elif block.type == "tool_use":
            said.tool, said.call_id, said.arguments = block.name, block.id, json.dumps(block.input)
    assert not stream or streamed == said.text
    return said


def ask_ollama(url: str, model: str, turns: list[Turn], stream: bool, tools: bool, **more: object) -> Said:
    client = ollama.Client(host=url, headers={"Authorization": f"Bearer {KEY}"}, timeout=20)
    asked = {"model": model, "messages": turns, **more} | ({"tools": [{"type": "function", "function": TOOL}]} if tools else {})
    said = Said()
    pieces = client.chat(**asked, stream=True) if stream else [client.chat(**asked)]
    for piece in pieces:
        said.text += piece.message.content or ""
        for call in piece.message.tool_calls or []:
            said.tool, said.arguments = call.function.name, json.dumps(dict(call.function.arguments))
        said.reason = piece.done_reason or said.reason
        said.input_tokens = piece.prompt_eval_count or said.input_tokens
        said.output_tokens = piece.eval_count or said.output_tokens
    return said


def ask_responses(url: str, model: str, turns: list[Turn], stream: bool, tools: bool, **more: object) -> Said:
    client = openai.OpenAI(base_url=url + "/v1", api_key=KEY, timeout=20, max_retries=0)
    asked = {"model": model, "input": turns, "store": False, **more}
    if tools:
        asked["tools"] = [{"type": "function", "strict": False, **TOOL}]
    if stream:
        text = arguments = ""
        reply = None
        numbers = []
        for event in client.responses.create(**asked, stream=True):
            numbers.append(event.sequence_number)
            if event.type == "error":
                raise AssertionError(event.message)
            if event.type == "response.output_text.delta":
                text += event.delta
            elif event.type == "response.function_call_arguments.delta":
                arguments += event.delta
            elif event.type in ("response.completed", "response.incomplete"):
                reply = event.response
        assert reply and numbers == list(range(len(numbers)))
    else:
        reply = client.responses.create(**asked)
    said = Said(text=reply.output_text, reason=reply.status or "")
    if reply.usage:
        said.input_tokens, said.output_tokens = reply.usage.input_tokens, reply.usage.output_tokens
    for item in reply.output:
        if item.type == "function_call":
            said.tool, said.call_id, said.arguments = item.name, item.call_id, item.arguments
    assert not stream or (text, arguments) == (said.text, said.arguments)  # the last event says what the deltas said
    return said


def ask_gemini(url: str, model: str, turns: list[Turn], stream: bool, tools: bool, **more: object) -> Said:
    client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=url, timeout=20_000))
    config = types.GenerateContentConfig(**more)  # type: ignore[arg-type]
    if tools:
        config.tools = [types.Tool(function_declarations=[types.FunctionDeclaration(
            name=TOOL["name"], description=TOOL["description"], parameters_json_schema=TOOL["parameters"])])]
        config.automatic_function_calling = types.AutomaticFunctionCallingConfig(disable=True)
    contents = [types.Content(role="user", parts=[types.Part(text=str(turn["content"]))]) if "content" in turn
                else types.Content.model_validate(turn) for turn in turns]
    asked = {"model": model, "contents": contents, "config": config}
    pieces = client.models.generate_content_stream(**asked) if stream else [client.models.generate_content(**asked)]
    said = Said()
    for piece in pieces:
        for candidate in piece.candidates or []:
            said.reason = candidate.finish_reason.name if candidate.finish_reason else said.reason
            for part in (candidate.content.parts if candidate.content else None) or []:
                said.text += part.text or ""
                if part.function_call:
                    said.tool, said.call_id = part.function_call.name or "", part.function_call.id or ""
                    said.arguments = json.dumps(part.function_call.args)
        if usage := piece.usage_metadata:
            said.input_tokens, said.output_tokens = usage.prompt_token_count or 0, usage.candidates_token_count or 0
    return said


CLIENTS: dict[str, Callable[..., Said]] = {"openai": ask_openai, "anthropic": ask_anthropic, "ollama": ask_ollama,
                                           "responses": ask_responses, "gemini": ask_gemini}
PAIRS = [(client, upstream) for client in CLIENTS for upstream in PATHS
         if client != upstream and (client, upstream) != ("responses", "openai")]  # OpenAI's own, not translated


@dataclass
class Pair:
    client: str
    upstream: str
    gateway: Gateway
    provider: Provider

    def ask(self, prompt: str, stream: bool, tools: bool = False, **more: object) -> Said:
        return self.say([{"role": "user", "content": prompt}], stream, tools, **more)

    def say(self, turns: list[Turn], stream: bool, tools: bool = False, **more: object) -> Said:
        return CLIENTS[self.client](self.gateway.url, f"at-{self.upstream}", turns, stream, tools, **more)

    def seen(self) -> tuple[str, str]:
        last = self.provider.seen()[-1]
        return str(last["path"]), str(last["body"])


@pytest.fixture(params=PAIRS, ids=[f"{client} to {upstream}" for client, upstream in PAIRS])
def pair(request: pytest.FixtureRequest, gateway: Gateway, provider: Provider) -> Pair:
    return Pair(*request.param, gateway, provider)


@both
def test_a_question_is_answered_in_the_clients_protocol_with_its_usage(pair: Pair, stream: bool) -> None:
    prompt = "What is the capital of France?"
    said = pair.ask(prompt, stream)
    assert said.text == "The capital of France is Paris."
    assert said.reason == {"openai": "stop", "anthropic": "end_turn", "ollama": "stop", "responses": "completed",
                           "gemini": "STOP"}[pair.client]
    assert (said.input_tokens, said.output_tokens) == (len(prompt) // 4 + 1, len(said.text) // 4 + 1)
    path, body = pair.seen()
    assert path.split("?")[0] == path_to(pair.upstream, "at-gemini", stream)
    assert json.loads(body).get("stream", stream) is stream


@both
def test_a_tool_is_called_and_its_result_told(pair: Pair, stream: bool) -> None:
    said = pair.ask("call tool split=3", stream, tools=True)
    assert (said.tool, json.loads(said.arguments)) == ("send", {"text": "hello", "count": 2})
    assert said.reason == {"openai": "tool_calls", "anthropic": "tool_use", "ollama": "stop", "responses": "completed",
                           "gemini": "STOP"}[pair.client]
    arguments = json.loads(said.arguments)
    first: Turn = {"role": "user", "content": "use it"}
    last: Turn = {"role": "user", "content": "What is the capital of France?"}
    called: Turn
    result: Turn
    if pair.client == "openai":
        called = {"role": "assistant", "content": None, "tool_calls": [
            {"id": said.call_id, "type": "function", "function": {"name": said.tool, "arguments": said.arguments}}]}
        result = {"role": "tool", "tool_call_id": said.call_id, "content": "it was sent"}
    elif pair.client == "anthropic":
        called = {"role": "assistant", "content": [{"type": "tool_use", "id": said.call_id, "name": said.tool, "input": arguments}]}
        result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": said.call_id, "content": "it was sent"}]}
    elif pair.client == "gemini":
        called = {"role": "model", "parts": [{"function_call": {"id": said.call_id, "name": said.tool, "args": arguments}}]}
        result = {"role": "user", "parts": [{"function_response": {"id": said.call_id, "name": said.tool,
                                                                   "response": {"result": "it was sent"}}}]}
    elif pair.client == "responses":
        called = {"type": "function_call", "call_id": said.call_id, "name": said.tool, "arguments": said.arguments}
        result = {"type": "function_call_output", "call_id": said.call_id, "output": "it was sent"}
    else:
        called = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": said.tool, "arguments": arguments}}]}
        result = {"role": "tool", "tool_name": said.tool, "content": "it was sent"}
    assert pair.say([first, called, result, last], stream, tools=True).text == "The capital of France is Paris."
    sent = json.loads(pair.seen()[1])
    messages = sent["contents" if pair.upstream == "gemini" else "messages"]
    assert len(messages) == (3 if pair.upstream in ("anthropic", "gemini") else 4)  # there, a result is the user's
    assert "it was sent" in json.dumps(messages[2])
    assert arguments["text"] in json.dumps(messages[1])


@both
def test_secrets_are_cut_out_both_ways(pair: Pair, stream: bool) -> None:
    assert pair.ask("Please emit secret material.", stream).text == ANSWER
    pair.ask(f"Deploy with {SECRET} please.", stream)
    path, body = pair.seen()
    assert path.split("?")[0] == path_to(pair.upstream, "at-gemini", stream)
    assert SECRET not in body
    assert REDACTED in body
    said = pair.ask("call tool with secret split=3", stream, tools=True)
    assert json.loads(said.arguments)["text"] == REDACTED


def test_a_secret_cut_at_any_place_of_a_stream_is_redacted(pair: Pair) -> None:
    for split in (1, 2, 3, 5, 8, 13, 21, 24, 25, 34, 63):
        assert pair.ask(f"emit secret split={split}", True).text == ANSWER, split


@both
def test_a_denied_prompt_is_refused_and_not_sent_on(pair: Pair, stream: bool) -> None:
    before = len(pair.provider.seen())
    with pytest.raises(FAILURES) as refused:
        pair.ask(INJECTION, stream)
    assert status_of(refused.value) == 400
    assert "denied by rule injection" in str(refused.value)
    assert len(pair.provider.seen()) == before


def test_a_denied_reply_ends_with_a_notice_and_stays_denied(pair: Pair) -> None:
    prompt = f"emit private key split=5 for {pair.client} at {pair.upstream}"
    streamed = pair.ask(prompt, True).text
    assert streamed.startswith("Here it is: ")
    assert "AISPM stopped this reply: rule private-keys, case " in streamed
    assert "BEGIN" not in streamed
    with pytest.raises(FAILURES) as refused:
        pair.ask(prompt, False)
    assert streamed.split("case ")[1].rstrip("]") in str(refused.value)


@both
def test_a_providers_error_keeps_its_status_and_its_words(pair: Pair, stream: bool) -> None:
    for status in (429, 529):
        with pytest.raises(FAILURES) as failed:
            pair.ask(f"status={status}", stream)
        assert status_of(failed.value) == status
        assert f"asked for status {status}" in str(failed.value)
    with pytest.raises(FAILURES) as html:
        pair.ask("html please", stream)
    assert status_of(html.value) == 502
    assert "without a JSON body" in str(html.value)


def test_a_stream_that_breaks_is_an_error_at_the_client(pair: Pair) -> None:
    with pytest.raises(FAILURES) as failed:
        pair.ask("break stream", True)
    assert "ended the stream early" in str(failed.value)


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
    for upstream in PATHS:  # its own, too, but where a path that is sent on as it is names the model
        if client == upstream == "gemini":
            continue
        CLIENTS[client](gateway.url, f"alias-{upstream}", [{"role": "user", "content": "hello"}], False, False)
        body = json.loads(str(provider.seen()[-1]["body"]))
        assert upstream == "gemini" or body["model"] == f"its-{upstream}"
        path = "/v1/responses" if (client, upstream) == ("responses", "openai") else path_to(upstream, "its-gemini", False)
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
