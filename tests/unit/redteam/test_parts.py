# SPDX-License-Identifier: Apache-2.0
"""The parts of `aispm redteam` that need no gateway. RT-008, RT-009."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from connection import Gateway, Reply, RunFailed
from exchange import Exchanges, _text_of, cut_spans, hear, request_of
from gate import compare
from judge import MAX_FAILURES_IN_A_ROW, Judge, Unjudged, is_busy
from page import render
from rows import SURFACES, Asked, load, parse_row
from run import add_gate, describe_corpus, perform
from screening import read_verdict
from stand_in import StandIn
from verdicts import HIGH, Finding, Verdict

CORPUS = Path(__file__).resolve().parents[3] / "sdk" / "redteam" / "corpus"


@pytest.mark.parametrize(("text", "seen", "spans"), [
    ("a secret b", "a [REDACTED:secret.x] b", [(2, 8)]),
    ("secret", "[REDACTED:secret.x]", [(0, 6)]),
    ("ü secret", "ü <TOKEN_1>", [(3, 9)]),
    ("one two three", "<A_1> two <B_2>", [(0, 3), (8, 13)]),
    ("one", "one", []),
    ("one", "other", [(0, 3)]),
    ("one two", "one", [(0, 7)]),
    ("a secret b", "a [REDACTED:secret.x] c", [(0, 10)]),
])
def test_what_was_cut_out_is_found_by_what_is_left(text: str, seen: str, spans: list[tuple[int, int]]) -> None:
    assert cut_spans(text, seen) == spans


@pytest.mark.parametrize("surface", [name for name in SURFACES if name != "llm_output"])
@pytest.mark.parametrize("text", ["plain", '{"command":"ls"}', 'with "quotes" and \\ and ü'])
def test_a_text_is_found_again_where_it_was_put(surface: str, text: str) -> None:
    assert _text_of(json.loads(json.dumps(request_of(text, surface))), surface) == text


def test_rt_006_a_screening_says_what_was_found_and_where() -> None:
    one = {"rule_id": "r", "category": "secret", "severity": "high", "confidence": 0.9, "offset": 3, "length": 5}
    found = read_verdict({"verdict": "flag", "detections": [one]})
    assert found.found == (Finding("r", "secret", HIGH, 0.9, 3, 8),)
    assert found.flags("secret") and not found.flags("attack")
    assert read_verdict({"verdict": "block", "detections": [], "error": "too much"}).refused == "too much"


@pytest.mark.parametrize("answer", [[], {}, {"verdict": "maybe", "detections": []}, {"verdict": "allow"},
                                    {"verdict": "flag", "detections": [{"rule_id": "r"}]}])
def test_rt_006_an_answer_that_is_none_is_no_verdict(answer: object) -> None:
    with pytest.raises((LookupError, TypeError, ValueError, AttributeError)):
        read_verdict(answer)


def figures(**shares: float | None) -> dict[str, Any]:
    false = shares.pop("false", 0.0)
    return {"by_category": {name: {"flagged": {"share": share}} for name, share in shares.items()},
            "secrets": {"a": {"found": {"hits": 1, "of": 2}}, "b": {"found": {"hits": 2, "of": 2}}}, "pii": {},
            "false_positives": {"all": {"flagged": {"share": false}}}}


def fallen(before: dict[str, Any], now: dict[str, Any], drop: float = 0, rise: float = 0) -> list[str]:
    return [change.category for change in compare(before, now, drop, rise) if change.fell]


def test_rt_008_what_fell_by_more_than_allowed_is_named() -> None:
    before = figures(injection=0.9, jailbreak=0.5, extraction=0.3)
    assert fallen(before, figures(injection=0.8, jailbreak=0.5, extraction=0.4)) == ["injection"]
    assert fallen(before, figures(injection=0.8, jailbreak=0.5, extraction=0.3), drop=10) == []
    assert fallen(before, figures(injection=0.9, extraction=0.3)) == ["jailbreak"]
    assert fallen(before, figures(injection=0.9, jailbreak=None, extraction=0.3)) == ["jailbreak"]
    assert fallen(before, before | {"secrets": {"a": {"found": {"hits": 2, "of": 4}}}}) == ["secret"]
    assert fallen(before, figures(injection=1.0, jailbreak=1.0, extraction=1.0, false=0.02), rise=1) == ["false positives"]


def test_the_gate_stands_in_the_report_and_on_the_page() -> None:
    rows = [parse_row(json.dumps({"id": f"<{n}>", "text": "t", "label": "injection" if n else "benign", "surface": "web", "source": "s"}))
            for n in range(3)]
    asked = Judge(lambda text, surface, turns: Verdict(), 1, time.monotonic() + 60)
    report = perform(rows, asked, {"gateway": "http://<x>", "via": "exchange", "via_words": "w"})
    assert report["missed"] == ["<1>", "<2>"]
    good = figures(injection=1.0)
    assert [change.category for change in add_gate(report, good, 0, 0)] == ["injection", "secret"]
    page = render(report)
    assert "&lt;1&gt;" in page and "<1>" not in page and "http://<x>" not in page
    assert '<b class="bad">failed</b>' in page


def test_what_has_no_verdict_counts_nowhere() -> None:
    def ask(text: str, surface: str, turns: tuple[str, ...]) -> Verdict:
        if surface == "email":
            raise Unjudged("no mail")
        return Verdict((Finding("r", "x", HIGH, 1.0, 0, 1),))

    rows = [parse_row(json.dumps({"id": str(n), "text": "t", "label": "injection", "surface": surface, "source": "s"}))
            for n, surface in enumerate(["web", "email", "web"])]
    judge = Judge(ask, 2, time.monotonic() + 60)
    report = perform(rows, judge, {"gateway": "g", "via": "exchange", "via_words": "w"})
    assert report["figures"]["attacks"]["all"]["flagged"]["of"] == 2
    assert report["figures"]["mutations"]["hex"]["flagged"]["of"] == 2
    assert report["unjudged"] == {"no mail": 1}


def test_a_judge_gives_up_on_a_gateway_that_is_away_but_not_on_single_failures() -> None:
    def sometimes(text: str, surface: str, turns: tuple[str, ...]) -> Verdict:
        if text == "bad":
            raise ConnectionResetError
        return Verdict()

    judge = Judge(sometimes, 1, time.monotonic() + 60)
    verdicts = judge([Asked("bad", "web"), Asked("good", "web")] * MAX_FAILURES_IN_A_ROW)
    assert verdicts.count(None) == MAX_FAILURES_IN_A_ROW
    with pytest.raises(RunFailed, match="does not answer"):
        judge([Asked("bad", "web")] * (MAX_FAILURES_IN_A_ROW + 5))


@pytest.mark.parametrize("url", ["localhost:80", "ftp://x", "http://", "http://h:99999", "http://h/v1", "http://u@h"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(RunFailed, match="--gateway"):
        Gateway(url, "k", None, 1)


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"user":"me"}', b'{"user":"redteam-2"}', b'{"user":7}', b"\xff"])
def test_the_stand_in_answers_only_what_is_expected(raw: bytes) -> None:
    with StandIn("127.0.0.1:0") as stand_in:
        stand_in.expect(1, "x")
        assert stand_in.answer(raw)[0] == 400
        assert stand_in.answer(b'{"user":"redteam-1"}')[0] == 200
        assert stand_in.forget(1) == {"user": "redteam-1"}
        assert stand_in.forget(1) is None


def test_rt_002_every_built_in_text_has_a_licence_and_an_id_of_its_own() -> None:
    rows = load(CORPUS)
    assert len({row.id for row in rows}) == len({(row.text, row.surface) for row in rows}) == len(rows)
    assert all(row.licence for row in rows)
    for path in CORPUS.glob("*.jsonl"):
        content = path.read_text()
        assert not [row.id for row in rows if row.secret and row.secret in content], "a scanner of repositories would find it"
    assert describe_corpus(rows)["sha256"] == describe_corpus(load(CORPUS))["sha256"] != describe_corpus(rows[1:])["sha256"]


def test_rt_008_what_a_busy_gateway_did_not_judge_is_asked_again_and_never_counts_as_found() -> None:
    """The gate looks at verdicts, not at how fast the host is."""
    tries: dict[str, int] = {}

    def ask(text: str, surface: str, turns: tuple[str, ...]) -> Verdict:
        tries[text] = tries.get(text, 0) + 1
        if text == "slow" and tries[text] < 3:
            raise TimeoutError
        if text == "busy" and tries[text] < 2 or text == "never":
            raise Unjudged("no time", busy=True)
        if text == "refused":
            raise Unjudged("HTTP 400")
        return Verdict()

    judge = Judge(ask, 1, time.monotonic() + 60, waits=(0.0, 0.0))
    verdicts = judge([Asked(text, "web") for text in ("slow", "busy", "never", "refused")])
    assert verdicts == [Verdict(), Verdict(), None, None]
    assert tries == {"slow": 3, "busy": 2, "never": 3, "refused": 1}
    assert judge.asked_again == 5
    assert judge.unjudged == {"no time": 1, "HTTP 400": 1}


@pytest.mark.parametrize(("why", "busy"), [
    ("semantic tier: late", True), ("semantic tier: dropped", True), ("guard model: timed out", True),
    ("there was not time enough to look through all of it", True), ("more than 50,000 matches", False), ("", False),
])
def test_want_of_time_is_told_from_what_cannot_be_judged(why: str, busy: bool) -> None:
    assert is_busy(why) == busy
    if busy:
        with pytest.raises(Unjudged):
            read_verdict({"verdict": "block", "detections": [], "error": why})


def stream(*deltas: tuple[dict[str, str], str | None]) -> Reply:
    lines = [json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}) for delta, finish in deltas]
    return Reply(200, {"content-type": "text/event-stream"}, ("".join(f"data: {line}\n\n" for line in lines) + "data: [DONE]\n\n").encode())


def test_a_stream_is_heard_to_its_end_and_a_notice_is_not_the_reply() -> None:
    whole = hear(stream(({"content": "one "}, None), ({"content": "two"}, None), ({}, "stop")))
    assert (whole.status, whole.decision, whole.text) == (200, "", "one two")
    ended = hear(stream(({"content": "one "}, None), ({"content": "AISPM: denied by rule r: no, case 1"}, None), ({}, "content_filter")))
    assert (ended.decision, ended.text) == ("deny", "one ")
    assert "denied by rule r:" in ended.error
    broken = Reply(200, {"content-type": "text/event-stream"}, b'data: {"error":{"message":"m","code":"c"}}\n\n')
    assert (hear(broken).status, hear(broken).code) == (502, "c")


class Scripted:
    """A gateway that denies what holds a word, and keeps what it was sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def post(self, path: str, body: bytes) -> Reply:
        self.sent.append(json.loads(body))
        if any("forbidden" in str(message["content"]) for message in self.sent[-1]["messages"]):
            return Reply(400, {"x-aispm-decision": "deny"}, b'{"error":{"code":"x","message":"denied by rule r: no, case 1"}}')
        return Reply(200, {"content-type": "application/json"}, b'{"choices":[{"message":{"content":"Yes."}}]}')


