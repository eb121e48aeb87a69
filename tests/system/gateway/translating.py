# SPDX-License-Identifier: Apache-2.0
"""Unmodified clients of five protocols, each before a provider of another."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import anthropic
import ollama
import openai
import pytest
from google import genai
from google.genai import errors, types
from conftest import KEY, Certificate, Gateway, Provider
from test_clients import REDACTED, TOOL

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
