# SPDX-License-Identifier: Apache-2.0
"""Further hosts through the gateway: only what profile and operator both name, only public addresses, one name throughout (SBX-021)."""

from __future__ import annotations

import re
import subprocess

import pytest
from conftest import FAR, ORDINARY_UID, Agent, World


def test_allowed_hosts_are_reached_with_and_without_the_proxy(world: World, agent: Agent) -> None:
    found = agent.run(
        "say(http=[fetch(o, 'http://allowed.test/a', b'hello') for o in (OBEYS_PROXY, IGNORES_PROXY)],"
        " https=[fetch(o, 'https://allowed.test/b', b'secure') for o in (OBEYS_PROXY, IGNORES_PROXY)],"
        " port=fetch(OBEYS_PROXY, 'https://allowed.test:8443/c'), wild=fetch(IGNORES_PROXY, 'https://a.wild.test/d'),"
        " six=fetch(IGNORES_PROXY, 'http://six.test/e'))")
    assert found == {"http": [[200, "hello"]] * 2, "https": [[200, "secure"]] * 2, "port": [200, "far"], "wild": [200, "far"], "six": [200, "far"]}
    plain = world.requests(80)
    assert len(plain) == 3
    for request in plain[:2]:
        assert request.startswith("POST /a HTTP/1.1\r\nHost: allowed.test\r\n")
        assert "proxy" not in request.lower()
    assert len(world.requests(443)) == 3
    carried = agent.events("socket_close")
    assert sorted((c["name"], c["destination_port"], c["name_source"]) for c in carried) == sorted(
        [("allowed.test", 80, "http_host")] * 2 + [("allowed.test", 443, "http_host"), ("allowed.test", 443, "sni"), ("allowed.test", 8443, "http_host"),
                                                   ("a.wild.test", 443, "sni"), ("six.test", 80, "http_host")])
    assert all(int(c["bytes_sent"]) > 40 and int(c["bytes_received"]) > 40 for c in carried)
    assert agent.refused() == {}
    assert world.recorded(b"allowed.test", b"egress.allow_hosts", FAR.encode(), b"a.wild.test")


def test_what_only_the_profile_or_only_the_operator_names_is_refused(world: World, agent: Agent) -> None:
    found = agent.run("say(operator=[fetch(o, 'https://other.test/') for o in (OBEYS_PROXY, IGNORES_PROXY)],"
                      " profile=[fetch(o, 'http://unlisted.test/') for o in (OBEYS_PROXY, IGNORES_PROXY)])")
    assert "operator does not permit it" in found["operator"][0][1]
    assert "ACCESS_DENIED" in found["operator"][1][1].upper()
    assert [answer[0] for answer in found["profile"]] == [403, 403]
    assert all("network.allow_hosts" in answer[1] for answer in found["profile"])
    assert world.seen() == []
    reasons = agent.refused()
    assert "operator" in reasons["other.test"]
    assert "profile with-hosts" in reasons["unlisted.test"]
    assert "other.test:443 will be refused" in agent.said


def test_private_own_and_metadata_addresses_are_refused_after_resolving(world: World, agent: Agent) -> None:
    names = ["private.test", "loop.test", "own.test", "meta.test", "mapped.test"]
    found = agent.run(f"say(results=[[fetch(o, f'http://{{n}}/') for o in (OBEYS_PROXY, IGNORES_PROXY)] for n in {names}], dead=fetch(OBEYS_PROXY, 'http://dead.test/')[0])")
    for name, answers in zip(names, found["results"], strict=True):
        assert [answer[0] for answer in answers] == [403, 403], (name, answers)
        assert "not a public" in answers[0][1]
    assert found["dead"] == 502
    assert world.seen() == []
    assert set(agent.refused()) == set(names)


def test_addresses_and_odd_names_are_refused_by_the_proxy(world: World, agent: Agent) -> None:
    targets = [FAR, "10.9.9.9", "169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "[::ffff:10.9.9.9]", "[2606:2800:220:1::34]",
               "allowed.test.", "user@allowed.test", "allowed.test%00", "allowed.test\t", "evil-allowed.test", "allowed.test.evil.test", "wild.test", "xn--llowed-9cf.test"]
    found = agent.run(f"say(heads=[raw(f'CONNECT {{t}}:443 HTTP/1.1\\r\\nHost: {{t}}:443\\r\\n\\r\\n'.encode())[:12] for t in {targets}],"
                      " ssh=raw(b'CONNECT allowed.test:22 HTTP/1.1\\r\\nHost: allowed.test:22\\r\\n\\r\\n')[:12])")
    assert set(found["heads"]) <= {"HTTP/1.1 403", "HTTP/1.1 400"}, found
    assert found["ssh"] == "HTTP/1.1 403"
    assert world.seen() == []


