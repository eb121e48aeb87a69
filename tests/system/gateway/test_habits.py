# SPDX-License-Identifier: Apache-2.0
"""Less common habits of HTTP clients, and pictures with what they say beside their pixels, through the real gateway."""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import struct
import zlib

import anthropic
import openai
import pytest
from conftest import KEY, SECRET, Gateway, Provider
from google import genai
from google.genai import errors, types
from test_clients import INJECTION
from test_wire import BODY, post, read_all, talk

HEADERS = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}


def body(text: str, stream: bool) -> str:
    return json.dumps({"model": "m", "stream": stream, "messages": [{"role": "user", "content": text}]})


def test_a_connection_serves_on_after_what_was_blocked(gateway: Gateway) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    connection.connect()
    first = connection.sock.getsockname()
    for text, status in (("hello", 200), (INJECTION, 400), ("hello", 200), ("emit private key for habits", 400), ("hello", 200)):
        for stream in (False, True):
            connection.request("POST", "/v1/chat/completions", body(text, stream), HEADERS)
            reply = connection.getresponse()
            assert (reply.status, len(reply.read()) > 0) == (status, True)
            assert connection.sock.getsockname() == first
    connection.close()


@pytest.mark.parametrize(("key", "answer"), [(KEY, b"HTTP/1.1 100 Continue\r\n\r\n"), ("wrong", b"HTTP/1.1 401 Unauthorized\r\n")])
def test_a_body_is_asked_for_only_from_who_may_speak(gateway: Gateway, key: str, answer: bytes) -> None:
    head, _, content = post(BODY.encode(), "Expect: 100-continue\r\n").replace(KEY.encode(), key.encode()).partition(b"\r\n\r\n")
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as peer:
        peer.sendall(head + b"\r\n\r\n")
        assert peer.recv(4096).startswith(answer)
        if key == KEY:
            peer.sendall(content)
            assert read_all(peer).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_http_1_0_is_answered_without_chunks(gateway: Gateway, stream: bool) -> None:
    asked = body("What is the capital of France?", stream).encode()
    head = f"POST /v1/chat/completions HTTP/1.0\r\nAuthorization: Bearer {KEY}\r\nContent-Length: {len(asked)}\r\n\r\n"
    head_of_reply, _, content = talk(gateway, head.encode() + asked).partition(b"\r\n\r\n")
    assert b"200 OK" in head_of_reply
    assert b"connection: close" in head_of_reply
    assert b"transfer-encoding" not in head_of_reply
    assert content.endswith(b"data: [DONE]\n\n") if stream else json.loads(content)["choices"]


@pytest.mark.parametrize(("method", "path", "status"), [("HEAD", "/", b"200"), ("HEAD", "/v1/chat/completions", b"405"),
                                                        ("OPTIONS", "/v1/chat/completions", b"405"), ("OPTIONS", "/v1/messages", b"405")])
def test_other_methods_are_told_what_there_is(gateway: Gateway, method: str, path: str, status: bytes) -> None:
    answer = talk(gateway, f"{method} {path} HTTP/1.1\r\nHost: gw\r\nOrigin: http://elsewhere\r\nConnection: close\r\n\r\n".encode())
    head, _, content = answer.partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == status
    assert (b"allow: " in head) == (status == b"405")
    assert b"access-control-allow-origin" not in head  # no page of a browser may ask
    assert content == b"" if method == "HEAD" else b"another method" in content


# --- pictures

def png(text: str, side: int = 64) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixels = b"".join(b"\0" + os.urandom(side * 3) for _ in range(side))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) +
            chunk(b"zTXt", b"Comment\0\0" + zlib.compress(text.encode())) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b""))


def jpeg(text: str) -> bytes:
    """With an image description in its EXIF data; its pixels are none."""
    value = text.encode() + b"\0"
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x0e\0\x02" + struct.pack(">II", len(value), 26) + b"\0\0\0\0" + value
    return b"\xff\xd8\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + b"\xff\xda\0\x08" + b"\x01" * 900 + b"\xff\xd9"


def show_chat(gateway: Gateway, data: str, kind: str) -> str:
    client = openai.OpenAI(base_url=gateway.url + "/v1", api_key=KEY, max_retries=0)
    parts = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{data}"}}]
    return client.chat.completions.create(model="m", messages=[{"role": "user", "content": parts}]).choices[0].message.content or ""  # type: ignore[misc,list-item]


def show_responses(gateway: Gateway, data: str, kind: str) -> str:
    client = openai.OpenAI(base_url=gateway.url + "/v1", api_key=KEY, max_retries=0)
    parts = [{"type": "input_text", "text": "look"}, {"type": "input_image", "image_url": f"data:{kind};base64,{data}"}]
    return client.responses.create(model="m", input=[{"role": "user", "content": parts}]).output_text  # type: ignore[misc,list-item]


def show_messages(gateway: Gateway, data: str, kind: str) -> str:
    client = anthropic.Anthropic(base_url=gateway.url, api_key=KEY, max_retries=0)
    result = {"type": "tool_result", "tool_use_id": "t", "content": [
        {"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}}]}
    asked = [{"role": "user", "content": "take a picture"},
             {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "camera", "input": {}}]},
             {"role": "user", "content": [result]}]
    return str(client.messages.create(model="m", max_tokens=9, messages=asked).content[0].text)  # type: ignore[arg-type,union-attr]


def show_gemini(gateway: Gateway, data: str, kind: str) -> str:
    client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=gateway.url, timeout=20_000))
    part = types.Part.from_bytes(data=base64.b64decode(data), mime_type=kind)
    return client.models.generate_content(model="gemini-x", contents=[part, "look"]).text or ""


@pytest.mark.parametrize("show", [show_chat, show_responses, show_messages, show_gemini])
@pytest.mark.parametrize("side", [256, 800])
def test_a_large_picture_is_no_text_that_takes_long(gateway: Gateway, show, side: int) -> None:
    assert "heard you" in show(gateway, base64.b64encode(png("On holiday in Skagen", side)).decode(), "image/png")
    with pytest.raises((openai.BadRequestError, anthropic.BadRequestError, errors.ClientError), match="denied by rule secrets"):
        show(gateway, base64.b64encode(png(f"key {SECRET}", side)).decode(), "image/png")


@pytest.mark.parametrize(("picture", "kind"), [(png, "image/png"), (jpeg, "image/jpeg")], ids=["png", "jpeg"])
@pytest.mark.parametrize("show", [show_chat, show_responses, show_messages, show_gemini])
def test_a_picture_passes_as_it_is_unless_what_it_says_is_denied(gateway: Gateway, provider: Provider, show, picture, kind: str) -> None:
    fine = base64.b64encode(picture("On holiday in Skagen")).decode()
    assert "heard you" in show(gateway, fine, kind)
    sent = str(provider.seen()[-1]["body"]).replace("-", "+").replace("_", "/")
    assert fine.replace("-", "+").replace("_", "/") in sent
    before = len(provider.seen())
    # What would be redacted of a text is denied here: nothing can be cut out of a picture.
    for words, rule in ((INJECTION, "injection"), (f"key {SECRET}", "secrets")):
        with pytest.raises((openai.BadRequestError, anthropic.BadRequestError, errors.ClientError), match=f"denied by rule {rule}"):
            show(gateway, base64.b64encode(picture(words)).decode(), kind)
    assert len(provider.seen()) == before
