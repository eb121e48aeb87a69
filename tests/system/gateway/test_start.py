# SPDX-License-Identifier: Apache-2.0
"""A gateway's start: nothing passes before its rules are in force, and the second start finds them compiled."""

from __future__ import annotations

import json
import os
import re
import signal
import urllib.error
import urllib.request
from pathlib import Path

from conftest import KEY, Certificate, Gateway, Provider

RULES = """
pack: one
category: secret
rules:
  - {id: secret.a, patterns: ['key-[0-9]{6}'], message: m, hits: [key-123456], misses: [key]}
"""


def ask(gateway: Gateway, path: str, body: bytes | None = None) -> tuple[int, str]:
    request = urllib.request.Request(gateway.url + path, data=body,
                                     headers={"authorization": f"Bearer {KEY}", "content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def configure(gateway: Gateway, provider: Provider, certificate: Certificate, packs: Path, extra: str) -> Path:
    config = gateway.configure(provider.port, certificate.cert, extra=extra)
    config.write_text(re.sub(r"(?m)^packs: .*$", f"packs: {packs}", config.read_text()))
    return config


def folder_of_packs(folder: Path) -> Path:
    packs = folder / "packs"
    packs.mkdir()
    return packs


def test_a_request_before_the_rules_are_in_force_gets_503(provider: Provider, certificate: Certificate, tmp_path: Path) -> None:
    packs = folder_of_packs(tmp_path)
    os.mkfifo(packs / "slow.yaml")  # reading it waits until somebody writes: a pack that takes long
    running = Gateway(tmp_path)
    chat = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}).encode()
    running.start(configure(running, provider, certificate, packs, "wait_for_rules: 1ms\ncache_folder: ''\n"))
    try:
        status, body = ask(running, "/v1/chat/completions", chat)
        assert (status, json.loads(body)["error"]["code"]) == (503, "aispm_not_ready")
        assert ask(running, "/healthz")[0] == 503
        assert running.process
        running.process.send_signal(signal.SIGHUP)  # waits for its turn
        (packs / "one.yaml").write_text(RULES)  # for the reload
        (packs / "slow.yaml").write_text(RULES)
        (packs / "slow.yaml").unlink()
        running.wait_until_ready()
        assert ask(running, "/v1/chat/completions", chat)[0] == 200
    finally:
        assert running.stop() == 0, running.log.read_text()


def test_rules_that_cannot_be_loaded_end_a_start_that_already_listens(
        provider: Provider, certificate: Certificate, tmp_path: Path) -> None:
    packs = folder_of_packs(tmp_path)
    os.mkfifo(packs / "slow.yaml")
    running = Gateway(tmp_path)
    running.start(configure(running, provider, certificate, packs, "wait_for_rules: 1ms\ncache_folder: ''\n"))
    (packs / "slow.yaml").write_text("pack: x\ncategory: nonsense\nrules: []\n")
    assert running.process
    assert running.process.wait(timeout=30) == 2
    assert "slow.yaml:2" in running.log.read_text()


def test_a_second_start_finds_the_packs_compiled(provider: Provider, certificate: Certificate, tmp_path: Path) -> None:
    packs = folder_of_packs(tmp_path)
    (packs / "one.yaml").write_text(RULES)
    cache = tmp_path / "cache" / "gateway"
    for loaded, compiled in (("0", "[1-9]"), ("[1-9]", "0")):
        running = Gateway(tmp_path)
        running.start(configure(running, provider, certificate, packs, f"cache_folder: {cache}\n"))
        running.wait_until_ready()
        assert running.stop() == 0, running.log.read_text()
        told = next(line for line in running.log.read_text().splitlines() if "packs.loaded" in line)
        assert re.search(rf"from_cache={loaded} ", told), told
        assert re.search(rf"compiled={compiled} ", told), told
    assert cache.stat().st_mode & 0o777 == 0o700
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in cache.iterdir())


def test_a_cache_that_others_may_write_to_is_not_used(provider: Provider, certificate: Certificate, tmp_path: Path) -> None:
    packs = folder_of_packs(tmp_path)
    (packs / "one.yaml").write_text(RULES)
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(0o777)
    running = Gateway(tmp_path)
    running.start(configure(running, provider, certificate, packs, f"cache_folder: {cache}\n"))
    running.wait_until_ready()
    assert running.stop() == 0
    assert "packs.not_cached" in running.log.read_text()
    assert not list(cache.iterdir())
