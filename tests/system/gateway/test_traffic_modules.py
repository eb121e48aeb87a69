# SPDX-License-Identifier: Apache-2.0
"""Rego modules about where a request goes are asked for each candidate of a route, and for its shadow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openai
import pytest
from routing import TWO, World, route
from routing import world  # noqa: F401

MAIL = "john.roe@example.com"
ALLOW = '{"outcome": "allow", "rule": "any", "reason": "anybody may"}'


def module(name: str, outcome: str, when: str) -> str:
    return (f"package aispm.{name}\n\nimport rego.v1\n\ndefault decision := {ALLOW}\n\n"
            f'decision := {{"outcome": "{outcome}", "rule": "{name}.test", "reason": "not there"}} if {when}\n')


def bundle(folder: Path, *modules: tuple[str, str, str]) -> str:
    """Of rules that allow everything, and these modules: name, outcome, when."""
    files = {"actions.yaml": "defaults: {outcome: allow}\nrules: []\n"}
    files |= {f"rego/{name}.rego": module(name, outcome, when) for name, outcome, when in modules}
    (folder / "bundle" / "rego").mkdir(parents=True)
    for path in (folder / "bundle", folder / "bundle" / "rego"):
        path.chmod(0o700)
    for name, text in files.items():
        (folder / "bundle" / name).write_text(text)
        (folder / "bundle" / name).chmod(0o600)
    return f"bundle: {{folder: {folder}/bundle}}\n"


def refused(world: World, text: str = "hello") -> str:
    with pytest.raises(openai.APIStatusError) as error:
        world.say(text=text)
    return error.value.message


ELSEWHERE = ("egress", "deny", 'input.egress.host == "localhost"')
SMALL = 'input.model == "small"'
BIG_AND_SMALL = "    providers: [{provider: one, model: big}, {provider: two, model: small}]\n"


def test_a_fallback_of_the_same_kind_is_another_host(world: World, tmp_path: Path) -> None:
    world.start(route("    providers: [{provider: one}, {provider: two}, {provider: three}]\n") + bundle(tmp_path, ELSEWHERE),
                names=("one", "two", "three"), elsewhere=("two",))
    assert world.say() == "I am one."
    world["one"].mode = 503
    assert world.say() == "I am three."
    assert not world["two"].bodies
    failed = world.calls(2)[1]["failed_attempts"]
    assert failed[1].startswith("two: ") and "egress.test" in failed[1], failed


def test_a_fallback_where_nothing_may_go_gets_nothing(world: World, tmp_path: Path) -> None:
    world.start(route() + bundle(tmp_path, ELSEWHERE), elsewhere=("two",))
    world["one"].mode = 503
    refused(world)
    assert world["one"].bodies and not world["two"].bodies


def test_what_one_candidate_was_denied_the_next_of_its_kind_is_denied_too(world: World, tmp_path: Path) -> None:
    candidates = BIG_AND_SMALL.replace("]", ", {provider: three, model: small}, {provider: two, model: small, name: again}]")
    world.start(route(candidates) + bundle(tmp_path, ("prompt", "deny", SMALL)), names=("one", "two", "three"))
    world["one"].mode = 503
    refused(world)
    assert not world["two"].bodies and not world["three"].bodies


def test_personal_data_is_cut_out_for_the_fallback_that_may_not_have_it(world: World, tmp_path: Path) -> None:
    world.start(route(BIG_AND_SMALL.replace("]", ", {provider: three, model: big}]")) + bundle(tmp_path, ("pii", "redact", SMALL)),
                names=("one", "two", "three"))
    text = f"Please write to {MAIL} about it"
    assert world.say(text=text) == "I am one."
    world["one"].mode = 503
    assert world.say(text=text) == "I am two."
    sent = json.dumps(world["two"].bodies)
    assert MAIL not in sent and "about it" in sent, sent
    world["two"].mode = 503
    assert world.say(text=text) == "I am three."
    assert [MAIL in json.dumps(world[name].bodies) for name in ("one", "two", "three")] == [True, False, True]


def test_personal_data_that_may_not_stand_together_stops_the_request(world: World, tmp_path: Path) -> None:
    world.start(route() + bundle(tmp_path, ("pii", "redact", "count(input.pii) > 1")))
    assert world.say(text=f"Please write to {MAIL} about it") == "I am one."
    # Of each kind alone nothing was cut out, so nothing is left but to keep both here.
    assert "pii.test" in refused(world, f"Please write to {MAIL} about card 4111 1111 1111 1111")
    assert len(world["one"].bodies) == 1


SHADOWED = "    providers: [{provider: one, model: big}]\n    shadow: {provider: two, model: small}\n"


def ask_with_documents(world: World) -> str:
    asked: list[Any] = [{"role": "user", "content": f"What is known of {MAIL}?"},
                        {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "search_documents", "arguments": "{}"}}]},
                        {"role": "tool", "tool_call_id": "c1", "content": "A page of the handbook"}]
    return str(world.client().chat.completions.create(model="m", messages=asked).choices[0].message.content)


@pytest.mark.parametrize(("name", "outcome", "when"), [
    ELSEWHERE, ("model", "deny", 'input.model.name == "small"'), ("model", "require_approval", 'input.model.name == "small"'),
    ("retrieval", "deny", SMALL), ("pii", "deny", SMALL), ("pii", "redact", SMALL)])
def test_what_a_module_keeps_from_it_no_shadow_gets(world: World, tmp_path: Path, name: str, outcome: str, when: str) -> None:
    world.start(route(SHADOWED) + bundle(tmp_path, (name, outcome, when)), elsewhere=("two",))
    assert ask_with_documents(world) == "I am one."
    assert world.counter("shadows_skipped", 1)["shadows"] == 0
    assert not world["two"].bodies


def test_a_shadow_of_the_same_kind_is_another_host(world: World, tmp_path: Path) -> None:
    world.start(route(TWO.replace(", {provider: two}", "") + "    shadow: {provider: two}\n") + bundle(tmp_path, ELSEWHERE), elsewhere=("two",))
    assert world.say() == "I am one."
    assert world.counter("shadows_skipped", 1)["shadows"] == 0
    assert not world["two"].bodies


def test_a_shadow_that_modules_allow_gets_what_the_other_got(world: World, tmp_path: Path) -> None:
    never = 'input.model == "neither"'
    modules = [(name, "deny", never) for name in ("egress", "model", "retrieval", "prompt")]
    world.start(route(SHADOWED) + bundle(tmp_path, *modules, ("pii", "redact", 'input.direction == "request"')))
    assert ask_with_documents(world) == "I am one."
    assert world.counter("shadows", 1)["shadows_skipped"] == 0
    assert [body["messages"] for body in world["two"].bodies] == [body["messages"] for body in world["one"].bodies]
    assert MAIL not in json.dumps(world["two"].bodies)
