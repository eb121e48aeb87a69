# SPDX-License-Identifier: Apache-2.0
"""RT-006: judging by the gateway's own answer to `/aispm/v1/screen`: what was found, also where policy lets it pass. No model is
called and no event is made."""

from __future__ import annotations

import json
from typing import Any

from connection import Gateway, RunFailed
from judge import Unjudged, is_busy
from verdicts import Finding, Verdict

PATH = "/aispm/v1/screen"
_SEVERITIES = {name: number for number, name in enumerate(("unspecified", "info", "low", "medium", "high", "critical"))}
_SURFACES = {"memory": "memory_write", "document": "retrieved_document"}  # what the engine calls them


def read_verdict(answer: Any) -> Verdict:
    """LookupError, TypeError or ValueError when it is no answer; Unjudged when the gateway had no time."""
    why = str(answer.get("error") or "")
    if is_busy(why):
        raise Unjudged(why[:100], busy=True)
    if why:
        return Verdict(refused=why)
    if answer["verdict"] not in ("allow", "flag", "block"):
        raise ValueError(answer["verdict"])
    return Verdict(tuple(
        Finding(str(one["rule_id"]), str(one["category"]), _SEVERITIES[str(one["severity"]).lower()], float(one["confidence"]),
                int(one["offset"]), int(one["offset"]) + int(one["length"])) for one in answer["detections"]))


class Screening:
    """Call it from any thread."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def __call__(self, text: str, surface: str, turns: tuple[str, ...] = ()) -> Verdict:
        """Of a conversation the messages one by one, as the gateway reads them; where something stands is told of the last one."""
        before = [self._one(turn, "user_prompt") for turn in turns]
        last = self._one(text, surface)
        return Verdict((*last.found, *(one for verdict in before for one in verdict.found if one.kind == "attack")),
                       next((verdict.refused for verdict in (last, *before) if verdict.refused), ""))

    def _one(self, text: str, surface: str) -> Verdict:
        clean = text.encode("utf-8", "replace").decode()
        reply = self._gateway.post(PATH, json.dumps({"text": clean, "surface": _SURFACES.get(surface, surface)}, ensure_ascii=False).encode())
        if reply.status == 401:
            raise RunFailed("the gateway does not know this key; `aispm agent create-key` makes one")
        if reply.status in (404, 405):
            raise RunFailed("the gateway does not screen texts; it is of an older version: use --via exchange")
        if reply.status != 200:
            raise Unjudged(f"HTTP {reply.status}", busy=reply.status in (429, 503))
        try:
            return read_verdict(json.loads(reply.body))
        except (ValueError, LookupError, TypeError, AttributeError) as problem:
            raise Unjudged("an answer that is none") from problem
