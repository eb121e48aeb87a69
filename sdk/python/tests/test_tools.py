# SPDX-License-Identifier: Apache-2.0
"""`check_tool_call()` and `@protect`: what policy does not allow is not called, whoever answers."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from fake_gateway import FakeGateway

import aispm

ALLOWED = {"outcome": "allow", "allowed": True, "rule": "r1", "reason": "fine", "policy_version": "v", "inputs": ["tool=t"]}
DENIED = {"outcome": "deny", "allowed": False, "rule": "r2", "reason": "too much"}
WAITING = {"outcome": "require_approval", "allowed": False, "rule": "r3", "reason": "ask", "approval_id": "a1",
           "link": "https://x/a1", "approver_role": "finance"}
LIBRARY = Path(os.environ.get("AISPM_BUILD_DIR", "build/release")) / "lib" / "libaispm.so.0"


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle for the library, and no gateway."""
    if not LIBRARY.exists():
        pytest.skip(f"{LIBRARY} is not built")
    monkeypatch.delenv("AISPM_GATEWAY_URL", raising=False)
    monkeypatch.setenv("AISPM_LIBRARY", str(LIBRARY.resolve()))
    monkeypatch.setenv("AISPM_POLICY_BUNDLE", str(tmp_path))
    tmp_path.chmod(0o755)
    _write(tmp_path / "actions.yaml", """
defaults: {outcome: deny}
rules:
  - id: big
    match: {tool: refund}
    when: {tool_args_match: {amount: {gt: 1000}}}
    outcome: require_approval
    approver_role: finance
  - {id: small, match: {tool: refund}, outcome: allow}
""")
    return tmp_path


def _write(file: Path, text: str) -> None:
    file.write_text(text)
    file.chmod(0o644)


def test_asks_the_gateway_as_it_is_told(gateway: FakeGateway) -> None:
    gateway.say(ALLOWED)
    decision = aispm.check_tool_call("t", {"a": 1}, provider="p", destination="x.org", labels=["PII"], ticket="C-1",
                                     step_up="jwt", wait=True)
    assert gateway.requests[0].path == "/aispm/v1/decide"
    assert gateway.requests[0].headers["authorization"] == "Bearer aispm-key"
    assert gateway.requests[0].body == {"tool": "t", "arguments": {"a": 1}, "tool_provider": "p", "destination": "x.org",
                                        "labels": ["PII"], "ticket": "C-1", "step_up": "jwt", "wait": True}
    assert (decision.outcome, decision.rule, decision.source, decision.inputs) == ("allow", "r1", "gateway", ("tool=t",))
    aispm.check_tool_call("t")
    assert gateway.requests[1].body == {"tool": "t", "arguments": {}}


def test_a_denial_says_rule_and_reason(gateway: FakeGateway) -> None:
    gateway.say(DENIED)
    with pytest.raises(aispm.PermissionDenied, match="deny by rule r2: too much") as raised:
        aispm.check_tool_call("t")
    assert not isinstance(raised.value, aispm.ApprovalRequired)
    assert raised.value.decision.rule == "r2"


@pytest.mark.parametrize("outcome", ["require_approval", "step_up", "require_ticket", "require_human"])
def test_what_waits_for_somebody(gateway: FakeGateway, outcome: str) -> None:
    gateway.say({**WAITING, "outcome": outcome})
    with pytest.raises(aispm.ApprovalRequired) as raised:
        aispm.check_tool_call("t")
    assert (raised.value.decision.approval_id, raised.value.decision.link) == ("a1", "https://x/a1")


@pytest.mark.parametrize("outcome", ["rejected", "timeout", "kill_switch", "rate_limited", "unheard_of"])
def test_only_what_is_allowed_is_allowed(gateway: FakeGateway, outcome: str) -> None:
    gateway.say({**DENIED, "outcome": outcome})
    with pytest.raises(aispm.PermissionDenied):
        aispm.check_tool_call("t")


@pytest.mark.parametrize("answer", [{}, {"outcome": "allow"}, {"outcome": "allow", "allowed": "true"}, {"allowed": True},
                                    {"outcome": "allow", "allowed": True, "arguments": []}])
def test_an_answer_that_is_no_decision_allows_nothing(gateway: FakeGateway, answer: dict[str, Any]) -> None:
    gateway.say(answer)
    with pytest.raises(aispm.GatewayUnavailable):
        aispm.check_tool_call("t")


def test_without_anybody_to_ask_nothing_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AISPM_GATEWAY_URL", "AISPM_POLICY_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(aispm.NotConfigured, match="nobody can say"):
        aispm.check_tool_call("t")
    monkeypatch.setenv("AISPM_GATEWAY_URL", "http://127.0.0.1:1")
    with pytest.raises(aispm.GatewayUnavailable):
        aispm.check_tool_call("t")
    monkeypatch.setenv("AISPM_POLICY_BUNDLE", "/nowhere")
    monkeypatch.setenv("AISPM_LIBRARY", "/nowhere/libaispm.so")
    with pytest.raises(aispm.NotConfigured, match="libaispm"):
        aispm.check_tool_call("t")


