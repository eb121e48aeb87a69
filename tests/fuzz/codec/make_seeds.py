#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the binary seeds of tests/fuzz/corpus/codec: HTTP/2, WebSocket, event streams, encoded bodies.

The codings br and zstd come from the programs `brotli` and `zstd`. Run it again when a target's input changes.
"""

from __future__ import annotations

import gzip
import struct
import subprocess
import zlib
from base64 import b64encode
from pathlib import Path

CORPUS = Path(__file__).resolve().parents[1] / "corpus" / "codec"
TEXT = b'{"model":"m","choices":[{"index":0,"message":{"content":"hello hello hello"}}]}' * 4


def write(target: str, name: str, data: bytes) -> None:
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def literal(name: bytes, value: bytes, indexed: bool = True) -> bytes:
    """An HPACK literal with a new name, no Huffman coding."""
    return (b"\x40" if indexed else b"\x00") + bytes([len(name)]) + name + bytes([len(value)]) + value


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def piece(side: int, data: bytes, hole: int = 0) -> bytes:
    """The fuzz target's own framing: side and hole bit, length in fours (or the hole's size)."""
    padded = data + frame(6, 0, 0, b"12345678") * ((-len(data)) % 4 and 1)
    while len(padded) % 4:
        padded += b"\0"
    if hole:
        return bytes([side | 2, hole]) + data[: hole * 4]
    return bytes([side, len(padded) // 4]) + padded


def http2() -> None:
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    head = b"\x83\x87" + literal(b":path", b"/v1/messages") + literal(b"content-type", b"application/json")
    settings = frame(4, 0, 0, b"\0\3\0\0\0\x64")
    request = preface + settings + frame(1, 4, 1, head) + frame(0, 1, 1, TEXT[:40])
    reply = settings + frame(1, 4, 1, b"\x88" + literal(b"server", b"x")) + frame(0, 1, 1, b"data: x\n\n")
    write("http2", "request_reply", b"\1" + piece(1, request) + piece(0, reply))
    write("http2", "midway", b"\0" + piece(1, frame(1, 4, 3, b"\xbe\xbf" + head)) + piece(0, frame(0, 0, 3, b"tail")))
    split = frame(1, 0x28, 5, b"\2" + b"\0\0\0\0\x10" + head[:4] + b"PP") + frame(9, 4, 5, head[4:])
    write("http2", "continuation", b"\0" + piece(1, split + frame(3, 0, 5, b"\0\0\0\x08")))
    write("http2", "push", b"\0" + piece(0, frame(5, 4, 1, b"\0\0\0\2" + head)))
    write("http2", "hole", b"\0" + piece(1, frame(0, 0, 7, b"x" * 60)[:40]) + piece(1, b"yyyyyyyy", 2))


def encoded() -> None:
    raw = zlib.compressobj(6, zlib.DEFLATED, -15)
    bodies = {
        "gzip": (0, gzip.compress(TEXT, mtime=0)),
        "gzip_members": (0, gzip.compress(TEXT, mtime=0) * 2),
        "zlib": (1, zlib.compress(TEXT)),
        "deflate": (1, raw.compress(TEXT) + raw.flush()),
        "br": (2, subprocess.run(["brotli", "-c"], input=TEXT, capture_output=True, check=True).stdout),
        "zstd": (3, subprocess.run(["zstd", "-c"], input=TEXT, capture_output=True, check=True).stdout),
        "plain": (5, TEXT),
    }
    for name, (coding, body) in bodies.items():
        write("content_decoder", name, bytes([coding, 7]) + body)


def framers() -> None:
    write("framers", "lines", b"\x05" + b'{"a":1}\n\n{"b":2}\r\n' + b"x" * 80 + b"\nlast")
    write("framers", "array", b"\x03" + b'[{"a":"]}"} ,\n{"b":[{}]},{}]')


def agent_messages() -> None:
    meta = b'"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}'
    seeds = {
        "call": b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"run","arguments":{"c":"l\\u0073"},' + meta + b"}}",
        "tools": b'{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a","description":"d","inputSchema":{"type":"object"}}],'
        b'"nextCursor":"x"}}',
        "initialize": b'{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":'
        b'{"name":"s","version":"1"}}}',
        "batch": b'[{"jsonrpc":"2.0","id":1,"method":"tools/list"},{"jsonrpc":"2.0","method":"notifications/initialized"}]',
        "error": b'{"jsonrpc":"2.0","id":"a","error":{"code":-32602,"message":"no","data":["x"]}}',
        "a2a": b'{"jsonrpc":"2.0","id":1,"method":"message/send","params":{"message":{"role":"user","parts":[{"kind":"text",'
        b'"text":"hi"}],"messageId":"m"}}}',
        "task": b'{"jsonrpc":"2.0","id":1,"result":{"task":{"id":"t","status":{"state":"TASK_STATE_FAILED"}}}}',
        "card": b'{"name":"n","version":"1","supportedInterfaces":[{"url":"https://x","protocolVersion":"1.0"}],"skills":[{"id":"s"}]}',
        "header": b"=?base64?Y2Fmw6k=?=",
    }
    for name, data in seeds.items():
        write("agent_message", name, data)


def aws(name: bytes, payload: bytes, kind: bytes = b"event") -> bytes:
    headers = b""
    for key, value in ((b":event-type", name), (b":message-type", kind)):
        headers += bytes([len(key)]) + key + b"\7" + struct.pack(">H", len(value)) + value
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return message + struct.pack(">I", zlib.crc32(message))


def event_streams() -> None:
    delta = aws(b"contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"hi"}}')
    stop = aws(b"messageStop", b'{"stopReason":"end_turn"}')
    write("eventstream", "converse", b"\5\0" + delta + stop)
    write("eventstream", "hole", b"\7\x28" + delta + delta[20:] + stop)
    write("eventstream", "empty", b"\1\0" + aws(b"", b"", b"error"))


def websocket() -> None:
    def sent(first: int, payload: bytes, mask: bytes = b"") -> bytes:
        head = bytes([first, (0x80 if mask else 0) | len(payload)]) + mask
        return head + bytes(b ^ mask[i % 4] if mask else b for i, b in enumerate(payload))

    packed = zlib.compressobj(6, zlib.DEFLATED, -15)
    small = (packed.compress(b"hello hello hello") + packed.flush(zlib.Z_SYNC_FLUSH))[:-4]
    again = (packed.compress(b"hello hello hello") + packed.flush(zlib.Z_SYNC_FLUSH))[:-4]
    write("websocket", "client", b"\1\3" + sent(0x81, b"hello", b"abcd") + sent(0x89, b"", b"abcd") + sent(0x88, b"\3\xe8", b"abcd"))
    write("websocket", "fragments", b"\0\2" + sent(0x01, b"one") + sent(0x8A, b"x") + sent(0x80, b"two"))
    write("websocket", "deflate", b"\2\4" + sent(0xC1, small) + sent(0xC1, again))
    write("websocket", "no_takeover", b"\6\4" + sent(0xC1, small) + sent(0xC1, small))
    write("websocket", "extensions", b"\0\0permessage-deflate; server_no_context_takeover")


# In the order of enum class Api.
APIS = ("chat", "messages", "responses", "completions", "embeddings", "moderations", "models", "realtime", "count_tokens", "gemini",
        "gemini_embed", "gemini_count", "invoke", "converse", "ollama_chat", "ollama_generate", "ollama_embed", "ollama_tags", "llamacpp")


def llm_apis() -> None:
    bodies = {
        "responses": b'{"model":"m","instructions":"i","input":[{"role":"user","content":[{"type":"input_text","text":"a\\u0062"}]},'
        b'{"type":"function_call","name":"f","arguments":"{}"},{"type":"function_call_output","output":"o"}],"tools":[{"type":"web_search"}]}',
        "completions": b'{"model":"m","prompt":["a",[1,2]],"choices":[{"text":"x","index":0,"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}',
        "embeddings": b'{"model":"m","input":["a"],"data":[{"embedding":[0.1]}],"usage":{"prompt_tokens":1}}',
        "moderations": b'{"input":[{"type":"text","text":"a"}],"results":[{"flagged":true}]}',
        "models": b'{"data":[{"id":"a"}]}',
        "realtime": b'{"type":"response.create","response":{"instructions":"i","input":[{"role":"user","content":"x"}]},"output":[]}',
        "count_tokens": b'{"model":"c","messages":[{"role":"user","content":"x"}],"input_tokens":4}',
        "gemini": b'{"contents":[{"role":"user","parts":[{"text":"a"},{"functionCall":{"name":"f","args":{"x":"y"}}}]}],'
        b'"tools":[{"functionDeclarations":[{"name":"f"}]}],"candidates":[{"content":{"parts":[{"text":"b","thought":true}]},'
        b'"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1}}',
        "gemini_embed": b'{"requests":[{"content":{"parts":[{"text":"a"}]}}]}',
        "gemini_count": b'{"contents":[],"totalTokens":3}',
        "invoke": b'{"inputText":"a","textGenerationConfig":{"maxTokenCount":2},"results":[{"outputText":"b","completionReason":"FINISH"}]}',
        "converse": b'{"messages":[{"role":"user","content":[{"text":"a"},{"toolResult":{"toolUseId":"t","content":[{"text":"r"}]}}]}],'
        b'"toolConfig":{"tools":[{"toolSpec":{"name":"f"}}]},"output":{"message":{"content":[{"text":"b"},{"toolUse":{"name":"f","input":{}}}]}},'
        b'"stopReason":"end_turn","usage":{"inputTokens":1,"outputTokens":2}}',
        "ollama_chat": b'{"model":"l","messages":[{"role":"user","content":"a"}],"message":{"content":"b","tool_calls":[{"function":{"name":"f",'
        b'"arguments":{"a":1}}}]},"done":true}',
        "ollama_generate": b'{"model":"l","prompt":"a","system":"s","response":"b","done":true,"done_reason":"stop"}',
        "ollama_embed": b'{"model":"l","input":"a","embeddings":[[0.1]]}',
        "ollama_tags": b'{"models":[{"name":"l"}]}',
        "llamacpp": b'{"prompt":"a","n_predict":3,"content":"b","stop":true,"stop_type":"eos"}',
    }
    for name, body in bodies.items():
        write("llm_apis", name, bytes([APIS.index(name)]) + body)
    write("llm_apis", "path_gemini", b"\0/v1beta/models/g%2D2:streamGenerateContent?alt=sse")
    write("llm_apis", "path_bedrock", b"\0/model/anthropic.claude%3A0/invoke-with-response-stream")
    write("llm_apis", "path_realtime", b"\x80/v1/realtime?a=b&model=m")


def llm_streams() -> None:
    sse, lines, array, binary = 0, 1, 2, 3

    def stream(name: str, api: str, framing: int, data: bytes) -> None:
        write("llm_streams", name, bytes([APIS.index(api), framing | 5 << 2]) + data)

    events = (
        b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","output_index":0,"delta":"a"}\n\n'
        b'data: {"type":"response.output_item.added","output_index":1,"item":{"type":"function_call","call_id":"c","name":"f"}}\n\n'
        b'data: {"type":"response.function_call_arguments.delta","output_index":1,"delta":"{}"}\n\n'
        b'data: {"type":"response.completed","response":{"id":"r","status":"completed","output":[{"type":"message",'
        b'"content":[{"type":"output_text","text":"a"}]}],"usage":{"input_tokens":1,"output_tokens":1}}}\n\n'
    )
    stream("responses", "responses", sse, events)
    stream("gemini_sse", "gemini", sse, b'data: {"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}\r\n\r\n')
    stream("gemini_array", "gemini", array, b'[{"candidates":[{"content":{"parts":[{"text":"a"},{"functionCall":{"name":"f","args":{}}}]}}]},\n{}]')
    stream("ollama", "ollama_chat", lines, b'{"message":{"content":"a"},"done":false}\n{"message":{"content":""},"done":true,"eval_count":1}\n')
    stream("llamacpp", "llamacpp", sse, b'data: {"content":"a","stop":false}\n\ndata: {"content":"","stop":true}\n\n')
    stream("converse", "converse", binary, aws(b"contentBlockDelta", b'{"delta":{"text":"a"}}') + aws(b"metadata", b'{"usage":{"inputTokens":1}}'))
    inner = b64encode(b'{"outputText":"a","completionReason":"FINISH"}')
    stream("invoke", "invoke", binary, aws(b"chunk", b'{"bytes":"' + inner + b'"}'))
    stream("realtime", "realtime", lines, b'{"type":"session.created","session":{"model":"m"}}\n{"type":"response.done","response":{"status":"completed"}}\n')


def main() -> None:
    http2()
    event_streams()
    websocket()
    llm_apis()
    llm_streams()
    encoded()
    framers()
    agent_messages()


if __name__ == "__main__":
    main()
