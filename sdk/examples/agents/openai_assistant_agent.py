# SPDX-License-Identifier: Apache-2.0
"""An assistant on OpenAI's Responses API, which took the place of the Assistants API: one thread, with a function of its own."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI

MAX_TURNS = 8
FUNCTIONS: list[Any] = [{
    "type": "function", "name": "write", "description": "Write a note into a file of the workspace.", "strict": False,
    "parameters": {"type": "object", "properties": {"filePath": {"type": "string"}, "content": {"type": "string"}}}}]


async def main(message: str) -> str:
    client = AsyncOpenAI()
    thread: list[Any] = [{"role": "user", "content": message}]
    for _ in range(MAX_TURNS):
        said, calls = "", []
        stream = await client.responses.create(model="gpt-4o-mini", instructions="You keep notes.", input=thread,
                                               tools=FUNCTIONS, stream=True)
        async for event in stream:
            if event.type == "response.output_text.delta":
                said += event.delta
            elif event.type == "response.output_item.done" and event.item.type == "function_call":
                calls.append(event.item)
        if not calls:
            return said
        for call in calls:
            given = json.loads(call.arguments)
            Path(given["filePath"]).write_text(given["content"])
            thread.append({"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments})
            thread.append({"type": "function_call_output", "call_id": call.call_id, "output": "written"})
    return "too many turns"


if __name__ == "__main__":
    print(asyncio.run(main(" ".join(sys.argv[1:]))))
