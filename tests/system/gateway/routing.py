# SPDX-License-Identifier: Apache-2.0
"""Two providers and a gateway that routes between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from conftest import KEY, Gateway
from programs import wait_for
from upstreams import Upstream, calls, configure, health

SPOOL_SECONDS = 20
OPEN = "defaults: {mode: enforce, store_text: false, fail: closed}\nrules: []\n"
GUARDED = OPEN.replace("rules: []", "rules:\n  - {id: secrets, match: {category: secret}, outcome: redact, reason: secrets are cut out}")
TWO = "    providers: [{provider: one}, {provider: two}]\n"


# Circuits stay closed where a test is about something else.
PATIENT = "traffic: {breaker: {failures: 1000, calls: 1000}}\n"


class World:
    """A gateway and the providers behind it."""

    def __init__(self, folder: Path) -> None:
        self.gateway = Gateway(folder)
        self.upstreams: list[Upstream] = []
        self.clients: list[Any] = []

    def start(self, more: str, names: tuple[str, ...] = ("one", "two"), policy: str = OPEN, dialect: str = "openai",
              elsewhere: tuple[str, ...] = ()) -> World:
        """`elsewhere`: those that have another host than the rest, `localhost`."""
        self.upstreams = [Upstream(name) for name in names]
        for name in elsewhere:
            self[name].host = "localhost"
        self.gateway.start(configure(self.gateway, self.upstreams, more, policy, dialect)).wait_until_ready()
        return self

    def __getitem__(self, name: str) -> Upstream:
        return next(one for one in self.upstreams if one.name == name)

    def client(self, session: str = "") -> openai.OpenAI:
        headers = {"x-aispm-session": session} if session else {}
        made = openai.OpenAI(base_url=self.gateway.url + "/v1", api_key=KEY, timeout=40, max_retries=0, default_headers=headers)
        self.clients.append(made)
        return made

    def ask(self, client: openai.OpenAI | None = None, text: str = "hello", model: str = "m", **more: Any) -> Any:
        asked = (client or self.client()).chat.completions.with_raw_response
        return asked.create(model=model, messages=[{"role": "user", "content": text}], **more)

    def say(self, client: openai.OpenAI | None = None, text: str = "hello", **more: Any) -> str:
        return self.ask(client, text, **more).parse().choices[0].message.content or ""

    def calls(self, count: int) -> list[dict[str, Any]]:
        wait_for(lambda: len(calls(self.gateway.folder)) >= count, SPOOL_SECONDS, f"{count} recorded calls")
        return calls(self.gateway.folder)

    def counter(self, name: str, at_least: int) -> dict[str, int]:
        wait_for(lambda: health(self.gateway.folder)[0].get(name, 0) >= at_least, SPOOL_SECONDS, f"{name} of {at_least}")
        return health(self.gateway.folder)[0]

    def close(self) -> None:
        for client in self.clients:
            client.close()
        for one in self.upstreams:
            one.close()
        if self.gateway.process:
            assert self.gateway.stop() == 0, self.gateway.log.read_text()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def route(more: str = TWO, extra: str = PATIENT) -> str:
    return f"routes:\n  - name: chat\n    models: ['*']\n{more}{extra}"


def refuse(one: Upstream) -> None:
    one.refuse()


def mode(value: str | int) -> Callable[[Upstream], None]:
    def put(one: Upstream) -> None:
        one.mode = value
    return put
