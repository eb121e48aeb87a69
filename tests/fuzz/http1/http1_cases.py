# SPDX-License-Identifier: Apache-2.0
"""Messages whose framing is right, odd or hostile, made from a seed: the same seed gives the same bytes on every machine."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

CRLF = b"\r\n"
LINE_ENDS = [b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n ", b"\r\n\t", b"\r\n\r\n", b" \r\n", b"\x0b\r\n", b"\x00\r\n", b"\\r\\n", b""]
SPACES = [b"", b"  ", b"\t", b" \t ", b"\x0b", b"\x0c", b"\xa0", b"\x00", b"\r\n ", b"\n "]
METHODS = [b"GET", b"PUT", b"HEAD", b"OPTIONS", b"DELETE", b"PATCH", b"CONNECT", b"TRACE", b"post", b"POSTX", b"M-SEARCH", b"PRI", b"", b"PO ST", b"P\xd6ST",
           b"POST,", b"GET\x00", b"\rPOST", b"\nPOST", b"\r\nPOST"]
TARGETS = [b"/", b"*", b"", b"/a?b=c&d", b"/a#b", b"//a/b", b"/../x", b"/%2e%2e/%00", b"http://other/v1/chat/completions", b"HTTP://other", b"other:443",
           b"/a b", b"/\xc3\xa4", b"/\xff", b"/\x80x", b"/\x7f", b"/\x00", b"/\t", b"?x", b"http:///x", b"/a\\b", b"/" + b"x" * 300]
VERSIONS = [b"HTTP/1.0", b"HTTP/1.1 ", b"HTTP/1.2", b"HTTP/2.0", b"HTTP/0.9", b"http/1.1", b"HTTP/01.1", b"HTTP/1.01", b"HTTP/1.", b"HTTP/1,1", b"HTTP/11",
            b"HTTP/1.1\x00", b"HTTP /1.1", b"", b"ICE/1.0", b"HTTPS/1.1", b"RTSP/1.0"]
STATUSES = [b"100", b"101", b"102", b"103", b"199", b"200", b"201", b"204", b"206", b"304", b"404", b"500", b"599", b"999", b"099", b"20", b"2000", b"2 0", b"+20", b"0x1", b""]
NAMES = [b"X", b"X-Y_z", b"X ", b" X", b"X\t", b"X\x00", b"X\x0b", b"", b"X:", b"X Y", b"(X)", b"X\xe4", b"X\r", b"\tX", b"X/Y", b'"X"', b"X~!#$%&'*+-.^`|9"]
VALUES = [b"y", b"", b" ", b"a\tb", b"a\x00b", b"a\x0bb", b"a\x7fb", b"a\x80\xffb", b"a\rb", b"a\nb", b"a\r\n b", b"a\r\n\tb", b"a\r\nb", b"a" * 600, b"\x01", b"a,b;c=\"d\""]
LENGTHS = ["{}", "{}", "{}", "+{}", "-{}", "0{}", "000000000000000000000{}", "{}.0", "{}e0", "0x{:x}", "{}, {}", "{},{}", "{}, 3", "3, {}", "{} {}", "{};a", "\"{}\"", "{}\x00",
           "\x0b{}", "{}\x0b", "", "abc", "18446744073709551616", "9223372036854775808", "99999999999999999999999999", "1_0", "{}\t", "\t{}", "{},", ",{}", "{:o}"]
CODINGS = ["chunked", "chunked", "Chunked", "CHUNKED", "xchunked", "chunkedx", "chunked, chunked", "identity, chunked", "chunked, identity", "gzip, chunked", "chunked, gzip",
           "gzip", "identity", "", ",chunked", "chunked,", ", chunked ,", "chunked;q=1", "chunked; a=b", "\x0bchunked", "chunked\x0b", "chunked\x00", "\tchunked", "chunked\t",
           '"chunked"', "chun\r\n ked", "\r\n chunked", "chunked\r\n ", "c\thunked", "\xefchunked", "trailers, chunked", "deflate,chunked"]
LENGTH_NAMES = [b"Content-Length", b"content-length", b"CONTENT-LENGTH", b"Content-Length ", b" Content-Length", b"Content_Length", b"Content-Length\x00", b"Content-Length\t",
                b"Content Length", b"Content-Length:", b"\xe4Content-Length", b"Content-Lengtn", b"X\nContent-Length", b"X: y\nContent-Length", b"X: y\rContent-Length"]
CODING_NAMES = [b"Transfer-Encoding", b"transfer-encoding", b"Transfer-Encoding ", b" Transfer-Encoding", b"Transfer_Encoding", b"Transfer-Encoding\x00", b"\tTransfer-Encoding",
                b"Transfer-Encoding\x0b", b"Transfer Encoding", b"X: y\nTransfer-Encoding", b"X: y\rTransfer-Encoding", b"Content-Encoding", b"TE"]
CHUNK_SIZES = ["{:x}", "{:x}", "{:X}", "0{:x}", "00000000{:x}", "000000000000000000{:x}", "0x{:x}", "+{:x}", "-{:x}", " {:x}", "{:x} ", "{:x}\t", "{:x}\x0b", "{:x}\x00", "{:x}g", "{}",
               "1{:016x}", "fffffffffffffff{:x}", "", "{:x};a", "{:x};a=b", "{:x} ;a=b", "{:x}; a = b", '{:x};a="b;c"', '{:x};a="b\r\nc"', "{:x};\x00", "{:x};a\nb", "{:x};a\rb", "{:x}\n;",
               "{:x};" + "a" * 240, "{:x};" + "a" * 300, "{:x},1", "{:x};\xff"]
LAST_CHUNKS = [b"0", b"0", b"0", b"00", b"000000000000000000", b"0;a=b", b"0 ", b" 0", b"0x0", b"-0", b"+0", b"", b"0\x00"]
TRAILERS = [b"X: y\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: other\r\n", b"X : y\r\n", b" X: y\r\n", b"X: a\r\n b\r\n", b"X: y\n", b"X\r\n", b": y\r\n",
            b"X: a\x00b\r\n", b"X: " + b"y" * 300 + b"\r\n", b"GET / HTTP/1.1\r\n"]
CONNECTIONS = [b"close", b"keep-alive", b"Close", b"close, keep-alive", b"keep-alive, close", b"upgrade", b"Upgrade, close", b"Content-Length", b"Transfer-Encoding", b"clos\x00e", b"close\t",
               b"\"close\"", b"closed", b"keep-alive, upgrade", b"", b", close"]
EXPECTS = [b"100-continue", b"100-Continue", b"100-continue, x", b"200-ok", b"", b" 100-continue"]
UPGRADES = [b"websocket", b"h2c", b"TLS/1.0, HTTP/1.1", b"HTTP/2.0", b""]
BYTES = [b"\r", b"\n", b"\r\n", b"\x00", b" ", b"\t", b":", b",", b";", b"0", b"1", b"\x0b", b"\x0c", b"\x7f", b"\x80", b"\xff", b"\x85", b"a", b"\"", b"-", b"+", b"/", b"\\"]
# Found within a body, they must stay in it.
SMUGGLED = [b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            b"\x00\xff" * 20, b"a" * 3000]


@dataclass
class Shape:
    """What all messages of a stream share; `oddity` is the chance that a part is not as it should be."""

    rng: random.Random
    oddity: float
    fixed_lines: list[bytes] = field(default_factory=list)  # header lines that each message has
    line: bytes = b""  # request line that each message has, with some oddity; empty: any
    bodies: list[bytes] = field(default_factory=list)

    def odd(self, scale: float = 1.0) -> bool:
        return self.rng.random() < self.oddity * scale

    def pick(self, usual: bytes, others: list[bytes], scale: float = 1.0) -> bytes:
        return self.rng.choice(others) if self.odd(scale) else usual

    def end(self) -> bytes:
        return self.pick(CRLF, LINE_ENDS, 0.2)

    def field(self, name: bytes, value: bytes) -> bytes:
        before = self.pick(b" ", SPACES, 0.3)
        after = self.pick(b"", SPACES, 0.2)
        return name + self.pick(b":", [b" :", b"::", b"", b"\x00:", b"=", b"\t:"], 0.1) + before + value + after + self.end()

    def text(self, forms: list[str], *numbers: int) -> bytes:
        form = self.rng.choice(forms) if self.odd(2) else forms[0]
        return form.format(*numbers * 2).encode("latin-1")


def chunked(shape: Shape, body: bytes) -> bytes:
    rng = shape.rng
    out = b""
    while body:
        size = min(len(body), rng.choice([1, 3, 16, 100, len(body)]))
        out += shape.text(CHUNK_SIZES, size) + shape.end() + body[:size] + shape.pick(CRLF, [*LINE_ENDS, b"xx\r\n", b"x"], 0.3)
        body = body[size:]
    out += shape.pick(b"0", LAST_CHUNKS) + shape.end()
    if shape.odd(1.5):
        out += b"".join(rng.choice(TRAILERS) for _ in range(rng.randint(1, 3)))
    return out + shape.end()


def framing(shape: Shape, body: bytes) -> tuple[list[bytes], bytes]:
    """Header lines that announce `body`, and the body as it is sent; the two need not fit."""
    rng = shape.rng
    length = shape.field(shape.pick(b"Content-Length", LENGTH_NAMES), shape.text(LENGTHS, len(body)))
    coding = shape.field(shape.pick(b"Transfer-Encoding", CODING_NAMES), shape.text(CODINGS))
    kind = rng.choice(["length", "length", "chunked", "chunked", "none"]) if not shape.odd(1.5) else rng.choice(
        ["both", "both turned", "two lengths", "two codings", "length before chunks", "chunks before length", "longer", "shorter", "nothing said"])
    sent = chunked(shape, body)
    if kind in ("both", "both turned"):
        lines = [length, coding] if kind == "both" else [coding, length]
        return lines, rng.choice([body, sent])
    if kind == "two lengths":
        return [length, shape.field(b"Content-Length", shape.text(LENGTHS, rng.choice([len(body), 0, 3])))], body
    if kind == "two codings":
        return [coding, shape.field(b"Transfer-Encoding", shape.text(CODINGS))], sent
    if kind in ("longer", "shorter"):
        return [shape.field(b"Content-Length", str(max(0, len(body) + rng.choice([1, 2, 50] if kind == "longer" else [-1, -2, -50]))).encode())], body
    return {"length": ([length], body), "chunked": ([coding], sent), "none": ([], b""), "length before chunks": ([length], sent), "chunks before length": ([coding], body),
            "nothing said": ([], body)}[kind]


def fields(shape: Shape, lines: list[bytes]) -> bytes:
    """The header with its empty line."""
    rng = shape.rng
    lines = [line + CRLF for line in shape.fixed_lines] + lines
    for name, values in ((b"Connection", CONNECTIONS), (b"Expect", EXPECTS), (b"Upgrade", UPGRADES)):
        if rng.random() < 0.08:
            lines.append(shape.field(name, rng.choice(values)))
    for _ in range(rng.choice([0, 0, 1, 2])):
        lines.append(shape.field(shape.pick(b"X-Other", NAMES, 0.5), shape.pick(b"other", VALUES, 0.5)))
    if shape.odd(0.05):
        lines += [b"X-Many: %d\r\n" % n for n in range(rng.choice([60, 99, 101, 130]))]
    rng.shuffle(lines)
    return b"".join(lines) + shape.end()


def body_of(shape: Shape) -> bytes:
    rng = shape.rng
    if shape.bodies:
        return rng.choice(shape.bodies)
    return rng.choice([b"", b"x", b"hello", rng.randbytes(rng.randint(1, 200)), *SMUGGLED])


def request(shape: Shape) -> bytes:
    lines, sent = framing(shape, body_of(shape))
    hosts = [shape.field(b"Host", b"gw")]
    if shape.odd(0.5):
        odd = [b"other, gw", b"g w", b"", b"gw:80", b"[::1]", b"gw/", b"user@gw", b"gw\x00", b"g\xe4", b"gw#", b"gw?x", b"gw\\x", b"http://gw"]
        hosts = shape.rng.choice([[], hosts * 2, [*hosts, shape.field(b"host", b"other")], [shape.field(b"Host", shape.rng.choice(odd))]])
    line = shape.line
    if not line or shape.odd(0.3):
        between = [shape.pick(b" ", SPACES, 0.2) for _ in range(2)]
        method, target = shape.pick(b"POST", METHODS), shape.pick(b"/v1/chat/completions", TARGETS)
        line = method + between[0] + target + between[1] + shape.pick(b"HTTP/1.1", VERSIONS, 0.7)
    return line + shape.end() + fields(shape, hosts + lines) + sent


def reply(shape: Shape) -> bytes:
    lines, sent = framing(shape, body_of(shape))
    status = shape.pick(b"200", STATUSES, 1.5)
    if status in (b"204", b"304", b"100", b"103") and shape.rng.random() < 0.7:
        lines, sent = [], b""
    line = shape.pick(b"HTTP/1.1", VERSIONS, 0.7) + shape.pick(b" ", SPACES, 0.2) + status
    line += shape.pick(b" OK", [b"", b" ", b"  OK", b"OK", b" O\x00K", b" O\rK", b"\tOK", b" \xe4", b" a b c", b" O\nK"])
    return line + shape.end() + fields(shape, lines) + sent


def mutate(rng: random.Random, stream: bytes) -> bytes:
    """A few bytes put in, taken out, replaced or said twice: where no rule above would think of it."""
    out = bytearray(stream)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        at = rng.randint(0, max(0, len(out) - 1))
        kind = rng.randint(0, 4)
        if kind == 0:
            out[at:at] = rng.choice(BYTES)
        elif kind == 1:
            del out[at:at + rng.choice([1, 1, 2, 8])]
        elif kind == 2:
            out[at:at + 1] = rng.choice(BYTES)
        elif kind == 3:
            out[at:at] = out[at:at + rng.choice([2, 8, 40])]
        elif out:
            out[at] ^= 1 << rng.randint(0, 7)
    return bytes(out)


def stream(seed: str, role: str, fixed_lines: list[bytes] | None = None, line: bytes = b"", bodies: list[bytes] | None = None) -> bytes:
    """One direction of a connection: one to three messages. `role` is "q" for requests, else replies."""
    rng = random.Random(seed)
    shape = Shape(rng, rng.choice([0.0, 0.02, 0.05, 0.1, 0.25]), fixed_lines or [], line, bodies or [])
    make = request if role == "q" else reply
    made = b"".join(make(shape) for _ in range(rng.choice([1, 2, 2, 3])))
    return mutate(rng, made) if rng.random() < 0.4 else made
