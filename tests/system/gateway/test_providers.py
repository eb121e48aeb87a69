# SPDX-License-Identifier: Apache-2.0
"""GW-013: providers change while the gateway runs and clients ask; nothing is dropped, nothing is sent to the wrong one."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from conftest import GATEWAY, KEY, Certificate, Gateway, Provider, start_provider, stop
from programs import free_port
from test_clients import ask_openai

AISPM = GATEWAY.parent / "aispm"
ANSWER = "The capital of France is Paris."
DEADLINE = 20.0
pytestmark = pytest.mark.skipif(not AISPM.exists(), reason=f"{AISPM} is not built")


@pytest.fixture
def other(certificate: Certificate, tmp_path: Path) -> Iterator[Provider]:
    folder = tmp_path / "other"
    folder.mkdir()
    running = start_provider(free_port(), certificate, folder)
    yield running
    stop(running.process)


@pytest.fixture
def gateway(provider: Provider, certificate: Certificate, tmp_path: Path) -> Iterator[Gateway]:
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state" / "token").write_text("of-nobody." + "0" * 64 + "\n")
    extra = (f"admin: {{socket: {tmp_path}/admin.sock, rules_folder: {tmp_path}/given}}\naudit: best_effort\n"
             f"report:\n  collector: 127.0.0.1:1\n  state_folder: {tmp_path}/state\n  enrolment_token_file: {tmp_path}/state/token\n")
    running = Gateway(tmp_path)
    running.start(running.configure(provider.port, certificate.cert, extra)).wait_until_ready()
    yield running
    assert running.stop() == 0, running.log.read_text()


@pytest.fixture
def client(gateway: Gateway) -> openai.OpenAI:
    return openai.OpenAI(base_url=gateway.url + "/v1", api_key=KEY, timeout=20, max_retries=0)


def move(gateway: Gateway, before: int, after: int) -> None:
    config = gateway.folder / "gateway.yaml"
    config.write_text(config.read_text().replace(f"localhost:{before}", f"localhost:{after}"))


def command(gateway: Gateway, *words: str, fails: bool = False) -> str:
    done = subprocess.run([AISPM, *words[:3], "--socket", gateway.folder / "admin.sock", *words[3:]],
                          capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout + done.stderr



def wait_until(holds, what: str) -> None:  # noqa: ANN001
    deadline = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


class Load:
    """Clients that ask without a pause, streamed and not; what went wrong is kept."""

    def __init__(self, gateway: Gateway) -> None:
        self.done = 0
        self.failures: list[str] = []
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(gateway, index % 2 == 0)) for index in range(4)]

    def _run(self, gateway: Gateway, stream: bool) -> None:
        client = openai.OpenAI(base_url=gateway.url + "/v1", api_key=KEY, timeout=20, max_retries=0)
        while not self._ended.is_set():
            try:
                answer = ask_openai(client, "What is the capital of France?", stream)
                if answer != ANSWER:
                    self.failures.append(answer)
            except openai.OpenAIError as error:
                self.failures.append(repr(error))
            self.done += 1

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def goes_on(self) -> None:
        before = self.done
        wait_until(lambda: self.done >= before + 20, "nobody is answered any more")


def test_a_command_moves_all_later_requests_and_drops_none(gateway: Gateway, provider: Provider, other: Provider,
                                                           client: openai.OpenAI) -> None:
    with Load(gateway) as load:
        load.goes_on()
        for before, after in ((provider, other), (other, provider), (provider, other)):
            move(gateway, before.port, after.port)
            assert f"https://localhost:{after.port}" in command(gateway, "gateway", "providers", "reload")
            load.goes_on()
    assert load.failures == []
    before_port = len(provider.seen())
    assert ask_openai(client, "hello one word", False) == "Growing."
    assert "hello one word" in str(other.seen()[-1]["body"])
    assert len(provider.seen()) == before_port


def test_a_signal_does_so_too_and_keys_are_read_anew(gateway: Gateway, provider: Provider, other: Provider,
                                                     client: openai.OpenAI) -> None:
    ask_openai(client, "hello", False)
    move(gateway, provider.port, other.port)
    (gateway.folder / "provider.key").write_text("sk-renewed\n")
    assert gateway.process
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "reload.done" in gateway.log.read_text(), gateway.log.read_text())
    ask_openai(client, "hello", False)
    headers = other.seen()[-1]["headers"]
    assert isinstance(headers, dict)
    assert headers["authorization"] == "Bearer sk-renewed"


def test_a_stream_goes_on_at_the_provider_that_began_it(gateway: Gateway, provider: Provider, other: Provider,
                                                        client: openai.OpenAI) -> None:
    events = client.chat.completions.create(model="m", stream=True, messages=[
        {"role": "user", "content": "slow split=8: What is the capital of France?"}])
    text = ""
    for count, event in enumerate(events):
        if count == 1:
            move(gateway, provider.port, other.port)
            command(gateway, "gateway", "providers", "reload")
            assert ask_openai(client, "one word, elsewhere", False) == "Growing."
            assert "elsewhere" in str(other.seen()[-1]["body"])
        text += event.choices[0].delta.content or "" if event.choices else ""
    assert text == ANSWER


def test_a_faulty_file_changes_nothing_and_is_told(gateway: Gateway, provider: Provider, client: openai.OpenAI) -> None:
    config = gateway.folder / "gateway.yaml"
    right = config.read_text()
    config.write_text(right.replace("https://localhost", "gopher://localhost"))
    assert "gateway.yaml:" in command(gateway, "gateway", "providers", "reload", fails=True)
    assert gateway.process
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "reload.failed" in gateway.log.read_text(), gateway.log.read_text())
    assert ask_openai(client, "one word", False) == "Growing."
    config.write_text(right)
    command(gateway, "gateway", "providers", "reload")


def test_an_origin_is_set_shown_kept_over_reloads_and_unset(gateway: Gateway, provider: Provider, other: Provider,
                                                            client: openai.OpenAI) -> None:
    told = command(gateway, "gateway", "providers", "set", "openai", f"https://localhost:{other.port}")
    assert f"openai  openai  https://localhost:{other.port}  ok  (origin set by " in told
    ask_openai(client, "to the other", False)
    assert "to the other" in str(other.seen()[-1]["body"])
    command(gateway, "gateway", "providers", "reload")
    ask_openai(client, "still to the other", False)
    assert "still to the other" in str(other.seen()[-1]["body"])
    listed = json.loads(subprocess.run([AISPM, "--json", "gateway", "providers", "list", "--socket", gateway.folder / "admin.sock"],
                                       capture_output=True, text=True, timeout=60, check=True).stdout)["providers"]
    assert [one["origin"] for one in listed if one["name"] == "openai"] == [f"https://localhost:{other.port}"]
    assert "sk-of" not in json.dumps(listed)
    command(gateway, "gateway", "providers", "unset", "openai")
    ask_openai(client, "back again", False)
    assert "back again" in str(provider.seen()[-1]["body"])
    assert "no provider is called 'nobody'" in command(gateway, "gateway", "providers", "set", "nobody", "https://x", fails=True)
    assert "origin 'x'" in command(gateway, "gateway", "providers", "set", "openai", "x", fails=True)
