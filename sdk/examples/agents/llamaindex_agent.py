# SPDX-License-Identifier: Apache-2.0
"""A LlamaIndex agent with one tool, on any model behind the gateway's OpenAI dialect."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from llama_index.core.agent import FunctionCallingAgent
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike


def write(filePath: str, content: str) -> str:  # noqa: N803  the name that models are used to
    """Write a note into a file of the workspace."""
    Path(filePath).write_text(content)
    return "written"


async def main(message: str) -> str:
    llm = OpenAILike(model="gpt-4o-mini", api_base=os.environ["OPENAI_BASE_URL"], api_key=os.environ["OPENAI_API_KEY"],
                     is_chat_model=True, is_function_calling_model=True)
    agent = FunctionCallingAgent.from_tools([FunctionTool.from_defaults(write)], llm=llm, system_prompt="You keep notes.")
    return str(await agent.achat(message))


if __name__ == "__main__":
    print(asyncio.run(main(" ".join(sys.argv[1:]))))
