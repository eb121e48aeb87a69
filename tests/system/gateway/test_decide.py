# SPDX-License-Identifier: Apache-2.0
"""POL-008 026 028 030 034, APR-004, MCP-018: a policy bundle decides about tool calls, with real clients, tickets and sign-ins."""

from __future__ import annotations

import base64
import contextlib
import http.client
import http.server
import json
import os
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anthropic
import openai
import pytest
from conftest import KEY, SECRET, Certificate, Gateway, Provider

ACTIONS = """
rules:
  - {id: no-deletes, match: {tool: delete}, outcome: deny, reason: nothing is deleted}
  - {id: mails, match: {tool: mail}, outcome: redact}
  - {id: deploys, match: {tool: deploy}, outcome: require_ticket, reason: deploys need a ticket}
  - {id: payments, match: {tool: pay}, outcome: step_up, reason: payments need a sign-in}
  - {id: refunds, match: {tool: refund, environment: prod}, when: {tool_args_match: {amount: {gt: 1000}}}, outcome: require_approval}
  - {id: police, match: {tool: police}, outcome: require_human}
  - {id: admins, match: {tool: admin, roles: [admin]}, outcome: allow}
  - {id: shells, match: {tool: bash}, outcome: allow}
  - {id: reads, match: {tool: [read, refund]}, outcome: allow}
"""
COMMANDS = """
defaults: {outcome: deny}
rules:
  - {id: tests, command: 'npm test', outcome: allow}
  - {id: trees, command: 'rm -rf *', outcome: deny, reason: removes trees}
"""
STATES = {"OPS-1": "approved", "OPS-2": "closed", "OPS-3": "in_progress"}


class Tickets(http.server.BaseHTTPRequestHandler):
    asked: list[str] = []

    def do_GET(self) -> None:
        ticket = self.path.rsplit("/", 1)[-1]
        Tickets.asked.append(ticket)
        found = ticket in STATES
        body = json.dumps({"fields": {"status": STATES.get(ticket, "")}}).encode()
        self.send_response(200 if found else 404)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def write_private(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)


def start(gateway: Gateway, config: Path) -> Gateway:
    """Also waits for the rules, which take their time on a busy machine."""
    gateway.start(config)

    def is_ready() -> bool:
        with contextlib.suppress(urllib.error.HTTPError):
            return urllib.request.urlopen(gateway.url + "/healthz", timeout=20).status == 200
        return False

    wait_until(is_ready, 120)
    return gateway


def make_bundle(folder: Path, actions: str = ACTIONS) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    write_private(folder / "actions.yaml", actions)
    write_private(folder / "commands.yaml", COMMANDS)
    return folder


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = tmp_path_factory.mktemp("keys") / "idp.key"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", key.with_suffix(".pub")], check=True, capture_output=True)
    return key


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def make_token(key: Path, **changed: object) -> str:
    now = int(time.time())
    claims = {"iss": "idp", "sub": "tests", "iat": now, "auth_time": now, "amr": ["pwd", "mfa"], **changed}
    text = encode(json.dumps({"alg": "EdDSA"}).encode()) + "." + encode(json.dumps(claims).encode())
    message = key.with_suffix(".msg")
    message.write_text(text)
    signed = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", message], check=True, capture_output=True)
    return text + "." + encode(signed.stdout)


@pytest.fixture(scope="module")
def decider(provider: Provider, certificate: Certificate, signer: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("decide")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tickets)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    make_bundle(folder / "bundle")
    extra = (f"bundle: {{folder: {folder}/bundle}}\n"
             "agents:\n  - {agent: 'tests/*', environment: prod, roles: [support], trust: basic}\n"
             f"tickets: {{url: 'http://127.0.0.1:{server.server_port}/t/{{ticket}}', status_field: fields.status, allow_private: true}}\n"
             f"step_up: {{keys: [{signer.with_suffix('.pub')}], max_age: 2m}}\n")
    running = Gateway(folder)
    start(running, running.configure(provider.port, certificate.cert, extra))
    yield running
    assert running.stop() == 0, running.log.read_text()
    server.shutdown()


