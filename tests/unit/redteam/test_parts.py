# SPDX-License-Identifier: Apache-2.0
"""The parts of `aispm redteam` that need no gateway. RT-008, RT-009."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from connection import Gateway, RunFailed
from exchange import _text_of, cut_spans, request_of
from gate import compare
from judge import MAX_FAILURES_IN_A_ROW, Judge, Unjudged
from page import render
from rows import SURFACES, load, parse_row
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
    asked = Judge(lambda text, surface: Verdict(), 1, time.monotonic() + 60)
    report = perform(rows, asked, {"gateway": "http://<x>", "via": "exchange", "via_words": "w"})
    assert report["missed"] == ["<1>", "<2>"]
    good = figures(injection=1.0)
    assert [change.category for change in add_gate(report, good, 0, 0)] == ["injection", "secret"]
    page = render(report)
    assert "&lt;1&gt;" in page and "<1>" not in page and "http://<x>" not in page
    assert '<b class="bad">failed</b>' in page


def test_what_has_no_verdict_counts_nowhere() -> None:
    def ask(text: str, surface: str) -> Verdict:
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
    def sometimes(text: str, surface: str) -> Verdict:
        if text == "bad":
            raise ConnectionResetError
        return Verdict()

    judge = Judge(sometimes, 1, time.monotonic() + 60)
    verdicts = judge([("bad", "web"), ("good", "web")] * MAX_FAILURES_IN_A_ROW)
    assert verdicts.count(None) == MAX_FAILURES_IN_A_ROW
    with pytest.raises(RunFailed, match="does not answer"):
        judge([("bad", "web")] * (MAX_FAILURES_IN_A_ROW + 5))


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
