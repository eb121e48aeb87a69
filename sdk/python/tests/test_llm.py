# SPDX-License-Identifier: Apache-2.0
"""`llm.complete` against a fake gateway: what is sent, what comes back, what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fake_gateway import Answer, FakeGateway

import aispm
from aispm import _gateway, llm
from aispm.llm import Provider

OPENAI = {"id": "c1", "model": "m-1", "choices": [{"index": 0, "message": {"content": "Hello."}, "finish_reason": "stop"}],
          "usage": {"prompt_tokens": 3, "completion_tokens": 5}}
ANTHROPIC = {"id": "m1", "model": "m-1", "stop_reason": "end_turn", "usage": {"input_tokens": 3, "output_tokens": 5},
             "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Hel"},
                         {"type": "text", "text": "lo."}]}
NOTICE = "\n[AISPM stopped this reply: rule private-keys, case 42-a]"


def openai_chunk(text: str = "", reason: str | None = None) -> dict[str, Any]:
    return {"id": "c1", "model": "m-1", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": reason}]}


def anthropic_events(*texts: str) -> list[dict[str, Any]]:
    start = {"type": "message_start", "message": {"id": "m1", "model": "m-1", "usage": {"input_tokens": 3, "output_tokens": 1}}}
    pieces = [{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}} for text in texts]
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}}
    return [start, *pieces, end, {"type": "message_stop"}]


@pytest.mark.parametrize(("provider", "body"), [("openai", OPENAI), ("anthropic", ANTHROPIC)])
def test_an_answer_of_either_dialect_becomes_the_same_completion(gateway: FakeGateway, provider: Provider, body: object) -> None:
    gateway.say(body)
    answer = llm.complete("hi", model="m", provider=provider)
    assert answer.text == "Hello."
    assert answer.usage == aispm.Usage(3, 5)
    assert (answer.model, answer.decision) == ("m-1", "allow")
    assert (answer.id, answer.finish_reason) == (("c1", "stop") if provider == "openai" else ("m1", "end_turn"))


def test_an_openai_request_has_the_fields_given(gateway: FakeGateway) -> None:
    gateway.say(OPENAI)
    llm.complete("hi", model="m", system="be brief", max_tokens=7, temperature=0.5, top_p=0.9)
    (sent,) = gateway.requests
    assert (sent.method, sent.path) == ("POST", "/v1/chat/completions")
    assert sent.body == {"model": "m", "stream": False, "max_tokens": 7, "temperature": 0.5, "top_p": 0.9,
                         "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]}


def test_an_anthropic_request_has_the_fields_given(gateway: FakeGateway) -> None:
    gateway.say(ANTHROPIC)
    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
    llm.complete(messages, model="m", provider="anthropic", system="be brief")
    (sent,) = gateway.requests
    assert sent.path == "/v1/messages"
    assert sent.body == {"model": "m", "stream": False, "max_tokens": 1024, "system": "be brief", "messages": messages}
    assert sent.headers["anthropic-version"] == "2023-06-01"


def test_the_key_and_the_session_go_into_headers(gateway: FakeGateway) -> None:
    gateway.say(OPENAI)
    llm.complete("hi", model="m")
    headers = gateway.requests[0].headers
    assert headers["authorization"] == "Bearer aispm-key"
    assert headers["x-aispm-session"] == "0190f4a2-7c1e-7abc-8def-0123456789ab"
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"] == f"aispm-python/{aispm.__version__}"


def test_without_key_and_session_no_such_header_is_sent(gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AISPM_API_KEY")
    monkeypatch.delenv("AISPM_SESSION_ID")
    gateway.say(OPENAI)
    llm.complete("hi", model="m")
    assert not {"authorization", "x-aispm-session"} & set(gateway.requests[0].headers)


def test_a_redaction_is_shown(gateway: FakeGateway) -> None:
    gateway.say(OPENAI, x_aispm_decision="redact", x_aispm_case="42-a")
    assert llm.complete("hi", model="m").decision == "redact"


@pytest.mark.parametrize("error", [
    {"error": {"message": "no, case 42-a", "type": "invalid_request_error", "param": None, "code": "aispm_deny"}},
    {"type": "error", "error": {"type": "invalid_request_error", "message": "no, case 42-a",
                                "details": {"error_code": "aispm_deny"}}}], ids=["openai", "anthropic"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_denial_names_code_and_case_and_is_asked_once(gateway: FakeGateway, error: object, stream: bool) -> None:
    gateway.say(error, 400, x_aispm_decision="deny", x_aispm_case="42-a")
    with pytest.raises(aispm.PolicyDenied, match="no, case 42-a") as refused:
        llm.complete("hi", model="m", stream=stream)  # type: ignore[call-overload]
    assert (refused.value.status, refused.value.code, refused.value.case_id) == (400, "aispm_deny", "42-a")
    assert refused.value.decision == "deny"
    assert len(gateway.requests) == 1


@pytest.mark.parametrize("status", [301, 307, 401, 429, 500, 503])
def test_another_error_is_no_denial_and_is_asked_once(gateway: FakeGateway, status: int) -> None:
    gateway.say({"error": {"message": "not now", "code": "busy"}}, status, location="http://127.0.0.1:1/")
    with pytest.raises(aispm.GatewayError, match="not now") as refused:
        llm.complete("hi", model="m")
    assert not isinstance(refused.value, aispm.PolicyDenied)
    assert (refused.value.status, refused.value.code) == (status, "busy")
    assert len(gateway.requests) == 1


@pytest.mark.parametrize("body", [b"<html>", b"", b"[]", b"[" * 100_000, b'{"error": "text"}', b"\xff"])
def test_an_error_that_is_not_in_form_keeps_its_status(gateway: FakeGateway, body: bytes) -> None:
    gateway.answer = Answer(body, 502)
    with pytest.raises(aispm.GatewayError) as refused:
        llm.complete("hi", model="m")
    assert refused.value.status == 502
    assert str(refused.value)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_an_answer_that_is_no_json_object_is_unavailable(gateway: FakeGateway, body: bytes) -> None:
    gateway.answer = Answer(body)
    with pytest.raises(aispm.GatewayUnavailable, match="JSON"):
        llm.complete("hi", model="m")


def test_an_answer_without_the_expected_fields_is_empty_not_a_crash(gateway: FakeGateway) -> None:
    for body in ({}, {"choices": 1}, {"choices": [1]}, {"choices": [{"message": []}], "usage": "x", "id": 7}):
        gateway.say(body)
        assert llm.complete("hi", model="m").text == ""


def test_an_answer_cut_off_is_unavailable(gateway: FakeGateway) -> None:
    gateway.answer = Answer(json.dumps(OPENAI).encode(), cut=True)
    with pytest.raises(aispm.GatewayUnavailable, match="broke off"):
        llm.complete("hi", model="m")


def test_an_answer_over_the_limit_is_unavailable(gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(json.dumps(OPENAI))
    gateway.say(OPENAI)
    monkeypatch.setattr(_gateway, "MAX_REPLY_BYTES", size)
    assert llm.complete("hi", model="m").text == "Hello."
    monkeypatch.setattr(_gateway, "MAX_REPLY_BYTES", size - 1)
    with pytest.raises(aispm.GatewayUnavailable, match=f"larger than {size - 1} bytes"):
        llm.complete("hi", model="m")


def test_a_silent_gateway_meets_the_timeout(gateway: FakeGateway) -> None:
    gateway.answer = Answer(hang=True)
    with pytest.raises(aispm.GatewayUnavailable, match="timed out"):
        llm.complete("hi", model="m", timeout=0.3)
    assert len(gateway.requests) <= 1  # none yet if the fake is slower than the timeout


def test_a_gateway_that_is_away_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeGateway() as gone:
        monkeypatch.setenv("AISPM_GATEWAY_URL", gone.url)
    with pytest.raises(aispm.GatewayUnavailable, match="refused"):
        llm.complete("hi", model="m")


@pytest.mark.parametrize("url", ["", "127.0.0.1:8088", "ftp://host", "http://", "http://host:port", "http://[::1", "http://a@host"])
def test_an_address_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("AISPM_GATEWAY_URL", url)
    with pytest.raises(aispm.NotConfigured, match="AISPM_GATEWAY_URL"):
        llm.complete("hi", model="m")


def test_a_key_that_no_header_may_hold_is_refused_without_showing_it(
        gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AISPM_API_KEY", "aispm-topsecret\r\nx: y")
    with pytest.raises(aispm.NotConfigured, match="AISPM_API_KEY") as refused:
        llm.complete("hi", model="m")
    assert "topsecret" not in str(refused.value)
    assert not gateway.requests


def test_arguments_that_make_no_request_are_refused(gateway: FakeGateway) -> None:
    with pytest.raises(ValueError, match="openai or anthropic"):
        llm.complete("hi", model="m", provider="other")  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="not JSON compliant"):
        llm.complete("hi", model="m", temperature=float("nan"))
    assert not gateway.requests


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_stream_gives_its_pieces_then_the_completion(gateway: FakeGateway, provider: Provider) -> None:
    if provider == "openai":
        usage = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 5}}
        gateway.stream(openai_chunk("Hel"), openai_chunk("lo."), openai_chunk(reason="stop"), usage)
    else:
        gateway.stream(*anthropic_events("Hel", "lo."), end="")
    stream = llm.complete("hi", model="m", provider=provider, stream=True)
    assert list(stream) == ["Hel", "lo."]
    assert (stream.completion.text, stream.completion.usage) == ("Hello.", aispm.Usage(3, 5))
    assert gateway.requests[0].body["stream"] is True


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_stream_that_policy_stops_raises_after_its_good_pieces(gateway: FakeGateway, provider: Provider) -> None:
    if provider == "openai":
        gateway.stream(openai_chunk("Here: "), openai_chunk(NOTICE), openai_chunk(reason="content_filter"))
    else:
        gateway.stream(*anthropic_events("Here: ", NOTICE), end="")
    stream = llm.complete("hi", model="m", provider=provider, stream=True)
    seen: list[str] = []
    with pytest.raises(aispm.PolicyDenied, match="rule private-keys") as refused:
        for piece in stream:
            seen.append(piece)
    assert seen == ["Here: "]
    assert (refused.value.code, refused.value.case_id) == ("aispm_deny", "42-a")
    assert stream.completion.text == "Here: "


def test_a_model_that_quotes_the_notice_is_not_a_denial(gateway: FakeGateway) -> None:
    gateway.stream(openai_chunk("It said: "), openai_chunk(NOTICE), openai_chunk(" Odd."), openai_chunk(reason="stop"))
    assert "".join(llm.complete("hi", model="m", stream=True)) == f"It said: {NOTICE} Odd."
    gateway.stream(openai_chunk(NOTICE), openai_chunk(reason="stop"))
    assert list(llm.complete("hi", model="m", stream=True)) == [NOTICE]


def test_a_stream_that_ends_early_is_unavailable(gateway: FakeGateway) -> None:
    gateway.stream(openai_chunk("Hel"), end="")
    with pytest.raises(aispm.GatewayUnavailable, match="ended before"):
        list(llm.complete("hi", model="m", stream=True))
    gateway.stream(openai_chunk("Hel"), end="data: {\n\n")
    with pytest.raises(aispm.GatewayUnavailable, match="not JSON"):
        list(llm.complete("hi", model="m", stream=True))


def test_an_error_event_in_a_stream_is_raised(gateway: FakeGateway) -> None:
    gateway.stream(openai_chunk("Hel"), {"error": {"message": "overloaded", "code": "busy"}})
    with pytest.raises(aispm.GatewayError, match="overloaded") as failed:
        list(llm.complete("hi", model="m", stream=True))
    assert (failed.value.status, failed.value.code) == (0, "busy")


def test_a_line_of_a_stream_over_the_limit_is_unavailable(gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_gateway, "MAX_LINE_BYTES", 256)
    gateway.stream(openai_chunk("x" * 256), openai_chunk(reason="stop"))
    with pytest.raises(aispm.GatewayUnavailable, match="longer than 256 bytes"):
        list(llm.complete("hi", model="m", stream=True))
