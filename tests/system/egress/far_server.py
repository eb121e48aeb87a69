# SPDX-License-Identifier: Apache-2.0
"""The internet of the tests: HTTP on 80, TLS on 443 and 8443, every connection written down. Runs in a namespace of its own.

Hosts with a folder in WWW get its files, so that a package index can be one of them.

usage: far_server.py CERT KEY LOG WWW
"""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
from pathlib import Path

CERT, KEY, LOG, WWW = sys.argv[1:]
LOCK = threading.Lock()


def note(**facts: object) -> None:
    with LOCK, Path(LOG).open("a") as log:
        log.write(json.dumps(facts) + "\n")


def read_request(peer: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        more = peer.recv(65536)
        if not more:
            return data
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    size = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < size:
        body += peer.recv(65536)
    return head + b"\r\n\r\n" + body


def file_for(request: bytes, path: bytes) -> bytes | None:
    """What lies under the host's folder; empty when the host has one and the file is missing, None for other hosts."""
    host = next((line.split(b":")[1].strip() for line in request.split(b"\r\n") if line.lower().startswith(b"host:")), b"-")
    folder = Path(WWW) / host.decode("latin-1")
    if not folder.is_dir():
        return None
    file = folder / path.decode("latin-1").lstrip("/").partition("?")[0]
    file = file / "index.html" if file.is_dir() else file
    return file.read_bytes() if ".." not in str(file) and file.is_file() else b""


def answer(port: int, peer: socket.socket) -> None:
    while True:
        request = read_request(peer)
        if not request:
            return
        note(port=port, request=request.decode("latin-1"))
        path = request.split(b" ")[1] if b" " in request else b""
        if (body := file_for(request, path)) is not None:
            status, kind = (b"200 OK" if body else b"404 Not Found"), (b"text/html" if path.endswith(b"/") else b"application/octet-stream")
            peer.sendall(b"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (status, kind, len(body)) + body)
        elif path.startswith(b"/bytes/"):
            body = b"x" * int(path.split(b"/")[2])
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        elif path == b"/chunked":
            peer.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: X-Hop\r\nX-Hop: 1\r\nX-End: 2\r\n\r\n3\r\nabc\r\n4;e=1\r\ndefg\r\n0\r\n\r\n")
        elif path == b"/close":
            peer.sendall(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")
            return
        elif path == b"/ambiguous":
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
            return
        else:
            body = request.partition(b"\r\n\r\n")[2] or b"far"
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        if b"connection: close" in request.lower():
            return


def serve(port: int, context: ssl.SSLContext | None, family: socket.AddressFamily) -> None:
    server = socket.create_server(("::" if family == socket.AF_INET6 else "0.0.0.0", port), family=family, backlog=64)
    server.settimeout(None)
    while True:
        peer, address = server.accept()

        def one(peer: socket.socket = peer, address: tuple = address) -> None:
            note(port=port, accepted=address[0])
            try:
                with peer:
                    if context is None:
                        answer(port, peer)
                    else:
                        with context.wrap_socket(peer, server_side=True) as secure:
                            answer(port, secure)
            except OSError as error:
                note(port=port, error=str(error))

        threading.Thread(target=one, daemon=True).start()


def main() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERT, KEY)
    for port, secure in ((80, None), (443, context), (8443, context), (5432, None)):
        for family in (socket.AF_INET, socket.AF_INET6):
            threading.Thread(target=serve, args=(port, secure, family), daemon=True).start()
    note(ready=True)
    threading.Event().wait()


if __name__ == "__main__":
    socket.setdefaulttimeout(30)
    main()
