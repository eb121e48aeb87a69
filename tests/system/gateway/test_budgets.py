# SPDX-License-Identifier: Apache-2.0
"""Budgets of tokens and money: what is counted, refused and kept, as unmodified openai and anthropic clients meet it."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import ollama
import openai
import pytest
from conftest import KEY, Provider
from limiting import ANSWER, BUDGET, Made, QUESTION, ask, chat, messages, used, wait_for_bytes, wait_until_settled
from limiting import make  # noqa: F401


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
