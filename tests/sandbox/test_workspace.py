# SPDX-License-Identifier: Apache-2.0
"""The workspace: the agent changes it as its owner would, but not what runs later outside of the sandbox."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import ORDINARY_UID, Sandbox

# What no run may write or create, in the form of a shell command that tries.
PERSISTENCE = {
    "hook": "echo evil > .git/hooks/post-commit",
    "hooks-renamed": "mv .git/hooks .git/old",
    "config": "git config core.fsmonitor ./evil",
    "config-replaced": "mv new .git/config",
    "config-unlinked": "rm -f .git/config",
    "config-worktree": "echo x > .git/config.worktree",
    "commondir": "echo ../evil > .git/commondir",
    "repository-renamed": "mv .git .old",
    "claude": "mkdir -p .claude && echo '{}' > .claude/settings.json",
    "claude-replaced": "rmdir .claude; ln -s /tmp .claude",
    "mcp": "echo '{}' > .mcp.json",
    "mcp-linked": "ln -s new .mcp.json",
    "vscode": "echo '{}' > .vscode/tasks.json",
    "vscode-renamed": "mv .vscode other",
    "envrc": "echo export X=1 > .envrc",
    "npmrc": "cp new .npmrc",
    "modules": "echo x > .gitmodules",
}


@pytest.fixture
def project(sandbox: Sandbox) -> Path:
    """A repository of the caller with some protected files and without others."""
    folder = sandbox.folder / "project"
    folder.mkdir()
    for command in (["git", "init", "-q"], ["git", "config", "user.email", "a@example.com"], ["git", "config", "user.name", "a"]):
        subprocess.run(command, cwd=folder, check=True, env={"PATH": os.environ["PATH"], "HOME": str(folder)})
    (folder / "main.txt").write_text("one\n")
    (folder / "new").write_text("new\n")
    (folder / ".vscode").mkdir()
    (folder / ".vscode/settings.json").write_text("{}")
    if sandbox.prefix:
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, ORDINARY_UID, ORDINARY_UID, follow_symlinks=False)
    return folder


def listing(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    return {str(path.relative_to(folder)): (path.stat().st_mode, path.stat().st_uid, path.read_bytes() if path.is_file() else b"")
            for path in sorted(folder.rglob("*"))}


def test_the_agent_edits_and_commits_as_the_owner(sandbox: Sandbox, project: Path) -> None:
    script = "echo two >> main.txt && mkdir -p src/deep && echo x > src/deep/y && git add main.txt src && git commit -qm change && git status --porcelain"
    ended = sandbox.run("--offline", "--workspace", project, "--", "sh", "-c", script)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == ["?? .vscode/", "?? new"], "what stands in for missing files must not show in git"
    assert (project / "main.txt").read_text() == "one\ntwo\n"
    owner = project.stat().st_uid
    assert {path.stat().st_uid for path in project.rglob("*")} == {owner}
    log = subprocess.run(["git", "-c", f"safe.directory={project}", "log", "--oneline"], cwd=project, capture_output=True, text=True, check=True)
    assert "change" in log.stdout


def test_persistence_points_cannot_be_written_or_made(sandbox: Sandbox, project: Path) -> None:
    before = listing(project)
    for name, attempt in PERSISTENCE.items():
        control = sandbox.folder / "control"
        subprocess.run(["cp", "-r", project, control], check=True)  # not -a: the control is our own
        assert subprocess.run(attempt, shell=True, cwd=control, capture_output=True,
                              env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"}).returncode == 0, f"{name}: dead attempt"
        subprocess.run(["rm", "-rf", control], check=True)
        ended = sandbox.run("--offline", "--workspace", project, "--", "sh", "-c", attempt)
        assert ended.returncode != 0, name
        assert listing(project) == before, name


def test_placeholders_are_gone_after_the_run_and_after_a_killed_one(sandbox: Sandbox, project: Path) -> None:
    before = listing(project)
    with subprocess.Popen(sandbox.command("--offline", "--workspace", project, "--", "sh", "-c", "ls -d .claude; sleep 30"),
                          stdout=subprocess.PIPE, text=True, env=sandbox.environment(), cwd=sandbox.folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == ".claude\n"
        assert (project / ".claude").is_dir()
        pids = [process.pid, *map(int, Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split())]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
    assert (project / ".claude").is_dir()  # nobody was left to remove it
    for _ in range(20):  # as long as the killed one still ends, it holds its locks
        assert sandbox.run("--offline", "--workspace", project, "--", "true").returncode == 0
        if listing(project) == before:
            break
    assert listing(project) == before


def test_a_second_run_keeps_its_protection_when_the_first_ends(sandbox: Sandbox, project: Path) -> None:
    words = sandbox.command("--offline", "--workspace", project, "--", "sh", "-c", "echo up; read line; mkdir .claude/x; echo x > .mcp.json; ls -A .claude")
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=sandbox.environment(), cwd=sandbox.folder) as second:
        assert second.stdin and second.stdout
        assert second.stdout.readline() == "up\n"
        assert sandbox.run("--offline", "--workspace", project, "--", "true").returncode == 0
        assert (project / ".claude").is_dir()
        second.stdin.write("go\n")
        second.stdin.flush()
        assert second.stdout.read() == ""
        second.wait(20)
    assert not (project / ".claude").exists()
    assert not (project / ".mcp.json").exists()


def test_runs_beside_each_other_leave_nothing_in_a_folder_without_a_repository(sandbox: Sandbox) -> None:
    """The second one must not take the first one's stand-in for `.git` for a repository, and put more into it."""
    folder = sandbox.folder / "plain"
    folder.mkdir()
    folder.chmod(0o777)
    words = sandbox.command("--offline", "--workspace", folder, "--", "sh", "-c", "echo up; read line; mkdir .git/x")
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=sandbox.environment(), cwd=sandbox.folder) as first:
        assert first.stdin and first.stdout
        assert first.stdout.readline() == "up\n"
        second = sandbox.run("--offline", "--workspace", folder, "--", "sh", "-c", "ls -A .git; mkdir .git/objects")
        assert (second.stdout, second.returncode) == ("", 1)
        first.communicate("go\n", timeout=20)
    assert list(folder.iterdir()) == []


