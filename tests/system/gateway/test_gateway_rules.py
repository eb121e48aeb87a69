# SPDX-License-Identifier: Apache-2.0
"""DET-031, DET-045, DET-060: rules of a tenant are given to a running gateway, by its operator only, and outlive it."""

from __future__ import annotations

import hashlib
import os
import resource
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import GATEWAY, KEY, Certificate, Gateway, Provider
from detecting import ask, start

AISPM = GATEWAY.parent / "aispm"
OTHER_KEY = "aispm-test-" + "o" * 32
POLICY = """
defaults: {mode: enforce, store_text: false, fail: closed}
rules:
  - {id: classes, match: {category: custom}, outcome: redact, reason: classes of ones own are cut out}
"""
pytestmark = pytest.mark.skipif(not AISPM.exists(), reason=f"{AISPM} is not built")


def pack(word: str, example: str = "") -> str:
    return (f"pack: own\ncategory: custom\nrules:\n  - {{id: custom.project, label: project, severity: high, confidence: 0.9,\n"
            f"     patterns: ['{word}'], message: m, hits: ['{example or word}'], misses: [m]}}\n")


def rules(gateway: Gateway, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [AISPM, "detect", "rules", words[0], "--socket", gateway.folder / "admin.sock", *words[1:]]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)


def run(folder: Path, provider: Provider, certificate: Certificate) -> Gateway:
    (folder / "state").mkdir(mode=0o700)
    (folder / "state" / "token").write_text("of-nobody." + "0" * 64 + "\n")
    extra = (f"admin: {{socket: {folder}/admin.sock, rules_folder: {folder}/given}}\n"
             f"report:\n  collector: 127.0.0.1:1\n  state_folder: {folder}/state\n  enrolment_token_file: {folder}/state/token\n")
    return start(folder, provider, certificate, POLICY, extra)


@pytest.fixture
def gateway(provider: Provider, certificate: Certificate, tmp_path: Path) -> Iterator[Gateway]:
    running = run(tmp_path, provider, certificate)
    assert running.stop() == 0
    # A second agent, whose key says that it is of a tenant.
    (tmp_path / "keys.yaml").write_text("keys:\n" + "".join(
        f"  - {{sha256: {hashlib.sha256(key.encode()).hexdigest()}, agent: tests/{tenant or 'agent'}, tenant: {tenant or 'everybody'}}}\n"
        for key, tenant in ((KEY, ""), (OTHER_KEY, "acme"))))
    running.start(tmp_path / "gateway.yaml")
    yield running
    assert running.stop() == 0, running.log.read_text()


def say(gateway: Gateway, words: str, key: str) -> str:
    import openai
    client = openai.OpenAI(base_url=gateway.url + "/v1", api_key=key, timeout=30, max_retries=0)
    return client.chat.completions.create(model="m", messages=[{"role": "user", "content": f'say "{words}"'}]).choices[0].message.content or ""


def test_rules_are_in_force_at_once_for_their_tenant_only_and_after_a_restart(gateway: Gateway) -> None:
    assert say(gateway, "project kingfisher", OTHER_KEY) == "project kingfisher"
    done = rules(gateway, "set", "acme", stdin=pack("kingfisher"))
    assert done.returncode == 0, done.stderr
    assert "acme: 1 rules of its own in force" in done.stdout
    assert say(gateway, "the kingfisher", OTHER_KEY) == "the [REDACTED:custom.project]"
    assert say(gateway, "the kingfisher", KEY) == "the kingfisher"
    assert rules(gateway, "show", "acme").stdout == pack("kingfisher")
    assert gateway.stop() == 0
    gateway.start(gateway.folder / "gateway.yaml")
    assert say(gateway, "again kingfisher", OTHER_KEY) == "again [REDACTED:custom.project]"
    assert "acme  1 rules" in rules(gateway, "list").stdout
    assert rules(gateway, "remove", "acme").returncode == 0
    assert say(gateway, "now kingfisher", OTHER_KEY) == "now kingfisher"
    assert "no tenant was given rules" in rules(gateway, "list").stdout