def decide(gateway: Gateway, tool: str, headers: dict[str, str] | None = None, **body: object) -> dict[str, object]:
    request = urllib.request.Request(gateway.url + "/aispm/v1/decide", data=json.dumps({"tool": tool, **body}).encode(),
                                     headers={"authorization": "Bearer " + KEY, "content-type": "application/json", **(headers or {})})
    with urllib.request.urlopen(request, timeout=30) as reply:
        answer: dict[str, object] = json.load(reply)
    return answer


def openai_tool(name: str) -> dict[str, object]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}


def call_openai(gateway: Gateway, tool: str, arguments: str, stream: bool, headers: dict[str, str] | None = None) -> list[str]:
    client = openai.OpenAI(base_url=gateway.url + "/v1", api_key=KEY, timeout=20, default_headers=headers)
    asked = [{"role": "user", "content": f"call tool args={arguments}"}]
    if not stream:
        reply = client.chat.completions.create(model="m", messages=asked, tools=[openai_tool(tool)])
        return [call.function.arguments for call in reply.choices[0].message.tool_calls or []]
    found = ""
    for event in client.chat.completions.create(model="m", messages=asked, tools=[openai_tool(tool)], stream=True):
        for choice in event.choices:
            for call in choice.delta.tool_calls or []:
                found += call.function.arguments or ""
    return [found] if found else []


def call_anthropic(gateway: Gateway, tool: str, arguments: str, stream: bool) -> list[object]:
    client = anthropic.Anthropic(base_url=gateway.url, api_key=KEY, timeout=20)
    ask = {"model": "m", "max_tokens": 99, "messages": [{"role": "user", "content": f"call tool args={arguments}"}],
           "tools": [{"name": tool, "input_schema": {"type": "object"}}]}
    if stream:
        with client.messages.stream(**ask) as events:
            message = events.get_final_message()
    else:
        message = client.messages.create(**ask)
    return [block.input for block in message.content if block.type == "tool_use"]


both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@both
def test_an_allowed_tool_call_arrives_as_it_was(decider: Gateway, stream: bool) -> None:
    assert call_openai(decider, "read", '{"path": "/tmp/x"}', stream) == ['{"path": "/tmp/x"}']
    assert call_anthropic(decider, "read", '{"path": "/tmp/x"}', stream) == [{"path": "/tmp/x"}]


@both
def test_a_denied_tool_call_never_leaves(decider: Gateway, stream: bool) -> None:
    for call in (call_openai, call_anthropic):
        if stream:
            assert call(decider, "delete", '{"path": "/"}', True) == []
        else:
            with pytest.raises((openai.BadRequestError, anthropic.BadRequestError)) as refused:
                call(decider, "delete", '{"path": "/"}', False)
            assert "no-deletes" in str(refused.value)
            assert "nothing is deleted" in str(refused.value)


@both
def test_secrets_are_cut_out_of_arguments(decider: Gateway, stream: bool) -> None:
    # This gateway's own rules cut them out as well; `pii` shows in test of /decide.
    assert SECRET not in str(call_openai(decider, "mail", json.dumps({"text": SECRET}), stream))
    assert SECRET not in str(call_anthropic(decider, "mail", json.dumps({"text": SECRET}), stream))


@both
def test_a_shell_is_judged_by_what_it_would_run(decider: Gateway, stream: bool) -> None:
    assert len(call_openai(decider, "bash", '{"command": "npm test"}', stream)) == 1
    evil = json.dumps({"command": "npm test\nrm -rf /"})
    if stream:
        assert call_openai(decider, "bash", evil, True) == []
    else:
        with pytest.raises(openai.BadRequestError, match="trees"):
            call_openai(decider, "bash", evil, False)