def test_a_file_placed_meanwhile_is_not_removed(sandbox: Sandbox, project: Path) -> None:
    with subprocess.Popen(sandbox.command("--offline", "--workspace", project, "--", "sh", "-c", "echo up; read line"), stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True, env=sandbox.environment(), cwd=sandbox.folder) as process:
        assert process.stdin and process.stdout
        process.stdout.readline()
        (project / ".envrc").rmdir()
        (project / ".envrc").write_text("mine\n")
        process.stdin.write("go\n")
        process.stdin.flush()
        process.wait(20)
    assert (project / ".envrc").read_text() == "mine\n"


def test_the_agent_cannot_write_its_own_profile(sandbox: Sandbox) -> None:
    folder = sandbox.folder / "plain"
    folder.mkdir()
    folder.chmod(0o777)
    profile = folder / "box.yaml"
    profile.write_text("extends: default\nlimits: {memory: 256MiB}\n")
    profile.chmod(0o666)
    for attempt in ("echo 'dangerous: {sensitive_paths: true}' >> box.yaml", "rm -f box.yaml && echo x > box.yaml", "mv box.yaml other"):
        ended = sandbox.run("--offline", "--profile", profile, "--workspace", folder, "--", "sh", "-c", f"echo up; {attempt}")
        assert ended.stdout == "up\n", ended.stderr
        assert ended.returncode != 0
        assert profile.read_text().endswith("256MiB}\n")
    refused = sandbox.run("--offline", "--profile", profile, "--rw", folder, "--", "true")
    assert refused.returncode == 2
    assert f"--profile {profile}: lies in {folder}" in refused.stderr


def test_a_repository_that_the_agent_makes_is_prevented_or_told(sandbox: Sandbox, project: Path) -> None:
    """git obeys the configuration of a bare repository, and from above that of one to which an entry of the index leads."""
    plain = sandbox.folder / "plain"
    plain.mkdir()
    plain.chmod(0o777)
    bare = "mkdir objects; echo 'ref: refs/heads/x' > HEAD; echo '[core] fsmonitor = evil' > config; mkdir -p refs"
    assert sandbox.run("--offline", "--workspace", plain, "--", "sh", "-c", bare).returncode != 0
    assert not (plain / "refs").exists()
    ended = sandbox.run("--offline", "--workspace", project, "--", "sh", "-c", "echo x >> main.txt && git commit -qam more")
    assert "repositories" not in ended.stderr, "the workspace's own"
    ended = sandbox.run("--offline", "--workspace", project, "--", "sh", "-c", "git init -q sub/deep && git -C sub/deep config core.fsmonitor evil")
    assert ended.returncode == 0, ended.stderr
    assert "warning: git repositories within the workspace" in ended.stderr
    assert "sub/deep/.git" in ended.stderr
    again = sandbox.run("--offline", "--workspace", project, "--", "sh", "-c", "mv sub/deep/.git sub/other")
    assert "sub/other" in again.stderr
    assert "repositories" not in sandbox.run("--offline", "--workspace", project, "--", "true").stderr


