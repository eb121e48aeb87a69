# SPDX-License-Identifier: Apache-2.0
"""libaispm by ctypes: the policy engine within this process."""

from __future__ import annotations

import ctypes
import ctypes.util
import json
import os
import threading
from typing import Any

from aispm.errors import NotConfigured

_lock = threading.Lock()
_library: ctypes.CDLL | None = None
_policies: dict[tuple[str, str, str], Policy] = {}

_MAX_KEY_BYTES = 16 << 10


class Policy:
    """A bundle as the library loaded it: it stays as it is while this process lives. Any thread."""

    def __init__(self, library: ctypes.CDLL, folder: str, keys: list[bytes], registry: str = "") -> None:
        self._library = library
        error = ctypes.c_void_p()
        listed = (ctypes.c_char_p * len(keys))(*keys)
        self._handle = library.aispm_policy_open_with_registry(os.fsencode(folder), os.fsencode(registry), listed, len(keys),
                                                               ctypes.byref(error))
        if not self._handle:
            problem = _take(library, error.value) or "no memory"
            which = "AISPM_POLICY_REGISTRY" if problem.startswith("registry: ") else "AISPM_POLICY_BUNDLE"
            raise NotConfigured(f"{which}: {problem}")

    def decide(self, action: str) -> dict[str, Any]:
        """What the bundle says of one action: JSON as in sdk/cpp/aispm.h."""
        text = action.encode()
        answer = _take(self._library, self._library.aispm_policy_decide(self._handle, text, len(text)))
        value = json.loads(answer) if answer else None
        if not isinstance(value, dict):
            raise MemoryError("libaispm gave no answer")
        return value


def policy_of(folder: str, key_files: str, registry: str = "") -> Policy:
    """The bundle in `folder`, loaded once; with `key_files` (separated by `:`) one of these public keys must have signed it.
    `registry`: folder of the collector's registry of agents and tools, which counts beside it and must be signed likewise;
    "" = none.

    Raises NotConfigured when the library is not installed or refuses the bundle.
    """
    with _lock:
        known = _policies.get((folder, key_files, registry))
        if known is None:
            # An empty name is refused as a file that is not there: no key at all would ask for no signature.
            keys = [_read_key(file) for file in key_files.split(":")] if key_files else []
            known = _policies[folder, key_files, registry] = Policy(_load(), folder, keys, registry)
        return known


def _read_key(file: str) -> bytes:
    try:
        with open(file, "rb") as stream:
            key = stream.read(_MAX_KEY_BYTES)
    except OSError as problem:
        raise NotConfigured(f"AISPM_POLICY_KEY: {problem}") from problem
    if not key or b"\0" in key:
        raise NotConfigured(f"AISPM_POLICY_KEY={file}: is no public key")
    return key


def _load() -> ctypes.CDLL:
    global _library  # noqa: PLW0603 - loaded once a process
    if _library is not None:
        return _library
    name = os.environ.get("AISPM_LIBRARY") or ctypes.util.find_library("aispm") or "libaispm.so.0"
    try:
        library = ctypes.CDLL(name)
        library.aispm_policy_open_with_registry.restype = ctypes.c_void_p
        library.aispm_policy_open_with_registry.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(ctypes.c_char_p),
                                                            ctypes.c_size_t, ctypes.POINTER(ctypes.c_void_p)]
        library.aispm_policy_decide.restype = ctypes.c_void_p
        library.aispm_policy_decide.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
        library.aispm_text_free.restype = None
        library.aispm_text_free.argtypes = [ctypes.c_void_p]
    except (OSError, AttributeError) as problem:
        raise NotConfigured(f"AISPM_POLICY_BUNDLE is set, but libaispm cannot be loaded: {problem}") from problem
    _library = library
    return library


def _take(library: ctypes.CDLL, address: int | None) -> str:
    if not address:
        return ""
    try:
        return ctypes.string_at(address).decode("utf-8", "replace")
    finally:
        library.aispm_text_free(address)
