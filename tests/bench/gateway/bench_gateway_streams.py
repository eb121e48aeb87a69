# SPDX-License-Identifier: Apache-2.0
"""Streams through the gateway, all checks on, against nginx before the same upstream: what an event costs and how long it is on its way,
and what an idle stream holds. JSON lines.

Client and upstream are one process, so that the delay is that of each word and not of a mean."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import resource
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import rig  # noqa: E402 - the path is set above
from rig import show  # noqa: E402

ROUNDS = int(os.environ.get("AISPM_BENCH_ROUNDS", "3"))
FAST_EVENTS, FAST_STREAMS = 20_000, 4
PACED_EVENTS, PACED_STREAMS, PACE_SECONDS = 200, 8, 0.01
IDLE_STREAMS = int(os.environ.get("AISPM_BENCH_IDLE", "10000"))
FILES_BESIDE = 500
WORDS = "the capital of france is paris and it has been so for a long time with few breaks in between".split()


CONTENT = re.compile(rb'"content": ?"([^"]*)"')
sent: dict[str, list[int]] = {}  # when each word of a paced stream was written, by the stream's model


def event(word: str) -> bytes:
    return b"data: " + json.dumps({"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [
        {"index": 0, "delta": {"content": word}, "finish_reason": None}]}).encode() + b"\n\n"


LAST = (b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},'
        b'"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One request a connection; its model says how it is answered."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
        model = json.loads(await reader.readexactly(length))["model"]
        writer.write(HEAD + event("hello "))
        if model == "fast":
            events = [event(word + " ") for word in WORDS]
            for start in range(0, FAST_EVENTS, len(events)):
                writer.write(b"".join(events[:FAST_EVENTS - start]))
                await writer.drain()
        elif model.startswith("paced"):
            for index in range(PACED_EVENTS):
                sent[model].append(time.monotonic_ns())
                writer.write(event(WORDS[index % len(WORDS)] + " "))
                await writer.drain()
                await asyncio.sleep(PACE_SECONDS)
        else:
            await reader.read()  # until the other side goes
        writer.write(LAST)
        await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
        pass
    finally:
        writer.close()


async def open_stream(port: int, model: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    body = json.dumps({"model": model, "stream": True, "messages": [{"role": "user", "content": "go on"}]}).encode()
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer " + rig.KEY.encode() +
                 b"\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
    return reader, writer


async def read_all(port: int, model: str) -> bytes:
    reader, writer = await open_stream(port, model)
    received = []
    while chunk := await reader.read(1 << 16):
        received.append(chunk)
        if b"[DONE]" in chunk:
            break
    writer.close()
    return b"".join(received)


async def delays(port: int) -> list[float]:
    """Microseconds from when the upstream wrote a word until it is here."""
    model = f"paced-{len(sent)}"
    sent[model] = [time.monotonic_ns()]  # of the greeting
    reader, writer = await open_stream(port, model)
    times: list[float] = []
    text = b""
    while line := await reader.readline():
        now = time.monotonic_ns()
        text += b"".join(CONTENT.findall(line))
        times += [(now - one) / 1000 for one in sent[model][len(times):len(text.split())]]
        if b"[DONE]" in line:
            break
    writer.close()
    return times[1:]


async def fast_cost(port: int, pid: int) -> tuple[float, float]:
    """CPU microseconds an event, and events a second."""
    before, begun = rig.cpu_seconds(pid), time.monotonic()
    replies = await asyncio.gather(*(read_all(port, "fast") for _ in range(FAST_STREAMS)))
    seconds = time.monotonic() - begun
    if any(b"[DONE]" not in reply for reply in replies):
        raise SystemExit("a stream did not reach its end")
    events = FAST_EVENTS * FAST_STREAMS
    return (rig.cpu_seconds(pid) - before) * 1e6 / events, events / seconds


async def idle_bytes(port: int, pid: int, count: int) -> float:
    before = rig.resident_bytes(pid)
    streams = []
    for start in range(0, count, 100):
        opened = await asyncio.gather(*(open_stream(port, "idle") for _ in range(min(100, count - start))))
        for reader, _ in opened:
            await reader.readuntil(b"\r\n\r\n")
        streams += opened
    held = (rig.resident_bytes(pid) - before) / count
    for _, writer in streams:
        writer.close()
    return held


def idle_count() -> int:
    """Two descriptors a stream here (this process is client and upstream), two in the proxy."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(hard, 2 * IDLE_STREAMS + FILES_BESIDE)
    with contextlib.suppress(ValueError):  # not everybody may raise it, nor every root
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
        hard = wanted
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(IDLE_STREAMS, (hard - FILES_BESIDE) // 2)


async def measure(ports: dict[str, int], pids: dict[str, int], idle: int) -> None:
    costs: dict[str, list[float]] = {name: [] for name in pids}
    rates: dict[str, list[float]] = {name: [] for name in pids}
    waits: dict[str, list[float]] = {name: [] for name in ports}
    for _ in range(ROUNDS):
        for name, port in ports.items():
            for times in await asyncio.gather(*(delays(port) for _ in range(PACED_STREAMS))):
                waits[name] += times
            if name in pids:
                cost, rate = await fast_cost(port, pids[name])
                costs[name].append(cost)
                rates[name].append(rate)
    for name in pids:
        mine = name == "gateway"
        cost = statistics.median(costs[name])
        show(f"{name}.sse.cpu_per_event", round(cost, 2), "us", 3.0 if mine else None, cost <= 3.0 if mine else None)
        show(f"{name}.sse.events", round(statistics.median(rates[name])), "1/s")
        for percent in (50, 99):
            added = statistics.quantiles(waits[name], n=100)[percent - 1] - statistics.quantiles(waits["direct"], n=100)[percent - 1]
            is_target = mine and percent == 99
            show(f"{name}.sse.delay_added_p{percent}", round(added, 1), "us", 100.0 if is_target else None, added <= 100 if is_target else None)
    for name in pids:
        held = await idle_bytes(ports[name], pids[name], idle)
        mine = name == "gateway"
        show(f"{name}.idle_streams.{idle}.rss_per_stream", round(held / 1024, 1), "KiB", 16.0 if mine else None,
             held <= 16 << 10 if mine else None)


async def run(folder: Path) -> None:
    idle = idle_count()
    ports = {name: rig.free_port() for name in ("direct", "nginx", "gateway")}
    server = await asyncio.start_server(serve, "127.0.0.1", ports["direct"], backlog=1024)
    with ExitStack() as stack:
        pids = {}
        for name, command in (("nginx", rig.nginx_proxy(folder, ports["nginx"], ports["direct"])),
                              ("gateway", rig.gateway_command(folder, ports["gateway"], ports["direct"]))):
            pids[name] = await asyncio.to_thread(stack.enter_context, rig.running(command, ports[name], folder / f"{name}.out"))
        async with server:
            await measure(ports, pids, idle)


def main() -> None:
    if rig.find_program("nginx") is None or not rig.GATEWAY.exists():
        print(f"skipped: needs nginx and {rig.GATEWAY}", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        asyncio.run(run(folder))


if __name__ == "__main__":
    main()
