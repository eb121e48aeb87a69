# SPDX-License-Identifier: Apache-2.0
"""Plug-ins beside policy: what a program wants to check, add or be told of when its tools are called.

Five phases, in this order, each over all plug-ins in the order in which they were added:

    before_check     what is known of the call: classes of data to add
    evaluate         a word of one's own: it can refuse, never allow what policy refuses
    after_decision   the decision, before anybody acts on it
    callbacks        `on(outcome, ...)`: for those who are interested in one outcome only
    after_execution  what became of the call (under `@protect` only: elsewhere nobody knows)

Whatever a plug-in raises is a denial, by the rule `plugin.NAME`, and is recorded in the agent's session. What a plug-in
raises after the call withholds the result.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NoReturn, TypeVar

from aispm._events import log
from aispm.errors import PermissionDenied

Callback = Callable[["Call", "Decision"], None]
Result = TypeVar("Result")

_MAX_PLUGINS = 64

_lock = threading.Lock()  # guards changes of the next two; both are replaced, never changed
_plugins: tuple[Plugin, ...] = ()
_callbacks: tuple[tuple[str, Callback], ...] = ()


@dataclass(frozen=True)
class Decision:
    """What policy said of one call.

    `outcome` is policy's word; `arguments` are those to go on with where policy changed them (without secrets), else None;
    `inputs` is what the decision rests on; `source` is who answered, "gateway", "library" or "plugin".
    """

    outcome: str
    allowed: bool
    rule: str
    reason: str
    source: str
    policy_version: str = ""
    approver_role: str = ""
    approval_id: str = ""
    link: str = ""
    result: str = ""
    arguments: Mapping[str, Any] | None = None
    inputs: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True)
class Call:
    """One call of a tool, as policy is asked about it."""

    tool: str
    arguments: Mapping[str, Any]
    provider: str = ""
    destination: str = ""
    labels: tuple[str, ...] = ()


class Plugin:
    """Override what is wanted. Any thread may call, also several at once."""

    @property
    def name(self) -> str:
        """Stands in the rule of its denials."""
        return type(self).__name__

    def before_check(self, call: Call) -> Iterable[str]:
        """Classes of data in the arguments, such as "PII", beside those that the caller named."""
        return ()

    def evaluate(self, call: Call) -> str | None:
        """Why the tool must not be called; None: nothing stands against it."""
        return None

    def after_decision(self, call: Call, decision: Decision) -> None:
        """The decision of policy and all plug-ins."""

    def after_execution(self, call: Call, decision: Decision, error: BaseException | None) -> None:
        """The tool has returned, or raised `error`."""


def add_plugin(plugin: Plugin) -> None:
    """Asked from the next call on. Raises ValueError for more than 64."""
    global _plugins  # noqa: PLW0603 - those of the process
    with _lock:
        if len(_plugins) >= _MAX_PLUGINS:
            raise ValueError(f"at most {_MAX_PLUGINS} plug-ins")
        _plugins = (*_plugins, plugin)


def remove_plugin(plugin: Plugin) -> None:
    """Asked no longer. Raises ValueError for one that was never added."""
    global _plugins  # noqa: PLW0603 - those of the process
    with _lock:
        if plugin not in _plugins:
            raise ValueError("no such plug-in")
        _plugins = tuple(one for one in _plugins if one is not plugin)


def on(outcome: str, callback: Callback) -> Callable[[], None]:
    """Calls `callback` for every decision with this outcome ("deny", "require_approval", ...), before anybody acts on it.

    Gives a function that ends that.
    """
    global _callbacks  # noqa: PLW0603 - those of the process
    entry = (outcome, callback)
    with _lock:
        _callbacks = (*_callbacks, entry)

    def off() -> None:
        global _callbacks  # noqa: PLW0603 - those of the process
        with _lock:
            _callbacks = tuple(one for one in _callbacks if one is not entry)

    return off


def decide(call: Call, ask: Callable[[Call], Decision]) -> Decision:
    """The first four phases around `ask`, which is policy. Raises what `ask` raises, PermissionDenied for plug-ins."""
    plugins = _plugins
    for plugin in plugins:
        added = _run(plugin, call, "before_check", partial(_labels_of, plugin, call))
        call = Call(call.tool, call.arguments, call.provider, call.destination, tuple(dict.fromkeys((*call.labels, *added))))
    for plugin in plugins:
        against = _run(plugin, call, "evaluate", partial(plugin.evaluate, call))
        if against is not None:
            return _tell(plugins, call, Decision("deny", False, f"plugin.{plugin.name}", str(against), "plugin"))
    return _tell(plugins, call, ask(call))


def after_execution(call: Call, decision: Decision, error: BaseException | None) -> None:
    """The fifth phase. Raises PermissionDenied where a plug-in raises: then the result must not be used."""
    for plugin in _plugins:
        _run(plugin, call, "after_execution", partial(plugin.after_execution, call, decision, error))


def _tell(plugins: Sequence[Plugin], call: Call, decision: Decision) -> Decision:
    for plugin in plugins:
        _run(plugin, call, "after_decision", partial(plugin.after_decision, call, decision))
    for outcome, callback in _callbacks:
        if outcome == decision.outcome:
            _run(callback, call, "callback", partial(callback, call, decision))
    if decision.source != "gateway":
        _record(call, decision)
    return decision


def _labels_of(plugin: Plugin, call: Call) -> tuple[str, ...]:
    return tuple(plugin.before_check(call))


def _run(whose: Plugin | Callback, call: Call, phase: str, step: Callable[[], Result]) -> Result:
    try:
        return step()
    except Exception as problem:  # noqa: BLE001 - whatever it is, nobody checked this call
        _deny(whose, call, phase, problem)


def _deny(whose: Plugin | Callback, call: Call, phase: str, problem: Exception) -> NoReturn:
    name = whose.name if isinstance(whose, Plugin) else getattr(whose, "__name__", type(whose).__name__)
    decision = Decision("deny", False, f"plugin.{name}", f"{phase} failed: {type(problem).__name__}: {problem}", "plugin")
    _record(call, decision)
    raise PermissionDenied(call.tool, decision) from problem


def _record(call: Call, decision: Decision) -> None:
    """A decision that was made in this process: the gateway records those that it makes itself.

    It is told of what was not allowed here; what the library allows it is asked about, too. Without a gateway nobody keeps
    records, and the decision is a line of the logger "aispm".
    """
    if not os.environ.get("AISPM_GATEWAY_URL"):
        logging.getLogger("aispm").log(logging.INFO if decision.allowed else logging.WARNING, "tool %s: %s by rule %s: %s",
                                       call.tool, decision.outcome, decision.rule, decision.reason[:1024])
    elif not decision.allowed:
        who = "a plug-in" if decision.source == "plugin" else "libaispm"
        log(f"{who} did not allow a tool call", "warning", outcome=decision.outcome.upper(), tool=call.tool, rule=decision.rule,
            reason=decision.reason[:1024])
