# SPDX-License-Identifier: Apache-2.0
"""The warm pool: what runs in a sandbox that waited meets the same as in one built for it, and nothing is ever used twice. SBX-021, SBX-026."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import BUILD, ORDINARY_UID, POOL, Sandbox
from test_requirements import PYTHON, Shop, make_wheel

KEEPER = BUILD / "bin/aispm-pool"
TESTS = Path(__file__).parent
ABOUT = """
import json, locale, os, sys
about = {"argv": sys.argv, "orig": sys.orig_argv, "path": sys.path, "flags": list(sys.flags), "name": __name__, "file": __file__,
         "executable": sys.executable, "folder": os.getcwd(), "umask": os.umask(0o22), "spec": __spec__, "doc": __doc__,
         "streams": [(s.encoding, s.errors, s.line_buffering, s.write_through, s.mode, s.name) for s in (sys.stdin, sys.stdout, sys.stderr)],
         "environment": {k: v for k, v in os.environ.items() if k != "AISPM_SESSION_ID"}, "locale": locale.setlocale(locale.LC_CTYPE),
         "globals": sorted(k for k in globals()), "limits": [__import__("resource").getrlimit(i) for i in range(16)],
         "descriptors": sorted(os.listdir("/proc/self/fd")), "stdin": sys.stdin.read(),
         "status": [line for line in open("/proc/self/status") if line.startswith(("Cap", "NoNewPrivs", "Seccomp:", "Threads", "SigBlk", "SigIgn", "SigCgt"))]}
print(json.dumps(about))
"""


def about(text: str, sandbox: Sandbox) -> dict:
    found = json.loads(text)
    if sandbox.kind == "user":
        # RLIMIT_NPROC: one more where a control group (of root's pool) is to refuse first; 256 and process 1 are the profile's.
        assert found["limits"][6] in ([257, 257], [258, 258]), found["limits"][6]
        found["limits"][6] = None
        found["limits"][2] = None  # RLIMIT_DATA: a pool of root's limits the memory by a control group, which holds for all processes together
    return found


@dataclass
class Pool:
    socket: Path
    process: subprocess.Popen[str]

    def words(self) -> list[str]:
        return ["--pool", "--pool-socket", str(self.socket), "--verbose"]

    def stop(self) -> str:
        self.process.terminate()
        return self.process.communicate(timeout=20)[1]


def start_pool(folder: Path, prefix: list[str], *words: str) -> Pool:
    process = subprocess.Popen([*prefix, str(KEEPER), "--socket", str(folder / "pool.sock"), "--entries", "3", "--pause", "1", *words],
                               stderr=subprocess.PIPE, text=True)
    while not (folder / "pool.sock").exists():
        assert process.poll() is None
        time.sleep(0.02)
    return Pool(folder / "pool.sock", process)


@pytest.fixture
def pool(sandbox: Sandbox) -> Iterator[Pool]:
    """One that serves all users, as root; else one of the user's own."""
    if POOL:
        pytest.skip("these are the pool's own tests")
    keeper = start_pool(sandbox.folder, [])
    yield keeper
    keeper.stop()


def run_warm(sandbox: Sandbox, pool: Pool, *words: str | Path, **more) -> subprocess.CompletedProcess[str]:
    """Runs it until it was served by the pool: at first none waits, and later perhaps none any more."""
    for _ in range(60):
        ended = sandbox.run(*pool.words(), *words, **more)
        if "warm start" in ended.stderr:
            said = [line for line in ended.stderr.splitlines(keepends=True) if "aispm-run: note: warm start" not in line]
            return subprocess.CompletedProcess(ended.args, ended.returncode, ended.stdout, "".join(said))
        assert "none waits now" in ended.stderr, ended.stderr
        time.sleep(0.2)
    raise AssertionError("no sandbox ever waited")


def write(sandbox: Sandbox, name: str, text: str) -> Path:
    path = sandbox.folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("words", [(), ("--profile", "python"), ("--env", "TZ=Asia/Tokyo"), ("--env", "PYTHONHASHSEED=1", "--env", "PYTHONOPTIMIZE=1"),
                                   ("--env", "LC_ALL=de_DE.ISO-8859-1")], ids=["default", "python", "zone", "seed", "locale"])
