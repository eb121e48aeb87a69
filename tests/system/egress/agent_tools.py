# SPDX-License-Identifier: Apache-2.0
# What the tests' agents share: prepended to each script that runs in the sandbox.
import json, os, socket, ssl, urllib.error, urllib.request  # noqa: E401, F401  (os: used by the scripts themselves)

UNVERIFIED = ssl._create_unverified_context()
IGNORES_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=UNVERIFIED))
OBEYS_PROXY = urllib.request.build_opener(urllib.request.HTTPSHandler(context=UNVERIFIED))


def fetch(opener, url, data=None, headers=None):
    try:
        with opener.open(urllib.request.Request(url, data=data, headers=headers or {}), timeout=20) as reply:
            return [reply.status, reply.read().decode()]
    except urllib.error.HTTPError as error:
        return [error.code, error.headers.get("AISPM-Denied"), error.reason]
    except Exception as error:
        return [0, str(error)]


def proxy():
    return socket.create_connection(("127.0.0.1", 61088), 20)


def drain(s):
    data = b""
    try:
        while more := s.recv(65536):
            data += more
    except OSError as error:
        data += b"!" + type(error).__name__.encode()
    return data.decode("latin-1")


def raw(request, half_close=True):
    with proxy() as s:
        s.sendall(request)
        if half_close:
            s.shutdown(socket.SHUT_WR)
        return drain(s)


def tunnel(name, port=443):
    s = proxy()
    s.sendall(f"CONNECT {name}:{port} HTTP/1.1\r\nHost: {name}:{port}\r\n\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += s.recv(1) or b"\r\n\r\n"
    return s, head.decode().split("\r\n")[0]


def say(**values):
    print(json.dumps(values))
