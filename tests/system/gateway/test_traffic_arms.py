# SPDX-License-Identifier: Apache-2.0
"""Routes: drawn candidates, shadows and kept answers."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
import uuid

import httpx
import pytest
from conftest import KEY, SECRET
from programs import wait_for
from routing import GUARDED, World, route
from routing import world  # noqa: F401


def test_sessions_are_divided_and_keep_their_candidate(world: World) -> None:
    world.start(route("    providers:\n      - {provider: one, name: control, weight: 50}\n      - {provider: two, name: variant, weight: 50}\n"))
    said: dict[str, set[str]] = {}
    for session in [str(uuid.uuid4()) for _ in range(40)]:
        client = world.client(session)
        said[session] = {world.say(client) for _ in range(3)}
    assert all(len(answers) == 1 for answers in said.values())
    # Both halves: one of 2^39 draws would fail here.
    assert {answer for answers in said.values() for answer in answers} == {"I am one.", "I am two."}
    by_arm = {arm: sum(call["arm"] == arm for call in world.calls(120)) for arm in ("control", "variant")}
    assert by_arm == {"control": len(world["one"].bodies), "variant": len(world["two"].bodies)}
    world.counter("route.chat.variant.calls", by_arm["variant"])
    counters = world.counter("route.chat.control.calls", by_arm["control"])
    assert counters["route.chat.variant.calls"] == by_arm["variant"]
    assert counters["route.chat.control.output_tokens"] == 7 * by_arm["control"]
    assert counters["route.chat.control.p50_us"] > 0


def test_a_shadow_is_asked_beside_and_its_reply_goes_to_nobody(world: World) -> None:
    world.start(route("    providers: [{provider: one}]\n    shadow: {provider: two, model: candidate}\n"), policy=GUARDED)
    world["two"].text = f"The key is {SECRET} indeed."
    assert world.say(text=f"Deploy with {SECRET} please.") == "I am one."
    stream = world.client().chat.completions.create(model="m", messages=[{"role": "user", "content": "hello"}], stream=True)
    assert "".join(event.choices[0].delta.content or "" for event in stream if event.choices).strip() == "I am one."
    recorded = world.calls(4)
    shadows = [call for call in recorded if call.get("shadow_of")]
    served = {call["id"]: call for call in recorded if not call.get("shadow_of")}
    assert len(shadows) == len(served) == 2
    assert SECRET not in json.dumps(world["two"].bodies), "it gets what the one that answers gets"
    for shadow in shadows:
        assert shadow["shadow_of"] in served
        assert (shadow["upstream"], shadow["arm"], shadow["response_model"], shadow["status"]) == ("two", "two/candidate", "candidate", 200)
        assert shadow["detections"] > 0 and shadow["finish_reason"] == "stop" and shadow["duration_us"] > 0 and shadow["response_bytes"] > 0
    assert world.counter("route.chat.shadow.two/candidate.flagged", 2)["shadows"] == 2


class Models(http.server.BaseHTTPRequestHandler):
    """A registry that approves every model but `small`."""

    def do_GET(self) -> None:
        body = json.dumps({"status": "retired" if self.path.endswith("small") else "approved"}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("gate", ["models: [{model: big}]", "models: [{model: '*', provider: one}]",
                                  "registry: {url: 'http://127.0.0.1:%d/models/{model}', allow_private: true}"])
def test_no_shadow_asks_a_model_that_is_not_approved(world: World, gate: str) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Models) as registry:
        threading.Thread(target=registry.serve_forever, daemon=True).start()
        gate = gate % registry.server_port if "%" in gate else gate
        world.start(route("    providers: [{provider: one, model: big}]\n    shadow: {provider: two, model: small}\n",
                          extra=f"model_gate:\n  {gate}\n"))
        assert world.say() == "I am one."
        assert world.counter("shadows_skipped", 1)["shadows"] == 0
        assert not world["two"].bodies
        registry.shutdown()


def test_nobody_waits_for_a_shadow_and_too_many_are_left_out(world: World) -> None:
    world.start(route("    providers: [{provider: one}]\n    shadow: {provider: two}\n", extra="traffic: {shadow: {concurrency: 2, deadline: 8s}}\n"))
    world["two"].mode = "hang"
    for _ in range(5):
        assert world.say() == "I am one."
    # Five whole exchanges are over while the first two shadows still hang: none was waited for.
    assert len(world["two"].bodies) <= 2
    counters = world.counter("shadows_skipped", 3)
    assert counters["shadows"] == 2
    world.counter("shadows_failed", 2)
    assert all("timed out" in call["failed_attempts"][0] for call in world.calls(7) if call.get("shadow_of"))


def test_a_stop_does_not_hang_on_a_shadow(world: World) -> None:
    world.start(route("    providers: [{provider: one}]\n    shadow: {provider: two}\n"))
    world["two"].mode = "hang"
    assert world.say() == "I am one."
    wait_for(lambda: world["two"].bodies, 10, "the shadow was asked")
    assert world.gateway.stop() == 0
    world.gateway.process = None


CACHED = "traffic: {cache: {models: ['*'], ttl: 60s}}\n"


def test_a_whole_answer_is_given_again_without_asking(world: World) -> None:
    world.start(route(extra=CACHED))
    first = world.ask(temperature=0)
    again = world.ask(temperature=0)
    assert "x-aispm-cache" not in first.headers and again.headers["x-aispm-cache"] == "hit"
    assert first.parse() == again.parse()
    assert len(world["one"].bodies) == 1
    world.say(temperature=0, text="hello, too")
    world.say()
    world.say(temperature=0.1)
    world.say()
    assert len(world["one"].bodies) == 5, "other questions, and answers that might differ, are asked"
    recorded = world.calls(6)
    assert [bool(call.get("cached")) for call in recorded] == [False, True, False, False, False, False]
    assert "input_tokens" not in recorded[1] and recorded[0]["input_tokens"] == 11
    assert recorded[1]["upstream"] == "one"
    assert world.counter("cache_hits", 1)["cache_stored"] == 2


def test_a_candidate_has_a_model_of_its_own_where_the_path_names_it(world: World) -> None:
    world.start(route("    providers:\n      - {provider: one, model: old, name: old, weight: 50}\n      - {provider: one, model: new, name: new, weight: 50}\n",
                      extra="traffic: {cache: {models: ['*'], answers: all}}\n"), names=("one",), dialect="gemini")
    answered = set()
    for session in [str(uuid.uuid4()) for _ in range(40)]:
        said = {httpx.post(f"{world.gateway.url}/v1beta/models/asked:generateContent", json={"contents": [{"parts": [{"text": "hello"}]}]},
                           headers={"x-goog-api-key": KEY, "x-aispm-session": session}).raise_for_status().json()["modelVersion"] for _ in range(2)}
        assert len(said) == 1
        answered |= said
    # Both halves: one of 2^39 draws would fail here. A kept answer is of the model that gave it.
    assert answered == {"old", "new"}
    assert len(world["one"].bodies) == 2
    calls = world.calls(80)
    assert {call["response_model"] for call in calls if call["arm"] == "new"} == {"new"}
    assert {call["response_model"] for call in calls if call["arm"] == "old"} == {"old"}


def test_answers_are_kept_without_routes_too(world: World) -> None:
    world.start("traffic: {cache: {models: ['*'], answers: all}}\n", names=("one",))
    assert world.say() == "I am one." and world.say() == "I am one."
    assert len(world["one"].bodies) == 1


def test_a_redacted_answer_is_not_kept(world: World) -> None:
    world.start(route(extra=CACHED), policy=GUARDED)
    world["one"].text = f"The key is {SECRET} indeed."
    for _ in range(2):
        assert SECRET not in world.say(temperature=0)
    assert len(world["one"].bodies) == 2


def test_a_kept_answer_is_judged_by_the_rules_of_now(world: World) -> None:
    world.start(route(extra=CACHED))
    assert world.say(temperature=0) == world.say(temperature=0) == "I am one."
    world["one"].text = "I have changed."
    (world.gateway.folder / "policy.yaml").write_text(GUARDED)
    assert world.gateway.process
    world.gateway.process.send_signal(1)
    wait_for(lambda: "reload.done" in world.gateway.log.read_text(), 60, "the reload")
    assert world.say(temperature=0) == "I have changed."


def test_a_kept_answer_is_for_nobody_else(world: World) -> None:
    world.start(route(extra=CACHED))
    other = "aispm-test-" + "o" * 32
    with (world.gateway.folder / "keys.yaml").open("a") as keys:
        keys.write(f"  - sha256: {hashlib.sha256(other.encode()).hexdigest()}\n    agent: tests/other\n")
    assert world.gateway.process
    world.gateway.process.send_signal(1)
    wait_for(lambda: "reload.done" in world.gateway.log.read_text(), 60, "the reload")
    assert world.say(temperature=0) == "I am one."
    client = world.client().with_options(api_key=other)
    raw = world.ask(client, temperature=0)
    assert "x-aispm-cache" not in raw.headers and len(world["one"].bodies) == 2
