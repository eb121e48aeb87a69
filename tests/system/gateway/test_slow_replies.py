# SPDX-License-Identifier: Apache-2.0
"""Replies that take their time: what bounds a request and a write must not end a wait for the provider, and a stream that is silent
holds nothing of its request but what is still asked of it."""

from __future__ import annotations

import hashlib
import json
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from conftest import KEY, SECRET, Gateway, stop
from upstreams import Upstream, calls, configure

LIMITS = "limits: {request: 1s, client_write: 1s, idle: 1s}\n"
# Longer than all of them, and a tick of the clock that looks at deadlines.
PAUSE = 1.6
POLICY = """
defaults: {mode: enforce, store_text: true, fail: closed}
rules:
  - {id: keys-in-replies, match: {category: secret, direction: reply}, outcome: deny, reason: no keys}
"""
MESSAGES = [{"role": "user", "content": "tell me a word, caf\u00e9 or \"tea\""}]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    running = Upstream("slow")
    yield running
    running.close()


@pytest.fixture(scope="module")
def gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    running = Gateway(tmp_path_factory.mktemp("slow"))
    running.start(configure(running, [upstream], LIMITS, POLICY)).wait_until_ready()
    yield running
    assert running.process
    stop(running.process)


@pytest.fixture(autouse=True)
def quick(upstream: Upstream) -> Iterator[None]:
    yield
    upstream.wait = upstream.pause = 0.0
    upstream.text = "I am slow."


def client(gateway: Gateway) -> openai.OpenAI:
    return openai.OpenAI(base_url=gateway.url + "/v1", api_key=KEY, max_retries=0, timeout=20)


def last_call(folder: Path, count: int) -> dict[str, object]:
    """The newest event, once there are more than `count`."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = calls(folder)
        if len(found) > count:
            return found[-1]
        time.sleep(0.1)
    raise AssertionError("the exchange was not recorded")


def test_a_reply_may_take_longer_than_its_request(gateway: Gateway, upstream: Upstream) -> None:
    upstream.wait = PAUSE
    before = len(calls(gateway.folder))
    reply = client(gateway).chat.completions.create(model="m", messages=MESSAGES)  # type: ignore[arg-type]
    assert reply.choices[0].message.content == "I am slow."
    assert last_call(gateway.folder, before)["reply_text"] == "I am slow."


def test_a_stream_may_be_silent_for_longer_than_a_write_may_take(gateway: Gateway, upstream: Upstream) -> None:
    upstream.pause = PAUSE
    before = len(calls(gateway.folder))
    pieces = client(gateway).chat.completions.create(model="m", messages=MESSAGES, stream=True)  # type: ignore[call-overload]
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces) == "I am slow. "
    upstream.pause = 0.0
    call = last_call(gateway.folder, before)
    assert call["prompt_text"] == MESSAGES[0]["content"]
    assert call["prompt_sha256"] == hashlib.sha256(MESSAGES[0]["content"].encode()).hexdigest()
    assert call["reply_text"] == "I am slow. "
    # The same exchange without a wait is recorded in the same words.
    again = client(gateway).chat.completions.create(model="m", messages=MESSAGES, stream=True)  # type: ignore[call-overload]
    assert "".join(piece.choices[0].delta.content or "" for piece in again)
    other = last_call(gateway.folder, before + 1)
    for name in ("prompt_text", "prompt_sha256", "request_bytes", "request_model", "host", "reply_sha256"):
        assert call[name] == other[name], name


def test_a_request_that_follows_on_the_connection_is_kept_while_a_stream_is_silent(gateway: Gateway, upstream: Upstream) -> None:
    upstream.pause = 0.2
    body = json.dumps({"model": "m", "messages": MESSAGES, "stream": True}).encode()
    one = (f"POST /v1/chat/completions HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {KEY}\r\n"
           f"Content-Length: {len(body)}\r\n\r\n").encode() + body
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as peer:
        peer.sendall(one + one)
        answer = b""
        while answer.count(b"[DONE]") < 2:
            piece = peer.recv(65536)
            assert piece, answer
            answer += piece
    assert answer.count(b"HTTP/1.1 200") == 2


def test_what_a_silent_stream_was_denied_for_stays_denied_without_a_stream(gateway: Gateway, upstream: Upstream) -> None:
    messages = [{"role": "user", "content": "tell me a key"}]
    upstream.text, upstream.pause = f"the key is {SECRET} of course", 0.1
    pieces = client(gateway).chat.completions.create(model="m", messages=messages, stream=True)  # type: ignore[call-overload]
    words = "".join(piece.choices[0].delta.content or "" for piece in pieces)
    assert SECRET not in words and "AISPM stopped this reply" in words
    upstream.text = "nothing at all"
    with pytest.raises(openai.BadRequestError):
        client(gateway).chat.completions.create(model="m", messages=messages)  # type: ignore[arg-type]


def test_a_client_that_reads_slowly_gets_all_of_a_long_stream(gateway: Gateway, upstream: Upstream) -> None:
    upstream.text = " ".join(f"word{number}" for number in range(40_000))
    body = json.dumps({"model": "m", "messages": MESSAGES, "stream": True}).encode()
    request = urllib.request.Request(gateway.url + "/v1/chat/completions", data=body,
                                     headers={"authorization": f"Bearer {KEY}", "content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as reply:
        time.sleep(0.5)
        said = reply.read()
    words = "".join(json.loads(line[6:])["choices"][0]["delta"].get("content") or "" for line in said.split(b"\n")
                    if line.startswith(b"data: {"))
    assert words == upstream.text + " "
