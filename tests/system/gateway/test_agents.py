# SPDX-License-Identifier: Apache-2.0
"""POL-014 028 029, MCP-008: the bundle says who agents are and what of a reply may leave; tasks are handed on by signed tokens."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from conftest import KEY, ROOT, SECRET, Certificate, Gateway, Provider
from test_decide import decide, make_token, start, write_private

RULES = "defaults: {mode: enforce, store_text: false, fail: closed}\nrules: []\n"
ACTIONS = """
rules:
  - {id: admins, match: {tool: admin, roles: [admin]}, outcome: allow}
  - {id: writers, match: {tool: [write, mail.send], roles: [writer]}, outcome: allow}
  - {id: reads, match: {tool: read}, outcome: allow}
"""
TOOLS = "require_registration: false\nbuiltin: false\nintents: {send mail: [mail.send]}\n"


def make_key(folder: Path, name: str) -> Path:
    key = folder / f"{name}.key"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True, capture_output=True)
    return key


def public(key: Path) -> str:
    found = subprocess.run(["openssl", "pkey", "-in", key, "-pubout"], check=True, capture_output=True, text=True).stdout
    return json.dumps(found)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("keys")
    return {name: make_key(folder, name) for name in ("planner", "reader", "stranger")}


@pytest.fixture(scope="module")
def world(provider: Provider, certificate: Certificate, keys: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("agents")
    bundle = folder / "bundle"
    (bundle / "rego").mkdir(parents=True, mode=0o700)
    bundle.chmod(0o700)
    write_private(bundle / "actions.yaml", ACTIONS)
    write_private(bundle / "tools.yaml", TOOLS)
    write_private(bundle / "agents.yaml",
                  "max_delegation: 1\nagents:\n  - {agent: tests/agent, roles: [writer], trust: basic}\n"
                  f"  - {{agent: team/planner, roles: [writer, admin], trust: verified, key: {public(keys['planner'])}}}\n"
                  f"  - {{agent: team/reader, roles: [reader], trust: verified, key: {public(keys['reader'])}}}\n")
    write_private(bundle / "rego" / "output.rego", (ROOT / "policies" / "rego" / "output.rego").read_text())
    running = Gateway(folder)
    start(running, running.configure(
        provider.port, certificate.cert,
        f"bundle: {{folder: {bundle}}}\nagents:\n  - {{agent: 'tests/*', roles: [admin], trust: system}}\n", policy=RULES))
    yield running
    assert running.stop() == 0, running.log.read_text()


def token(keys: dict[str, Path], by: str, to: str, **more: object) -> str:
    return make_token(keys[by], iss=f"team/{by}", sub=to, aud="aispm-delegation", exp=int(time.time()) + 600, **more)


def asked(world: Gateway, tool: str, delegation: str = "", **body: object) -> dict[str, object]:
    return decide(world, tool, headers={"x-aispm-delegation": delegation} if delegation else {}, **body)


def test_the_registry_of_the_bundle_wins(world: Gateway) -> None:
    assert asked(world, "write")["outcome"] == "allow"
    assert asked(world, "admin")["outcome"] == "deny"  # gateway.yaml says otherwise


def test_a_task_gives_no_more_rights_than_who_handed_it_on_has(world: Gateway, keys: dict[str, Path]) -> None:
    planned = token(keys, "planner", "tests/agent")
    assert asked(world, "write", planned)["outcome"] == "allow"
    assert asked(world, "admin", planned)["outcome"] == "deny"  # the planner's role is not the agent's
    assert asked(world, "write", token(keys, "reader", "tests/agent"))["outcome"] == "deny"  # the reader may not write
    assert "delegation=1" in asked(world, "write", planned)["inputs"]  # type: ignore[operator]


@pytest.mark.parametrize("case", ["deep", "forged", "others", "old", "nonsense"])
def test_what_proves_nothing_is_refused(world: Gateway, keys: dict[str, Path], case: str) -> None:
    shown, why = {
        "deep": (token(keys, "planner", "team/reader") + "," + token(keys, "reader", "tests/agent"), "more than 1 times"),
        "forged": (make_token(keys["stranger"], iss="team/planner", sub="tests/agent", aud="aispm-delegation", exp=int(time.time()) + 60),
                   "not signed"),
        "others": (token(keys, "planner", "team/reader"), "not for tests/agent"),
        "old": (make_token(keys["planner"], iss="team/planner", sub="tests/agent", aud="aispm-delegation", exp=1), "expired"),
        "nonsense": ("x", "no key is registered"),
    }[case]
    answer = asked(world, "read", shown)
    assert (answer["outcome"], answer["rule"]) == ("deny", "agent.delegation")
    assert why in str(answer["reason"])
    client = openai.OpenAI(base_url=world.url + "/v1", api_key=KEY, max_retries=0, default_headers={"x-aispm-delegation": shown})
    with pytest.raises(openai.BadRequestError, match="agent.delegation"):
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hello"}])


def test_an_intent_takes_tools_away(world: Gateway, keys: dict[str, Path]) -> None:
    assert asked(world, "mail.send", intent="send mail")["outcome"] == "allow"
    assert asked(world, "write", intent="send mail")["rule"] == "tools.intent"
    handed = token(keys, "planner", "tests/agent", intent="send mail")
    assert asked(world, "write", handed)["rule"] == "tools.intent"
    assert asked(world, "write", handed, intent="anything")["rule"] == "agent.intent"


def ask(world: Gateway, text: str, stream: bool) -> str:
    client = openai.OpenAI(base_url=world.url + "/v1", api_key=KEY, max_retries=0)
    messages = [{"role": "user", "content": text}]
    if not stream:
        return client.chat.completions.create(model="m", messages=messages).choices[0].message.content or ""  # type: ignore[arg-type]
    return "".join(choice.delta.content or "" for event in client.chat.completions.create(model="m", messages=messages, stream=True)  # type: ignore[arg-type]
                   for choice in event.choices)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_output_module_judges_replies(world: Gateway, provider: Provider, stream: bool) -> None:
    if stream:
        said = ask(world, "emit secret split=3", True)
        assert (SECRET[:8] in said, "output.secret" in said) == (False, True)
    else:
        with pytest.raises(openai.BadRequestError, match=r"output\.secret"):
            ask(world, "emit secret", False)
    address = "jane.doe@" + "example.com"
    said = ask(world, f'split=3 say "write to {address} today"', stream)
    assert (address in said, "write to" in said, "today" in said) == (False, True, True)
    assert provider.seen()[-1]["path"] == "/v1/chat/completions"
