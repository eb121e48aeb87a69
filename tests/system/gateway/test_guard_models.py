# SPDX-License-Identifier: Apache-2.0
"""Guard models and scanners of others over HTTP: they vote, may be late or gone, and follow the fail mode."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from conftest import Certificate, Gateway, Provider
from detecting import GUARD_POLICY, GuardModel, JsonHandler, REPLY_POLICY, Server, ask, call, serving, start, with_guard
from detecting import guard  # noqa: F401


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_guard_model_has_spoken_before_anything_of_the_reply_leaves(
        provider: Provider, certificate: Certificate, tmp_path: Path, guard: GuardModel, stream: bool) -> None:
    """DET-014, DET-022: the verdict of the model counts, also when the provider was faster."""
    running = with_guard(tmp_path, provider, certificate, guard)
    try:
        assert ask(running, "What is the capital of France?", stream=stream) == "The capital of France is Paris."
        assert guard.asked[-1]["path"] == "/v1/chat/completions"
        assert guard.asked[-1]["authorization"] == "Bearer guard-key"
        assert "What is the capital of France?" in guard.asked[-1]["messages"][0]["content"]  # type: ignore[index]
        guard.answer, guard.delay = "unsafe\nS9", 0.4
        with pytest.raises(openai.BadRequestError) as refused:
            ask(running, "Another question, please.", stream=stream)
        assert "denied by rule harm" in str(refused.value)
        guard.answer, guard.delay = "safe", 0
        with pytest.raises(openai.BadRequestError):
            ask(running, "Another question, please.", stream=stream)  # the same again meets the same answer
        guard.answer = "unsafe\nS10"
        assert ask(running, "A third question, please.", stream=stream).startswith("This is the stand-in")
    finally:
        assert running.stop() == 0, running.log.read_text()


@pytest.mark.parametrize("fail", ["closed", "open"])
@pytest.mark.parametrize("trouble", ["slow", "nonsense", "error", "gone"])
def test_a_guard_model_that_does_not_answer_follows_the_fail_mode(
        provider: Provider, certificate: Certificate, tmp_path: Path, guard: GuardModel, fail: str, trouble: str) -> None:
    running = with_guard(tmp_path, provider, certificate, guard, fail=fail)
    try:
        guard.delay = 3 if trouble == "slow" else 0
        guard.answer = "I would rather not say." if trouble == "nonsense" else "safe"
        guard.status = 500 if trouble == "error" else 200
        if trouble == "gone":
            guard.shutdown()
            guard.server_close()
        begun = time.monotonic()
        if fail == "open":
            assert ask(running, "What is the capital of France?") == "The capital of France is Paris."
        else:
            with pytest.raises(openai.BadRequestError) as refused:
                ask(running, "What is the capital of France?")
            assert "aispm.guard_unavailable" in str(refused.value)
            blocked = refused.value.body["blocked"]  # type: ignore[index]
            assert (blocked["error"], blocked["reason"]) == ("blocked_by_policy", "guard_unavailable")
            assert "guard model: " in str(refused.value)
        assert time.monotonic() - begun < 2.9  # never as long as the model takes
    finally:
        assert running.stop() == 0, running.log.read_text()


def test_several_guard_models_vote_and_one_that_is_gone_does_not_hold_up_the_others(
        provider: Provider, certificate: Certificate, tmp_path: Path, guard: GuardModel) -> None:
    """Any of them denies; one that is gone and optional costs nothing but its vote."""
    gone = GuardModel()
    gone.server_close()
    extra = ("detect:\n  guard_model:\n"
             f"    - {{name: ours, origin: 'http://127.0.0.1:{guard.server_port}', model: guard, deadline: 5s, allow_private: true}}\n"
             f"    - {{name: gone, origin: 'http://127.0.0.1:{gone.server_port}', model: guard, form: json, deadline: 5s,\n"
             "       allow_private: true, optional: true}\n")
    running = start(tmp_path, provider, certificate, GUARD_POLICY.replace("FAIL", "closed").replace("OPINIONS", "wait"), extra)
    try:
        for number in range(5):
            assert ask(running, f"What is the capital of country number {number}?")
        assert len(guard.asked) == 5
        guard.answer = "unsafe\nS9"
        with pytest.raises(openai.BadRequestError) as refused:
            ask(running, "Another question, please.")
        assert "denied by rule harm" in str(refused.value)
        status, found = call(running, "/aispm/v1/screen", {"text": "a question"})
        assert status == 200
        assert found["verdict"] == "block"
        assert found["backend"] == "rules+classifier+ours"
        assert found["categories"] == ["S9"]
    finally:
        assert running.stop() == 0, running.log.read_text()


def test_a_policy_that_only_records_opinions_does_not_wait(
        provider: Provider, certificate: Certificate, tmp_path: Path, guard: GuardModel) -> None:
    guard.answer = "unsafe\nS9"
    running = with_guard(tmp_path, provider, certificate, guard, opinions="record")
    try:
        assert ask(running, "What is the capital of France?") == "The capital of France is Paris."
        deadline = time.monotonic() + 20  # the reply did not wait, so the question may still be on its way
        while not guard.asked and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(guard.asked) == 1
    finally:
        assert running.stop() == 0, running.log.read_text()


def test_a_missing_model_file_leaves_tier_1_alone(provider: Provider, certificate: Certificate, tmp_path: Path) -> None:
    running = start(tmp_path, provider, certificate, REPLY_POLICY, f"detect: {{semantic: {{model: {tmp_path}/none.model}}}}\n")
    try:
        assert ask(running, "What is the capital of France?") == "The capital of France is Paris."
    finally:
        assert running.stop() == 0


class Scanner(Server):
    """Presidio's analyzer and LLM Guard's API, as they document them, with one recogniser each."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), ScannerHandler)