def test_the_first_six_outcomes(decider: Gateway, signer: Path) -> None:
    assert decide(decider, "read")["outcome"] == "allow"
    denied = decide(decider, "delete", arguments={"x": 1})
    assert (denied["outcome"], denied["allowed"], denied["rule"], denied["reason"]) == ("deny", False, "no-deletes", "nothing is deleted")
    assert len(str(denied["policy_version"])) == 64
    assert decide(decider, "deploy")["outcome"] == "require_ticket"
    assert decide(decider, "pay")["outcome"] == "step_up"
    asked = decide(decider, "refund", arguments={"amount": 5000})
    assert (asked["outcome"], asked["allowed"]) == ("require_approval", False)
    assert "args.amount=5000" in asked["inputs"]
    assert "collector" in str(asked["reason"])
    assert decide(decider, "refund", arguments={"amount": 5})["outcome"] == "allow"
    assert decide(decider, "police")["outcome"] == "require_human"


def test_data_is_cut_out_of_what_decide_is_asked_about(decider: Gateway) -> None:
    answer = decide(decider, "mail", arguments={"to": "jane.doe@example.com", "n": 1})
    assert answer["outcome"] == "redact"
    assert answer["allowed"] is True
    assert "jane.doe" not in json.dumps(answer)
    assert answer["arguments"]["n"] == 1  # type: ignore[index]


def test_what_the_gateways_rules_cut_out_is_cut_out_where_actions_are_allowed(decider: Gateway) -> None:
    answer = decide(decider, "read", arguments={"path": f"use {SECRET}"})
    assert (answer["outcome"], answer["rule"]) == ("redact", "secrets")
    assert answer["arguments"] == {"path": "use [REDACTED:secret.aws_access_key]"}


def test_a_number_that_is_data_denies_where_data_is_cut_out(decider: Gateway) -> None:
    answer = decide(decider, "mail", arguments={"card": 4111111111111111})
    assert (answer["outcome"], answer["allowed"]) == ("deny", False)
    assert "arguments" not in answer


def test_roles_that_a_caller_claims_count_for_nothing(decider: Gateway) -> None:
    assert decide(decider, "admin", arguments={"roles": ["admin"], "trust_level": "system"})["outcome"] == "deny"
    with pytest.raises(urllib.error.HTTPError) as refused:
        decide(decider, "admin", roles=["admin"])
    assert refused.value.code == 400


@pytest.mark.parametrize(("ticket", "allowed"), [("OPS-1", True), ("OPS-3", True), ("OPS-2", False), ("OPS-9", False),
                                                 ("../admin", False), ("ops-1", False)])
def test_a_ticket_is_looked_up(decider: Gateway, ticket: str, allowed: bool) -> None:
    answer = decide(decider, "deploy", ticket=ticket)
    assert answer["allowed"] is allowed, answer
    assert answer["outcome"] == ("approved" if allowed else "require_ticket")
    assert all(name.startswith("OPS-") for name in Tickets.asked)


def test_a_ticket_goes_with_a_model_call_as_a_header(decider: Gateway, provider: Provider) -> None:
    with pytest.raises(openai.BadRequestError, match="deploys"):
        call_openai(decider, "deploy", '{"a": 1}', False)
    assert call_openai(decider, "deploy", '{"a": 1}', False, {"x-aispm-ticket": "OPS-1"}) == ['{"a": 1}']
    assert "x-aispm-ticket" not in str(provider.seen()[-1]["headers"]).lower()


def test_a_fresh_sign_in_is_needed(decider: Gateway, signer: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.key"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", other], check=True, capture_output=True)
    now = int(time.time())
    good = make_token(signer)
    assert decide(decider, "pay", step_up=good)["outcome"] == "approved"
    for token, why in [(make_token(signer, auth_time=now - 600), "older than"), (make_token(signer, amr=["pwd"]), "second factor"),
                       (make_token(signer, sub="mallory"), "somebody else"), (make_token(other), "not signed"),
                       (good[:-8] + "AAAAAAAA", "not signed"), (make_token(signer, exp=now - 1), "expired"), ("x.y", "JWT"),
                       (make_token(signer, auth_time=str(now - 10**8)), "no number"),
                       (make_token(signer, auth_time=now + 3600), "future")]:
        answer = decide(decider, "pay", step_up=token)
        assert answer["outcome"] == "step_up", why
        assert why in str(answer["reason"])


