# SPDX-License-Identifier: Apache-2.0
"""The JSON Schemas of a bundle's files say what the reader says: the same keys, and files that it takes."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
AISPM = Path(os.environ["AISPM_BIN_DIR"]) / "aispm"
SCHEMAS = {file.stem: json.loads(file.read_text()) for file in sorted((ROOT / "policies" / "schema").glob("*.json"))}
HASH = "a" * 64
UNKNOWN = "zzzzzzzz"

# A file of each kind that uses every place where keys stand.
FULL: dict[str, dict[str, Any]] = {
    "actions": {"version": "1", "defaults": {"outcome": "deny"}, "rules": [
        {"id": "a", "match": {"tool": "t", "roles": ["r"]}, "when": {"tool_args_match": {"x": {"gt": 1}}}, "outcome": "allow"}]},
    "commands": {"defaults": {"outcome": "deny"}, "rules": [{"id": "a", "command": "npm test", "outcome": "allow"}]},
    "tools": {"tools": [{"name": "t", "pins": [{"description": HASH}], "channel": "c", "destination_field": "to"}],
              "lockdowns": [{"signals": "exfiltration", "allow": "x"}],
              "channels": {"c": {"kind": "url", "destinations": [{"to": "x", "outcome": "allow"}]}},
              "limits": {"tool_per_minute": 5}, "sequences": [{"id": "s", "tools": ["a", "b"], "outcome": "deny"}],
              "roles": {"r": ["t"]}, "intents": {"i": "t"}, "first_use": "approve"},
    "pins": {"pins": [{"tool": "t", "schema": HASH, "state": "approved", "by": "me"}]},
    "risk": {"weights": {"exfiltration": 0.5}, "thresholds": {"block_at": 0.9}},
    "agents": {"trust": "scored", "max_delegation": 3, "agents": [{"agent": "alice/*", "roles": ["r"], "trust": "basic"}]},
    "registry": {"tools": [{"name": "t", "provider": "mail", "pins": [{"description": HASH}], "blocked": True, "reason": "r"}],
                 "agents": [{"agent": "alice/x", "blocked": True, "reason": "r", "expires_at": "2027-01-21T00:00:00Z"}]},
    "detect": {"thresholds": [{"category": "pii", "surfaces": ["reply"], "alone": 0.8, "together": 0.9}, {"rule": "pii.*", "alone": 0.4}],
               "packs": [{"pack": "own", "category": "custom", "thresholds": {"reply": 0.6}, "rules": [
                   {"id": "custom.a", "label": "a", "message": "m", "together": {"first": ["heron"], "second": ["stork"]},
                    "by_surface": {"reply": {"confidence": 0.9}}, "context": {"words": ["bird"]},
                    "hits": ["bird: heron stork"], "misses": ["heron"]}]}]},
    "sandbox": {"rules": [{"id": "a", "agent": "*/codex", "profiles": ["default"], "allow_hosts": ["*.example.com"], "dangerous": False,
                           "workspaces": ["/srv"], "limits": {"memory": "1GiB", "pids": 10, "wall_time": "1h"}}]},
    "sensor": {"rules": [{"id": "a", "mode": "enforce", "agent": "*", "programs": ["bash"]}]},
}
WRONG: dict[str, list[dict[str, Any]]] = {
    "actions": [{"rules": [{"id": "a", "outcome": "perhaps"}]}, {"rules": [{"outcome": "allow"}]}, {"rules": {}},
                {"rules": [{"id": "a", "outcome": "deny", "when": {"tool_args_match": {"x": {}}}}]}],
    "commands": [{"rules": [{"id": "a", "outcome": "allow"}]}],
    "tools": [{"tools": [{"name": "t", "sha256": "ABC"}]}, {"tools": [{"name": "t", "channel": "c"}]}, {"first_use": "never"},
              {"limits": {"tool_per_minute": 0}}, {"lockdowns": [{"allow": "x"}]},
              {"sequences": [{"id": "s", "tools": ["a"], "outcome": "deny"}]}],
    "pins": [{"pins": [{"tool": "t", "state": "unsure", "schema": HASH}]}, {"pins": [{"schema": HASH}]}],
    "risk": [{"base": 2}, {"weights": {"exfiltration": -1}}],
    "agents": [{"agents": [{"roles": ["r"]}]}, {"max_delegation": 99}, {"trust": "perhaps"}, {"agents": [{"agent": "a", "trust": "some"}]}],
    "registry": [{"tools": [{"pins": [{"description": HASH}]}]}, {"tools": [{"name": "t", "pins": [{}]}]}, {"agents": [{"agent": "a", "trust": "some"}]}],
    "detect": [{"thresholds": [{"category": "birds", "alone": 0.5}]}, {"thresholds": [{"rule": "pii.*", "together": 0.5}]},
               {"thresholds": [{"category": "pii"}]}, {"thresholds": [{"category": "pii", "rule": "pii.*", "alone": 1}]},
               {"packs": [{"pack": "own", "category": "pii", "rules": [{"id": "pii.a", "patterns": ["a"], "message": "m", "misses": ["b"]}]}]}],
    "sandbox": [{"rules": [{"agent": "*"}]}, {"rules": [{"id": "a", "read_write": ["srv"]}]}, {"rules": [{"id": "a", "isolation": "none"}]},
                {"rules": [{"id": "a", "limits": {"pids": 1}}]}, {"rules": [{"id": "a", "limits": {"memory": "much"}}]}],
    "sensor": [{"rules": [{"agent": "*", "programs": ["bash"]}]}, {"rules": [{"id": "a", "mode": "perhaps", "programs": ["bash"]}]}],
}


def check(folder: Path, name: str, content: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """What the reader says of a bundle with this file."""
    bundle = folder / "bundle"
    bundle.mkdir(mode=0o755, exist_ok=True)
    files = {name: content, **({"tools": {}} if name == "pins" else {})}
    for other, text in files.items():
        file = bundle / f"{other}.yaml"
        file.write_text(json.dumps(text))
        file.chmod(0o644)
    return subprocess.run([AISPM, "policy", "check", str(bundle)], capture_output=True, text=True, timeout=60, check=False)


def places(schema: dict[str, Any], value: Any, path: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], set[str]]]:
    """Every map of `value` whose keys are fixed, with the keys that the schema knows there."""
    found = []
    if isinstance(value, dict):
        known = schema.get("properties")
        if known is not None:
            found.append((path, set(known)))
        for key, one in value.items():
            found += places((known or {}).get(key) or schema.get("additionalProperties") or {}, one, (*path, key))
    elif isinstance(value, list):
        for place, one in enumerate(value):
            found += places(schema.get("items", {}), one, (*path, place))
    return found


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_knows_the_readers_keys(tmp_path: Path, name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])
    done = check(tmp_path, name, FULL[name])
    assert done.returncode == 0, done.stderr
    seen = places(SCHEMAS[name], FULL[name])
    assert seen
    for path, known in seen:
        content = json.loads(json.dumps(FULL[name]))
        target = content
        for step in path:
            target = target[step]
        target[UNKNOWN] = 1
        said = check(tmp_path, name, content).stderr
        listed = re.search(rf"unknown key `{UNKNOWN}`, allowed: ([a-z_0-9, ]+)", said)
        assert listed, f"{path}: {said}"
        assert set(listed[1].split(", ")) == known, path


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_takes_and_refuses_what_the_reader_does(tmp_path: Path, name: str) -> None:
    jsonschema.validate(FULL[name], SCHEMAS[name])
    assert WRONG[name]
    for content in WRONG[name]:
        assert check(tmp_path, name, content).returncode != 0, content
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(content, SCHEMAS[name])


def test_shipped_files_fit() -> None:
    checked = 0
    for file in sorted((ROOT / "policies").rglob("*.yaml")):
        if file.parent.name == "starter" or file.name == "risk.yaml":
            jsonschema.validate(yaml.safe_load(file.read_text()), SCHEMAS[file.stem])
            checked += 1
    assert checked >= 3


def test_the_command_prints_them() -> None:
    for name, schema in SCHEMAS.items():
        done = subprocess.run([AISPM, "policy", "schema", name], capture_output=True, text=True, timeout=60, check=True)
        assert json.loads(done.stdout) == schema
    unknown = subprocess.run([AISPM, "policy", "schema", "nothing"], capture_output=True, text=True, timeout=60, check=False)
    assert unknown.returncode != 0
    help_text = subprocess.run([AISPM, "policy", "schema", "--help"], capture_output=True, text=True, timeout=60, check=True).stdout
    for name in SCHEMAS:
        assert name in unknown.stderr
        assert name in help_text
