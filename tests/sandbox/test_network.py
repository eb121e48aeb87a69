# SPDX-License-Identifier: Apache-2.0
"""No way out but the gateway: direct attempts are refused at once and reported with what was wanted; the relay says who speaks."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conftest import Sandbox

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
PYTHON = "/usr/bin/python3"


class FakeGateway:
    """Speaks the gateway's side of the Unix socket: PROXY v2, then HTTP/1.1. One thread a connection."""

    def __init__(self, path: Path) -> None:
        self.events: list[dict] = []
        self.agents: list[dict[int, str]] = []
        self.launchers: list[dict[int, str]] = []
        self.requests: list[tuple[str, bytes]] = []
        self.refuse_events = False
        self.events_answer: tuple[int, bytes] | None = None  # instead of taking them
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(path))
        path.chmod(0o777)
        self.server.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                peer, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()

    def serve(self, peer: socket.socket) -> None:
        with peer, peer.makefile("rb") as stream:
            head = stream.read(16)
            assert head[:12] == SIGNATURE, head
            assert head[13] == 0  # AF_UNSPEC
            body = stream.read(struct.unpack(">H", head[14:])[0])
            tlvs: dict[int, str] = {}
            while body:
                kind, size = body[0], struct.unpack(">H", body[1:3])[0]
                tlvs[kind] = body[3 : 3 + size].decode()
                body = body[3 + size :]
            is_local = head[12] == 0x20
            (self.launchers if is_local else self.agents).append(tlvs)
            while self.answer(peer, stream, is_local):
                pass

    def answer(self, peer: socket.socket, stream, is_local: bool) -> bool:
        line = stream.readline().decode()
        if not line:
            return False
        size = 0
        while (header := stream.readline().decode().strip()) != "":
            if header.lower().startswith("content-length:"):
                size = int(header.split(":")[1])
        content = stream.read(size)
        path = line.split()[1]
        status, reply = 200, b"{}"
        if is_local and path == "/aispm/v1/hello":
            reply = b'{"agent_id":"tester/agent.py","version":"0"}'
        elif is_local and path == "/aispm/v1/freeze":
            reply = b"free\n"
        elif is_local and path == "/aispm/v1/events":
            if self.refuse_events:
                status = 503
            elif self.events_answer:
                status, reply = self.events_answer
            else:
                events = json.loads(content)["events"]
                self.events += events
                reply = json.dumps({"accepted": len(events)}).encode()
        else:
            self.requests.append((path, content))
            if path == "/echo":
                reply = content
            elif path == "/v1/chat/completions":
                reply = json.dumps({
                    "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-test",
                    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "pong"}}],
                    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}).encode()
        peer.sendall(f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(reply)}\r\n\r\n".encode() + reply)
        return True


@pytest.fixture
def gateway(sandbox: Sandbox):
    fake = FakeGateway(sandbox.folder / "gateway.sock")
    yield fake
    fake.close()


ATTEMPTS = """
import json, socket, time
results = {}
def attempt(name, function):
    begin = time.monotonic()
    try:
        function()
        outcome = "ok"
    except Exception as error:
        outcome = type(error).__name__
    results[name] = (outcome, (time.monotonic() - begin) * 1000)
def tcp(host, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    s = socket.socket(family, socket.SOCK_STREAM); s.settimeout(5); s.connect((host, port))
def udp(host, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    s = socket.socket(family, socket.SOCK_DGRAM); s.settimeout(5); s.connect((host, port)); s.send(b"x"); s.recv(1)
def nonblocking(host, port):
    import asyncio
    asyncio.run(asyncio.open_connection(host, port))
socket.getaddrinfo("warm.example", 1)
attempt("tcp4", lambda: tcp("93.184.216.34", 443))
attempt("tcp6", lambda: tcp("2001:db8::1", 443))
attempt("metadata", lambda: tcp("169.254.169.254", 80))
attempt("private", lambda: tcp("10.0.0.1", 5432))
attempt("mapped", lambda: tcp("::ffff:198.51.100.7", 25))
attempt("host-ssh", lambda: tcp("127.0.0.1", 22))
attempt("host-ssh6", lambda: tcp("::1", 22))
attempt("dot", lambda: tcp("1.1.1.1", 853))
attempt("dns-tcp", lambda: tcp("8.8.8.8", 54))
attempt("quic", lambda: udp("8.8.4.4", 443))
attempt("quic6", lambda: udp("2001:db8::2", 443))
attempt("udp-loopback", lambda: udp("127.0.0.1", 9000))
attempt("async", lambda: nonblocking("192.0.2.9", 8443))
attempt("named", lambda: socket.create_connection(("secret.attacker.example", 5432), 5))
print(json.dumps(results))
"""