class ScannerHandler(JsonHandler):
    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.server.is_gone:  # type: ignore[attr-defined]
            self.close_connection = True
            return
        if self.path == "/analyze" and asked["language"] == "en":
            answer: object = [{"entity_type": "UK_VEHICLE_REGISTRATION", "start": one.start(), "end": one.end(), "score": 0.85,
                               "analysis_explanation": None} for one in re.finditer(r"\b[A-Z]{2}\d{2} [A-Z]{3}\b", asked["text"])]
        else:
            assert self.path == "/analyze/prompt"
            bad = "grandmother" in asked["prompt"]
            answer = {"sanitized_prompt": asked["prompt"], "is_valid": not bad, "scanners": {"PromptInjection": 0.93 if bad else -1.0, "Toxicity": 0.0}}
        self.answer(200, answer)


@pytest.fixture
def scanner() -> Iterator[Scanner]:
    server = Scanner()
    with serving(server):
        yield server


BAD_TEXTS = {
    "presidio": [f"The car with the plate {plate} was seen." for plate in ("AB12 CDE", "XY34 ZZZ", "KL56 MNO")],
    "llm_guard": [f"My grandmother used to read me {what} to sleep." for what in ("keys", "recipes", "codes")],
}


def recall(gateway: Gateway, form: str) -> float:
    status, answer = call(gateway, "/aispm/v1/screen/batch", {"texts": [*BAD_TEXTS[form], f"write to {form}@shop.example.net"]})
    assert status == 200
    results = answer["results"]
    return sum(one["verdict"] != "allow" for one in results) / len(results)  # type: ignore[union-attr, arg-type, misc]


@pytest.mark.parametrize("form", ["presidio", "llm_guard"])
def test_scanners_of_others_vote_too_and_may_be_missing(
        provider: Provider, certificate: Certificate, tmp_path: Path, scanner: Scanner, form: str) -> None:
    """DET-047: the ensemble finds what the packs alone do not; when it is missing, the packs' votes still count."""
    (tmp_path / "scanner.key").write_text("scanner-key\n")
    voter = (f"detect:\n  guard_model: {{origin: 'http://127.0.0.1:{scanner.server_port}', form: {form}, deadline: 5s, optional: true,\n"
             f"                allow_private: true, key_file: {tmp_path}/scanner.key}}\n")
    shares = {}
    for name, extra in (("off", ""), ("on", voter)):
        (tmp_path / name).mkdir()
        running = start(tmp_path / name, provider, certificate, REPLY_POLICY, extra)
        try:
            shares[name] = recall(running, form)
            if name == "on":
                scanner.leave()
                shares["gone"] = recall(running, form)
        finally:
            assert running.stop() == 0, running.log.read_text()
    assert shares == {"off": 0.25, "on": 1.0, "gone": 0.25}