def test_no_link_leads_out_of_the_workspace(sandbox: Sandbox, project: Path) -> None:
    """A link that an earlier run planted is refused as a place to protect, and is no way out as the workspace itself."""
    (project / ".codex").symlink_to("/etc")
    ended = sandbox.run("--offline", "--workspace", project, "--", "true")
    assert ended.returncode == 2
    assert ".codex" in ended.stderr
    (project / ".codex").unlink()
    link = sandbox.folder / "link"
    link.symlink_to("/etc")
    assert sandbox.run("--offline", "--workspace", link, "--", "true").returncode == 2


def test_the_next_run_shares_nothing_that_an_agent_led_it_to(sandbox: Sandbox) -> None:
    """Interpreters and packages are shared with their folders: a link in the workspace must not choose which."""
    project, private = sandbox.folder / "project", sandbox.folder / "private"
    for folder in (project, private, private / "bin"):
        folder.mkdir()
        folder.chmod(0o777)
    (private / "secret").write_text("of the caller")
    (private / "run.py").write_text("")
    (private / "bin/tool").write_bytes(Path("/bin/sh").read_bytes())
    (private / "bin/tool").chmod(0o755)
    agent = project / "agent"
    agent.write_text(f"#!/bin/sh\nln -s ../private {project}/node_modules\n"
                     f"printf '#!{project}/node_modules/bin/tool\\ncat {private}/secret\\n' > {project}/again\nchmod +x {project}/again\n"
                     f"ln -s {private}/run.py {project}/linked.py\n")
    agent.chmod(0o755)
    first = sandbox.run("--offline", "--workspace", project, agent)
    assert first.returncode == 0, first.stderr
    again = sandbox.run("--offline", "--workspace", project, project / "again")
    assert "of the caller" not in again.stdout
    assert again.returncode != 0
    linked = sandbox.run("--offline", "--workspace", project, project / "linked.py")
    assert linked.returncode == 2
    assert f"{private}/run.py" in linked.stderr


def test_a_longer_name_is_another_folder(sandbox: Sandbox) -> None:
    """SBX-031: sharing /x/work does not share /x/workevil, by no spelling."""
    work, evil = sandbox.folder / "work", sandbox.folder / "workevil"
    for folder in (work, evil):
        folder.mkdir()
        folder.chmod(0o777)
    (evil / "secret").write_text("secret")
    ended = sandbox.run("--offline", "--workspace", work, "--", "sh", "-c",
                        f"cat {evil}/secret; cat {work}/../workevil/secret; cat ../workevil/secret; touch {evil}/made; ls {sandbox.folder}")
    assert "secret" not in ended.stdout
    assert ended.stdout.split() == ["work"]
    assert not (evil / "made").exists()


def test_a_kept_home_is_the_same_one_next_time(sandbox: Sandbox) -> None:
    (sandbox.folder / "kept.yaml").write_text("name: kept\nhome:\n  kind: kept\n  files:\n    .config/tool.ini: 'at ${gateway}'\n")
    name = f"kept-test-{os.getpid()}"
    words = ("--offline", "--profile", "kept.yaml", "--agent", name, "--", "sh", "-c")
    home = Path("/var/lib/aispm") if sandbox.kind == "root" else sandbox.folder / ".local/state/aispm"
    try:
        first = sandbox.run(*words, "cat ~/.config/tool.ini && echo $HOME && echo remembered > ~/note")
        assert first.stdout.splitlines() == ["at http://127.0.0.1:61088/home/agent"], first.stderr
        assert sandbox.run(*words, "cat ~/note").stdout == "remembered\n"
        assert (home / "homes" / f"home.{name}" / "note").exists()
        other = sandbox.run("--offline", "--profile", "kept.yaml", "--agent", name + "2", "--", "sh", "-c", "cat ~/note")
        assert other.returncode != 0
    finally:
        subprocess.run(["rm", "-rf", home / "homes" / f"home.{name}", home / "homes" / f"home.{name}2"], check=True)


def test_a_planted_link_in_a_kept_home_is_not_followed(sandbox: Sandbox) -> None:
    """What the agent left in its home must not make the next start write elsewhere on the host."""
    (sandbox.folder / "kept.yaml").write_text("name: kept\nhome:\n  kind: kept\n  files:\n    .config/evil.ini: text\n")
    outside = sandbox.folder / "outside"
    outside.mkdir()
    outside.chmod(0o777)
    name = f"planted-test-{os.getpid()}"
    words = ("--offline", "--profile", "kept.yaml", "--agent", name, "--", "sh", "-c")
    home = Path("/var/lib/aispm") if sandbox.kind == "root" else sandbox.folder / ".local/state/aispm"
    try:
        assert sandbox.run(*words, f"rm -r ~/.config && ln -s {outside} ~/.config").returncode == 0
        again = sandbox.run(*words, "true")
        assert again.returncode == 125
        assert ".config" in again.stderr
        assert list(outside.iterdir()) == []
    finally:
        subprocess.run(["rm", "-rf", home / "homes" / f"home.{name}"], check=True)


