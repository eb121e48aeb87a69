# SPDX-License-Identifier: Apache-2.0
"""May this tool be called? `check_tool_call()` asks, `@protect` asks before each call of a function.

Who answers: libaispm within this process where AISPM_POLICY_BUNDLE names a bundle, and the gateway where AISPM_GATEWAY_URL
names one; with both the stricter answer stands. What the library says is advice, because code of this process could leave it
out; gateway, sandbox and kernel enforce. Without either, no call is allowed.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast, overload

from aispm import _library, plugins
from aispm._gateway import Gateway
from aispm.errors import ApprovalRequired, GatewayUnavailable, NotConfigured, PermissionDenied
from aispm.plugins import Call, Decision

_PATH = "/aispm/v1/decide"
_TIMEOUT_SECONDS = 30.0
_WAITING = frozenset({"require_approval", "step_up", "require_ticket", "require_human"})

Function = TypeVar("Function", bound=Callable[..., Any])


def check_tool_call(
    tool: str,
    arguments: Mapping[str, Any] | None = None,
    *,
    provider: str = "",
    destination: str = "",
    labels: Sequence[str] = (),
    ticket: str = "",
    step_up: str = "",
    wait: bool = False,
    timeout: float = _TIMEOUT_SECONDS,
) -> Decision:
    """Asks whether `tool` may be called with `arguments`, and gives the decision when it may.

    `provider` is the tool's MCP server, `destination` where data goes, `labels` classes of data in the arguments ("PII"). With
    `wait` the answer is held until somebody has decided; `timeout` is in seconds and must then be long enough for a person.

    Raises `PermissionDenied` when policy says no or nobody can be asked, `ApprovalRequired` while somebody must agree first,
    `GatewayUnavailable` and `GatewayError` when no answer came, ValueError for arguments that JSON cannot hold. Whatever is
    raised, do not call the tool. Any thread.
    """
    call = Call(tool, dict(arguments or {}), provider, destination, tuple(labels))
    return _judge(call, ticket=ticket, step_up=step_up, wait=wait, timeout=timeout)


def _judge(call: Call, *, ticket: str = "", step_up: str = "", wait: bool, timeout: float) -> Decision:
    """The decision of plug-ins and policy, when it lets the call happen."""
    decision = plugins.decide(call, lambda asked: _ask(asked, ticket, step_up, wait, timeout))
    if decision.allowed:
        return decision
    kind = ApprovalRequired if decision.outcome in _WAITING else PermissionDenied
    raise kind(call.tool, decision)


def _ask(call: Call, ticket: str, step_up: str, wait: bool, timeout: float) -> Decision:
    action: dict[str, Any] = {"tool": call.tool, "arguments": call.arguments}
    if call.provider:
        action["tool_provider"] = call.provider
    if call.destination:
        action["destination"] = call.destination
    if call.labels:
        action["labels"] = list(call.labels)
    decision = _ask_library(action)
    has_gateway = bool(os.environ.get("AISPM_GATEWAY_URL"))
    if decision is None and not has_gateway:
        raise NotConfigured("nobody can say whether the tool may be called: set AISPM_GATEWAY_URL (as aispm-run does) "
                            "or AISPM_POLICY_BUNDLE")
    # What the library denies stays denied and the gateway is told of it. All else the gateway decides, too: it records its
    # decisions, and only there an approval can be given.
    if decision is None or (has_gateway and (decision.allowed or decision.outcome in _WAITING)):
        if ticket:
            action["ticket"] = ticket
        if step_up:
            action["step_up"] = step_up
        if wait:
            action["wait"] = True
        decision = _ask_gateway(action, timeout)
    return decision


@overload
def protect(function: Function, /) -> Function: ...


@overload
def protect(*, tool: str = ..., provider: str = ..., destination: str = ..., labels: Sequence[str] = ..., wait: bool = ...,
            timeout: float = ...) -> Callable[[Function], Function]: ...


def protect(
    function: Function | None = None,
    /,
    *,
    tool: str = "",
    provider: str = "",
    destination: str = "",
    labels: Sequence[str] = (),
    wait: bool = False,
    timeout: float = _TIMEOUT_SECONDS,
) -> Function | Callable[[Function], Function]:
    """Asks policy before each call of a function or coroutine function: `@protect` or `@protect(tool="mail.send")`.

    The tool is called as the function unless `tool` names it; arguments are judged under the names of its parameters, and those
    that policy changed are passed instead. Raises what `check_tool_call()` raises, TypeError where `**kwargs` hold a name that
    stands for another argument, too, and then the function was not called.
    """

    def decorate(wrapped: Function) -> Function:
        signature = inspect.signature(wrapped)
        name = tool or wrapped.__name__

        def ask(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[inspect.BoundArguments, Call, Decision]:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            call = Call(name, _shown(signature, bound), provider, destination, tuple(labels))
            decision = _judge(call, wait=wait, timeout=timeout)
            if decision.arguments is not None:
                _change(signature, bound, decision.arguments)
            return bound, call, decision

        if inspect.iscoroutinefunction(wrapped):

            @functools.wraps(wrapped)
            async def later(*args: Any, **kwargs: Any) -> Any:
                loop = asyncio.get_running_loop()
                bound, call, decision = await loop.run_in_executor(None, ask, args, kwargs)
                try:
                    result = await wrapped(*bound.args, **bound.kwargs)
                except BaseException as error:
                    plugins.after_execution(call, decision, error)
                    raise
                await loop.run_in_executor(None, plugins.after_execution, call, decision, None)
                return result

            return cast("Function", later)

        @functools.wraps(wrapped)
        def now(*args: Any, **kwargs: Any) -> Any:
            bound, call, decision = ask(args, kwargs)
            try:
                result = wrapped(*bound.args, **bound.kwargs)
            except BaseException as error:
                plugins.after_execution(call, decision, error)
                raise
            plugins.after_execution(call, decision, None)
            return result

        return cast("Function", now)

    return decorate if function is None else decorate(function)


def _shown(signature: inspect.Signature, bound: inspect.BoundArguments) -> dict[str, Any]:
    """Arguments by name, without the object of a method; `**kwargs` as if they were parameters.

    Raises TypeError where one of them has the name of a parameter (`def read(path, /, **more)`): policy would see only one.
    """
    shown: dict[str, Any] = {}
    for place, (name, value) in enumerate(bound.arguments.items()):
        kind = signature.parameters[name].kind
        if place == 0 and name in ("self", "cls"):
            continue
        if kind is inspect.Parameter.VAR_KEYWORD:
            twice = sorted(shown.keys() & value.keys())
            if twice:
                raise TypeError(f"argument {twice[0]!r} is given twice, by place and by name: policy could see only one of them; "
                                "rename the parameter of the protected function")
            shown.update(value)
        else:
            shown[name] = list(value) if kind is inspect.Parameter.VAR_POSITIONAL else value
    return shown


def _change(signature: inspect.Signature, bound: inspect.BoundArguments, changed: Mapping[str, Any]) -> None:
    """Puts in what policy changed. Nothing may be added, and no parameter kept as it was by leaving it out."""
    shown = _shown(signature, bound)
    if set(changed) != set(shown):
        raise GatewayUnavailable("the gateway changed which arguments there are; the function was not called")
    for name in list(bound.arguments):
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            bound.arguments[name] = {key: changed[key] for key in bound.arguments[name]}
        elif name in changed:
            bound.arguments[name] = tuple(changed[name]) if kind is inspect.Parameter.VAR_POSITIONAL else changed[name]


def _ask_library(action: Mapping[str, Any]) -> Decision | None:
    """None where no bundle is named."""
    folder = os.environ.get("AISPM_POLICY_BUNDLE", "")
    if not folder:
        return None
    answer = _library.policy_of(folder, os.environ.get("AISPM_POLICY_KEY", ""),
                                 os.environ.get("AISPM_POLICY_REGISTRY", "")).decide(json.dumps(action, allow_nan=False))
    outcome = _word(answer, "outcome")
    # A redaction needs the detection engine, which only the gateway has.
    return Decision(outcome, outcome == "allow", _word(answer, "rule"), _word(answer, "reason"), "library",
                    _word(answer, "policy_version"), _word(answer, "approver_role"))


def _ask_gateway(action: Mapping[str, Any], timeout: float) -> Decision:
    with Gateway.from_environment().post(_PATH, action, {}, timeout) as reply:
        answer = reply.json()
    outcome, allowed, changed = answer.get("outcome"), answer.get("allowed"), answer.get("arguments")
    if not isinstance(outcome, str) or not isinstance(allowed, bool) or not (changed is None or isinstance(changed, dict)):
        raise GatewayUnavailable("the gateway's answer is no decision")
    inputs = answer.get("inputs")
    return Decision(outcome, allowed, _word(answer, "rule"), _word(answer, "reason"), "gateway",
                    _word(answer, "policy_version"), _word(answer, "approver_role"), _word(answer, "approval_id"),
                    _word(answer, "link"), _word(answer, "result"), changed,
                    tuple(str(one) for one in inputs) if isinstance(inputs, list) else ())


def _word(answer: Mapping[str, Any], key: str) -> str:
    value = answer.get(key)
    return value if isinstance(value, str) else ""