WANTED = {
    ("KIND_CONNECT", "93.184.216.34:443", "tcp"), ("KIND_CONNECT", "[2001:db8::1]:443", "tcp"), ("KIND_CONNECT", "169.254.169.254:80", "tcp"),
    ("KIND_CONNECT", "10.0.0.1:5432", "tcp"), ("KIND_CONNECT", "198.51.100.7:25", "tcp"), ("KIND_CONNECT", "127.0.0.1:22", "tcp"),
    ("KIND_CONNECT", "[::1]:22", "tcp"), ("KIND_CONNECT", "1.1.1.1:853", "tcp"), ("KIND_CONNECT", "8.8.8.8:54", "tcp"),
    ("KIND_CONNECT", "8.8.4.4:443", "udp"), ("KIND_CONNECT", "[2001:db8::2]:443", "udp"), ("KIND_CONNECT", "127.0.0.1:9000", "udp"),
    ("KIND_CONNECT", "192.0.2.9:8443", "tcp"), ("KIND_DNS", "secret.attacker.example", "udp"),
}  # fmt: skip


def test_direct_attempts_are_refused_at_once_and_reported(sandbox: Sandbox) -> None:
    ended = sandbox.run("--offline", "--events", "events.jsonl", "--", PYTHON, "-c", ATTEMPTS)
    assert ended.returncode == 0, ended.stderr
    results = json.loads(ended.stdout)
    assert {name: outcome for name, (outcome, _) in results.items() if outcome != "ConnectionRefusedError"} == {}
    # Not a benchmark: five seconds is the timeout that a lost packet would show.
    assert {name: spent for name, (_, spent) in results.items() if spent > 2000} == {}
    assert WANTED - set(sandbox.denials()) == set()


def test_a_query_to_a_foreign_dns_server_is_answered_in_here_from_its_address(sandbox: Sandbox) -> None:
    script = (
        "import socket\n"
        "q = b'\\xab\\xcd\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\6secret\\7example\\0\\0\\x10\\0\\1'\n"
        "for host, family in (('8.8.8.8', socket.AF_INET), ('2001:4860:4860::8888', socket.AF_INET6)):\n"
        "    s = socket.socket(family, socket.SOCK_DGRAM); s.settimeout(5); s.sendto(q, (host, 53))\n"
        "    data, peer = s.recvfrom(512); print(peer[0], data[3] & 15, data[7])\n"
    )
    ended = sandbox.run("--offline", "--events", "events.jsonl", "--", PYTHON, "-c", script)
    assert ended.stdout.split() == ["8.8.8.8", "0", "0", "2001:4860:4860::8888", "0", "0"], ended.stderr  # TXT: no such record
    assert sandbox.denials()[("KIND_DNS", "secret.example", "udp")] == 2


def test_an_agents_own_loopback_server_works(sandbox: Sandbox) -> None:
    script = (
        "import socket, threading\nl = socket.create_server(('127.0.0.1', 0))\n"
        "c = socket.create_connection(l.getsockname()); s, _ = l.accept(); s.sendall(b'hi'); print(c.recv(2).decode())\n"
    )
    ended = sandbox.run("--offline", "--events", "events.jsonl", "--", PYTHON, "-c", script)
    assert ended.stdout == "hi\n"
    assert sandbox.denials() == {}


def test_a_connection_to_itself_by_a_foreign_address_is_still_reported(sandbox: Sandbox) -> None:
    script = "import socket\nl = socket.create_server(('0.0.0.0', 8000))\ntry: socket.create_connection(('203.0.113.5', 8000), 5)\nexcept OSError: pass\n"
    sandbox.run("--offline", "--events", "events.jsonl", "--", PYTHON, "-c", script)
    assert ("KIND_CONNECT", "203.0.113.5:8000", "tcp") in sandbox.denials()


