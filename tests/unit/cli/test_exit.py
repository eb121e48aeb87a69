# SPDX-License-Identifier: Apache-2.0
"""The exit codes of `aispm` for what the caller can mend, without any collector."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

AISPM = Path(os.environ["AISPM_BIN_DIR"]) / "aispm"


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    if not AISPM.exists():
        pytest.skip(f"{AISPM} is not built")
    bare = {"HOME": str(folder), "AISPM_STATE": str(folder / "state")}
    return subprocess.run([AISPM, *words], env=bare, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(("content", "line"), [("collector: a:1\ncolector: b:1\n", 2), ("\n\ntoken: [1]\n", 3)])
def test_a_bad_configuration_exits_2_and_names_file_and_line(tmp_path: Path, content: str, line: int) -> None:
    config = tmp_path / "cli.yaml"
    config.write_text(content)
    done = run(tmp_path, "--config", str(config), "status")
    assert done.returncode == 2
    assert f"{config}:{line}" in done.stderr
    assert done.stdout == ""


def test_a_missing_setting_exits_2_and_says_where_to_give_it(tmp_path: Path) -> None:
    config = tmp_path / "cli.yaml"
    config.write_text("ca_file: /nowhere\n")
    done = run(tmp_path, "--config", str(config), "status")
    assert done.returncode == 2
    assert "AISPM_COLLECTOR" in done.stderr


@pytest.mark.parametrize("words", [[], ["no-such-command"], ["--no-such-flag"], ["session", "show"],
                                   ["enrol-token", "create", "--valid-seconds", "-1"],
                                   ["assets", "show"], ["assets", "--state", "approved"], ["assets", "own", "a1"], ["baseline"], ["coverage", "--by", "moon"]])
def test_wrong_usage_exits_2(tmp_path: Path, words: list[str]) -> None:
    done = run(tmp_path, *words)
    assert done.returncode == 2, done
    assert done.stderr


def test_a_file_name_cannot_steer_the_terminal(tmp_path: Path) -> None:
    done = run(tmp_path, "--config", str(tmp_path / "\x1b[2J.yaml"), "status")
    assert done.returncode == 2
    assert "\x1b" not in done.stderr
    assert "\\x1b[2J.yaml" in done.stderr


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["agent", "--help"], ["assets", "--help"], ["topology", "--help"], ["baseline", "import", "--help"]])
def test_help_and_version_exit_0(tmp_path: Path, words: list[str]) -> None:
    done = run(tmp_path, *words)
    assert done.returncode == 0
    assert done.stdout