def test_an_agent_finds_what_it_finds_after_a_cold_start(sandbox: Sandbox, pool: Pool, words: tuple[str, ...]) -> None:
    agent = write(sandbox, "agent.py", ABOUT)
    cold = sandbox.run("--offline", *words, agent, "a", "b c", "", input="given")
    warm = run_warm(sandbox, pool, "--offline", *words, agent, "a", "b c", "", input="given")
    assert cold.returncode == warm.returncode == 0
    assert about(cold.stdout, sandbox) == about(warm.stdout, sandbox)


@pytest.mark.parametrize("text", [
    "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)",
    "import sys; sys.exit('in words')",
    "def f():\n  raise ValueError('x')\ntry:\n  f()\nexcept ValueError as e:\n  raise KeyError('y') from e",
    "print('never'",
    "import os; os.kill(os.getpid(), 9)",
    "import os, signal; os.kill(os.getpid(), signal.SIGINT); import time; time.sleep(5)",
    "import os; os.abort()",
    "open('/tmp/kept', 'w').write('unflushed'); f = open('/tmp/x', 'w'); f.write('y')\nimport atexit\natexit.register(lambda: print('at exit'))",
    "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.2), print('thread'))).start()",
    "import multiprocessing as m\ndef f(x):\n  return x * x\nif __name__ == '__main__':\n  m.set_start_method('spawn')\n  q = m.Pool(1) if False else None\n  import subprocess, sys\n  print(subprocess.run([sys.executable, '-c', 'print(6*7)'], capture_output=True, text=True).stdout)",
    "import inspect, pickle\nclass A: pass\nprint(pickle.loads(pickle.dumps(A())).__class__, inspect.getsource(A))",
], ids=["codes", "words", "chain", "syntax", "killed", "interrupt", "abort", "exit", "thread", "children", "main"])  # fmt: skip
def test_an_agent_ends_as_after_a_cold_start(sandbox: Sandbox, pool: Pool, text: str) -> None:
    agent = write(sandbox, "agent.py", text)
    cold = sandbox.run("--offline", agent)
    warm = run_warm(sandbox, pool, "--offline", agent)
    assert (warm.returncode, warm.stdout, warm.stderr) == (cold.returncode, cold.stdout, cold.stderr)


def test_a_command_too(sandbox: Sandbox, pool: Pool) -> None:
    words = ("--", "sh", "-c", "echo $0 $#; ls /proc/self/fd; pwd; cat; ulimit -a | grep -v ^data; exit 3", "x", "y")
    cold = sandbox.run("--offline", *words, input="given")
    warm = run_warm(sandbox, pool, "--offline", *words, input="given")
    # One more where a group of root's pool refuses first.
    warm.stdout = re.sub(r"^(process\s+)258$", r"\g<1>257", warm.stdout, flags=re.MULTILINE)
    cold.stdout = re.sub(r"^(process\s+)258$", r"\g<1>257", cold.stdout, flags=re.MULTILINE)
    assert (warm.returncode, warm.stdout, warm.stderr) == (cold.returncode, cold.stdout, cold.stderr) and warm.returncode == 3
    missing = run_warm(sandbox, pool, "--offline", "--", "/usr/bin/env", "/nowhere")
    assert missing.returncode == 127


def test_nothing_is_used_twice(sandbox: Sandbox, pool: Pool) -> None:
    """SBX-026: no namespace, scratch folder or user id of an agent is another's."""
    script = ("import os, socket\nprint(socket.socket().getsockopt(socket.SOL_SOCKET, 71, 8).hex())\nprint(open('/proc/self/uid_map').read().split()[1])\n"
              "print(os.path.exists('/tmp/mark'), os.path.exists('/dev/shm/mark'), os.environ.get('MINE'), os.getpid())\n"
              "open('/tmp/mark', 'w'); open('/dev/shm/mark', 'w')\n")  # fmt: skip
    agent = write(sandbox, "agent.py", script)
    runs = [run_warm(sandbox, pool, "--offline", "--env", f"MINE={i}", agent).stdout.splitlines() for i in range(4)]
    assert len({run[0] for run in runs}) == 4  # SO_NETNS_COOKIE: never given twice
    assert [run[2] for run in runs] == [f"False False {i} 2" for i in range(4)]
    if sandbox.kind == "root":
        assert all(0x61000000 <= int(run[1]) < 0x61010000 for run in runs)
    else:
        assert {int(run[1]) for run in runs} == {ORDINARY_UID if os.geteuid() == 0 else os.geteuid()}