def test_wrong_rules_change_nothing_and_say_where(gateway: Gateway) -> None:
    assert rules(gateway, "set", "acme", stdin=pack("kingfisher")).returncode == 0
    for wrong, words in ((pack("heron", "stork"), "custom.project"), ("pack: own\ncategory: custom\nrule: []\n", "tenant acme:3"),
                         ("", "no pack"), (pack("(?=x)"), "tenant acme:")):
        done = rules(gateway, "set", "acme", stdin=wrong)
        assert done.returncode != 0
        assert words in done.stderr, done.stderr
    assert say(gateway, "still kingfisher", OTHER_KEY) == "still [REDACTED:custom.project]"
    assert rules(gateway, "show", "nobody").returncode != 0
    assert rules(gateway, "set", "../x", stdin=pack("heron")).returncode != 0


def test_a_change_is_recorded_with_who_made_it(gateway: Gateway) -> None:
    assert rules(gateway, "set", "acme", stdin=pack("kingfisher")).returncode == 0
    deadline = time.monotonic() + 15
    while not any(b"rules.set" in content and b"tenant/acme" in content and b"(uid 0)" in content for content in
                  (path.read_bytes() for path in (gateway.folder / "state").rglob("*") if path.is_file())):
        assert time.monotonic() < deadline, "the change was not recorded"
        time.sleep(0.1)


@pytest.mark.skipif("AISPM_SANITIZER_REPORTS" in os.environ,
                    reason="UndefinedBehaviorSanitizer looks at objects through a pipe and takes them for damaged where it gets none")
def test_a_door_without_descriptors_waits_and_then_answers(provider: Provider, certificate: Certificate, tmp_path: Path) -> None:
    """Whoever knocks stays in the backlog: the door looks again ten times a second, not as often as it can."""
    gateway = start(tmp_path, provider, certificate, POLICY, f"admin: {{socket: {tmp_path}/admin.sock, rules_folder: {tmp_path}/given}}\n")
    assert gateway.process
    soft, hard = resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE, (3, hard))
    try:
        with ThreadPoolExecutor(1) as asking:
            answer = asking.submit(rules, gateway, "list")

            def refusals() -> int:
                return gateway.log.read_text().count("event=admin.busy")

            until = time.monotonic() + 30
            while refusals() == 0:
                assert time.monotonic() < until, "the door says nothing of what it lacks"
                time.sleep(0.05)
            before = refusals()
            time.sleep(1)
            looks = refusals() - before
            resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE, (soft, hard))
            assert answer.result(timeout=60).returncode == 0
        assert looks < 50, "it looked as often as it could"
    finally:
        resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE, (soft, hard))
        assert gateway.stop() == 0, gateway.log.read_text()


def test_nobody_else_may_ask(gateway: Gateway) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    (gateway.folder / "admin.sock").chmod(0o666)
    gateway.folder.chmod(0o711)  # it starts inside, so what lies above does not matter
    child = subprocess.run(["/usr/bin/python3", "-c", (
        "import os, socket\nos.setuid(65534)\ns = socket.socket(socket.AF_UNIX)\ns.connect('admin.sock')\n"
        "print(s.recv(4096).decode())"),
        ], cwd=gateway.folder, capture_output=True, text=True, timeout=30, check=False)
    assert "HTTP/1.1 403" in child.stdout, child.stderr
    with socket.socket(socket.AF_UNIX) as plain:
        plain.connect(str(gateway.folder / "admin.sock"))
        plain.sendall(b"nonsense\r\n\r\n")
        assert plain.recv(4096).startswith(b"HTTP/1.1 400")
    assert ask(gateway, "What is the capital of France?") == "The capital of France is Paris."