def test_a_tunnel_carries_tls_for_its_own_name_only(world: World, agent: Agent) -> None:
    found = agent.run(
        "def through(name, hello):\n"
        "    s, line = tunnel('allowed.test')\n"
        "    assert line.startswith('HTTP/1.1 200'), line\n"
        "    try:\n"
        "        if hello is not None:\n"
        "            s.sendall(hello); s.settimeout(20); return drain(s)\n"
        "        UNVERIFIED.wrap_socket(s, server_hostname=name); return 'open'\n"
        "    except ssl.SSLError as error: return error.reason\n"
        "say(own=through('allowed.test', None), other=through('other.test', None), none=through(None, None),"
        " http=through('', b'GET / HTTP/1.1\\r\\nHost: allowed.test\\r\\n\\r\\n'), ssh=through('', b'SSH-2.0-x\\r\\n'))")
    assert found["own"] == "open"
    assert "ACCESS_DENIED" in found["other"] and "ACCESS_DENIED" in found["none"]
    assert found["http"] == found["ssh"] == "\x15\x03\x03\x00\x02\x02\x31"
    assert world.requests(443) == []  # nothing that was refused was passed on
    assert world.recorded(b"the ClientHello names other.test")


def test_caps_on_connections_bytes_and_idling(world: World, agent: Agent) -> None:
    found = agent.run(
        "held = [tunnel('allowed.test') for _ in range(6)]\n"
        "lines = [line[:12] for _, line in held]\n"
        "held[0][0].settimeout(20)\n"
        "secure = UNVERIFIED.wrap_socket(held[0][0], server_hostname='allowed.test')\n"
        "idle = drain(secure)\n"
        "for s, _ in held[1:]: s.close()\n"
        "say(lines=lines, idle=idle, small=fetch(OBEYS_PROXY, 'http://allowed.test/bytes/1000')[0],"
        " large=[len(fetch(o, u + '://allowed.test/bytes/400000')[-1]) < 300000 for o in (OBEYS_PROXY, IGNORES_PROXY) for u in ('http', 'https')])")
    assert sorted(found["lines"]) == ["HTTP/1.1 200"] * 4 + ["HTTP/1.1 429"] * 2
    assert found["idle"] in ("", "!SSLEOFError", "!ConnectionResetError")
    assert found["small"] == 200
    assert found["large"] == [True] * 4
    assert world.recorded(b"it was idle", b"(egress.bytes)")
    assert "too many connections" in agent.refused()["allowed.test"]


def test_replies_are_framed_anew(world: World, agent: Agent) -> None:
    found = agent.run("say(chunked=raw(b'GET http://allowed.test/chunked HTTP/1.1\\r\\nHost: allowed.test\\r\\n\\r\\n'),"
                      " close=fetch(IGNORES_PROXY, 'http://allowed.test/close'), head=raw(b'HEAD http://allowed.test/x HTTP/1.1\\r\\nHost: allowed.test\\r\\n\\r\\n'),"
                      " ambiguous=raw(b'GET http://allowed.test/ambiguous HTTP/1.1\\r\\nHost: allowed.test\\r\\n\\r\\n')[:12])")
    assert found["chunked"].endswith("\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")
    assert "X-End: 2" in found["chunked"] and "X-Hop" not in found["chunked"]
    assert found["close"] == [200, "until the end"]
    assert found["head"].startswith("HTTP/1.1 200") and found["head"].endswith("\r\n\r\n")
    assert found["ambiguous"] == "HTTP/1.1 502"