def test_two_at_once_share_nothing(sandbox: Sandbox, pool: Pool) -> None:
    script = "cat /proc/self/uid_map; for n in net pid mnt ipc user uts cgroup; do readlink /proc/self/ns/$n; done; read x"
    words = sandbox.command(*pool.words(), "--offline", "--", "sh", "-c", script)
    run_warm(sandbox, pool, "--offline", "--", "/bin/true")
    time.sleep(0.5)
    both = [subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=sandbox.environment(), text=True)
            for _ in range(2)]  # fmt: skip
    seen = [[one.stdout.readline() for _ in range(8)] for one in both]
    for one in both:
        assert "warm start" in one.communicate("\n", timeout=20)[1]
    same = [a for a, b in zip(*seen, strict=True) if a == b]
    assert same == ([] if sandbox.kind == "root" else [seen[0][0]])  # an ordinary user's are all of that user


def test_the_workspace_is_there_and_protected(sandbox: Sandbox, pool: Pool) -> None:
    project = sandbox.folder / "project"
    (project / ".git/hooks").mkdir(parents=True)
    if sandbox.kind == "user" and os.geteuid() == 0:
        for path in (project, project / ".git", project / ".git/hooks"):
            os.chown(path, ORDINARY_UID, ORDINARY_UID)
    script = "pwd; echo done >made; echo x >.git/hooks/pre-commit; mkdir .vscode/x; echo x >/usr/x; echo x >/x"
    warm = run_warm(sandbox, pool, "--offline", "--workspace", project, "--", "sh", "-c", script)
    assert warm.stdout.strip() == str(project)
    assert (project / "made").read_text() == "done\n" and (project / "made").owner() == project.owner()
    assert not (project / ".git/hooks/pre-commit").exists() and not (project / ".vscode").exists()
    assert warm.stderr.count("Read-only file system") == 4


def test_limits_hold_and_are_named(sandbox: Sandbox, pool: Pool) -> None:
    late = run_warm(sandbox, pool, "--offline", "--timeout", "1s", "--", "sleep", "60")
    assert late.returncode == 124 and "wall_time" in late.stderr
    loud = run_warm(sandbox, pool, "--offline", "--output", "1KiB", "--", "sh", "-c", "while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done")
    assert loud.returncode == 123 and "output" in loud.stderr
    agent = write(sandbox, "agent.py", "b = bytearray(900 << 20)\nfor i in range(0, len(b), 4096): b[i] = 1\nprint('got it')")
    greedy = run_warm(sandbox, pool, "--offline", agent)
    assert greedy.returncode != 0 and "got it" not in greedy.stdout
    bomb = run_warm(sandbox, pool, "--offline", "--", "/usr/bin/python3", "-c", "import os\nn = 0\ntry:\n  while n < 400:\n    if os.fork() == 0: os.pause() if hasattr(os, 'pause') else __import__('time').sleep(9)\n    n += 1\nexcept OSError as e: print(n, e.errno)")  # fmt: skip
    count, error = bomb.stdout.split()
    assert int(count) <= 256 and int(error) == 11


@pytest.mark.parametrize("words,reason", [
    (("--memory", "64MiB"), "memory limit"), (("--pids", "9"), "limit of processes"), (("--profile", "./mine.yaml"), "a file of yours"),
    (("--ro", "/usr/share"), ""),
], ids=["memory", "pids", "profile", "covered"])  # fmt: skip
def test_what_cannot_be_added_starts_cold_and_says_why(sandbox: Sandbox, pool: Pool, words: tuple[str, ...], reason: str) -> None:
    agent = write(sandbox, "agent.py", "print('ran')")
    write(sandbox, "mine.yaml", "version: 1\nname: mine\nextends: default\n")
    run_warm(sandbox, pool, "--offline", agent)
    if not reason:
        assert run_warm(sandbox, pool, "--offline", *words, agent).stdout == "ran\n"
        return
    ended = sandbox.run(*pool.words(), "--offline", "--events", "events.jsonl", *words, agent)
    assert ended.returncode == 0 and ended.stdout == "ran\n" and "cold start" in ended.stderr
    start = next(event["sandbox_start"] for event in sandbox.events() if "sandbox_start" in event)
    assert start["start_kind"] == "cold" and reason in start["cold_reason"]


