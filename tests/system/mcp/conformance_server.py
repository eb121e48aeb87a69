# SPDX-License-Identifier: Apache-2.0
"""What the MCP conformance suite wants a server to have, made with the official SDK. Argument: the port."""

from __future__ import annotations

import base64
import json
import struct
import sys
import zlib
from typing import Any

import anyio
import uvicorn
from mcp.server.mcpserver import Context, MCPServer, UserMessage
from mcp_types import (
    AudioContent,
    Completion,
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    EmbeddedResource,
    ImageContent,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
    TextContent,
    TextResourceContents,
)


def picture() -> bytes:
    """One red pixel."""
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(b"\0\xff\0\0"))
            + chunk(b"IEND", b""))


PNG = base64.b64encode(picture()).decode()
WAV = base64.b64encode(b"RIFF" + struct.pack("<I", 36) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 8000, 1, 8)
                       + b"data" + struct.pack("<I", 0)).decode()
server = MCPServer("conformance", version="1.0.0")
DEFAULTS = {"type": "object", "properties": {
    "name": {"type": "string", "default": "John Doe"}, "age": {"type": "integer", "default": 30}, "score": {"type": "number", "default": 95.5},
    "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"}, "verified": {"type": "boolean", "default": True}}}
CHOICES = [{"const": f"value{i}", "title": title} for i, title in enumerate(["First Option", "Second Option", "Third Option"], 1)]
OPTIONS = ["option1", "option2", "option3"]
ENUMS = {"type": "object", "properties": {
    "untitledSingle": {"type": "string", "enum": OPTIONS}, "titledSingle": {"type": "string", "oneOf": CHOICES},
    "legacyEnum": {"type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": ["Option One", "Option Two", "Option Three"]},
    "untitledMulti": {"type": "array", "items": {"type": "string", "enum": OPTIONS}},
    "titledMulti": {"type": "array", "items": {"anyOf": CHOICES}}}}
USER = {"type": "object", "properties": {"username": {"type": "string", "description": "User's response"},
                                         "email": {"type": "string", "description": "User's email address"}}, "required": ["username", "email"]}


def resource(uri: str, text: str, kind: str = "text/plain") -> EmbeddedResource:
    return EmbeddedResource(type="resource", resource=TextResourceContents(uri=uri, mime_type=kind, text=text))


def image() -> ImageContent:
    return ImageContent(type="image", data=PNG, mime_type="image/png")


@server.tool(description="Returns text")
def test_simple_text() -> str:
    return "This is a simple text response for testing."


@server.tool(description="Returns an image")
def test_image_content() -> list[Any]:
    return [image()]


@server.tool(description="Returns a sound")
def test_audio_content() -> list[Any]:
    return [AudioContent(type="audio", data=WAV, mime_type="audio/wav")]


@server.tool(description="Returns a resource")
def test_embedded_resource() -> list[Any]:
    return [resource("test://embedded-resource", "This is an embedded resource content.")]


@server.tool(description="Returns several things")
def test_multiple_content_types() -> list[Any]:
    return [TextContent(type="text", text="Multiple content types test:"), image(),
            resource("test://mixed-content-resource", json.dumps({"test": "data", "value": 123}), "application/json")]


@server.tool(description="Logs")
async def test_tool_with_logging(ctx: Context) -> str:
    for words in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.info(words)
        await anyio.sleep(0.05)
    return "logged"


@server.tool(description="Fails")
def test_error_handling() -> str:
    raise RuntimeError("This tool intentionally returns an error for testing")


@server.tool(description="Tells how far it is")
async def test_tool_with_progress(ctx: Context) -> str:
    for done in (0, 50, 100):
        await ctx.report_progress(done, 100)
        await anyio.sleep(0.05)
    return "done"


@server.tool(description="Asks the client's model")
async def test_sampling(ctx: Context, prompt: str) -> str:
    message = SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
    said: Any = await ctx.session.create_message([message], max_tokens=100, related_request_id=ctx.request_id)
    return f"LLM response: {said.content.text}"


async def ask(ctx: Context, message: str, schema: dict[str, Any]) -> str:
    said = await ctx.session.elicit_form(message, schema, related_request_id=ctx.request_id)
    return f"action={said.action}, content={json.dumps(said.content)}"


@server.tool(description="Asks the client's user")
async def test_elicitation(ctx: Context, message: str) -> str:
    return "User response: " + await ask(ctx, message, USER)


@server.tool(description="Asks with defaults")
async def test_elicitation_sep1034_defaults(ctx: Context) -> str:
    return "Elicitation completed: " + await ask(ctx, "Please look at the defaults", DEFAULTS)


