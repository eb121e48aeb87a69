# SPDX-License-Identifier: Apache-2.0
"""Providers that die and clients that leave at the wrong moment: who is told what, and who is blamed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from pathlib import Path

import anthropic
import openai
import pytest
from conftest import GATEWAY, KEY, Certificate, Gateway, Provider
from programs import wait_for, wait_for_port
from routing import PATIENT, World
from routing import world  # noqa: F401
from upstreams import health

BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hello"}]}).encode()
HEAD = f"POST /v1/chat/completions HTTP/1.1\r\nhost: gw\r\nauthorization: Bearer {KEY}\r\ncontent-length: {len(BODY)}\r\n\r\n".encode()


def connect(gateway: Gateway) -> socket.socket:
    return socket.create_connection(("127.0.0.1", gateway.port), timeout=20)


def read_all(link: socket.socket) -> bytes:
    got = b""
    while piece := link.recv(65536):
        got += piece
    return got


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_provider_that_dies_within_an_event_is_no_denial(world: World, dialect: str) -> None:
    world.start(PATIENT, names=("one",), dialect=dialect)
    one = world["one"]
    one.mode = "half"
    chat, messages = world.client(), anthropic.Anthropic(base_url=world.gateway.url, api_key=KEY, timeout=40, max_retries=0)
    world.clients.append(messages)

    def stream() -> str:
        asked = [{"role": "user", "content": "hello"}]
        if dialect == "openai":
            return "".join(event.choices[0].delta.content or "" for event in
                           chat.chat.completions.create(model="m", messages=asked, stream=True) if event.choices)
        with messages.messages.stream(model="m", max_tokens=50, messages=asked) as events:
            return "".join(events.text_stream)

    with pytest.raises((openai.APIError, anthropic.APIError), match="ended the stream early"):
        stream()
    one.mode = "ok"
    assert stream().strip() == "I am one."  # what was denied once would be denied again
    assert len(one.bodies) == 2
    died = world.calls(2)[0]
    assert (died["status"], died["partial"], died["detections"]) == (200, 1, 0)
    assert world.counter("upstream_failures", 1)["denied_replies"] == 0


def test_a_reply_too_large_for_a_stream_may_be_asked_for_whole(world: World) -> None:
    world.start(PATIENT, names=("one",))
    world["one"].text = "word\n" * 220_000  # one event of more than 1 MiB
    events = world.client().chat.completions.create(model="m", messages=[{"role": "user", "content": "hello"}], stream=True)
    assert "could not be scanned" in "".join(event.choices[0].delta.content or "" for event in events if event.choices)
    assert world.say() == world["one"].text


def test_a_client_that_leaves_is_not_the_providers_failure(world: World) -> None:
    world.start(PATIENT, names=("one",))
    world["one"].wait = 3
    with connect(world.gateway) as link:
        link.sendall(HEAD + BODY)
        wait_for(lambda: world["one"].bodies, 10, "the provider is asked")
    left = world.calls(1)[0]
    assert (left["status"], left["tokens_estimated"]) == (499, 1)
    counters = world.counter("client_gone", 1)
    assert (counters["client_gone"], counters["upstream_failures"]) == (1, 0)
    assert health(world.gateway.folder)[1]["provider.one"] == "ok"


def test_a_request_that_a_provider_worked_on_is_not_sent_again(world: World) -> None:
    world.start(PATIENT, names=("one",))
    one, client = world["one"], world.client()
    assert world.say(client) == "I am one."  # its connection is kept
    one.mode, one.wait = "reset", 1.0
    with pytest.raises(openai.InternalServerError) as failed:
        world.say(client)
    assert failed.value.status_code == 502
    assert len(one.bodies) == 2


@pytest.mark.parametrize("sent", [HEAD[:40], HEAD, HEAD + BODY[:-1]], ids=["half a head", "no body", "half a body"])
def test_who_takes_too_long_to_ask_is_told_so(world: World, sent: bytes) -> None:
    world.start("limits: {request: 500ms}\n", names=("one",))
    with connect(world.gateway) as link:
        link.sendall(sent)
        assert read_all(link).startswith(b"HTTP/1.1 408 ")


class Narrow(Gateway):
    """One that may open 256 files."""

    def start(self, config: Path) -> Gateway:
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(["prlimit", "--nofile=256:256", str(GATEWAY), "--config", str(config)], stdout=out, stderr=out)
        wait_for_port(self.port, self.process, self.log)
        return self


def test_clients_cannot_take_the_last_descriptor(provider: Provider, certificate: Certificate, tmp_path: Path) -> None:
    narrow = Narrow(tmp_path)
    narrow.start(narrow.configure(provider.port, certificate.cert)).wait_until_ready()
    assert narrow.process
    links = [connect(narrow) for _ in range(300)]
    try:
        time.sleep(1)
        assert len(os.listdir(f"/proc/{narrow.process.pid}/fd")) < 200
    finally:
        for link in links:
            link.close()
    with connect(narrow) as link:
        link.sendall(HEAD.replace(b"host: gw", b"host: gw\r\nconnection: close") + BODY)
        assert read_all(link).startswith(b"HTTP/1.1 200 ")
    assert narrow.stop() == 0, narrow.log.read_text()
    log = narrow.log.read_text()
    assert "event=limit.connections wanted=10000 taken=64 files=256" in log
    assert "accept.failed" not in log
