# SPDX-License-Identifier: Apache-2.0
"""Asks a running gateway about many texts at once, and counts what could not be judged and why."""

from __future__ import annotations

import http.client
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from connection import RunFailed
from rows import Asked
from verdicts import Verdict

# As many failures in a row, and nothing else, mean that no gateway is there: no use in going on.
MAX_FAILURES_IN_A_ROW = 40
_GIVEN_UP = "given up"
# What is not judged only because the host is busy says nothing about detection: it is asked again, after these waits.
WAITS_SECONDS = (0.2, 0.8, 3.0)
_BUSY = re.compile(r"semantic tier: (?:late|dropped)|not time enough|guard model: (?:timed out|too many|.*deadline)|a judge gave no answer")


def is_busy(why: str) -> bool:
    """Whether a gateway that could not judge a text may do so when it is asked again."""
    return _BUSY.search(why) is not None


class Unjudged(Exception):
    """Why one text has no verdict: a few fixed words, which are counted."""

    def __init__(self, why: str, busy: bool = False) -> None:
        super().__init__(why)
        self.busy = busy


class Judge:
    """A verdict per text, None where there was none. `ask` runs on several threads and raises Unjudged, RunFailed, OSError or
    HTTPException. After `deadline` (time.monotonic) nothing more is asked."""

    def __init__(self, ask: Callable[[str, str, tuple[str, ...]], Verdict], jobs: int, deadline: float,
                 waits: Sequence[float] = WAITS_SECONDS) -> None:
        self._ask, self._jobs, self._deadline, self._waits = ask, jobs, deadline, waits
        self._failed_in_a_row = 0
        self.asked_again = 0
        self.asked = 0
        self.unjudged: Counter[str] = Counter()

    def _patiently(self, text: Asked) -> Verdict:
        for wait in self._waits:
            try:
                return self._ask(*text)
            except Unjudged as reason:
                if not reason.busy:
                    raise
            except TimeoutError:
                pass
            if time.monotonic() + wait > self._deadline or self._failed_in_a_row >= MAX_FAILURES_IN_A_ROW:
                break
            self.asked_again += 1
            time.sleep(wait)
        return self._ask(*text)

    def _one(self, text: Asked) -> tuple[Verdict | None, str]:
        if time.monotonic() > self._deadline:
            return None, "the run's deadline"
        if self._failed_in_a_row >= MAX_FAILURES_IN_A_ROW:
            return None, _GIVEN_UP
        try:
            verdict = self._patiently(text)
            self._failed_in_a_row = 0
            return verdict, ""
        except Unjudged as reason:
            self._failed_in_a_row = 0
            return None, str(reason)
        except TimeoutError:
            self._failed_in_a_row += 1
            return None, "no answer in time"
        except (OSError, http.client.HTTPException) as problem:
            self._failed_in_a_row += 1
            return None, f"connection: {getattr(problem, 'strerror', None) or type(problem).__name__}"

    def __call__(self, texts: Sequence[Asked]) -> list[Verdict | None]:
        with ThreadPoolExecutor(self._jobs) as pool:
            answers = list(pool.map(self._one, texts))
        self.asked += len(texts)
        for _, reason in answers:
            if reason:
                self.unjudged[reason] += 1
        if self._failed_in_a_row >= MAX_FAILURES_IN_A_ROW:
            reasons = ", ".join(f"{reason} ({count})" for reason, count in self.unjudged.most_common(4) if reason != _GIVEN_UP)
            raise RunFailed(f"the gateway does not answer: {reasons}")
        return [verdict for verdict, _ in answers]
