# SPDX-License-Identifier: Apache-2.0
"""What replies give away, guard models before replies, and what a refusal tells programs: GW-025 to GW-032, GW-050."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import anthropic
import openai
import pytest
from conftest import KEY, Certificate, Provider
from programs import free_port
from detecting import GuardModel, serving, start

both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
SENTINEL = "canary 91 sails past the old mole"
SYSTEM = ("You are the helper of the payroll of Acme. Never speak of salaries to anybody but their owner, and send whoever asks for the bonus "
          f"of a colleague to the human resources team. {SENTINEL}.")
POLICY = """
defaults: {mode: enforce, store_text: false, fail: closed, opinions: wait}
rules:
  - {id: leaks, match: {category: extraction, direction: reply, severity: high}, outcome: deny, reason: that is for the model only}
  - {id: harm, match: {category: harmful}, outcome: deny, reason: the guard model says no}
"""
TOKEN = "operators-of-the-gateway-" + "t" * 16
SESSION = "0190f4a2-7c1e-7abc-8def-0123456789ab"
TOOLS = [{"type": "function", "function": {"name": "transfer_money", "description": "Moves money between two accounts of a client.",
                                           "parameters": {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]}}}]


@pytest.fixture
def guard() -> Iterator[GuardModel]:
    server = GuardModel()
    with serving(server):
        yield server


class Guarded:
    """A gateway before the stand-in provider, and before a model `own` that says what a test wants."""

    def __init__(self, folder: Path, provider: Provider, certificate: Certificate, own: GuardModel, guard: GuardModel | None = None) -> None:
        self.admin_port = free_port()
        (folder / "admin.token").write_text(TOKEN + "\n")
        extra = (f"detect:\n  leaks: {{sentinels: ['{SENTINEL}']}}\n"
                 f"admin: {{socket: {folder}/admin.sock, rules_folder: {folder}/given, listen: '127.0.0.1:{self.admin_port}', token_file: {folder}/admin.token}}\n")
        if guard:
            extra = extra.replace("detect:\n", f"detect:\n  guard_model: {{origin: 'http://127.0.0.1:{guard.server_port}', model: guard, deadline: 2s,\n"
                                               "                allow_private: true, replies: true, reply_deadline: 2s}\n")
        self.gateway = start(folder, provider, certificate, POLICY, extra)
        assert self.gateway.stop() == 0
        config = folder / "gateway.yaml"
        config.write_text(config.read_text() + f"  - {{name: own, dialect: openai, origin: 'http://127.0.0.1:{own.server_port}', allow_private: true, models: [own]}}\n")
        self.gateway.start(config)

    def ask(self, prompt: str, stream: bool = False, model: str = "m", system: str = SYSTEM, tools: bool = False) -> str:
        client = openai.OpenAI(base_url=self.gateway.url + "/v1", api_key=KEY, timeout=30, max_retries=0,
                               default_headers={"x-aispm-session": SESSION, "x-correlation-id": "order/4711"})
        asked = {"model": model, "messages": [{"role": "system", "content": system}, {"role": "user", "content": prompt}]} | (
            {"tools": TOOLS} if tools else {})
        if not stream:
            return client.chat.completions.create(**asked).choices[0].message.content or ""  # type: ignore[call-overload]
        events = client.chat.completions.create(**asked, stream=True)  # type: ignore[call-overload]
        return "".join(event.choices[0].delta.content or "" for event in events if event.choices)

    def admin(self, path: str) -> tuple[int, dict]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.admin_port}{path}", headers={"authorization": f"Bearer {TOKEN}"})
        try:
            with urllib.request.urlopen(request, timeout=20) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)


@pytest.fixture(scope="module")
def own() -> Iterator[GuardModel]:
    server = GuardModel()
    with serving(server):
        yield server


@pytest.fixture(scope="module")
def guarded(provider: Provider, certificate: Certificate, own: GuardModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    running = Guarded(tmp_path_factory.mktemp("leaks"), provider, certificate, own)
    yield running
    assert running.gateway.stop() == 0, running.gateway.log.read_text()


def test_an_echoed_system_prompt_is_blocked_and_the_refusal_says_why(guarded: Guarded) -> None:
    echo = SYSTEM.split(SENTINEL)[0]
    with pytest.raises(openai.BadRequestError) as refused:
        guarded.ask(f'say "Sure: {echo}"')
    blocked = refused.value.body["blocked"]  # type: ignore[index]
    assert blocked["error"] == "blocked_by_policy"
    assert (blocked["reason"], blocked["categories"], blocked["matched_rule"]) == ("lexical_block", ["extraction"], "leaks")
    assert (blocked["session_id"], blocked["correlation_id"]) == (SESSION, "order/4711")
    assert blocked["explanation"]["title"] == "Instructions of the model"
    assert blocked["explanation"]["fragment"] == ""  # nothing of what was withheld
    streamed = guarded.ask(f'say "Well: {echo}" split=5', stream=True)
    assert "AISPM stopped this reply: rule leaks, case " in streamed
    assert "resources team" not in streamed


@both
def test_a_refusal_that_quotes_its_reason_passes(guarded: Guarded, stream: bool) -> None:
    words = "I'm sorry, I can't: never speak of salaries to anybody but their owner, I was told."
    assert guarded.ask(f'say "{words}"', stream) == words


@both
def test_a_sentinel_never_leaves(guarded: Guarded, stream: bool) -> None:
    for split in (1, 4, 50):
        said = f'say "The last words: {SENTINEL.upper()}!" split={split} {"as it comes" if stream else "whole"}'
        if stream:
            streamed = guarded.ask(said, True)
            assert "AISPM stopped this reply" in streamed
            assert "CANARY" not in streamed
        else:
            with pytest.raises(openai.BadRequestError):
                guarded.ask(said)


def test_a_tools_definition_is_blocked_and_ordinary_json_is_not(guarded: Guarded, own: GuardModel) -> None:
    own.answer = "My tools:\n" + json.dumps([TOOLS[0]["function"]], indent=2)
    with pytest.raises(openai.BadRequestError) as refused:
        guarded.ask("Which tools have you?", model="own", tools=True)
    assert "denied by rule leaks" in str(refused.value)
    assert guarded.ask("Which tools have you?", model="own") == own.answer  # none was offered: it is an example of something
    for ordinary in ({"name": "Ada", "parameters": {"age": 36}, "description": "a person"},
                     {"paths": {"/x": {"parameters": [{"name": "to", "required": True}]}}},
                     {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}):
        own.answer = json.dumps(ordinary)
        assert guarded.ask("Give me JSON.", model="own", tools=True) == own.answer


def test_sessions_are_listed_with_their_events_in_order(guarded: Guarded) -> None:
    for prompt in ('say "one"', 'say "two"'):
        guarded.ask(prompt)
    status, page = guarded.admin("/sessions?limit=1")
    assert status == 200
    assert [one["session_id"] for one in page["sessions"]] == [SESSION]
    assert page["sessions"][0]["agent"] == "tests/agent"
    status, events = guarded.admin(f"/sessions/{SESSION}/events?tenant=&limit=500")
    assert status == 200
    times = [one["time"] for one in events["events"]]
    assert times == sorted(times)
    assert [one["what"] for one in events["events"]][-2:] == ["m", "m"]
    assert guarded.admin(f"/sessions/{SESSION}/events?tenant=acme")[0] == 404
    assert guarded.admin("/sessions?colour=red")[0] == 400
    document = guarded.admin("/openapi.json")[1]["paths"]
    assert "get" in document["/sessions"]
    assert "get" in document["/sessions/{id}/events"]


@both
def test_a_guard_model_judges_a_reply_before_any_of_it_leaves(provider: Provider, certificate: Certificate, tmp_path: Path, own: GuardModel,
                                                              guard: GuardModel, stream: bool) -> None:
    running = Guarded(tmp_path, provider, certificate, own, guard)
    try:
        assert running.ask("What is the capital of France?", stream) == "The capital of France is Paris."
        assert "The capital of France is Paris." in json.dumps(guard.asked[-1])
        guard.answer = "safe"
        guard.unsafe_when = "The deployment key is"  # of the reply alone
        with pytest.raises(openai.BadRequestError) as refused:
            running.ask("Please emit secret material about it.", stream)
        assert refused.value.body["blocked"]["reason"] == "llama_guard_unsafe_category"  # type: ignore[index]
        assert refused.value.body["blocked"]["categories"] == ["S9"]  # type: ignore[index]
        # Too short for a question; rules alone judge it.
        before = len(guard.asked)
        client = anthropic.Anthropic(base_url=running.gateway.url, api_key=KEY, timeout=30, max_retries=0)
        client.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "yes"}])
        assert [one for one in guard.asked[before:] if ">\nyes\n<" in json.dumps(one).replace("\\n", "\n")] == []
        guard.leave()
        with pytest.raises(openai.BadRequestError) as gone:
            running.ask("What is the capital of France, again?", stream)
        assert gone.value.body["blocked"]["reason"] == "guard_unavailable"  # type: ignore[index]
        assert gone.value.body["blocked"]["explanation"]["title"] == "A judge did not answer"  # type: ignore[index]
    finally:
        assert running.gateway.stop() == 0, running.gateway.log.read_text()
