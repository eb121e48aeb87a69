# SPDX-License-Identifier: Apache-2.0
"""SBX-024, SBX-025, SBX-026: an agent of each kind (sdk/examples/agents), with the libraries that agents are used to, starts in the sandbox, works and
answers through a real gateway. The libraries come by --requirements from wheels as published."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import wheels
from agent_provider import CONTENT, DONE, Provider
from conftest import ORDINARY_UID, Sandbox
from stage import PROVIDER_KEY, Gateway, StandIn, serves

pytest_plugins = ("behind",)
EXAMPLES = Path(__file__).resolve().parents[3] / "sdk/examples/agents"
KINDS = ["langchain", "llamaindex", "autogpt", "openai_assistant", "custom"]
LIBRARIES = """
import importlib.metadata, json
import langchain, langchain_core, langchain_openai, llama_index.core, openai
from llama_index.llms.openai_like import OpenAILike
names = ("langchain", "langchain-openai", "llama-index-core", "llama-index-llms-openai-like")
print(json.dumps([langchain.__file__, OpenAILike.__name__, *(importlib.metadata.version(name) for name in names)]))
"""


@pytest.fixture(scope="module")
def index() -> Path:
    if subprocess.run([wheels.PYTHON, "-m", "pip", "--version"], capture_output=True, check=False).returncode != 0:
        pytest.skip(f"{wheels.PYTHON} has no pip (python3-pip)")
    try:
        return wheels.fetch(EXAMPLES / "requirements.txt")
    except wheels.Unavailable as reason:
        pytest.skip(f"offline: {reason}")


@pytest.fixture(scope="module")
def caches() -> Iterator[dict[str, Path]]:
    """One a caller: the libraries are installed once in each."""
    made = {}
    for kind, uid in (("root", os.geteuid()), ("user", ORDINARY_UID if os.geteuid() == 0 else os.geteuid())):
        made[kind] = Path("/var/tmp") / f"aispm-kinds-{os.getpid()}-{kind}"
        made[kind].mkdir()
        os.chown(made[kind], uid, -1)
    yield made
    for folder in made.values():
        shutil.rmtree(folder)


@pytest.fixture
def project(sandbox: Sandbox) -> Path:
    folder = sandbox.folder / "project"
    folder.mkdir()
    for name in ("requirements.txt", *(f"{kind}_agent.py" for kind in KINDS)):
        shutil.copy(EXAMPLES / name, folder)
    (folder / "libraries.py").write_text(LIBRARIES)
    if sandbox.prefix:
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, ORDINARY_UID, ORDINARY_UID)
    return folder


def run(sandbox: Sandbox, caches: dict[str, Path], index: Path, project: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(sandbox.command(*words[:-1], "--python", wheels.PYTHON, "--requirements", project / "requirements.txt", "--index", index,
                                          "--memory", "1GiB", "--events", sandbox.folder / "events.jsonl", *str(words[-1]).split()),
                          env=sandbox.environment({"AISPM_CACHE": str(caches[sandbox.kind]), "OPENAI_API_KEY": "sk-callers"}), cwd=project,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=400, check=False)


def test_the_usual_libraries_can_be_imported(sandbox: Sandbox, caches: dict[str, Path], index: Path, project: Path) -> None:
    """SBX-025, SBX-026"""
    ended = run(sandbox, caches, index, project, "--offline", "libraries.py")
    assert ended.returncode == 0, ended.stderr
    path, name, langchain, langchain_openai, llama_index, openai_like = json.loads(ended.stdout)
    assert path.startswith("/opt/aispm/packages/") and name == "OpenAILike"
    assert [version.rsplit(".", 1)[0] for version in (langchain, langchain_openai, llama_index, openai_like)] == ["0.3", "0.2", "0.11", "0.2"]
    told = {log["fields"]["name"]: log["fields"]["hash"] for event in sandbox.events()
            if (log := event.get("agent_log", {})).get("stream") == "requirements"}
    assert {"langchain", "langchain-openai", "llama-index-core", "llama-index-llms-openai-like", "openai", "pydantic"} <= set(told)
    assert all(digest.startswith("sha256:") for digest in told.values())


@pytest.mark.parametrize("kind", KINDS)
def test_an_agent_of_each_kind_starts_and_answers(kind: str, sandbox: Sandbox, caches: dict[str, Path], index: Path, project: Path, provider: Provider,
                                                  gateway: Gateway, stand_in: StandIn) -> None:
    """SBX-024"""
    checked = run(sandbox, caches, index, project, "check", "--sdk", "--json", "--offline", f"{kind}_agent.py")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    between = stand_in if kind == "openai_assistant" and not serves(gateway, "/v1/responses") else gateway
    print(f"{kind}: through {type(between).__name__}")
    provider.seen.clear()
    provider.target = str(project / "made.txt")
    ended = run(sandbox, caches, index, project, "--gateway", between.socket, "--workspace", project, f"{kind}_agent.py write the file and say pong")
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert ended.stdout.strip().endswith(DONE), ended.stdout + ended.stderr[-2000:]
    assert (project / "made.txt").read_text() == CONTENT
    assert len(provider.seen) >= 2
    for _, headers, _ in provider.seen:
        assert headers["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert "sk-callers" not in str(provider.seen)