def test_protect_asks_before_the_call(gateway: FakeGateway) -> None:
    called: list[tuple[Any, ...]] = []

    @aispm.protect(tool="mail.send", provider="mail")
    def send(to: str, *copies: str, subject: str = "none", **more: str) -> int:
        """Sends."""
        called.append((to, copies, subject, more))
        return 7

    gateway.say(ALLOWED)
    assert send("a", "b", "c", x="y") == 7
    assert send.__doc__ == "Sends."
    assert gateway.requests[0].body == {"tool": "mail.send", "tool_provider": "mail", "arguments": {
        "to": "a", "copies": ["b", "c"], "subject": "none", "x": "y"}}
    gateway.say(DENIED)
    with pytest.raises(aispm.PermissionDenied):
        send("a")
    assert called == [("a", ("b", "c"), "none", {"x": "y"})]


def test_no_argument_hides_behind_another_of_its_name(gateway: FakeGateway) -> None:
    called: list[str] = []

    @aispm.protect
    def read(path: str, /, *parts: str, **more: str) -> None:
        called.append(path)

    gateway.say(ALLOWED)
    with pytest.raises(TypeError, match="'path' is given twice"):
        read("/etc/shadow", path="/tmp/ok")
    with pytest.raises(TypeError, match="'parts' is given twice"):
        read("a", "b", parts="c")
    assert (called, gateway.requests) == ([], [])
    read("a", other="b")
    assert gateway.requests[0].body["arguments"] == {"path": "a", "parts": [], "other": "b"}
    assert called == ["a"]


def test_protect_passes_what_policy_changed(gateway: FakeGateway) -> None:
    class Desk:
        @aispm.protect
        def note(self, text: str, *, level: int = 1) -> str:
            return f"{text} {level}"

    gateway.say({**ALLOWED, "outcome": "redact", "arguments": {"text": "[REDACTED]", "level": 1}})
    assert Desk().note("sk-secret") == "[REDACTED] 1"
    assert gateway.requests[0].body == {"tool": "note", "arguments": {"text": "sk-secret", "level": 1}}
    for changed in ({"text": "x"}, {"text": "x", "level": 1, "more": 2}):
        gateway.say({**ALLOWED, "outcome": "redact", "arguments": changed})
        with pytest.raises(aispm.GatewayUnavailable):
            Desk().note("sk-secret")


def test_protect_and_coroutines(gateway: FakeGateway) -> None:
    called = []

    @aispm.protect
    async def fetch(url: str) -> str:
        called.append(url)
        return url

    gateway.say(ALLOWED)
    assert asyncio.run(fetch("u")) == "u"
    gateway.say(DENIED)
    with pytest.raises(aispm.PermissionDenied):
        asyncio.run(fetch("v"))
    assert called == ["u"]


def test_arguments_that_cannot_be_judged_call_nothing(gateway: FakeGateway) -> None:
    gateway.say(ALLOWED)
    with pytest.raises((TypeError, ValueError)):
        aispm.check_tool_call("t", {"x": object()})
    with pytest.raises(ValueError, match="JSON"):
        aispm.check_tool_call("t", {"x": float("nan")})
    assert not gateway.requests


def test_the_library_decides_in_process(bundle: Path) -> None:
    decision = aispm.check_tool_call("refund", {"amount": 1000})
    assert (decision.outcome, decision.rule, decision.source, len(decision.policy_version)) == ("allow", "small", "library", 64)
    with pytest.raises(aispm.ApprovalRequired) as raised:
        aispm.check_tool_call("refund", {"amount": 1001})
    assert (raised.value.decision.rule, raised.value.decision.approver_role) == ("big", "finance")
    with pytest.raises(aispm.PermissionDenied, match="by rule defaults: No rule matches"):
        aispm.check_tool_call("other")


def test_the_gateway_is_asked_where_somebody_must_agree(bundle: Path, gateway: FakeGateway) -> None:
    gateway.say(ALLOWED)
    assert aispm.check_tool_call("refund", {"amount": 5000}).source == "gateway"
    assert [r.path for r in gateway.requests] == ["/aispm/v1/decide"]


def test_the_stricter_of_library_and_gateway_stands_and_is_recorded(bundle: Path, gateway: FakeGateway) -> None:
    gateway.say(ALLOWED)
    assert aispm.check_tool_call("refund", {"amount": 5}).source == "gateway"
    gateway.say(DENIED)
    with pytest.raises(aispm.PermissionDenied, match="by rule r2"):
        aispm.check_tool_call("refund", {"amount": 5})
    assert [r.path for r in gateway.requests] == ["/aispm/v1/decide"] * 2
    gateway.say(ALLOWED)
    with pytest.raises(aispm.PermissionDenied, match="by rule defaults"):
        aispm.check_tool_call("other")
    told = gateway.requests[2]
    assert (len(gateway.requests), told.path) == (3, "/aispm/v1/agent-events")
    fields = told.body["events"][0]["agent_log"]["fields"]
    assert (fields["outcome"], fields["tool"], fields["rule"]) == ("DENY", "other", "defaults")


