# SPDX-License-Identifier: Apache-2.0
"""LangChain and the OpenAI Agents SDK, unmodified, through the real gateway: what those who build on them get to see."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest
from agents import Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, function_tool, set_tracing_disabled
from agents.exceptions import ModelBehaviorError
from conftest import KEY, Gateway, Provider
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from test_clients import INJECTION, REDACTED

ANSWER = f"The deployment key is {REDACTED} and it works."
NOTICE = "Here it is: \n[AISPM stopped this reply: rule private-keys, case "
DENIED = "AISPM: denied by rule injection: this tries to take over the model, case "
both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@tool
def send(text: str, count: int) -> str:
    """Sends a text."""
    return f"sent {text} {count} times"


@pytest.fixture(params=["chat", "responses", "messages"])
def langchain(request: pytest.FixtureRequest, gateway: Gateway) -> BaseChatModel:
    if request.param == "messages":
        return ChatAnthropic(model_name="m", base_url=gateway.url, api_key=KEY, timeout=20, stop=None)  # type: ignore[arg-type]
    return ChatOpenAI(model="m", base_url=gateway.url + "/v1", api_key=KEY, timeout=20, use_responses_api=request.param == "responses")  # type: ignore[arg-type]


def reply(model: Any, asked: list[BaseMessage], stream: bool) -> BaseMessage:
    if not stream:
        whole: BaseMessage = model.invoke(asked)
        return whole
    pieces = list(model.stream(asked))
    said: AIMessageChunk = pieces[0]
    for piece in pieces[1:]:
        said = said + piece
    return said


@both
def test_langchain_sees_answers_and_redactions(langchain: BaseChatModel, stream: bool) -> None:
    assert reply(langchain, [HumanMessage("What is the capital of France?")], stream).text == "The capital of France is Paris."
    assert reply(langchain, [HumanMessage("emit secret split=3")], stream).text == ANSWER


@both
@pytest.mark.parametrize(("prompt", "said"), [("call tool", "hello"), ("call tool with secret", REDACTED)])
def test_langchain_goes_a_round_with_a_tool(langchain: BaseChatModel, prompt: str, said: str, stream: bool) -> None:
    model = langchain.bind_tools([send])
    asked: list[BaseMessage] = [HumanMessage(prompt)]
    asked.append(reply(model, asked, stream))
    (call,) = asked[-1].tool_calls  # type: ignore[attr-defined]
    asked.append(ToolMessage(send.invoke(call["args"]), tool_call_id=call["id"]))
    assert reply(model, asked, stream).text == f"The tool said sent {said} 2 times."


@both
def test_langchain_raises_what_was_denied(langchain: BaseChatModel, provider: Provider, stream: bool) -> None:
    before = len(provider.seen())
    with pytest.raises(Exception, match=DENIED) as refused:
        reply(langchain, [HumanMessage(INJECTION)], stream)
    assert refused.value.status_code == 400  # type: ignore[attr-defined]
    assert len(provider.seen()) == before


def test_langchain_shows_where_a_reply_was_stopped(langchain: BaseChatModel) -> None:
    prompt = "emit private key to langchain split=5"
    stopped = reply(langchain, [HumanMessage(prompt)], True)
    assert stopped.text.startswith(NOTICE)
    case = stopped.text.split("case ")[1].rstrip("]")
    with pytest.raises(Exception, match=case):
        reply(langchain, [HumanMessage(prompt)], False)


def test_langchain_reads_structured_outputs(langchain: BaseChatModel) -> None:
    schema = {"title": "send", "description": "d", "type": "object", "properties": {"text": {"type": "string"}, "count": {"type": "integer"}}}
    assert langchain.with_structured_output(schema, method="function_calling").invoke("call tool") == {"text": "hello", "count": 2}


@function_tool
def deliver(text: str, count: int) -> str:
    """Delivers a text."""
    return f"delivered {text} {count} times"


def run_agent(gateway: Gateway, api: str, prompt: str, stream: bool, seen: list[str] | None = None) -> str:
    """The agent's last word; `seen` gets the pieces as they come."""
    set_tracing_disabled(True)

    async def run() -> str:
        async with openai.AsyncOpenAI(base_url=gateway.url + "/v1", api_key=KEY, timeout=20) as client:
            model = OpenAIChatCompletionsModel("m", client) if api == "chat" else OpenAIResponsesModel("m", client)
            agent = Agent(name="tests", instructions="Be brief.", model=model, tools=[deliver])
            if not stream:
                return str((await Runner.run(agent, prompt)).final_output)
            result = Runner.run_streamed(agent, prompt)
            async for event in result.stream_events():
                if seen is not None and event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
                    seen.append(event.data.delta)
            return str(result.final_output)

    return asyncio.run(run())


@both
@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize(("prompt", "said"), [
    ("What is the capital of France?", "The capital of France is Paris."), ("emit secret split=3", ANSWER),
    ("call tool", "The tool said delivered hello 2 times."), ("call tool with secret", f"The tool said delivered {REDACTED} 2 times.")])
def test_openai_agents_answer_and_use_tools(gateway: Gateway, api: str, prompt: str, said: str, stream: bool) -> None:
    assert run_agent(gateway, api, prompt, stream) == said


@both
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_openai_agents_raise_what_was_denied(gateway: Gateway, provider: Provider, api: str, stream: bool) -> None:
    before = len(provider.seen())
    with pytest.raises(openai.BadRequestError, match=DENIED) as refused:
        run_agent(gateway, api, INJECTION, stream)
    assert refused.value.code == "aispm_deny"
    assert len(provider.seen()) == before


def test_openai_agents_show_where_a_reply_was_stopped(gateway: Gateway) -> None:
    assert run_agent(gateway, "chat", "emit private key to agents split=5", True).startswith(NOTICE)
    # A reply that ends incomplete is an error here; what came before it has been shown.
    seen: list[str] = []
    with pytest.raises(ModelBehaviorError, match="content_filter"):
        run_agent(gateway, "responses", "emit private key to agents split=5", True, seen)
    assert "".join(seen).startswith(NOTICE)
    for api in ("chat", "responses"):
        with pytest.raises(openai.BadRequestError, match="private-keys"):
            run_agent(gateway, api, "emit private key to agents split=5", False)
