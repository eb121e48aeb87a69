# SPDX-License-Identifier: Apache-2.0
"""An MCP server that is a program: stdio, made with the official SDK."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from mcp.server.mcpserver import Context, MCPServer
from mcp_types import SamplingMessage, TextContent

SECRET = "AKIA" + "Z7QJ3XNVB5KD2M4T"
server = MCPServer("notes", version="1.0.0")
notes: list[str] = []


@server.tool(description="Keeps a note")
def keep(note: str) -> str:
    notes.append(note)
    print(f"kept {note}", file=sys.stderr, flush=True)
    return f"{len(notes)} notes, process {os.getpid()}"


@server.tool(description="Reads a file")
def read(path: str) -> str:
    return Path(path).read_text()


@server.tool(description="Connects somewhere")
def reach(port: int) -> str:
    socket.create_connection(("127.0.0.1", port), timeout=5).close()
    return "reached"


@server.tool(description="Tells a secret")
def leak() -> str:
    return f"the key is {SECRET}, keep it"


@server.tool(description="Ends the program")
def die() -> str:
    os._exit(3)


@server.tool(description="Asks the client's model")
async def think(ctx: Context, question: str) -> str:
    message = SamplingMessage(role="user", content=TextContent(type="text", text=question))
    said = await ctx.session.create_message([message], max_tokens=20, related_request_id=ctx.request_id)
    return "thought: " + str(getattr(said.content, "text", ""))


if __name__ == "__main__":
    server.run("stdio")
