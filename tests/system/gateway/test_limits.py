# SPDX-License-Identifier: Apache-2.0
"""Rates, budgets, prices and the model gate, as unmodified openai, anthropic and ollama clients meet them.

GW-005, GW-006, GW-015, GW-016, GW-043, GW-044, GW-045, GW-059.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anthropic
import ollama
import openai
import pytest
from conftest import KEY, POLICY, Certificate, Gateway, Provider

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
ANSWER = "The capital of France is Paris."
both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


class Made:
    """Starts gateways with sections of their own and stops them all."""

    def __init__(self, folder: Path, provider: Provider, certificate: Certificate) -> None:
        self.folder, self.provider, self.certificate = folder, provider, certificate
        self.running: list[Gateway] = []

    def start(self, extra: str, policy: str = POLICY) -> Gateway:
        gateway = Gateway(self.folder)
        gateway.start(gateway.configure(self.provider.port, self.certificate.cert, extra, policy))
        self.running.append(gateway)
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:  # its rules are compiled
            with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(gateway.url + "/healthz", timeout=20) as reply:
                if reply.status == 200:
                    return gateway
            time.sleep(0.1)
        raise AssertionError("the gateway's rules were not loaded: " + gateway.log.read_text())

    def report(self) -> str:
        """A section that has events kept on disk; nobody fetches them there."""
        state = self.folder / "state"
        state.mkdir(mode=0o700, exist_ok=True)
        (state / "token").write_text("of-nobody." + "0" * 64 + "\n")
        return f"report:\n  collector: 127.0.0.1:1\n  state_folder: {state}\n  enrolment_token_file: {state}/token\n"

    def sinks(self) -> list[Path]:
        """All that the gateway writes, but what the test itself gave it."""
        return [path for path in self.folder.rglob("*")
                if path.is_file() and not path.name.endswith(".yaml") and path.name not in ("token", "provider.key")]


@pytest.fixture
def make(tmp_path: Path, provider: Provider, certificate: Certificate) -> Iterator[Made]:
    made = Made(tmp_path, provider, certificate)
    yield made
    for gateway in made.running:
        if gateway.process is not None and gateway.process.poll() is None:
            assert gateway.stop() == 0, gateway.log.read_text()


def chat(gateway: Gateway, **options: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=gateway.url + "/v1", api_key=KEY, timeout=30, **options)


def messages(gateway: Gateway, **options: Any) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=gateway.url, api_key=KEY, timeout=30, **options)


def ask(client: openai.OpenAI, **options: Any) -> openai.types.chat.ChatCompletion:
    return client.chat.completions.create(**{"model": "m", "messages": QUESTION, "max_tokens": 50, **options})


def left(gateway: Gateway, session: str = "") -> dict[str, Any]:
    request = urllib.request.Request(gateway.url + "/aispm/v1/limits",
                                     headers={"Authorization": f"Bearer {KEY}", "x-aispm-session": session})
    with urllib.request.urlopen(request, timeout=10) as reply:
        answer: dict[str, Any] = json.load(reply)
    return answer


def used(gateway: Gateway, session: str = "") -> int:
    return int(left(gateway, session)["budgets"][0]["used"])


def wait_until_settled(gateway: Gateway, expected: int, session: str = "") -> None:
    """The client has its answer a moment before the gateway has put the exchange down."""
    deadline = time.monotonic() + 20
    while used(gateway, session) != expected:
        assert time.monotonic() < deadline, f"{left(gateway, session)} and not {expected}"
        time.sleep(0.02)


def content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # a file that was just replaced
        return b""


def wait_for_bytes(made: Made, *words: bytes) -> None:
    deadline = time.monotonic() + 20
    while not all(any(word in content(path) for path in made.sinks()) for word in words):
        assert time.monotonic() < deadline, f"no sink holds {words}"
        time.sleep(0.1)


# --- rates

def test_the_request_over_the_rate_is_429_with_the_headers_clients_back_off_by(make: Made, provider: Provider) -> None:
    gateway = make.start("limits: {rates: {agent: {per_minute: 5, burst: 2}, user: {per_minute: 0}}}\n")
    client = chat(gateway, max_retries=0)
    for place in range(7):
        reply = client.chat.completions.with_raw_response.create(model="m", messages=QUESTION)
        assert reply.headers["x-ratelimit-limit"] == "7"
        assert reply.headers["x-ratelimit-remaining"] == str(6 - place)
    before = provider.seen()
    with pytest.raises(openai.RateLimitError) as refused:
        ask(client)
    assert refused.value.status_code == 429
    assert refused.value.code == "rate_limit_exceeded"
    assert "this agent may make 7 requests within 60 s" in str(refused.value)
    headers = refused.value.response.headers
    assert 1 <= int(headers["retry-after"]) <= 60
    assert headers["x-ratelimit-remaining"] == "0"
    assert headers["x-aispm-decision"] == "rate_limited"
    assert "x-should-retry" not in headers
    with pytest.raises(anthropic.RateLimitError) as limited:
        messages(gateway, max_retries=0).messages.create(model="m", max_tokens=9, messages=QUESTION)  # type: ignore[arg-type]
    assert limited.value.body["error"]["type"] == "rate_limit_error"  # type: ignore[index]
    with pytest.raises(ollama.ResponseError) as told:
        ollama.Client(host=gateway.url, headers={"Authorization": f"Bearer {KEY}"}).chat(model="m", messages=QUESTION)
    assert told.value.status_code == 429
    assert provider.seen() == before
    assert left(gateway)["rate"] == {"of": "agent", "limit": 7, "remaining": 0, "window_seconds": 60}


def test_real_clients_wait_and_get_their_answer(make: Made) -> None:
    gateway = make.start("limits: {rates: {agent: {per_second: 2}, user: {per_minute: 0}}}\n")
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: ask(chat(gateway, max_retries=10)).choices[0].message.content, range(6)))
    assert answers == [ANSWER] * 6


def test_exactly_the_limit_passes_of_many_at_once(make: Made) -> None:
    gateway = make.start("limits: {rates: {agent: {per_minute: 40}, user: {per_minute: 0}}}\n")

    def passes(_: int) -> bool:
        try:
            ask(chat(gateway, max_retries=0))
        except openai.RateLimitError:
            return False
        return True

    with ThreadPoolExecutor(32) as pool:
        assert sum(pool.map(passes, range(96))) == 40


def test_actions_are_limited_by_tool_and_the_caller_is_told(make: Made) -> None:
    gateway = make.start("limits: {rates: {tool: {per_minute: 2}}}\n")

    def decide(tool: str) -> dict[str, Any]:
        request = urllib.request.Request(gateway.url + "/aispm/v1/decide", json.dumps({"tool": tool, "arguments": {}}).encode(),
                                         {"Authorization": f"Bearer {KEY}", "content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as reply:
            answer: dict[str, Any] = json.load(reply)
        return answer

    assert [decide("send")["allowed"] for _ in range(3)] == [True, True, False]
    refused = decide("send")
    assert refused["outcome"] == "rate_limited"
    assert refused["rule"] == "limits.rate.tool"
    assert "this tool may make 2 calls within 60 s; try again in" in refused["reason"]
    assert decide("read")["allowed"]


# --- tokens and budgets

BUDGET = "limits:\n  budgets:\n    state_file: {folder}/budgets.json\n    list:\n      - {{{budget}}}\n"


def tokens_of(reply: Any) -> int:
    usage = reply.usage
    return int(usage.prompt_tokens + usage.completion_tokens)


def test_what_is_counted_is_what_the_provider_counted(make: Made) -> None:
    gateway = make.start(BUDGET.format(folder=make.folder, budget="of: agent, per: day, tokens: 100000"))
    client = chat(gateway)
    expected = tokens_of(ask(client))
    last = list(client.chat.completions.create(model="m", messages=QUESTION, stream=True, stream_options={"include_usage": True}))[-1]
    expected += tokens_of(last)
    list(client.chat.completions.create(model="m", messages=QUESTION, stream=True))  # counted, though not shown
    expected += tokens_of(last)
    said = messages(gateway).messages.create(model="m", max_tokens=50, messages=QUESTION).usage  # type: ignore[arg-type]
    expected += said.input_tokens + said.output_tokens
    with messages(gateway).messages.stream(model="m", max_tokens=50, messages=QUESTION) as events:  # type: ignore[arg-type]
        said = events.get_final_message().usage
    expected += said.input_tokens + said.output_tokens
    answer = client.responses.create(model="m", input="hello").usage
    assert answer is not None
    expected += answer.input_tokens + answer.output_tokens
    messages(gateway).messages.count_tokens(model="m", messages=QUESTION)  # type: ignore[arg-type]
    with pytest.raises(openai.APIStatusError):
        ask(chat(gateway, max_retries=0), messages=[{"role": "user", "content": "status=500"}])
    wait_until_settled(gateway, expected)


def test_a_reply_that_the_client_left_or_policy_stopped_is_estimated(make: Made) -> None:
    gateway = make.start(BUDGET.format(folder=make.folder, budget="of: agent, per: day, tokens: 100000"))
    client = chat(gateway, max_retries=0)
    text = "".join(event.choices[0].delta.content or "" for event in client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "emit private key split=5"}], stream=True) if event.choices)
    assert "AISPM stopped this reply" in text
    deadline = time.monotonic() + 20
    while used(gateway) > 1000 or used(gateway) == 0:  # first what was reserved is given back
        assert time.monotonic() < deadline
        time.sleep(0.02)
    after_block = used(gateway)
    assert after_block > 10
    events = client.chat.completions.create(model="m", stream=True, max_tokens=5000,
                                            messages=[{"role": "user", "content": "slow split=1 capital of France"}])
    for count, _ in enumerate(events):
        if count == 3:
            break
    events.close()
    deadline = time.monotonic() + 20
    while used(gateway) > after_block + 1000:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert used(gateway) > after_block


def test_a_spent_budget_is_429_to_openai_and_402_to_anthropic_and_is_not_tried_again(make: Made, provider: Provider) -> None:
    gateway = make.start(make.report() + BUDGET.format(folder=make.folder, budget="of: agent, per: day, tokens: 130"))
    assert ask(chat(gateway)).choices[0].message.content == ANSWER
    before = provider.seen()
    with pytest.raises(openai.RateLimitError) as refused:
        ask(chat(gateway), max_tokens=500)
    assert refused.value.code == "budget_exceeded"
    assert refused.value.type == "insufficient_quota"
    assert "of 130 tokens that this agent may use in a day" in str(refused.value)
    assert "T00:00:00" in str(refused.value)
    assert refused.value.response.headers["x-should-retry"] == "false"
    with pytest.raises(anthropic.APIStatusError) as billed:
        messages(gateway).messages.create(model="m", max_tokens=500, messages=QUESTION)  # type: ignore[arg-type]
    assert billed.value.status_code == 402
    assert billed.value.body["error"]["type"] == "billing_error"  # type: ignore[index]
    assert billed.value.body["error"]["details"]["error_code"] == "budget_exceeded"  # type: ignore[index]
    with pytest.raises(ollama.ResponseError) as told:
        ollama.Client(host=gateway.url, headers={"Authorization": f"Bearer {KEY}"}).chat(
            model="m", messages=QUESTION, options={"num_predict": 500})
    assert told.value.status_code == 429
    assert provider.seen() == before, "what is refused is not sent on"
    assert ask(chat(gateway)).choices[0].message.content == ANSWER, "what fits still passes"
    wait_for_bytes(make, b"excessive_spend", b"budget.exceeded", b"budget.agent.day.tokens")


def test_a_session_has_its_own_budget_and_a_warning_is_an_event(make: Made) -> None:
    gateway = make.start(make.report() + BUDGET.format(folder=make.folder, budget="of: session, tokens: 100, warn: 0.2"))

    def say(session: str) -> int:
        return tokens_of(ask(chat(gateway, default_headers={"x-aispm-session": session}, max_retries=0)))

    first, second = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
    spent = 0
    while True:
        try:
            spent += say(first)
        except openai.RateLimitError as refused:
            assert refused.code == "budget_exceeded"
            break
        wait_until_settled(gateway, spent, first)
    assert 20 < spent <= 100
    assert say(second) > 0
    wait_for_bytes(make, b"budget.warning", b"excessive_spend")


def test_calls_at_once_never_use_more_than_there_is(make: Made) -> None:
    gateway = make.start(BUDGET.format(folder=make.folder, budget="of: tenant, per: day, tokens: 400"))

    def passes(_: int) -> int:
        try:
            return tokens_of(ask(chat(gateway, max_retries=0), max_tokens=20))
        except openai.RateLimitError:
            return 0

    with ThreadPoolExecutor(32) as pool:
        spent = sum(pool.map(passes, range(96)))
    assert 0 < spent <= 400
    wait_until_settled(gateway, spent)
    while more := passes(0):
        spent += more
        wait_until_settled(gateway, spent)
    assert 350 < spent <= 400


def test_what_is_spent_outlives_the_gateway_even_when_it_is_killed(make: Made) -> None:
    extra = BUDGET.format(folder=make.folder, budget="of: agent, per: day, tokens: 1000")
    gateway = make.start(extra)
    spent = tokens_of(ask(chat(gateway)))
    wait_until_settled(gateway, spent)
    assert gateway.stop() == 0
    gateway = make.start(extra)
    assert used(gateway) == spent
    spent += tokens_of(ask(chat(gateway)))
    wait_until_settled(gateway, spent)
    kept = make.folder / "budgets.json"
    deadline = time.monotonic() + 20
    while json.loads(kept.read_text())["accounts"][0][4] != spent:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert gateway.process is not None
    gateway.process.kill()
    gateway.process.wait(timeout=20)
    gateway = make.start(extra)
    assert used(gateway) == spent
    assert gateway.stop() == 0
    kept.write_text("{")
    with pytest.raises(AssertionError):
        make.start(extra)
    assert "is no record of budgets; repair it, or remove it" in make.running[0].log.read_text()


def test_money_is_counted_by_the_price_table_and_what_has_no_price_is_refused(make: Made, provider: Provider) -> None:
    prices = "prices: {override: [{model: 'dear-*', input: 500000, output: 1000000}]}\n"
    gateway = make.start(prices + BUDGET.format(folder=make.folder, budget="of: agent, per: month, usd: 150"))
    reply = ask(chat(gateway), model="dear-1")
    assert reply.usage is not None
    # A million dollars for a million tokens: one dollar for each that is written, half of it for each that is read.
    wait_until_settled(gateway, (reply.usage.prompt_tokens + 2 * reply.usage.completion_tokens) * 500_000_000)
    before = provider.seen()
    with pytest.raises(openai.RateLimitError) as refused:
        ask(chat(gateway), model="dear-1", max_tokens=200)
    assert "of 150.0000 USD that this agent may use in a month" in str(refused.value)
    with pytest.raises(openai.RateLimitError) as unknown:
        ask(chat(gateway), model="m")
    assert "what the model 'm' of openai-compatible costs is not known" in str(unknown.value)
    assert provider.seen() == before


# --- the model gate

class Registry(http.server.BaseHTTPRequestHandler):
    """A model registry: says what is approved, slowly or not at all where the test wants that."""

    states = {"good": "approved", "vendor/new:1": "review"}
    asked: list[str] = []
    delay = 0.0

    def do_GET(self) -> None:
        type(self).asked.append(self.path)
        time.sleep(type(self).delay)
        state = self.states.get(urllib.parse.unquote(self.path.removeprefix("/models/")))
        body = json.dumps({"model": {"status": state}}).encode()
        self.send_response(404 if state is None else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def registry() -> Iterator[http.server.ThreadingHTTPServer]:
    Registry.asked, Registry.delay = [], 0.0
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_only_models_on_the_list_are_reached(make: Made, provider: Provider) -> None:
    gateway = make.start("model_gate:\n  models:\n    - {model: 'good-*', agents: ['tests/*']}\n    - {model: other, agents: ['team/*']}\n"
                         "    - {model: prod-only, environments: [production]}\n")
    client = chat(gateway)
    assert ask(client, model="good-1").choices[0].message.content == ANSWER
    before = provider.seen()
    for model, why in (("m", "not on the list"), ("other", "approved for others"), ("prod-only", "approved for others"),
                       ("", "no name of a model"), ("..", "no name of a model")):
        with pytest.raises(openai.PermissionDeniedError) as refused:
            ask(client, model=model)
        assert refused.value.code == "model_not_approved"
        assert why in str(refused.value)
        assert refused.value.response.headers["x-should-retry"] == "false"
    with pytest.raises(anthropic.PermissionDeniedError) as denied:
        messages(gateway).messages.create(model="m", max_tokens=9, messages=QUESTION)  # type: ignore[arg-type]
    assert denied.value.body["error"]["details"]["error_code"] == "model_not_approved"  # type: ignore[index]
    assert provider.seen() == before


def test_the_registry_is_asked_once_and_fails_closed(make: Made, registry: http.server.ThreadingHTTPServer) -> None:
    gateway = make.start(f"model_gate:\n  registry: {{url: 'http://127.0.0.1:{registry.server_port}/models/{{model}}', "
                         "status_field: model.status, allow_private: true, cache: 10s, deadline: 3s}\n")
    client = chat(gateway, max_retries=0)
    for _ in range(3):
        assert ask(client, model="good").choices[0].message.content == ANSWER
    assert Registry.asked == ["/models/good"]
    for model, why in (("vendor/new:1", "says `review` of it"), ("../admin", "does not know it")):
        with pytest.raises(openai.PermissionDeniedError) as refused:
            ask(client, model=model)
        assert why in str(refused.value)
    assert Registry.asked[1:] == ["/models/vendor%2Fnew%3A1", "/models/..%2Fadmin"]
    Registry.delay = 8.0
    with pytest.raises(openai.PermissionDeniedError) as late:
        ask(client, model="never-asked")
    assert "the model registry: " in str(late.value)
    Registry.delay = 0.0
    registry.shutdown()
    registry.server_close()
    deadline = time.monotonic() + 40
    while True:  # until what was heard is too old
        try:
            ask(client, model="good")
        except openai.PermissionDeniedError as down:
            assert "the model registry: " in str(down)
            return
        assert time.monotonic() < deadline
        time.sleep(0.1)


# --- sizes, and what is kept of prompts

def test_prompts_over_the_limit_are_413(make: Made, provider: Provider) -> None:
    gateway = make.start("limits: {prompt: 1000}\n")
    assert ask(chat(gateway)).choices[0].message.content == ANSWER
    before = provider.seen()
    with pytest.raises(openai.APIStatusError) as refused:
        ask(chat(gateway), messages=[{"role": "system", "content": "a" * 600}, {"role": "user", "content": "b" * 600}])
    assert refused.value.status_code == 413
    assert "limits.prompt allows 1000" in str(refused.value)
    assert provider.seen() == before


def test_no_text_of_a_prompt_or_reply_is_in_any_sink_unless_policy_stores_it(make: Made) -> None:
    extra = make.report() + BUDGET.format(folder=make.folder, budget="of: agent, per: day, tokens: 100000")
    words = [b"zanzibar-prompt", b"zanzibar-reply"]
    asked = [{"role": "user", "content": 'zanzibar-prompt say "zanzibar-reply"'}]

    def talk(gateway: Gateway) -> None:
        client = chat(gateway)
        assert ask(client, messages=asked).choices[0].message.content == "zanzibar-reply"
        list(client.chat.completions.create(model="m", messages=asked, stream=True))
        messages(gateway).messages.create(model="m", max_tokens=9, messages=asked)  # type: ignore[arg-type]
        assert gateway.stop() == 0

    talk(make.start(extra))
    wait_for_bytes(make, b"chatcmpl-standin", b"msg_standin")  # the calls are there ...
    for path in make.sinks():
        for word in words:
            assert word not in content(path), path  # ... and their words are not
    talk(make.start(extra, POLICY.replace("store_text: false", "store_text: true")))
    wait_for_bytes(make, *words)