def test_a_conversation_is_had_turn_by_turn_until_one_is_withheld() -> None:
    gateway = Scripted()
    ask = Exchanges(gateway, "m", None)  # type: ignore[arg-type]
    assert not ask("three", "user_prompt", ("one", "two")).found
    assert [len(body["messages"]) for body in gateway.sent] == [1, 3, 5]
    assert [message["content"] for message in gateway.sent[-1]["messages"]] == ["one", "Yes.", "two", "Yes.", "three"]
    gateway.sent.clear()
    assert ask("three", "user_prompt", ("one", "forbidden", "two")).flags("attack")
    assert len(gateway.sent) == 2


def test_rt_002_turns_are_checked_and_counted() -> None:
    row = {"id": "1", "text": "t", "label": "injection", "surface": "user_prompt", "source": "s"}
    assert parse_row(json.dumps(row | {"turns": ["a", "b"]})).asked == Asked("t", "user_prompt", ("a", "b"))
    for wrong in ([1], [""], ["a"] * 33):
        with pytest.raises(ValueError, match="turns"):
            parse_row(json.dumps(row | {"turns": wrong}))


def test_rt_009_translations_are_measured_against_their_own_plain_text() -> None:
    rows = load(CORPUS / "translations.jsonl")
    assert all(row.plain and row.lang and row.attack_class == f"translation_{row.lang}" for row in rows)
    report = perform(rows, Judge(lambda text, *_: Verdict((Finding("r", "x", HIGH, 1.0, 0, 1),)) if text.isascii() else Verdict(), 2,
                                 time.monotonic() + 60), {"gateway": "g", "via": "exchange", "via_words": "w"})
    assert report["figures"]["obfuscated"]["translation_zh"]["kept"] == 0
    assert report["figures"]["obfuscated"]["translation_zh"]["plain"]["hits"] == 4
