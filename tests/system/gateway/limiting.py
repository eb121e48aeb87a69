# SPDX-License-Identifier: Apache-2.0
"""A gateway with limits, and clients that meet them."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from conftest import KEY, POLICY, Certificate, Gateway, Provider

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
ANSWER = "The capital of France is Paris."
BUDGET = "limits:\n  budgets:\n    state_file: {folder}/budgets.json\n    list:\n      - {{{budget}}}\n"
both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


class Made:
    """Starts gateways with sections of their own and stops them all."""

    def __init__(self, folder: Path, provider: Provider, certificate: Certificate) -> None:
        self.folder, self.provider, self.certificate = folder, provider, certificate
        self.running: list[Gateway] = []

    def start(self, extra: str, policy: str = POLICY) -> Gateway:
        gateway = Gateway(self.folder)
        gateway.start(gateway.configure(self.provider.port, self.certificate.cert, extra, policy))
        self.running.append(gateway)
        return gateway.wait_until_ready()

    def report(self) -> str:
        """A section that has events kept on disk; nobody fetches them there."""
        state = self.folder / "state"
        state.mkdir(mode=0o700, exist_ok=True)
        (state / "token").write_text("of-nobody." + "0" * 64 + "\n")
        return f"report:\n  collector: 127.0.0.1:1\n  state_folder: {state}\n  enrolment_token_file: {state}/token\n"

    def sinks(self) -> list[Path]:
        """All that the gateway writes, but what the test itself gave it."""
        return [path for path in self.folder.rglob("*")
                if path.is_file() and not path.name.endswith(".yaml") and path.name not in ("token", "provider.key")]


@pytest.fixture
def make(tmp_path: Path, provider: Provider, certificate: Certificate) -> Iterator[Made]:
    made = Made(tmp_path, provider, certificate)
    yield made
    for gateway in made.running:
        if gateway.process is not None and gateway.process.poll() is None:
            assert gateway.stop() == 0, gateway.log.read_text()


def chat(gateway: Gateway, **options: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=gateway.url + "/v1", api_key=KEY, timeout=30, **options)


def messages(gateway: Gateway, **options: Any) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=gateway.url, api_key=KEY, timeout=30, **options)


def ask(client: openai.OpenAI, **options: Any) -> openai.types.chat.ChatCompletion:
    return client.chat.completions.create(**{"model": "m", "messages": QUESTION, "max_tokens": 50, **options})


def left(gateway: Gateway, session: str = "") -> dict[str, Any]:
    request = urllib.request.Request(gateway.url + "/aispm/v1/limits",
                                     headers={"Authorization": f"Bearer {KEY}", "x-aispm-session": session})
    with urllib.request.urlopen(request, timeout=10) as reply:
        answer: dict[str, Any] = json.load(reply)
    return answer


def used(gateway: Gateway, session: str = "") -> int:
    return int(left(gateway, session)["budgets"][0]["used"])


def wait_until_settled(gateway: Gateway, expected: int, session: str = "") -> None:
    """The client has its answer a moment before the gateway has put the exchange down."""
    deadline = time.monotonic() + 20
    while used(gateway, session) != expected:
        assert time.monotonic() < deadline, f"{left(gateway, session)} and not {expected}"
        time.sleep(0.02)


def content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # a file that was just replaced
        return b""


def wait_for_bytes(made: Made, *words: bytes) -> None:
    deadline = time.monotonic() + 20
    while not all(any(word in content(path) for path in made.sinks()) for word in words):
        assert time.monotonic() < deadline, f"no sink holds {words}"
        time.sleep(0.1)