H = "Host: allowed.test\r\n"
SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: allowed.test\r\n\r\n"
# What follows the request line. Each could be read as one request or as two.
DESYNC = {
    "CL.TE": H + "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "TE.CL": H + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n" + SMUGGLED + "0\r\n\r\n",
    "TE.TE": H + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "TE.TE case": H + "Transfer-Encoding: chunked\r\nTransfer-encoding: cow\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "xchunked": H + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunked tab": H + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunked quoted": H + 'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n' + SMUGGLED,
    "chunked comma": H + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "space before colon": H + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "folded": H + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "bare LF head": "Host: allowed.test\nContent-Length: 0\n\n" + SMUGGLED,
    "bare LF in header": H + "X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "bare CR": H + "X: y\rTransfer-Encoding: chunked\r\n\r\n" + SMUGGLED,
    "NUL": H + "X\0: y\r\n\r\n" + SMUGGLED,
    "CL.CL": H + "Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + SMUGGLED,
    "CL list": H + "Content-Length: 0, 44\r\n\r\n" + SMUGGLED,
    "CL sign": H + "Content-Length: +0\r\n\r\n" + SMUGGLED,
    "CL hex": H + "Content-Length: 0x0\r\n\r\n" + SMUGGLED,
    "CL negative": H + "Content-Length: -1\r\n\r\n" + SMUGGLED,
    "CL huge": H + "Content-Length: 99999999999999999999\r\n\r\n" + SMUGGLED,
    "chunk size junk": H + "Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n" + SMUGGLED,
    "chunk size overflow": H + "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n" + SMUGGLED,
    "chunk bare LF": H + "Transfer-Encoding: chunked\r\n\r\n0\n\n" + SMUGGLED,
    "chunk extension LF": H + "Transfer-Encoding: chunked\r\n\r\n2;\nxx\r\n0\r\n\r\n" + SMUGGLED,
    "two hosts": H + "Host: other.test\r\n\r\n",
    "other host": "Host: other.test\r\n\r\n",
    "host with path": "Host: allowed.test/x\r\n\r\n",
    "no host": "X: y\r\n\r\n",
    "upgrade": H + "Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n",
    "websocket": H + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
}
LINES = {"proxy": "POST http://allowed.test/first HTTP/1.1\r\n", "trap": "POST /first HTTP/1.1\r\n"}
SEND = """
def trapped(request):
    with socket.create_connection(('allowed.test', 80), 20) as s:
        s.sendall(request); s.shutdown(socket.SHUT_WR)
        return drain(s)
say(**{name: [f(bytes(text, 'latin-1')) for f in [raw if door == 'proxy' else trapped]][0] for name, (door, text) in CASES.items()})
"""