def test_the_relay_says_who_speaks(sandbox: Sandbox, gateway: FakeGateway) -> None:
    script = (
        "import os, urllib.request\n"
        "url = os.environ['AISPM_GATEWAY_URL']\n"
        "data = bytes(range(256)) * 20000\n"
        "reply = urllib.request.urlopen(urllib.request.Request(url + '/echo', data=data)).read()\n"
        "print(reply == data, os.environ['AISPM_AGENT_ID'], os.environ['AISPM_SESSION_ID'])\n"
    )
    ended = sandbox.run("--gateway", sandbox.folder / "gateway.sock", "--agent", "news-bot", "--", PYTHON, "-c", script)
    assert ended.returncode == 0, ended.stderr
    same, agent_id, session = ended.stdout.split()
    assert (same, agent_id) == ("True", "tester/agent.py")
    (tlvs,) = gateway.agents
    assert (tlvs[0xE0], tlvs[0xE1]) == (session, "news-bot")
    assert all(header[0xE0] == session for header in gateway.launchers)
    (line,) = [event["agent_log"] for event in gateway.events if "agent_log" in event]
    assert (line["stream"], line["message"]) == ("stdout", ended.stdout.strip())
    kinds = [next(key for key in event if key.startswith("sandbox_")) for event in gateway.events if "agent_log" not in event]
    assert kinds[0] == "sandbox_start"
    assert kinds[-1] == "sandbox_exit"
    start = gateway.events[0]["sandbox_start"]
    assert int(start["pid_namespace"]) > 0
    assert {"seccomp", "userns", "netns", "no_new_privs"} <= set(start["mechanisms"])


def test_many_connections_at_once(sandbox: Sandbox, gateway: FakeGateway) -> None:
    script = (
        "import os, urllib.request\nfrom concurrent.futures import ThreadPoolExecutor\n"
        "url = os.environ['AISPM_GATEWAY_URL'] + '/echo'\n"
        "def one(i):\n  data = str(i).encode() * 5000\n  return urllib.request.urlopen(urllib.request.Request(url, data=data)).read() == data\n"
        "with ThreadPoolExecutor(32) as pool: print(all(pool.map(one, range(200))))\n"
    )
    ended = sandbox.run("--gateway", sandbox.folder / "gateway.sock", "--", PYTHON, "-c", script)
    assert ended.stdout == "True\n", ended.stderr


def test_a_start_that_cannot_be_reported_is_refused(sandbox: Sandbox, gateway: FakeGateway) -> None:
    gateway.refuse_events = True
    ended = sandbox.run("--gateway", sandbox.folder / "gateway.sock", "--events", "events.jsonl", "--", "echo", "ran")
    assert ended.returncode == 125
    assert ended.stdout == ""
    assert "nothing was started" in ended.stderr
    # The file had taken the start: it is told the end, too, or the run would seem to go on.
    assert [next(iter(event.keys() & {"sandbox_start", "sandbox_exit"})) for event in sandbox.events()] == ["sandbox_start", "sandbox_exit"]
    assert sandbox.events()[-1]["sandbox_exit"]["exit_code"] == 125


def test_a_gateway_that_dies_is_refused_to_the_agent_and_lost_events_are_said(sandbox: Sandbox, gateway: FakeGateway) -> None:
    script = (
        "import os, sys, urllib.request, urllib.error\nprint('up', flush=True)\nsys.stdin.readline()\n"
        "try: urllib.request.urlopen(os.environ['AISPM_GATEWAY_URL'] + '/echo', data=b'x')\n"
        "except urllib.error.HTTPError as error: print(error.code)\n"
    )
    with subprocess.Popen(sandbox.command("--gateway", sandbox.folder / "gateway.sock", "--", PYTHON, "-c", script), cwd=sandbox.folder,
                          env=sandbox.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdin is not None and process.stderr is not None
        assert process.stdout.readline() == "up\n"
        gateway.server.shutdown(socket.SHUT_RDWR)
        gateway.server.close()
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "503\n"
        assert process.wait(20) == 0
        said = process.stderr.read()
    assert "could not be delivered" in said
    assert "connections to the gateway failed" in said
    gateway.server = socket.socket()
    gateway.server.bind(("127.0.0.1", 0))
    gateway.server.listen(1)


def test_the_real_openai_client_works_unmodified(sandbox: Sandbox, gateway: FakeGateway) -> None:
    found = subprocess.run([sys.executable, "-c", "import openai"], capture_output=True, check=False)
    if found.returncode != 0:
        pytest.skip("the openai package is not installed in the tests' environment")
    agent = sandbox.folder / "bot"
    agent.mkdir()
    (agent / "agent.py").write_text(
        "import openai\nprint(openai.OpenAI(max_retries=0).chat.completions.create(model='gpt-test',"
        " messages=[{'role': 'user', 'content': 'ping'}]).choices[0].message.content)\n"
    )
    agent.chmod(0o755)
    ended = sandbox.run("--gateway", sandbox.folder / "gateway.sock", "--python", sys.executable, agent / "agent.py")
    assert ended.stdout == "pong\n", ended.stderr
    path, body = gateway.requests[0]
    assert path == "/v1/chat/completions"
    assert json.loads(body)["messages"][0]["content"] == "ping"
    assert [event for event in gateway.events if "sandbox_denial" in event and event["sandbox_denial"]["kind"] == "KIND_CONNECT"] == []
