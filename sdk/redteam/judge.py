# SPDX-License-Identifier: Apache-2.0
"""Asks a running gateway about many texts at once, and counts what could not be judged and why."""

from __future__ import annotations

import http.client
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from connection import RunFailed
from verdicts import Verdict

# As many failures in a row, and nothing else, mean that no gateway is there: no use in going on.
MAX_FAILURES_IN_A_ROW = 40
_GIVEN_UP = "given up"


class Unjudged(Exception):
    """Why one text has no verdict: a few fixed words, which are counted."""


class Judge:
    """A verdict per (text, surface), None where there was none. `ask` runs on several threads and raises Unjudged, RunFailed,
    OSError or HTTPException. After `deadline` (time.monotonic) nothing more is asked."""

    def __init__(self, ask: Callable[[str, str], Verdict], jobs: int, deadline: float) -> None:
        self._ask, self._jobs, self._deadline = ask, jobs, deadline
        self._failed_in_a_row = 0
        self.asked = 0
        self.unjudged: Counter[str] = Counter()

    def _one(self, text: tuple[str, str]) -> tuple[Verdict | None, str]:
        if time.monotonic() > self._deadline:
            return None, "the run's deadline"
        if self._failed_in_a_row >= MAX_FAILURES_IN_A_ROW:
            return None, _GIVEN_UP
        try:
            verdict = self._ask(*text)
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

    def __call__(self, texts: Sequence[tuple[str, str]]) -> list[Verdict | None]:
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
