# SPDX-License-Identifier: Apache-2.0
"""The gateway's HTTP/1.1 parser beside llhttp and h11: what it accepts they read alike, message by message. It may refuse more, never less.

AISPM_FRAMING_CASES: streams for each role (default 4000). AISPM_FRAMING_SEED: another seed. AISPM_FRAMING_CORPUS: a folder of more streams, such as libFuzzer's
build/fuzz/corpus/fuzz_codec_http1. A stream that is read differently is printed: the parser is to refuse it, and
tests/unit/codec/http1_test.cpp gets it as a case.
"""

from __future__ import annotations

import json
import os
import random
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from http1_cases import mutate, stream
from http1_references import Message, Reading, read_h11, read_llhttp

HERE = Path(__file__).parent
PROGRAMS = Path(os.environ["AISPM_BUILD_DIR"]) / "tests"
CASES = int(os.environ.get("AISPM_FRAMING_CASES", "4000"))
SEED = os.environ.get("AISPM_FRAMING_SEED", "1")
ROLES = {"q": "requests", "r": "replies", "h": "replies to HEAD"}


def read_ours(program: str, role: str, streams: list[bytes]) -> list[dict[str, Any]]:
    given = b"".join(role.encode() + struct.pack("<II", 1 + len(one) % 7, len(one)) + one for one in streams)
    done = subprocess.run([PROGRAMS / program], input=given, capture_output=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-4000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def as_message(found: dict[str, Any], body: str) -> Message:
    method, target = bytes.fromhex(found["method"]), bytes.fromhex(found["target"])
    headers = [(bytes.fromhex(name), bytes.fromhex(value)) for name, value in found["headers"]]
    return Message((method, target, found["status"]), headers, bytes.fromhex(body))


def plain(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """h11 gives the names of fields and codings in lower case."""
    lower = [(name.lower(), value) for name, value in headers]
    return [(name, value.lower() if name == b"transfer-encoding" else value) for name, value in lower]


def differs(mine: Message, other: Message) -> str:
    if mine.start != other.start:
        return f"begins {mine.start} here and {other.start} there"
    if mine.body != other.body:
        return f"body {mine.body[:60]!r} here and {other.body[:60]!r} there"
    if plain(mine.headers) != plain(other.headers):
        return f"fields {mine.headers} here and {other.headers} there"
    return ""


def compare(ours: dict[str, Any], other: Reading) -> str:
    """What is wrong where `other` reads the stream differently; empty where we are as strict or stricter."""
    messages = [as_message(one, one["body"]) for one in ours["messages"]]
    theirs = other.messages
    for count, (mine, their) in enumerate(zip(messages, theirs, strict=False)):
        if what := differs(mine, their):
            return f"message {count}: {what}"
    if len(messages) > len(theirs) and other.end != "left" and messages[len(theirs)].start[2] != 101:
        return f"message {len(theirs)} is {messages[len(theirs)].start} here; there {other.end}: {other.reason}"
    if ours["end"] == "within a body" and len(theirs) > len(messages):
        return f"message {len(messages)} goes on here; there its body is {theirs[len(messages)].body[:60]!r}"
    return ""


def show(role: str, data: bytes, what: str) -> str:
    return f"{ROLES[role]}: {what}\n    {data!r}"


def more_streams(role: str) -> list[bytes]:
    """What libFuzzer found worth keeping, and each with a few bytes changed."""
    found = []
    folders = [HERE.parent / "corpus" / "codec" / "http1"]
    if "AISPM_FRAMING_CORPUS" in os.environ:
        folders.append(Path(os.environ["AISPM_FRAMING_CORPUS"]))
    for folder in folders:
        for count, path in enumerate(sorted(folder.iterdir())):
            kind, data = path.read_bytes()[:1], path.read_bytes()[2:]  # see fuzz_http1.cpp
            if bool(kind and kind[0] & 1) == (role == "q"):
                found += [data, *(mutate(random.Random(f"{SEED}:{role}:{count}:{again}"), data) for again in range(20))]
    return found


def references(role: str, data: bytes) -> list[tuple[str, Reading]]:
    is_request = role == "q"
    found = [("h11", read_h11(is_request, data, b"HEAD" if role == "h" else b"GET"))]
    return found if role == "h" else [*found, ("llhttp", read_llhttp(is_request, data))]


@pytest.mark.parametrize("role", ROLES)
def test_what_the_parser_accepts_others_read_alike(role: str) -> None:
    streams = [stream(f"{SEED}:{role}:{count}", role) for count in range(CASES)] + more_streams(role)
    found = read_ours("read_http1", role, streams)
    wrong = []
    for data, ours in zip(streams, found, strict=True):
        for name, reading in references(role, data):
            if what := compare(ours, reading):
                wrong.append(show(role, data, f"{name}: {what}"))
    assert not wrong, f"{len(wrong)} differences\n" + "\n".join(wrong[:20])
    assert sum(len(ours["messages"]) for ours in found) > CASES / 4, "too few of the streams are accepted to prove anything"
    refused = {ours["reason"] for ours in found if ours["end"] == "refused"}
    assert len(refused) >= (20 if role == "q" else 15), f"the streams are not odd enough: {refused}"
    assert read_ours("read_http1_arm", role, streams) == found


def test_a_difference_is_found() -> None:
    """The comparison itself, on a stream that h11 and llhttp read and on what a careless parser would make of it."""
    data = b"POST / HTTP/1.1\r\nHost: gw\r\nContent-Length: 2\r\n\r\nabGET / HTTP/1.1\r\nHost: gw\r\n\r\n"
    ours = read_ours("read_http1", "q", [data])[0]
    assert len(ours["messages"]) == 2
    for _, reading in references("q", data):
        assert not compare(ours, reading)
        spoiled: list[dict[str, Any]] = [{"body": b"abG".hex()}, {"target": b"/x".hex()}, {"headers": []}]
        for spoil in spoiled:
            careless = {**ours, "messages": [{**ours["messages"][0], **spoil}, ours["messages"][1]]}
            assert compare(careless, reading).startswith("message 0: ")
        assert compare({**ours, "messages": [*ours["messages"], ours["messages"][1]]}, reading).startswith("message 2 is ")
        assert compare({"messages": [], "end": "within a body"}, reading).startswith("message 0 goes on here")
