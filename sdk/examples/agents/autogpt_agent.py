# SPDX-License-Identifier: Apache-2.0
"""An agent in the manner of AutoGPT: given a goal, it decides itself which command comes next, until it says that it is done."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI

MAX_STEPS = 8


def write(filePath: str, content: str) -> str:  # noqa: N803  the name that models are used to
    """Write a note into a file of the workspace."""
    Path(filePath).write_text(content)
    return f"{len(content)} characters written"


COMMANDS = {"write": write}
OFFERED: list[Any] = [{"type": "function", "function": {
    "name": "write", "description": write.__doc__,
    "parameters": {"type": "object", "required": ["filePath", "content"],
                   "properties": {"filePath": {"type": "string"}, "content": {"type": "string"}}}}}]


async def main(message: str) -> str:
    client = AsyncOpenAI()
    rules = "Reach the goal with as few commands as you can. Answer without a command when it is reached."
    memory: list[Any] = [{"role": "system", "content": rules},
                         {"role": "user", "content": f"Goal: {message}"}]
    for _ in range(MAX_STEPS):
        reply = await client.chat.completions.create(model="gpt-4o-mini", messages=memory, tools=OFFERED)
        thought = reply.choices[0].message
        if not thought.tool_calls:
            return thought.content or ""
        memory.append(thought.model_dump(exclude_none=True))
        for call in thought.tool_calls:
            result = COMMANDS[call.function.name](**json.loads(call.function.arguments))
            memory.append({"role": "tool", "tool_call_id": call.id, "content": result})
    return "the goal was not reached"


if __name__ == "__main__":
    print(asyncio.run(main(" ".join(sys.argv[1:]))))
