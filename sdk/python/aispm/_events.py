# SPDX-License-Identifier: Apache-2.0
"""`ready()` and `log()`: an agent's own words, recorded as such."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from typing import Any, Literal

from aispm._gateway import Gateway
from aispm.errors import AispmError

Level = Literal["debug", "info", "warning", "error"]

_LEVELS = ("debug", "info", "warning", "error")
_PATH = "/aispm/v1/agent-events"
_TIMEOUT_SECONDS = 10.0
_MAX_LINE_BYTES = 900 << 10  # the gateway takes 1 MiB a request

_lost = 0
_lock = threading.Lock()


def ready(name: str, version: str = "", framework: str = "") -> None:
    """Says that the agent is up, in its own words: the gateway adds who it is.

    Raises `AispmError` when the gateway did not take it. Any thread; each wait for the gateway lasts at most 10 s.
    """
    _send({"agent_ready": {"name": name, "version": version, "framework": framework}})


def log(message: str, /, level: Level = "info", **fields: object) -> bool:
    """Writes a line into the agent's session; `fields` are kept as text, what is no Unicode (bytes in file names) escaped.

    Never raises for a gateway that is away, because a log line must not end an agent: it returns False then, counts the line
    (`lost_logs()`) and says so through the logger "aispm". Raises ValueError for an unknown level or a line of more than 900 KiB
    as JSON. Any thread; each wait for the gateway lasts at most 10 s.
    """
    global _lost  # noqa: PLW0603 - one counter for the process
    if level not in _LEVELS:
        raise ValueError(f"level {level!r}: allowed is one of {', '.join(_LEVELS)}")
    texts = {_as_unicode(key): _as_unicode(str(value)) for key, value in fields.items()}
    event = {"agent_log": {"level": level, "message": _as_unicode(message), "fields": texts}}
    if len(json.dumps(event)) > _MAX_LINE_BYTES:
        raise ValueError(f"a log line may have at most {_MAX_LINE_BYTES} bytes as JSON")
    try:
        _send(event)
    except AispmError as problem:
        with _lock:
            _lost += 1
        logging.getLogger("aispm").warning("log line lost: %s", problem)
        return False
    return True


def lost_logs() -> int:
    """Lines that `log()` could not deliver since the process started."""
    with _lock:
        return _lost


def _as_unicode(text: str) -> str:
    """Python keeps bytes of a file name that are not UTF-8 as lone surrogates, which no JSON may hold: they become \\udcff."""
    return text.encode("utf-8", "backslashreplace").decode()


def _send(event: Mapping[str, Any]) -> None:
    with Gateway.from_environment().post(_PATH, {"events": [event]}, {}, _TIMEOUT_SECONDS) as reply:
        reply.json()