def test_no_file_becomes_setuid_or_setgid(sandbox: Sandbox, project: Path) -> None:
    """As root the workspace's owner may be root: a setuid file there would be a way to root for others."""
    probe = ("import os, ctypes\n"
             "libc = ctypes.CDLL(None, use_errno=True)\n"
             "def tried(what):\n"
             "  try:\n    r = what()\n  except OSError as e:\n    return e.errno\n"
             "  return ctypes.get_errno() if r == -1 else 0\n"
             "open('s', 'w').close()\n"
             "print(tried(lambda: os.chmod('s', 0o4755)), tried(lambda: os.chmod('s', 0o2755)), tried(lambda: os.fchmod(os.open('s', 0), 0o6755)),\n"
             "      tried(lambda: os.open('t', os.O_CREAT | os.O_WRONLY, 0o4755)), tried(lambda: libc.creat(b'u', 0o4755)),\n"
             "      tried(lambda: os.mknod('v', 0o104755)), tried(lambda: os.chmod('s', 0o1755)), tried(lambda: os.open('w', os.O_RDWR | os.O_CREAT, 0o755)))\n")
    ended = sandbox.run("--offline", "--events", "events.jsonl", "--workspace", project, "--", "/usr/bin/python3", "-c", probe)
    assert ended.stdout.split() == ["1", "1", "1", "1", "1", "1", "0", "0"], ended.stdout + ended.stderr
    assert [path.name for path in project.rglob("*") if path.is_file() and path.stat().st_mode & 0o6000] == []


def test_dry_run_prints_the_whole_plan_and_changes_nothing(sandbox: Sandbox, project: Path) -> None:
    before = listing(project)
    ended = sandbox.run("--offline", "--dry-run", "--profile", "coding-agent", "--workspace", project, "--", "true")
    assert ended.returncode == 0, ended.stderr
    for text in (f"read-write  {project}\n", f"protected   {project}/.git/config", f"protected   {project}/.mcp.json (not there",
                 "home file   /home/agent/.codex/config.toml", "profile coding-agent", "seccomp", "Landlock"):
        assert text in ended.stdout, text
    assert listing(project) == before


def test_an_unknown_profile_lists_those_there_are(sandbox: Sandbox) -> None:
    ended = sandbox.run("--offline", "--profile", "codingagent", "--", "true")
    assert ended.returncode == 2
    assert "build, coding-agent, default, node, offline, python" in ended.stderr


def test_a_misspelt_key_is_named_with_the_one_meant(sandbox: Sandbox) -> None:
    (sandbox.folder / "p.yaml").write_text("extends: default\nlimits:\n  memmory: 1GiB\n")
    ended = sandbox.run("--offline", "--profile", "p.yaml", "--", "true")
    assert ended.returncode == 2
    assert "p.yaml:3: unknown key `memmory`" in ended.stderr
    assert "did you mean `memory`?" in ended.stderr


def test_the_old_option_names_still_work(sandbox: Sandbox, project: Path) -> None:
    begin = time.monotonic()
    ended = sandbox.run("--offline", "--workdir", project, "--wall-time", "300ms", "--", "sh", "-c", "touch made; sleep 20")
    assert ended.returncode == 124
    assert (project / "made").exists()
    assert time.monotonic() - begin < 15


def test_agents_of_every_kind_are_run_by_what_they_are(sandbox: Sandbox) -> None:
    (sandbox.folder / "agent.py").write_text("import sys; print('python', sys.argv[1:])")
    shell = sandbox.folder / "agent"
    shell.write_text("#!/bin/sh\necho shell $1\n")
    shell.chmod(0o755)
    assert sandbox.run("--offline", "agent.py", "--x").stdout == "python ['--x']\n"
    assert sandbox.run("--offline", "./agent", "--x").stdout == "shell --x\n"
    program = sandbox.folder / "true"
    program.write_bytes(Path("/usr/bin/true").read_bytes())
    program.chmod(0o755)
    assert sandbox.run("--offline", "./true").returncode == 0
    if not Path("/usr/bin/node").exists():
        pytest.skip("node is not installed: agent.js was not tried")
    (sandbox.folder / "agent.js").write_text("console.log('node', process.argv.slice(2))")
    ended = sandbox.run("--offline", "agent.js", "--x")
    assert ended.stdout == "node [ '--x' ]\n", ended.stderr