@pytest.mark.parametrize("door", ["proxy", "trap"])
def test_desync_payloads_are_refused_and_nothing_is_passed_on(world: World, agent: Agent, door: str) -> None:
    cases = {name: [door, LINES[door] + rest] for name, rest in DESYNC.items()}
    cases["HTTP/0.9"] = [door, "GET http://allowed.test/first\r\n" if door == "proxy" else "GET /first\r\n"]
    cases["HTTP/2"] = [door, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
    cases["absolute to another"] = [door, "GET http://other.test/first HTTP/1.1\r\n" + H + "\r\n"]
    answers = agent.run(f"CASES = {cases!r}\n{SEND}")
    assert {name: answer[:60] for name, answer in answers.items() if not answer.startswith("HTTP/1.1 400")} == {}
    assert {name for name, answer in answers.items() if len(re.findall(r"HTTP/1\.1 \d{3} ", answer)) != 1} == set()
    assert world.requests(80) == []


@pytest.mark.parametrize("door", ["proxy", "trap"])
def test_one_request_is_one_upstream_request(world: World, agent: Agent, door: str) -> None:
    line = LINES[door]
    cases = {
        "pipelined": [door, line + H + "Content-Length: 2\r\n\r\nab" + SMUGGLED * 3],
        "chunked": [door, line + H + "Transfer-Encoding: chunked\r\n\r\n2;ext=1\r\nab\r\n0\r\nTrailer: x\r\n\r\n" + SMUGGLED],
        "hop headers": [door, line + H + "Connection: X-Hop, Content-Length\r\nX-Hop: 1\r\nProxy-Authorization: Basic eA==\r\nContent-Length: 2\r\n\r\nab"],
    }
    answers = agent.run(f"CASES = {cases!r}\n{SEND}")
    assert all(answer.startswith("HTTP/1.1 200") and answer.endswith("\r\n\r\nab") for answer in answers.values()), answers
    requests = world.requests(80)
    assert len(requests) == 3
    for request in requests:
        head, _, body = request.partition("\r\n\r\n")
        assert head.startswith("POST /first HTTP/1.1\r\nHost: allowed.test\r\nConnection: close")
        assert body == "ab"
        for word in ("smuggled", "x-hop", "proxy-", "transfer-encoding", "trailer"):
            assert word not in request.lower()


def test_a_proxys_request_behind_one_for_the_gateway_is_refused(world: World, agent: Agent) -> None:
    both = b"GET /healthz HTTP/1.1\r\nHost: g\r\n\r\n" + b"GET http://allowed.test/x HTTP/1.1\r\nHost: allowed.test\r\n\r\n"
    tunnel = b"GET /healthz HTTP/1.1\r\nHost: g\r\n\r\n" + b"CONNECT allowed.test:443 HTTP/1.1\r\nHost: allowed.test:443\r\n\r\n"
    found = agent.run(f"say(results=[raw({both!r}), raw({tunnel!r})])")
    for answer in found["results"]:
        assert answer.startswith("HTTP/1.1 200 OK") and "HTTP/1.1 403" in answer
    assert world.seen() == []


def test_the_gateway_answers_for_the_models_hosts(world: World, agent: Agent) -> None:
    found = agent.run("say(trap=fetch(IGNORES_PROXY, 'http://api.models.test/healthz'), proxy=fetch(OBEYS_PROXY, 'http://api.models.test/healthz'),"
                      " tls=fetch(OBEYS_PROXY, 'https://api.models.test/v1/models'), environment=sorted(n for n in os.environ if n.endswith('_BASE_URL')))")
    assert found["trap"] == found["proxy"] == [200, '{"status":"ok"}']
    assert "base URL in the environment" in found["tls"][1]
    assert found["environment"] == ["OPENAI_BASE_URL"]  # the one dialect that this gateway speaks


def test_without_a_list_nothing_but_the_gateway_is_reached(world: World, agent: Agent) -> None:
    found = agent.run("say(results=[fetch(o, u + '://allowed.test/')[0] for o in (OBEYS_PROXY, IGNORES_PROXY) for u in ('http', 'https')])",
                      profile="version: 1\nname: bare\n")
    assert found["results"] == [403, 0, 403, 0]
    assert world.seen() == []


CLIENT = """
import socket, struct, sys
host, request = sys.argv[2], sys.argv[3].encode().decode('unicode_escape').encode('latin-1')
tlvs = b''.join(struct.pack('>BH', kind, len(value)) + value for kind, value in
                ((0xE0, b'01a1fdac-ee29-7787-91cc-20b21b26a845'), (0xE1, b'liar'), (0xE3, host.encode())) if value)
s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(sys.argv[1])
s.sendall(b'\\r\\n\\r\\n\\0\\r\\nQUIT\\n\\x21\\0' + struct.pack('>H', len(tlvs)) + tlvs + request)
data = b''
try:
    while more := s.recv(65536): data += more
except OSError: pass
print(data.decode('latin-1'))
"""


def lie(world: World, host: str, request: str) -> str:
    words = ["setpriv", f"--reuid={ORDINARY_UID}", f"--regid={ORDINARY_UID}", "--clear-groups", "--", "/usr/bin/python3", "-c", CLIENT, str(world.socket), host, request]
    return subprocess.run(world.inside(world.near, *words), capture_output=True, text=True, timeout=60, check=True).stdout


def test_a_lying_launcher_gets_no_further_than_the_operator_permits(world: World) -> None:
    world.forget()
    connect = "CONNECT {0} HTTP/1.1\\r\\nHost: {0}\\r\\n\\r\\n"
    assert lie(world, "other.test:443", connect.format("other.test:443")).startswith("HTTP/1.1 403")
    assert lie(world, "private.test:80", connect.format("private.test:80")).startswith("HTTP/1.1 403")
    assert lie(world, "allowed.test:22", connect.format("allowed.test:22")).startswith("HTTP/1.1 403")
    assert lie(world, "allowed.test:443", connect.format("other.test:443")).startswith("HTTP/1.1 400")
    assert lie(world, "10.9.9.9:80", connect.format("10.9.9.9:80")).strip() == ""  # not even a header
    assert lie(world, "", connect.format("allowed.test:443")).startswith("HTTP/1.1 403")
    assert world.seen() == []
    # the same client where it is permitted
    assert lie(world, "allowed.test:443", connect.format("allowed.test:443")).startswith("HTTP/1.1 200")