@server.tool(description="Asks with choices")
async def test_elicitation_sep1330_enums(ctx: Context) -> str:
    return "Elicitation completed: " + await ask(ctx, "Please choose", ENUMS)


def elicit(message: str, name: str, kind: str = "string") -> ElicitRequest:
    schema: Any = {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def sample(question: str) -> CreateMessageRequest:
    message = SamplingMessage(role="user", content=TextContent(type="text", text=question))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=100))


def need(**questions: Any) -> InputRequiredResult:
    return InputRequiredResult(input_requests=questions)


@server.tool(description="Needs a name")
def test_input_required_result_elicitation(ctx: Context) -> str | InputRequiredResult:
    answers: Any = ctx.input_responses
    if not answers or "user_name" not in answers:
        return need(user_name=elicit("What is your name?", "name"))
    return f"Hello, {answers['user_name'].content['name']}!"


@server.tool(description="Needs a thought")
def test_input_required_result_sampling(ctx: Context) -> str | InputRequiredResult:
    answers: Any = ctx.input_responses
    return f"{answers['capital_question'].content.text}" if answers else need(capital_question=sample("What is the capital of France?"))


@server.tool(description="Needs to know where files are")
def test_input_required_result_list_roots(ctx: Context) -> str | InputRequiredResult:
    answers: Any = ctx.input_responses
    return str([str(root.uri) for root in answers["client_roots"].roots]) if answers else need(client_roots=ListRootsRequest())


@server.tool(description="Needs a confirmation, and keeps a state")
def test_input_required_result_request_state(ctx: Context) -> str | InputRequiredResult:
    if not ctx.input_responses:
        return InputRequiredResult(input_requests={"confirm": elicit("Please confirm", "ok", "boolean")}, request_state="asked for ok")
    return "state-ok" if ctx.request_state == "asked for ok" else "another state"


@server.tool(description="Needs several things")
def test_input_required_result_multiple_inputs(ctx: Context) -> str | InputRequiredResult:
    if not ctx.input_responses:
        questions: Any = {"user_name": elicit("What is your name?", "name"), "greeting": sample("Generate a greeting"), "client_roots": ListRootsRequest()}
        return InputRequiredResult(input_requests=questions, request_state="asked for three")
    return ",".join(sorted(ctx.input_responses))


@server.prompt(description="Needs something")
def test_input_required_result_prompt(ctx: Context) -> Any:
    answers: Any = ctx.input_responses
    if not answers:
        return need(user_context=elicit("What context should the prompt use?", "context"))
    return f"Use this context: {answers['user_context'].content['context']}"


@server.resource("test://static-text", description="A text", mime_type="text/plain")
def static_text() -> str:
    return "This is the content of the static text resource."


@server.resource("test://static-binary", description="A picture", mime_type="image/png")
def static_binary() -> bytes:
    return picture()


@server.resource("test://template/{id}/data", description="A template", mime_type="application/json")
def template(id: str) -> str:  # noqa: A002 - the suite's name
    return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


@server.prompt(description="A prompt")
def test_simple_prompt() -> str:
    return "This is a simple prompt for testing."


@server.prompt(description="A prompt with arguments")
def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


@server.prompt(description="A prompt with a resource")
def test_prompt_with_embedded_resource(resourceUri: str) -> list[Any]:  # noqa: N803 - the suite's name
    return [UserMessage(resource(resourceUri, "Embedded resource content for testing.")),
            UserMessage("Please process the embedded resource above.")]


@server.prompt(description="A prompt with a picture")
def test_prompt_with_image() -> list[Any]:
    return [UserMessage(image()), UserMessage("Please analyze the image above.")]


@server.completion()
async def complete(ref: Any, argument: Any, context: Any) -> Completion:
    return Completion(values=["paris", "park", "party"], total=3, has_more=False)


def json_schema_2020_12_tool(name: str) -> str:
    return name


server.add_tool(json_schema_2020_12_tool, description="Has a schema of its own")
own = server._tool_manager.get_tool("json_schema_2020_12_tool")  # noqa: SLF001 - the SDK makes schemas of signatures only
assert own
own.parameters = {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
                  "$defs": {"address": {"type": "object", "properties": {"street": {"type": "string"}, "city": {"type": "string"}}}},
                  "properties": {"name": {"type": "string"}, "address": {"$ref": "#/$defs/address"}}, "additionalProperties": False}

if __name__ == "__main__":
    app: Any = server.streamable_http_app()
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