def test_a_gateway_that_is_away_allows_nothing_that_the_library_allows(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AISPM_GATEWAY_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AISPM_API_KEY", "aispm-key")
    with pytest.raises(aispm.GatewayUnavailable):
        aispm.check_tool_call("refund", {"amount": 5})


def test_without_a_gateway_decisions_are_lines_of_the_logger(bundle: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "aispm")
    aispm.check_tool_call("refund", {"amount": 5})
    with pytest.raises(aispm.PermissionDenied):
        aispm.check_tool_call("other")
    assert [(r.levelname, r.getMessage().split(":")[0]) for r in caplog.records] == [
        ("INFO", "tool refund"), ("WARNING", "tool other")]


def test_a_bundle_that_cannot_be_used_allows_nothing(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = bundle / "broken"
    broken.mkdir(mode=0o755)
    _write(broken / "actions.yaml", "rules:\n  - {id: a, outcome: perhaps}\n")
    monkeypatch.setenv("AISPM_POLICY_BUNDLE", str(broken))
    with pytest.raises(aispm.NotConfigured, match=r"actions\.yaml:2"):
        aispm.check_tool_call("refund")
    monkeypatch.setenv("AISPM_POLICY_BUNDLE", str(bundle))
    monkeypatch.setenv("AISPM_POLICY_KEY", str(bundle / "none.pub"))
    with pytest.raises(aispm.NotConfigured, match="AISPM_POLICY_KEY"):
        aispm.check_tool_call("refund")


def test_bundle_and_registry_are_signed_with_keys_of_their_own(bundle: Path, tmp_path_factory: pytest.TempPathFactory,
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    program = LIBRARY.resolve().parents[1] / "bin" / "aispm"
    if not program.exists():
        pytest.skip(f"{program} is not built")
    keys, registry = tmp_path_factory.mktemp("keys"), tmp_path_factory.mktemp("registry")
    registry.chmod(0o755)
    _write(registry / "registry.yaml", "tools:\n  - {name: refund, blocked: true, reason: It lies}\n")
    for name, folder in (("release", bundle), ("registry", registry)):
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", keys / name], check=True, capture_output=True)
        subprocess.run(["openssl", "pkey", "-in", keys / name, "-pubout", "-out", keys / f"{name}.pub"], check=True)
        (keys / name).chmod(0o600)
        subprocess.run([program, "policy", "sign", folder, "--key", keys / name], check=True, capture_output=True)
    monkeypatch.setenv("AISPM_POLICY_REGISTRY", str(registry))
    monkeypatch.setenv("AISPM_POLICY_KEY", f"{keys}/release.pub:{keys}/registry.pub")
    with pytest.raises(aispm.PermissionDenied, match="It lies"):
        aispm.check_tool_call("refund", {"amount": 5})
    monkeypatch.setenv("AISPM_POLICY_KEY", f"{keys}/release.pub")
    with pytest.raises(aispm.NotConfigured, match=f"AISPM_POLICY_REGISTRY.*{registry}"):
        aispm.check_tool_call("refund", {"amount": 5})
    monkeypatch.setenv("AISPM_POLICY_KEY", f"{keys}/registry.pub")
    with pytest.raises(aispm.NotConfigured, match="AISPM_POLICY_BUNDLE"):
        aispm.check_tool_call("refund", {"amount": 5})
    for empty in (":", f"{keys}/release.pub:", f":{keys}/release.pub"):
        monkeypatch.setenv("AISPM_POLICY_KEY", empty)
        with pytest.raises(aispm.NotConfigured, match="AISPM_POLICY_KEY"):
            aispm.check_tool_call("refund", {"amount": 5})


def test_protect_by_the_library(bundle: Path) -> None:
    paid: list[float] = []

    @aispm.protect(tool="refund")
    def pay(amount: float) -> None:
        paid.append(amount)

    pay(10)
    with pytest.raises(aispm.ApprovalRequired):
        pay(amount=1000.5)
    assert paid == [10]


def test_surrogates_and_deep_arguments_do_not_pass(bundle: Path) -> None:
    deep: dict[str, Any] = {}
    for _ in range(30):
        deep = {"x": deep}
    with pytest.raises(aispm.PermissionDenied, match="unreadable"):
        aispm.check_tool_call("refund", deep)
    with pytest.raises(aispm.PermissionDenied, match="unreadable"):
        aispm.check_tool_call("refund", {"x": "\ud800"})
    assert json.dumps("\ud800").isascii()