def test_the_event_says_how_it_started(sandbox: Sandbox, pool: Pool) -> None:
    run_warm(sandbox, pool, "--offline", "--", "true")
    (sandbox.folder / "events.jsonl").unlink(missing_ok=True)
    cold = sandbox.run("--offline", "--events", "events.jsonl", "--", "true")
    assert cold.returncode == 0
    run_warm(sandbox, pool, "--offline", "--events", "events.jsonl", "--", "true")
    starts = [event["sandbox_start"] for event in sandbox.events() if "sandbox_start" in event]
    assert starts[0]["start_kind"] == "cold" and "cold_reason" not in starts[0]
    assert starts[-1]["start_kind"] == "warm"
    without_uid = [{m for m in start["mechanisms"] if not m.startswith(("hostuid:", "init:"))} for start in (starts[0], starts[-1])]
    if sandbox.kind == "user" and os.geteuid() == 0:
        # A pool of root's has control groups where the user has none; that is all that differs.
        assert without_uid[0] - without_uid[1] <= {"memory:rlimit_data"} and all(m.startswith("cgroup") for m in without_uid[1] - without_uid[0])
        return
    assert without_uid[0] == without_uid[1]
    assert starts[0]["boundary"] == starts[-1]["boundary"]


def test_without_a_pool_the_start_is_cold(sandbox: Sandbox) -> None:
    ended = sandbox.run("--pool", "--pool-socket", sandbox.folder / "nowhere.sock", "--verbose", "--offline", "--", "echo", "ran")
    assert ended.returncode == 0 and ended.stdout == "ran\n" and "no pool at" in ended.stderr


def test_a_stranger_pool_is_not_believed(sandbox: Sandbox) -> None:
    if os.geteuid() != 0 or sandbox.kind != "root":
        pytest.skip("needs a second user")
    os.chmod(sandbox.folder, 0o777)
    keeper = start_pool(sandbox.folder, ["setpriv", f"--reuid={ORDINARY_UID}", f"--regid={ORDINARY_UID}", "--clear-groups", "--"])
    try:
        ended = sandbox.run(*keeper.words(), "--offline", "--", "true")
        assert ended.returncode == 0 and "neither root's nor this user's" in ended.stderr
    finally:
        keeper.stop()


def test_callers_in_another_mount_namespace_are_not_served(sandbox: Sandbox, pool: Pool) -> None:
    if os.geteuid() != 0 or sandbox.kind != "root":
        pytest.skip("needs root to make one")
    run_warm(sandbox, pool, "--offline", "--", "true")
    words = ["unshare", "-m", *sandbox.command(*pool.words(), "--offline", "--", "echo", "ran")]
    ended = subprocess.run(words, capture_output=True, text=True, env=sandbox.environment(), timeout=30)
    assert ended.stdout == "ran\n" and "another container" in ended.stderr


def find_process(mark: str) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if mark.encode() in (folder / "cmdline").read_bytes().split(b"\0") and b"aispm-run" not in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
    return found