def test_a_reload_under_load_mixes_nothing(decider: Gateway) -> None:
    """Old: a and b are allowed by rules named old-*; new: by new-*. An answer names one version, and its rule belongs to it."""
    def rules(word: str) -> str:
        return f"rules:\n  - {{id: {word}-a, match: {{tool: a}}, outcome: allow}}\n  - {{id: {word}-b, match: {{tool: b}}, outcome: deny}}\n"
    seen: dict[str, set[str]] = {}
    done = threading.Event()

    def ask(tool: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", decider.port, timeout=60)
        count = 0
        while not done.is_set() or count < 1000:
            connection.request("POST", "/aispm/v1/decide", json.dumps({"tool": tool}),
                               {"authorization": "Bearer " + KEY, "content-type": "application/json"})
            answer = json.loads(connection.getresponse().read())
            seen.setdefault(answer["policy_version"], set()).add(answer["rule"].split("-")[0])
            count += 1
        connection.close()
        return count

    make_bundle(decider.folder / "bundle", rules("old"))
    assert decider.process
    decider.process.send_signal(1)
    wait_until(lambda: decide(decider, "a")["rule"] == "old-a")
    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask, tool) for tool in "abab"]
        try:
            for word in ("new", "old") * 5 + ("new",):
                make_bundle(decider.folder / "bundle", rules(word))
                decider.process.send_signal(1)
                wait_until(lambda word=word: decide(decider, "b")["rule"] == word + "-b")
        finally:
            done.set()
        assert sum(one.result() for one in asking) >= 4000
    assert len(seen) == 2
    assert all(len(words) == 1 for words in seen.values()), seen
    write_private(decider.folder / "bundle" / "actions.yaml", "rules: [{id: x, outcome: perhaps}]\n")
    decider.process.send_signal(1)
    wait_until(lambda: "reload.failed" in decider.log.read_text())
    assert decide(decider, "a")["rule"] == "new-a"
    make_bundle(decider.folder / "bundle")
    decider.process.send_signal(1)
    wait_until(lambda: decide(decider, "read")["rule"] == "reads")


def wait_until(holds, seconds: float = 60) -> None:  # noqa: ANN001
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError(f"did not come true in {seconds} s")


def test_an_unsigned_bundle_denies_everything_where_it_must_be_signed(
        provider: Provider, certificate: Certificate, signer: Path, tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle")
    gateway = Gateway(tmp_path)
    start(gateway, gateway.configure(provider.port, certificate.cert,
                                     f"bundle: {{folder: {tmp_path}/bundle, keys: [{signer.with_suffix('.pub')}], must_be_signed: true}}\n"))
    try:
        answer = decide(gateway, "read")
        assert (answer["outcome"], answer["rule"]) == ("deny", "policy.unsigned")
        with pytest.raises(openai.BadRequestError, match="policy.unsigned"):
            openai.OpenAI(base_url=gateway.url + "/v1", api_key=KEY).chat.completions.create(
                model="m", messages=[{"role": "user", "content": "hello"}])
        aispm = Path(os.environ.get("AISPM_BIN_DIR", "")) / "aispm"
        if not aispm.exists():
            pytest.skip("aispm is not built: nothing can be signed")
        subprocess.run([aispm, "policy", "sign", tmp_path / "bundle", "--key", signer], check=True, capture_output=True)
        assert gateway.process
        gateway.process.send_signal(1)
        wait_until(lambda: decide(gateway, "read")["outcome"] == "allow")
    finally:
        gateway.stop()


def test_without_a_bundle_nothing_is_judged(gateway: Gateway) -> None:
    answer = decide(gateway, "delete")
    assert (answer["outcome"], answer["allowed"]) == ("allow", True)
    assert "no policy" in str(answer["reason"])
