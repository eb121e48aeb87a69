# SPDX-License-Identifier: Apache-2.0
"""Plug-ins around policy (POL-009): five phases, in order, and whatever one of them raises is a denial that is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from fake_gateway import FakeGateway

import aispm

ALLOWED = {"outcome": "allow", "allowed": True, "rule": "r1", "reason": "fine"}
DENIED = {"outcome": "deny", "allowed": False, "rule": "r2", "reason": "too much"}


class Witness(aispm.Plugin):
    """Notes its phases; raises in `fails`."""

    def __init__(self, notes: list[str], fails: str = "", against: str | None = None) -> None:
        self.notes, self.fails, self.against = notes, fails, against

    def _note(self, phase: str, more: str = "") -> None:
        self.notes.append(phase + more)
        if phase == self.fails:
            raise RuntimeError("out of order")

    def before_check(self, call: aispm.Call) -> Iterable[str]:
        self._note("before_check")
        return ["PII"]

    def evaluate(self, call: aispm.Call) -> str | None:
        self._note("evaluate")
        return self.against

    def after_decision(self, call: aispm.Call, decision: aispm.Decision) -> None:
        self._note("after_decision")

    def after_execution(self, call: aispm.Call, decision: aispm.Decision, error: BaseException | None) -> None:
        self._note("after_execution", f" {error}" if error else "")


@pytest.fixture
def added() -> Iterator[list[aispm.Plugin]]:
    """What is put in here by `use()` goes away again."""
    plugins: list[aispm.Plugin] = []
    yield plugins
    for plugin in plugins:
        aispm.remove_plugin(plugin)


def use(added: list[aispm.Plugin], plugin: aispm.Plugin) -> None:
    aispm.add_plugin(plugin)
    added.append(plugin)


def asked(gateway: FakeGateway) -> list[Any]:
    return [r.body for r in gateway.requests if r.path == "/aispm/v1/decide"]


def events(gateway: FakeGateway) -> list[Any]:
    return [e["agent_log"] for r in gateway.requests if r.path == "/aispm/v1/agent-events" for e in r.body["events"]]


def test_the_phases_come_in_order_and_policy_between_them(gateway: FakeGateway, added: list[aispm.Plugin]) -> None:
    notes: list[str] = []
    use(added, Witness(notes))
    off = aispm.on("allow", lambda call, decision: notes.append(f"callback {decision.rule} {call.labels}"))

    @aispm.protect
    def tool() -> int:
        notes.append("tool")
        return 7

    gateway.say(ALLOWED)
    assert tool() == 7
    off()
    assert notes == ["before_check", "evaluate", "after_decision", "callback r1 ('PII',)", "tool", "after_execution"]
    assert asked(gateway)[0]["labels"] == ["PII"]
    notes.clear()
    assert tool() == 7
    assert not any(note.startswith("callback") for note in notes)


@pytest.mark.parametrize("phase", ["before_check", "evaluate", "after_decision"])
def test_a_plugin_that_raises_denies_and_the_denial_is_an_event(gateway: FakeGateway, added: list[aispm.Plugin],
                                                                phase: str) -> None:
    use(added, Witness([], fails=phase))
    gateway.say(ALLOWED)
    called: list[int] = []
    with pytest.raises(aispm.PermissionDenied, match=f"deny by rule plugin.Witness: {phase} failed: RuntimeError"):
        aispm.protect(tool="t")(lambda: called.append(1))()
    assert called == []
    event = events(gateway)[-1]
    assert event["fields"]["outcome"] == "DENY"
    assert (event["fields"]["tool"], event["fields"]["rule"]) == ("t", "plugin.Witness")


def test_a_callback_that_raises_denies(gateway: FakeGateway) -> None:
    def breaks(call: aispm.Call, decision: aispm.Decision) -> None:
        raise KeyError("x")

    gateway.say(ALLOWED)
    off = aispm.on("allow", breaks)
    try:
        with pytest.raises(aispm.PermissionDenied, match="plugin.breaks: callback failed"):
            aispm.check_tool_call("t")
    finally:
        off()
    assert aispm.check_tool_call("t").allowed


def test_what_a_plugin_raises_afterwards_withholds_the_result(gateway: FakeGateway, added: list[aispm.Plugin]) -> None:
    use(added, Witness([], fails="after_execution"))
    gateway.say(ALLOWED)
    with pytest.raises(aispm.PermissionDenied, match="after_execution failed"):
        aispm.protect(tool="t")(lambda: "secret")()
    assert events(gateway)[-1]["fields"]["outcome"] == "DENY"


def test_a_plugin_refuses_and_policy_is_not_asked(gateway: FakeGateway, added: list[aispm.Plugin]) -> None:
    notes: list[str] = []
    use(added, Witness(notes, against="not on Sundays"))
    gateway.say(ALLOWED)
    with pytest.raises(aispm.PermissionDenied, match="plugin.Witness: not on Sundays"):
        aispm.check_tool_call("t")
    assert asked(gateway) == []
    assert notes == ["before_check", "evaluate", "after_decision"]
    assert events(gateway)[-1]["fields"]["reason"] == "not on Sundays"


def test_no_plugin_allows_what_policy_denies(gateway: FakeGateway, added: list[aispm.Plugin]) -> None:
    use(added, Witness([]))
    gateway.say(DENIED)
    with pytest.raises(aispm.PermissionDenied, match="by rule r2"):
        aispm.check_tool_call("t")
    assert events(gateway) == [], "the gateway records its own decisions"


def test_the_last_phase_hears_of_errors_and_serves_coroutines(gateway: FakeGateway, added: list[aispm.Plugin]) -> None:
    notes: list[str] = []
    use(added, Witness(notes))
    gateway.say(ALLOWED)

    @aispm.protect
    async def tool(fails: bool) -> int:
        if fails:
            raise ValueError("tool broke")
        return 7

    assert asyncio.run(tool(False)) == 7
    assert notes[-1] == "after_execution"
    with pytest.raises(ValueError, match="tool broke"):
        asyncio.run(tool(True))
    assert notes[-1] == "after_execution tool broke"


def test_their_number_is_limited_and_each_goes_once(added: list[aispm.Plugin]) -> None:
    plugin = aispm.Plugin()
    with pytest.raises(ValueError, match="no such"):
        aispm.remove_plugin(plugin)
    for _ in range(64):
        use(added, aispm.Plugin())
    with pytest.raises(ValueError, match="at most 64"):
        aispm.add_plugin(plugin)