def wait_until(claim, seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if claim():
            return True
        time.sleep(0.01)
    return False


def start_sleeper(sandbox: Sandbox, pool: Pool, mark: str) -> subprocess.Popen[str]:
    run_warm(sandbox, pool, "--offline", "--", "true")
    time.sleep(0.5)
    started = subprocess.Popen(sandbox.command(*pool.words(), "--offline", "--", "sh", "-c", "sleep $0; echo went on", mark), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=sandbox.environment(), text=True)  # fmt: skip
    assert wait_until(lambda: find_process(mark))
    return started


def test_killing_the_supervisor_ends_the_sandbox(sandbox: Sandbox, pool: Pool) -> None:
    mark = f"97{os.getpid()}.{1 if sandbox.kind == 'root' else 2}"
    started = start_sleeper(sandbox, pool, mark)
    started.kill()
    begin = time.monotonic()
    assert wait_until(lambda: not find_process(mark))
    print(f"gone after {time.monotonic() - begin:.3f} s")
    assert "warm start" in started.communicate()[1]


def test_agents_outlive_the_pool_and_waiting_sandboxes_do_not(sandbox: Sandbox, pool: Pool) -> None:
    mark = f"1.{os.getpid()}{1 if sandbox.kind == 'root' else 2}"
    started = start_sleeper(sandbox, pool, mark)
    children = Path(f"/proc/{pool.process.pid}/task/{pool.process.pid}/children").read_text().split()
    pool.process.kill()
    pool.process.wait()
    out, said = started.communicate(timeout=30)
    assert started.returncode == 0 and out == "went on\n" and "warm start" in said
    assert len(children) >= 2
    assert wait_until(lambda: not any(Path(f"/proc/{child}/cmdline").exists() for child in children))


def test_packages_of_its_own_are_there_in_a_warm_sandbox(sandbox: Sandbox, pool: Pool) -> None:
    """SBX-026: mounted late, and the interpreter is started with them; the same as cold."""
    if subprocess.run([PYTHON, "-I", "-m", "pip", "--version"], capture_output=True, check=False).returncode != 0:
        pytest.skip(f"{PYTHON} has no pip (python3-pip)")
    shop = Shop(sandbox)
    make_wheel(shop.wheels, "greeting", {"greeting.py": "WORD = 'hello'\n"})
    shop.write("requirements.txt", "greeting==1.0\n")
    shop.write("agent.py", "import greeting, sys; print(greeting.WORD, greeting.__file__, sys.path)\n")
    cold = shop.run()
    assert (cold.returncode, cold.stdout[:6]) == (0, "hello "), cold.stderr
    for _ in range(100):
        warm = shop.run(*pool.words())
        assert warm.stdout == cold.stdout, warm.stderr
        if "warm start" in warm.stderr:
            return
        assert "none waits now" in warm.stderr, warm.stderr
        time.sleep(0.2)
    raise AssertionError("no sandbox ever waited")


def test_hup_builds_all_anew(sandbox: Sandbox, pool: Pool) -> None:
    run_warm(sandbox, pool, "--offline", "--", "true")
    time.sleep(0.5)
    before = set(Path(f"/proc/{pool.process.pid}/task/{pool.process.pid}/children").read_text().split())
    pool.process.send_signal(signal.SIGHUP)
    assert wait_until(lambda: len(now := set(Path(f"/proc/{pool.process.pid}/task/{pool.process.pid}/children").read_text().split())) >= 3 and not now & before)
    assert run_warm(sandbox, pool, "--offline", "--", "echo", "ran").stdout == "ran\n"


def test_the_containment_tests_pass_in_warm_sandboxes(tmp_path: Path) -> None:
    """SBX-021: the hundred attempts too, as root and as an ordinary user."""
    if POOL or not KEEPER.exists():
        pytest.skip("runs the others")
    folder = Path("/var/tmp") / f"aispm-pool-{os.getpid()}"
    folder.mkdir()
    folder.chmod(0o755)
    keeper = start_pool(folder, [], "--max-entries", "16")
    try:
        environment = os.environ | {"AISPM_TEST_POOL": str(keeper.socket)}
        files = [TESTS / "test_containment.py", TESTS / "probes/test_probes.py", TESTS / "test_workspace.py", TESTS / "test_network.py",
                 TESTS / "test_disk.py"]
        ended = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, files)], env=environment, capture_output=True,
                               text=True, timeout=280, cwd=TESTS.parents[1])  # fmt: skip
    finally:
        said = keeper.stop()
        folder.rmdir() if not any(folder.iterdir()) else None
    assert ended.returncode == 0, ended.stdout[-4000:]
    print(ended.stdout.splitlines()[-1], said)
    taken = re.search(r"(\d+) taken", said)
    assert taken and int(taken[1]) >= 40
