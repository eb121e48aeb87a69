# SPDX-License-Identifier: Apache-2.0
"""Unmodified clients of one protocol before a provider of another: GW-012. About 20 s of work."""

from __future__ import annotations

import json

import pytest
from conftest import SECRET
from test_clients import INJECTION, REDACTED
from translating import ANSWER, FAILURES, Pair, Turn, both, path_to, status_of
from translating import gateway, pair  # noqa: F401


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
