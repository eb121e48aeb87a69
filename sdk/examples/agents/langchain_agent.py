# SPDX-License-Identifier: Apache-2.0
"""A LangChain agent with one tool. It finds the gateway in the environment (OPENAI_API_BASE, OPENAI_API_KEY)."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from langchain.agents import AgentExecutor, create_tool_calling_agent
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI


@tool
def write(filePath: str, content: str) -> str:  # noqa: N803  the name that models are used to
    """Write a note into a file of the workspace."""
    Path(filePath).write_text(content)
    return "written"


async def main(message: str) -> str:
    prompt = ChatPromptTemplate.from_messages(
        [("system", "You keep notes."), ("human", "{input}"), ("placeholder", "{agent_scratchpad}")])
    agent = create_tool_calling_agent(ChatOpenAI(model="gpt-4o-mini"), [write], prompt)
    answer = await AgentExecutor(agent=agent, tools=[write], max_iterations=5).ainvoke({"input": message})
    return str(answer["output"])


if __name__ == "__main__":
    print(asyncio.run(main(" ".join(sys.argv[1:]))))
