# SPDX-License-Identifier: Apache-2.0
"""Names stand for synthetic addresses; programs that ignore the proxy are told why, in TLS and in HTTP (SBX-021)."""

from __future__ import annotations

import json

from conftest import Sandbox

PYTHON = "/usr/bin/python3"

HELPERS = """
import json, socket, ssl, struct, sys, urllib.error, urllib.request
def attempt(function):
    try:
        return function()
    except urllib.error.HTTPError as error:
        return [error.code, error.reason, error.headers.get("AISPM-Denied"), json.loads(error.read())["error"]["message"]]
    except Exception as error:
        return type(error).__name__ + ": " + str(error)
def addresses(name):
    return sorted({found[4][0] for found in socket.getaddrinfo(name, 443, type=socket.SOCK_STREAM)})
def query(name, kind, ident=b"ab"):
    labels = b"".join(bytes([len(l)]) + l.encode() for l in name.split("."))
    return ident + b"\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0" + labels + b"\\0" + struct.pack(">HH", kind, 1)
def udp_dns(name, kind):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5); s.sendto(query(name, kind), ("9.9.9.9", 53))
    return s.recv(512)
def receive(s, size):
    data = b""
    while len(data) < size:
        data += s.recv(size - len(data)) or sys.exit("cut")
    return data
def tcp_dns(name, kind, family=socket.AF_INET, server="9.9.9.9"):
    s = socket.socket(family); s.settimeout(5); s.connect((server, 53))
    q = query(name, kind); s.sendall(struct.pack(">H", len(q)) + q)
    return receive(s, struct.unpack(">H", receive(s, 2))[0])
def say(**values):
    print(json.dumps(values))
"""


def run(sandbox: Sandbox, script: str, *options: str) -> dict:
    ended = sandbox.run(*(options or ("--offline",)), "--events", "events.jsonl", "--", PYTHON, "-c", HELPERS + script)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def connects(sandbox: Sandbox) -> list[dict]:
    return [d for event in sandbox.events() if (d := event.get("sandbox_denial")) and d["kind"] == "KIND_CONNECT"]


def test_each_name_has_a_synthetic_address_of_its_own(sandbox: Sandbox) -> None:
    found = run(sandbox, "say(a=addresses('One.example'), b=addresses('two.example'), again=addresses('one.example'), here=addresses('x.localhost'))")
    assert found["a"] == ["198.18.0.1", "fd61:6973:706d::1"]
    assert found["b"] == ["198.18.0.2", "fd61:6973:706d::2"]
    assert found["again"] == found["a"]
    assert found["here"] == ["127.0.0.1", "::1"]
    asked = {target.lower() for kind, target, _ in sandbox.denials() if kind == "KIND_DNS"}
    assert asked == {"one.example", "two.example"}


def test_dns_over_tcp_says_the_same(sandbox: Sandbox) -> None:
    found = run(
        sandbox,
        "u = udp_dns('a.example', 1); t = tcp_dns('a.example', 1); v = tcp_dns('a.example', 28, socket.AF_INET6, '2001:db8::53')\n"
        "say(same=u == t, last=list(v[-16:]), refused=[udp_dns('x.example', k)[7] for k in (15, 16, 33, 65, 255)], ptr=udp_dns('1.0.18.198.in-addr.arpa', 12)[3] & 15)",
    )
    assert found["same"] is True
    assert bytes(found["last"]).hex() == "fd616973706d00000000000000000001"
    assert found["refused"] == [0, 0, 0, 0, 0]  # MX, TXT, SRV, HTTPS, ANY: no record
    assert found["ptr"] == 3
    denials = sandbox.denials()
    assert denials[("KIND_DNS", "a.example", "udp")] == 1
    assert denials[("KIND_DNS", "a.example", "tcp")] == 2


def test_a_tls_client_is_refused_by_alert_and_named(sandbox: Sandbox) -> None:
    found = run(sandbox, "say(result=attempt(lambda: urllib.request.urlopen('https://exfil.example/x').read()))")
    assert "ACCESS_DENIED" in found["result"].upper()
    (denial,) = connects(sandbox)
    assert (denial["target"], denial["name"]) == ("198.18.0.1:443", "exfil.example")
    assert "no network" in denial["reason"]


def test_an_http_client_is_told_why(sandbox: Sandbox) -> None:
    found = run(sandbox, "say(result=attempt(lambda: urllib.request.urlopen('http://exfil.example/x').read()))")
    status, phrase, header, message = found["result"]
    assert status == 403
    assert phrase == message == "AISPM sandbox: exfil.example:80 is refused: there is no network in this sandbox"
    assert header == "there is no network in this sandbox"
    assert [d["name"] for d in connects(sandbox)] == ["exfil.example"]


def test_a_hello_for_another_name_is_refused(sandbox: Sandbox) -> None:
    script = (
        "def front(address):\n"
        "    s = socket.create_connection((address, 443), 5)\n"
        "    return ssl.create_default_context().wrap_socket(s, server_hostname='cover.example')\n"
        "say(result=attempt(lambda: front(addresses('real.example')[0])))"
    )
    assert "ACCESS_DENIED" in run(sandbox, script)["result"].upper()
    (denial,) = connects(sandbox)
    assert denial["name"] == "real.example"
    assert "cover.example" in denial["reason"]


