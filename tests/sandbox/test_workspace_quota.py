# SPDX-License-Identifier: Apache-2.0
"""`limits.workspace` where it cannot be kept is a refusal with the remedy. Where it can: tests/vm/test_sandbox_limits.py. SBX-014."""

from __future__ import annotations

import os

import pytest
from conftest import Sandbox


def test_without_a_quota_nothing_runs(sandbox: Sandbox) -> None:
    """An ordinary user may set none; root's file systems here have none or are told to be fit."""
    (sandbox.folder / "w").mkdir(mode=0o777)
    ended = sandbox.run("--offline", "--workspace", "w", "--workspace-limit", "8MiB", "--", "/bin/echo", "ran")
    if sandbox.kind == "user":
        assert "only root may set a quota. Remedy: run aispm-run as root" in ended.stderr
    elif ended.returncode == 0:
        pytest.skip("this file system has project quotas")
    else:
        assert "enforces no project quotas. Remedy: " in ended.stderr
        assert str(sandbox.folder / "w") in ended.stderr
    assert ended.returncode == 125
    assert ended.stdout == ""


def test_the_limit_belongs_to_a_workspace(sandbox: Sandbox) -> None:
    path = sandbox.folder / "quota.yaml"
    path.write_text("limits: {workspace: 8MiB}\n")
    path.chmod(0o644)
    ended = sandbox.run("--offline", "--profile", "quota.yaml", "--", "/bin/echo", "ran")
    assert ended.returncode == 2
    assert "this run has no workspace" in ended.stderr


def test_a_limit_that_makes_no_sense_is_refused(sandbox: Sandbox) -> None:
    (sandbox.folder / "w").mkdir(mode=0o777)
    ended = sandbox.run("--offline", "--workspace", "w", "--workspace-limit", "1KiB", "--", "/bin/echo", "ran")
    assert ended.returncode == 2
    assert "--workspace-limit" in ended.stderr
    assert "at least 1MiB" in ended.stderr
    assert "workspace 8388608 bytes" in sandbox.run("--offline", "--workspace", "w", "--workspace-limit", "8MiB", "--dry-run", "--", "/bin/echo").stdout


def test_doctor_has_its_row(sandbox: Sandbox) -> None:
    row = next(line for line in sandbox.run("doctor").stdout.splitlines() if "workspace quota" in line)
    assert ("for root only" in row) == (sandbox.kind == "user" or os.geteuid() != 0)
