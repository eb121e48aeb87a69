# SPDX-License-Identifier: Apache-2.0
"""What clients use of the providers' APIs besides a plain question: nothing of it breaks on its way, and all of it is judged."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from conftest import KEY, SECRET, Certificate, Gateway
from google import genai
from google.genai import types
from test_clients import REDACTED
from upstreams import Upstream

both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
PRIVATE_KEY = "-----BEGIN RSA PRIVATE " + "KEY-----\nMIIEpAIBAAKCAQEA"
ASKED: Any = [{"role": "user", "content": "hi"}]


class Canned(Upstream):
    """Says what it is told to, to every question; before that, `refusals`: status and headers of each."""

    def __init__(self) -> None:
        super().__init__("canned")
        self.reply = ("application/json", b"{}")
        self.refusals: list[tuple[int, dict[str, str]]] = []
        self.headers: dict[str, str] = {}

    def answer(self, handler: Any, body: dict[str, Any]) -> None:
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        if self.refusals:
            status, headers = self.refusals.pop(0)
            self.send(handler, status, {"error": {"message": "busy", "type": "server_error"}}, headers)
            return
        kind, content = self.reply
        handler.send_response(200)
        handler.send_header("content-type", kind)
        handler.send_header("content-length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def says(self, whole: Any) -> None:
        self.reply = ("application/json", json.dumps(whole).encode())

    def streams(self, events: list[dict[str, Any]], done: bool = False) -> None:
        lines = [(f"event: {one['type']}\n" if "type" in one else "") + f"data: {json.dumps(one)}\n\n" for one in events]
        self.reply = ("text/event-stream", "".join([*lines, "data: [DONE]\n\n" if done else ""]).encode())


@pytest.fixture(scope="module")
def upstream() -> Iterator[Canned]:
    made = Canned()
    yield made
    made.close()


@pytest.fixture(scope="module")
def served(upstream: Canned, certificate: Certificate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    running = Gateway(tmp_path_factory.mktemp("features"))
    config = running.configure(1, certificate.cert, extra="responses: {history: allow, remote_mcp: allow}\n")  # tools with files and MCP
    text = config.read_text()
    entries = [f"  - {{name: {name}, dialect: {name}, origin: 'http://127.0.0.1:{upstream.port}', allow_private: true, "
               f"key_file: {running.folder}/provider.key}}\n" for name in ("openai", "anthropic", "gemini")]
    config.write_text(text[:text.index("providers:\n  - name:")] + "providers:\n" + "".join(entries))
    running.start(config)
    deadline = time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(running.url + "/healthz", timeout=20).close()
            break
        except urllib.error.HTTPError:
            assert time.monotonic() < deadline, running.log.read_text()
            time.sleep(0.1)
    yield running
    assert running.stop() == 0, running.log.read_text()


@pytest.fixture
def chat(served: Gateway) -> openai.OpenAI:
    return openai.OpenAI(base_url=served.url + "/v1", api_key=KEY, timeout=20, max_retries=0)


@pytest.fixture
def messages(served: Gateway) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=served.url, api_key=KEY, timeout=20, max_retries=0)


# --- OpenAI chat completions

def chunk(*choices: tuple[int, dict[str, Any], str | None], **more: Any) -> dict[str, Any]:
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{"index": index, "delta": delta, "finish_reason": reason} for index, delta, reason in choices], **more}


def completion(*texts: str, **more: Any) -> dict[str, Any]:
    choices = [{"index": i, "message": {"role": "assistant", "content": text}, "finish_reason": "stop", **more} for i, text in enumerate(texts)]
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": choices,
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}


def read_choices(chat: openai.OpenAI, prompt: str) -> dict[int, str]:
    read: dict[int, str] = {}
    for event in chat.chat.completions.create(model="m", messages=[{"role": "user", "content": prompt}], n=2, stream=True):
        for choice in event.choices:
            read[choice.index] = read.get(choice.index, "") + (choice.delta.content or "")
    return read


def test_several_choices_are_judged_each_by_itself(chat: openai.OpenAI, upstream: Canned) -> None:
    upstream.says(completion("one " + SECRET, "two"))
    whole = chat.chat.completions.create(model="m", messages=ASKED, n=2)
    assert [choice.message.content for choice in whole.choices] == [f"one {REDACTED}", "two"]
    upstream.streams([chunk((0, {"content": "one " + SECRET[:6]}, None)), chunk((1, {"content": SECRET[6:] + " two"}, None)),
                      chunk((0, {"content": SECRET[6:]}, None), (1, {"content": " end"}, None)), chunk((0, {}, "stop"), (1, {}, "stop"))], done=True)
    assert read_choices(chat, "hi") == {0: f"one {REDACTED}", 1: SECRET[6:] + " two end"}


def test_a_choice_that_is_stopped_stops_all(chat: openai.OpenAI, upstream: Canned) -> None:
    upstream.streams([chunk((0, {"content": "one, "}, None)), chunk((1, {"content": "two " + PRIVATE_KEY}, None)),
                      chunk((0, {"content": "more"}, "stop")), chunk((1, {}, "stop"))], done=True)
    read = read_choices(chat, "be stopped")  # what is denied stays denied for this prompt
    assert "AISPM stopped this reply" in read[0] + read[1]
    assert "BEGIN" not in read[0] + read[1]
    assert "MIIE" not in read[0] + read[1]


def test_parallel_tool_calls_that_interleave_stay_apart(chat: openai.OpenAI, upstream: Canned) -> None:
    def call(index: int, **more: Any) -> dict[str, Any]:
        return chunk((0, {"tool_calls": [{"index": index, **more}]}, None))

    upstream.streams([call(0, id="a", type="function", function={"name": "f", "arguments": ""}),
                      call(1, id="b", type="function", function={"name": "g", "arguments": ""}), call(0, function={"arguments": '{"x":'}),
                      call(1, function={"arguments": '{"y":"' + SECRET[:6]}), call(0, function={"arguments": "1}"}),
                      call(1, function={"arguments": SECRET[6:] + '"}'}), chunk((0, {}, "tool_calls"))], done=True)
    read: dict[int, str] = {}
    for event in chat.chat.completions.create(model="m", messages=ASKED, stream=True):
        for part in event.choices[0].delta.tool_calls or []:
            assert part.function is not None
            read[part.index] = read.get(part.index, "") + (part.function.name or "") + (part.function.arguments or "")
    assert read == {0: 'f{"x":1}', 1: 'g{"y":"' + REDACTED + '"}'}


def test_log_probabilities_do_not_tell_what_is_withheld(chat: openai.OpenAI, upstream: Canned) -> None:
    def told(text: str) -> dict[str, Any]:
        return {"content": [{"token": text, "logprob": -0.1, "bytes": list(text.encode()), "top_logprobs": []}], "refusal": None}

    upstream.says(completion("hello", logprobs=told("hello")))
    kept = chat.chat.completions.create(model="m", messages=ASKED, logprobs=True).choices[0].logprobs
    assert kept and kept.content and kept.content[0].token == "hello"
    upstream.says(completion(SECRET, logprobs=told(SECRET)))
    assert chat.chat.completions.create(model="m", messages=ASKED, logprobs=True).choices[0].logprobs is None
    events = [chunk((0, {"content": piece}, None)) for piece in ("key ", *SECRET, " works")]
    for event in events:
        event["choices"][0]["logprobs"] = told(event["choices"][0]["delta"]["content"])
    upstream.streams([*events, chunk((0, {}, "stop"))], done=True)
    read = list(chat.chat.completions.create(model="m", messages=ASKED, logprobs=True, stream=True))
    assert "".join(event.choices[0].delta.content or "" for event in read) == f"key {REDACTED} works"
    tokens = [one.token for event in read if event.choices[0].logprobs for one in event.choices[0].logprobs.content or []]
    assert not set(tokens) & set(SECRET)


def test_schemas_stop_words_and_usage_pass(chat: openai.OpenAI, upstream: Canned) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": {
        "type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}}}
    upstream.streams([chunk((0, {"content": '{"a":1}'}, "stop"), usage=None),
                      chunk(usage={"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7})], done=True)
    asked: Any = {"response_format": schema, "stop": ["END"], "seed": 7, "parallel_tool_calls": True, "logit_bias": {"50256": -100},
                  "stream_options": {"include_usage": True, "include_obfuscation": False}}
    events = list(chat.chat.completions.create(model="m", messages=ASKED, stream=True, **asked))
    assert "".join(event.choices[0].delta.content or "" for event in events if event.choices) == '{"a":1}'
    assert events[-1].usage and events[-1].usage.total_tokens == 7
    assert {name: upstream.bodies[-1][name] for name in asked} == asked


@pytest.mark.parametrize("refusal", [(429, {"retry-after-ms": "10"}), (429, {"retry-after": "0"}), (503, {"retry-after-ms": "10"}),
                                     (529, {"retry-after-ms": "10"}), (409, {"x-should-retry": "true", "retry-after-ms": "10"})])
def test_clients_try_again_when_the_provider_says_so(chat: openai.OpenAI, messages: anthropic.Anthropic, upstream: Canned,
                                                    refusal: tuple[int, dict[str, str]]) -> None:
    upstream.says(completion("at last"))
    upstream.refusals = [refusal]
    again = chat.with_options(max_retries=1)
    assert again.chat.completions.create(model="m", messages=ASKED).choices[0].message.content == "at last"
    upstream.says(message({"type": "text", "text": "at last"}))
    upstream.refusals = [refusal]
    assert messages.with_options(max_retries=1).messages.create(model="m", max_tokens=9, messages=ASKED).content[0].text == "at last"  # type: ignore[union-attr]
    upstream.refusals = [(refusal[0], {**refusal[1], "x-should-retry": "false"})]
    with pytest.raises(openai.APIStatusError) as refused:
        again.chat.completions.create(model="m", messages=ASKED)
    assert (refused.value.status_code, upstream.refusals) == (refusal[0], [])


# --- OpenAI Responses: tools that the provider itself runs

TOOLS: Any = [{"type": "web_search"}, {"type": "code_interpreter", "container": {"type": "auto"}}, {"type": "image_generation"},
              {"type": "file_search", "vector_store_ids": ["v"]},
              {"type": "mcp", "server_label": "s", "server_url": "https://mcp.example", "require_approval": "never"}]
PICTURE = "iVBORw0KGgo" + "A" * 401
RUN: dict[str, dict[str, Any]] = {
    "web_search": {"type": "web_search_call", "action": {"type": "search", "query": "weather"}},
    "code": {"type": "code_interpreter_call", "code": "print(1)", "container_id": "c", "outputs": [{"type": "logs", "logs": "1"}]},
    "picture": {"type": "image_generation_call", "result": PICTURE},
    "files": {"type": "file_search_call", "queries": ["a"], "results": [{"file_id": "f", "text": "found", "filename": "n", "score": 0.5}]},
    "reasoning": {"type": "reasoning", "summary": [{"type": "summary_text", "text": "thinking"}], "encrypted_content": "gAAA" + "b" * 300},
    "mcp": {"type": "mcp_call", "name": "t", "server_label": "s", "arguments": '{"a":1}', "output": "ok", "error": None},
    "mcp_list": {"type": "mcp_list_tools", "server_label": "s", "tools": [{"name": "t", "input_schema": {"type": "object"}, "description": "d"}]},
}
# What the provider says of its progress, by the item's type.
PROGRESS: dict[str, list[dict[str, Any]]] = {
    "web_search_call": [{"type": "response.web_search_call.searching"}, {"type": "response.web_search_call.completed"}],
    "code_interpreter_call": [{"type": "response.code_interpreter_call_code.delta", "delta": "print(1)"},
                              {"type": "response.code_interpreter_call_code.done", "code": "print(1)"},
                              {"type": "response.code_interpreter_call.completed"}],
    "image_generation_call": [{"type": "response.image_generation_call.partial_image", "partial_image_index": 0, "partial_image_b64": PICTURE},
                              {"type": "response.image_generation_call.completed"}],
    "mcp_call": [{"type": "response.mcp_call_arguments.delta", "delta": '{"a":1}'},
                 {"type": "response.mcp_call_arguments.done", "arguments": '{"a":1}'}, {"type": "response.mcp_call.completed"}],
}


def response(output: list[dict[str, Any]], status: str = "completed") -> dict[str, Any]:
    return {"id": "r", "object": "response", "created_at": 1, "status": status, "model": "m", "output": output, "usage": {
        "input_tokens": 1, "output_tokens": 1, "total_tokens": 2, "input_tokens_details": {"cached_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0}}}


def as_stream(item: dict[str, Any]) -> list[dict[str, Any]]:
    at = {"output_index": 0, "item_id": item["id"]}
    begun = {name: value for name, value in item.items() if name in ("id", "type", "name", "server_label")}
    events = [{"type": "response.created", "response": response([], "in_progress")},
              {"type": "response.output_item.added", "output_index": 0, "item": {**begun, "status": "in_progress"}},
              *({**event, **at} for event in PROGRESS.get(item["type"], [])),
              {"type": "response.output_item.done", "output_index": 0, "item": item},
              {"type": "response.completed", "response": response([item])}]
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


@pytest.mark.parametrize("name", RUN)
def test_tools_that_the_provider_runs_pass(chat: openai.OpenAI, upstream: Canned, name: str) -> None:
    item = {"id": "i_1", "status": "completed", **RUN[name]}
    upstream.says(response([item]))
    whole = chat.responses.create(model="m", input="hi", tools=TOOLS)
    assert {key: whole.output[0].to_dict()[key] for key in item} == item
    assert upstream.bodies[-1]["tools"] == TOOLS
    events = as_stream(item)
    upstream.streams(events)
    read = list(chat.responses.create(model="m", input="hi", tools=TOOLS, stream=True))
    assert [event.type for event in read] == [event["type"] for event in events]
    last: Any = read[-1]
    assert {key: last.response.output[0].to_dict()[key] for key in item} == item
    upstream.says(response([]))
    chat.responses.create(model="m", input=[{"role": "user", "content": "hi"}, item, {"role": "user", "content": "go on"}])  # type: ignore[list-item,misc]
    assert upstream.bodies[-1]["input"][1] == item


@both
def test_what_such_tools_say_is_judged(chat: openai.OpenAI, upstream: Canned, stream: bool) -> None:
    item = {"id": "i_1", "status": "completed", **RUN["code"], "code": f"key = '{SECRET}'"}
    upstream.says(response([item]))
    if stream:
        upstream.streams(as_stream(item))
        read = [event.to_json() for event in chat.responses.create(model="m", input="hi", tools=TOOLS, stream=True)]
    else:
        read = [chat.responses.create(model="m", input="hi", tools=TOOLS).to_json()]
    assert SECRET not in "".join(read)


# --- Anthropic: caching, thinking, betas, search

def message(*content: dict[str, Any]) -> dict[str, Any]:
    return {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": list(content), "stop_reason": "end_turn",
            "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 7}}


BLOCKS: list[dict[str, Any]] = [
    {"type": "thinking", "thinking": "hm", "signature": "c2ln"}, {"type": "redacted_thinking", "data": "ZGF0YQ=="},
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}},
    {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [
        {"type": "web_search_result", "url": "https://x.example", "title": "t", "encrypted_content": "abc", "page_age": None}]},
    {"type": "text", "text": "done", "citations": None}]
EMPTY = {"thinking": {"thinking": "", "signature": ""}, "server_tool_use": {"input": {}}, "text": {"text": ""}}


def message_events() -> Iterator[dict[str, Any]]:
    deltas: dict[str, list[dict[str, Any]]] = {
        "thinking": [{"type": "thinking_delta", "thinking": "hm"}, {"type": "signature_delta", "signature": "c2ln"}],
        "server_tool_use": [{"type": "input_json_delta", "partial_json": '{"query":'}, {"type": "input_json_delta", "partial_json": '"q"}'}],
        "text": [{"type": "text_delta", "text": "done"}]}
    yield {"type": "message_start", "message": {**message(), "stop_reason": None}}
    for index, block in enumerate(BLOCKS):
        yield {"type": "content_block_start", "index": index, "content_block": {**block, **EMPTY.get(block["type"], {})}}
        yield from ({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas.get(block["type"], []))
        yield {"type": "content_block_stop", "index": index}
    yield {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 1}}
    yield {"type": "message_stop"}


@both
def test_thinking_caching_and_betas_pass(messages: anthropic.Anthropic, upstream: Canned, stream: bool) -> None:
    cached = {"type": "ephemeral", "ttl": "1h"}
    asked: Any = {"model": "m", "max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 1024},
                  "system": [{"type": "text", "text": "Be brief.", "cache_control": cached}],
                  "tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 3}],
                  "messages": [{"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": cached}]},
                               {"role": "assistant", "content": BLOCKS}, {"role": "user", "content": "go on"}]}
    upstream.says(message(*BLOCKS))
    betas = {"anthropic-beta": "interleaved-thinking-2025-05-14,context-1m-2025-08-07"}
    if stream:
        upstream.streams(list(message_events()))
        with messages.messages.stream(**asked, extra_headers=betas) as events:
            final: Any = events.get_final_message()
    else:
        final = messages.messages.create(**asked, extra_headers=betas)
    for block, wanted in zip(final.content, BLOCKS, strict=True):
        assert {key: block.to_dict().get(key) for key in wanted} == wanted
    assert final.usage.cache_read_input_tokens == 7
    assert upstream.headers["anthropic-beta"] == betas["anthropic-beta"]
    assert {name: upstream.bodies[-1][name] for name in asked} == asked


# --- Gemini: its own tools, schemas and safety

@both
def test_geminis_tools_schemas_and_safety_pass(served: Gateway, upstream: Canned, stream: bool) -> None:
    client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=served.url, timeout=20_000))
    parts: list[dict[str, Any]] = [
        {"text": "hm", "thought": True}, {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}, {"functionCall": {"name": "f", "args": {"a": 1}}},
        {"functionCall": {"name": "g", "args": {"k": SECRET}}}, {"inlineData": {"mimeType": "image/png", "data": PICTURE}}, {"text": "done"}]
    reply = {"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0,
                             "safetyRatings": [{"category": "HARM_CATEGORY_HARASSMENT", "probability": "NEGLIGIBLE"}],
                             "groundingMetadata": {"webSearchQueries": ["q"], "groundingChunks": [{"web": {"uri": "https://x.example", "title": "t"}}]}}],
             "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}, "modelVersion": "m"}
    upstream.says(reply)
    if stream:
        upstream.streams([reply])
    config = types.GenerateContentConfig(
        safety_settings=[types.SafetySetting(category=types.HarmCategory.HARM_CATEGORY_HARASSMENT, threshold=types.HarmBlockThreshold.BLOCK_NONE)],
        tools=[types.Tool(google_search=types.GoogleSearch()), types.Tool(code_execution=types.ToolCodeExecution())],
        response_mime_type="application/json", response_schema={"type": "OBJECT", "properties": {"a": {"type": "INTEGER"}}})
    asked: Any = {"model": "gemini-x", "contents": "hi", "config": config}
    replies = list(client.models.generate_content_stream(**asked)) if stream else [client.models.generate_content(**asked)]
    read = [part for one in replies for part in one.candidates[0].content.parts]  # type: ignore[index,union-attr]
    assert [part.text for part in read if part.text] == ["hm", "done"]
    assert [(part.function_call.name, part.function_call.args) for part in read if part.function_call] == [("f", {"a": 1}), ("g", {"k": REDACTED})]
    assert [part.executable_code.code for part in read if part.executable_code] == ["print(1)"]
    assert [len(part.inline_data.data) for part in read if part.inline_data] == [309]
    assert any(one.candidates[0].grounding_metadata for one in replies)  # type: ignore[index]
    sent = upstream.bodies[-1]
    assert sent["safetySettings"] == [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    assert sent["tools"] == [{"googleSearch": {}}, {"codeExecution": {}}]
    assert sent["generationConfig"]["responseMimeType"] == "application/json"