def test_other_ports_and_literal_addresses_are_refused_by_the_kernel(sandbox: Sandbox) -> None:
    script = (
        "def tcp(host, port): socket.create_connection((host, port), 5)\n"
        "name = addresses('db.example')\n"
        "say(results=[attempt(lambda: tcp(h, p)) for h, p in ((name[0], 5432), (name[1], 22), ('198.18.0.9', 443), ('93.184.216.34', 443),"
        " ('93.184.216.34', 80), ('2001:db8::1', 443), ('169.254.169.254', 80), ('127.0.0.1', 443))])"
    )
    results = run(sandbox, script)["results"]
    assert all(result.startswith("ConnectionRefusedError") for result in results), results
    reported = {(d["target"], d.get("name", "")) for d in connects(sandbox)}
    assert reported == {
        ("198.18.0.1:5432", "db.example"), ("[fd61:6973:706d::1]:22", "db.example"), ("198.18.0.9:443", ""), ("93.184.216.34:443", ""),
        ("93.184.216.34:80", ""), ("[2001:db8::1]:443", ""), ("169.254.169.254:80", ""), ("127.0.0.1:443", ""),
    }  # fmt: skip


def test_datagrams_are_refused_and_named(sandbox: Sandbox) -> None:
    script = (
        "def udp(address):\n"
        "    s = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5)\n"
        "    s.connect((address, 443)); s.send(b'quic'); s.recv(1)\n"
        "say(results=[attempt(lambda: udp(a)) for a in addresses('quic.example')])"
    )
    assert all(result.startswith("ConnectionRefusedError") for result in run(sandbox, script)["results"])
    assert {(d["target"], d["name"], d["protocol"]) for d in connects(sandbox)} == {
        ("198.18.0.1:443", "quic.example", "udp"), ("[fd61:6973:706d::1]:443", "quic.example", "udp")}


def test_other_families_are_refused_as_system_calls(sandbox: Sandbox) -> None:
    script = (
        "def make(*what): socket.socket(*what).close()\n"
        "say(results=[attempt(lambda: make(*w)) for w in ((40, 1), (socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP),"
        " (socket.AF_INET6, socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6), (socket.AF_INET, socket.SOCK_RAW, 1), (socket.AF_PACKET, socket.SOCK_RAW),"
        " (socket.AF_UNIX, socket.SOCK_STREAM), (socket.AF_INET, socket.SOCK_STREAM, 262))])"
    )
    results = run(sandbox, script)["results"]
    assert all(result.startswith("PermissionError") for result in results), results
    calls = {target for kind, target, _ in sandbox.denials() if kind == "KIND_SYSCALL"}
    assert {"socket(AF_VSOCK,1,0)", "socket(AF_INET,2,1)", "socket(AF_UNIX,1,0)"} <= calls, calls


def test_a_flood_of_names_and_connections_is_counted_in_full(sandbox: Sandbox) -> None:
    script = (
        "import resource\n"
        "for i in range(600): udp_dns(f'n{i}.flood.example', 1)\n"
        "refused = 0\n"
        "for i in range(2000):\n"
        "    try: socket.create_connection(('203.0.113.7', 1000 + i % 50), 5)\n"
        "    except ConnectionRefusedError: refused += 1\n"
        "import time; time.sleep(2)\n"  # the flood is counted, on a busy machine partly without targets; what follows is not lost in it
        "say(refused=refused, oldest=attempt(lambda: socket.create_connection(('198.18.0.1', 443), 5)), newest=udp_dns('n599.flood.example', 1)[-1])"
    )
    found = run(sandbox, script)
    assert found["refused"] == 2000
    assert found["oldest"].startswith("ConnectionRefusedError")  # its trap made way; it is still named
    denials = sandbox.denials()
    assert sum(n for (kind, _, _), n in denials.items() if kind == "KIND_DNS") == 601
    assert sum(n for (kind, _, _), n in denials.items() if kind == "KIND_CONNECT") == 2001
    assert any(d["target"] == "198.18.0.1:443" and d.get("name") == "n0.flood.example" for d in connects(sandbox))


def test_many_silent_connections_end_without_harm(sandbox: Sandbox) -> None:
    script = (
        "address = addresses('slow.example')[0]\n"
        "held = []\n"
        "for i in range(400):\n"
        "    held.append(socket.create_connection((address, 443), 5))\n"
        "    held[-1].settimeout(5)\n"
        "import select\n"
        "ended = len(select.select(held, [], [], 5)[0])\n"
        "for s in held: s.close()\n"
        "say(ended=ended > 0, after=attempt(lambda: urllib.request.urlopen('http://other.example/').read())[0])"
    )
    found = run(sandbox, script)
    assert found == {"ended": True, "after": 403}
    assert any(d.get("reason") == "too many connections at once" for d in connects(sandbox))


def test_the_traps_do_not_take_the_agents_own_ports(sandbox: Sandbox) -> None:
    script = (
        "addresses('a.example')\n"
        "l = socket.create_server(('127.0.0.1', 8443)); c = socket.create_connection(l.getsockname()); s, _ = l.accept(); s.sendall(b'hi')\n"
        "say(got=c.recv(2).decode())"
    )
    assert run(sandbox, script) == {"got": "hi"}
    assert connects(sandbox) == []
