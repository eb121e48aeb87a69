# SPDX-License-Identifier: Apache-2.0
"""Captured equals sent, for every TLS implementation that agents and their tools are built on (issue 3, differential capture).

Each client posts stamped bodies and reads stamped replies; the server keeps all plaintext of the connection. What the sensor put
together must be the same bytes, both ways, once.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import fixtures
import pytest
from capture import Connection, Dump
from provider import Provider, stamped

SCRIPTS = Path(__file__).resolve().parent / "clients" / "scripts"
SIZES = (200, 20_000, 300_000)
REQUESTS = 3


@dataclass(frozen=True)
class Runtime:
    """A client program: how to start it, and what its TLS is called. `confidence`: of the socket, at least."""

    library: str
    command: Callable[[Provider, int], list[str | Path]]
    confidence: float = 0.5


def _found(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise fixtures.Unavailable(f"{name} is not installed")
    return path


def _script(program: Callable[[], str | Path], *first: str, script: str = "client.mjs") -> Callable[[Provider, int], list[str | Path]]:
    return lambda provider, size: [program(), *first, SCRIPTS / script, provider.url if script != "client.py" else
                                   str(provider.port), provider.ca, str(size), str(REQUESTS)]


def _client(name: str, ca: str) -> Callable[[Provider, int], list[str | Path]]:
    return lambda provider, size: [fixtures.get(name), str(provider.port), provider.folder / ca, str(size), str(REQUESTS)]


RUNTIMES = {
    "python": Runtime("openssl", _script(lambda: sys.executable, script="client.py")),
    "node": Runtime("openssl", _script(lambda: _found("node"))),
    "bun": Runtime("boringssl", _script(lambda: fixtures.get("bun"))),
    "deno": Runtime("aws-lc", _script(lambda: fixtures.get("deno"), "run", "--allow-all", "--no-remote")),
    "go": Runtime("go", _client("go_client", "ca.pem")),
    "rustls_aws_lc": Runtime("aws-lc", _client("rustls_aws_lc", "ca.der")),
    "curl_gnutls": Runtime("gnutls", _script(lambda: sys.executable, script="curl_gnutls.py")),
}


def run(command: list[str | Path], provider: Provider, home: Path, seconds: int = 60) -> subprocess.CompletedProcess[str]:
    """Runs a client where it reaches the provider only."""
    trust = {name: str(provider.ca) for name in ("DENO_CERT", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "CODEX_CA_CERTIFICATE")}
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "DENO_NO_UPDATE_CHECK": "1", **trust}
    return subprocess.run(provider.island.command(*command), env=env, cwd=home, capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=seconds)


def matching(connections: list[Connection], received: bytes, sent: bytes) -> list[Connection]:
    return [one for one in connections if one.written.bytes == received and one.read.bytes == sent]


def describe(connections: list[Connection]) -> str:
    return "; ".join(f"{one.library} pid {one.pid}: {len(one.written.bytes)} written (missing {one.written.missing}, repeated "
                     f"{one.written.repeated}), {len(one.read.bytes)} read (missing {one.read.missing}, repeated "
                     f"{one.read.repeated})" for one in connections) or "nothing"


WARM: set[str] = set()


def warm_up(name: str, command: list[str | Path], provider: Provider, dump: Dump, home: Path) -> None:
    """Starts a client until something of it is captured: the first start of a new program races with its analysis."""
    for _ in range(5):
        if name in WARM:
            return
        dump.forget()
        run([*command[:-1], "1"], provider, home)
        if dump.wait_for(bool, 5):
            WARM.add(name)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", RUNTIMES)
def test_captured_equals_sent(name: str, size: int, provider: Provider, dump: Dump, tmp_path: Path) -> None:
    runtime = RUNTIMES[name]
    try:
        command = runtime.command(provider, size)
    except fixtures.Unavailable as reason:
        pytest.skip(f"{name}: {reason}")
    warm_up(name, command, provider, dump, tmp_path)
    provider.forget()
    dump.forget()
    done = run(command, provider, tmp_path)
    if name == "curl_gnutls" and "cannot open shared object" in done.stderr:
        pytest.skip("libcurl-gnutls.so.4 is not installed (apt install libcurl3-gnutls)")
    assert done.returncode == 0, done.stderr[-2000:]
    talks = [talk for talk in provider.seen() if talk.requests]
    assert sum(len(talk.requests) for talk in talks) == REQUESTS

    def all_there(connections: list[Connection]) -> bool:
        return all(matching(connections, talk.received, talk.sent) for talk in talks)

    connections = dump.wait_for(all_there)
    assert all_there(connections), f"sent {[(len(t.received), len(t.sent)) for t in talks]}, captured {describe(connections)}"
    for talk in talks:
        found = matching(connections, talk.received, talk.sent)
        assert len(found) == 1, "captured twice"
        assert found[0].library == runtime.library
        assert found[0].port == provider.port, "the connection's socket is not the one that carried it"
        assert found[0].confidence >= runtime.confidence


def test_nss_captured_equals_sent(provider: Provider, dump: Dump, tmp_path: Path) -> None:
    """NSS by its own test client, which sends what it reads from its input."""
    try:
        program = fixtures.get("tstclnt")
    except fixtures.Unavailable as reason:
        pytest.skip(f"tstclnt: {reason}")
    body = stamped(8_000, 7)
    request = b"POST /echo/nss HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    provider.forget()
    dump.forget()
    # -4: the server has no IPv6; -D: no database; -o: any certificate.
    client = subprocess.Popen(provider.island.command(program, "-4", "-D", "-o", "-h", "localhost", "-p", str(provider.port), "-V",
                                                      "tls1.2:tls1.3"),
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=tmp_path)
    assert client.stdin is not None and client.stdout is not None
    try:
        time.sleep(1.5)  # NSPR's first use races with probing it
        client.stdin.write(request)
        client.stdin.flush()
        connections = dump.wait_for(lambda seen: any(talk.requests and matching(seen, talk.received, talk.sent)
                                                     for talk in provider.seen()), 20)
    finally:
        client.kill()
        client.wait()
    talks = [talk for talk in provider.seen() if talk.requests]
    assert talks, "tstclnt made no request"
    found = matching(connections, talks[0].received, talks[0].sent)
    assert [one.library for one in found] == ["nss"], f"captured {describe(connections)}"


def test_ring_is_said_to_be_out_of_reach() -> None:
    """rustls over ring has nothing to be found by: that is reported, not guessed at."""
    try:
        program = fixtures.get("rustls_ring")
    except fixtures.Unavailable as reason:
        pytest.skip(f"rustls_ring: {reason}")
    bench = Path(os.environ["AISPM_BUILD_DIR"]) / "tests" / "bench_fingerprint"
    done = subprocess.run([bench, program], capture_output=True, text=True, check=True, timeout=60)
    assert "rustls without aws-lc" in done.stderr
    assert "EVP_AEAD" not in done.stderr
