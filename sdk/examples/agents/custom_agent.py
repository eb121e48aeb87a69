# SPDX-License-Identifier: Apache-2.0
"""An agent without any framework: Python's own library, and the gateway's address from the environment."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import urllib.request
from pathlib import Path
from typing import Any

MAX_TURNS = 8
TOOL = {"type": "function", "function": {
    "name": "write", "description": "Write a note into a file of the workspace.",
    "parameters": {"type": "object", "properties": {"filePath": {"type": "string"}, "content": {"type": "string"}}}}}


def ask(messages: list[dict[str, Any]]) -> dict[str, Any]:
    body = json.dumps({"model": "gpt-4o-mini", "messages": messages, "tools": [TOOL]}).encode()
    request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", body,
                                     {"Content-Type": "application/json",
                                      "Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"})
    with urllib.request.urlopen(request, timeout=120) as reply:
        message: dict[str, Any] = json.load(reply)["choices"][0]["message"]
    return message


async def main(message: str) -> str:
    messages: list[dict[str, Any]] = [{"role": "user", "content": message}]
    for _ in range(MAX_TURNS):
        answer = await asyncio.to_thread(ask, messages)
        messages.append(answer)
        if not answer.get("tool_calls"):
            return str(answer["content"])
        for call in answer["tool_calls"]:
            given = json.loads(call["function"]["arguments"])
            Path(given["filePath"]).write_text(given["content"])
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": "written"})
    return "too many turns"


if __name__ == "__main__":
    print(asyncio.run(main(" ".join(sys.argv[1:]))))
