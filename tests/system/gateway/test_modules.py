# SPDX-License-Identifier: Apache-2.0
"""POL-011, POL-013 to POL-018: each module of policies/rego is asked by a real gateway where its question arises."""

from __future__ import annotations

import http.server
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from conftest import KEY, ROOT, Certificate, Gateway, Provider

ALLOW_ALL = "defaults: {outcome: allow}\nrules: []\n"
Answer = tuple[int, Any]


class Bench:
    """Gateways whose own bundle has some of the shipped modules beside rules that allow everything."""

    def __init__(self, folder: Path, provider: Provider, certificate: Certificate) -> None:
        self.folder, self.provider, self.certificate = folder, provider, certificate
        self.running: list[Gateway] = []

    def start(self, *modules: str, data: dict[str, Any] | None = None, extra: str = "", agent: str = "") -> Gateway:
        folder = self.folder / f"gateway{len(self.running)}"
        (folder / "bundle" / "rego").mkdir(mode=0o700, parents=True)
        folder.joinpath("bundle").chmod(0o700)
        files = {"actions.yaml": ALLOW_ALL, "data.json": json.dumps({"settings": data or {}})}
        files |= {f"rego/{name}.rego": (ROOT / "policies" / "rego" / f"{name}.rego").read_text() for name in modules}
        for name, text in files.items():
            path = folder / "bundle" / name
            path.write_text(text)
            path.chmod(0o600)
        extra += f"bundle: {{folder: {folder}/bundle}}\n"
        if agent:
            extra += f"agents:\n  - {{agent: 'tests/*', trust: verified, {agent}}}\n"
        gateway = Gateway(folder)
        gateway.start(gateway.configure(self.provider.port, self.certificate.cert, extra))
        self.running.append(gateway)
        return gateway.wait_until_ready()


@pytest.fixture
def bench(tmp_path: Path, provider: Provider, certificate: Certificate) -> Iterator[Bench]:
    made = Bench(tmp_path, provider, certificate)
    yield made
    for gateway in made.running:
        assert gateway.stop() == 0, gateway.log.read_text()


def chat(gateway: Gateway, text: str = "What is the capital of France?", **more: Any) -> str:
    """The answer, or the words of the refusal."""
    client = openai.OpenAI(base_url=gateway.url + "/v1", api_key=KEY, timeout=30, max_retries=0)
    asked = {"model": "m", "messages": [{"role": "user", "content": text}], "max_tokens": 50, **more}
    try:
        if not more.get("stream"):
            return str(client.chat.completions.create(**asked).choices[0].message.content)
        return "".join(choice.delta.content or "" for event in client.chat.completions.create(**asked) for choice in event.choices)
    except openai.APIStatusError as refused:
        return refused.message


def decide(gateway: Gateway, tool: str, **arguments: Any) -> tuple[str, str]:
    """Outcome and rule."""
    request = urllib.request.Request(gateway.url + "/aispm/v1/decide", data=json.dumps({"tool": tool, "arguments": arguments}).encode(),
                                     headers={"authorization": "Bearer " + KEY, "content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        answer = json.load(reply)
    return answer["outcome"], answer["rule"]


PARIS = "The capital of France is Paris."


@pytest.fixture
def registry() -> Iterator[Callable[[], str]]:
    """A registry of models: the status is the model's name up to the first dash."""

    class Models(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"status": self.path.rsplit("/", 1)[-1].split("-")[0]}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Models)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield lambda: f"http://127.0.0.1:{server.server_port}/models/{{model}}"
    server.shutdown()


def test_model_is_asked_with_what_the_registry_of_models_says(bench: Bench, registry: Callable[[], str]) -> None:
    gate = (f"model_gate:\n  registry: {{url: '{registry()}', allow_private: true, approved: [approved, review, retired]}}\n")
    gateway = bench.start("model", data={"models": {"denied": ["approved-toy*"]}}, extra=gate)
    assert chat(gateway, model="approved-1") == PARIS
    assert "model.denied" in chat(gateway, model="approved-toy-7")
    assert "model.retired" in chat(gateway, model="retired-1")
    assert "model.review: This model is still being reviewed (there is nobody to ask" in chat(gateway, model="review-1"), "somebody must be asked, and there is nobody"
    # Without a list or registry nothing is known of any model.
    assert "model.unregistered" in chat(bench.start("model"))


def test_model_takes_the_list_of_the_configuration_for_approved(bench: Bench) -> None:
    gateway = bench.start("model", extra="model_gate:\n  models:\n    - {model: 'good-*'}\n")
    assert chat(gateway, model="good-1") == PARIS


def test_budget_is_asked_with_what_is_used_and_reserved(bench: Bench) -> None:
    budgets = (f"limits:\n  budgets:\n    state_file: {bench.folder}/budgets.json\n    list:\n"
               "      - {of: session, tokens: 100000}\n      - {of: agent, per: day, tokens: 100000}\n")
    gateway = bench.start("budget", data={"budget": {"session": 400, "day": 100000}}, extra=budgets)
    assert chat(gateway) == PARIS
    assert "budget.session" in chat(gateway, max_tokens=1000)
    assert chat(gateway) == PARIS, "what was refused is not used"
    day = bench.start("budget", data={"budget": {"session": 400, "day": 10}}, extra=budgets.replace("budgets.json", "other.json"))
    assert "budget.day" in chat(day)
    # Nobody counts there: what the module needs is missing.
    assert "budget.default" in chat(bench.start("budget"))


def test_egress_is_asked_about_providers_and_the_hosts_that_tools_name(bench: Bench) -> None:
    gateway = bench.start("egress", data={"egress": {"allowed": ["localhost", "*.example.org"]}})
    assert chat(gateway) == PARIS
    assert decide(gateway, "http_get", url="https://api.example.org/x") == ("allow", "defaults")
    assert decide(gateway, "http_get", url="HTTPS://Api.Example.org:8443/x")[0] == "allow"
    assert decide(gateway, "http_get", url="https://pastebin.com/x") == ("deny", "egress.drop")
    assert decide(gateway, "http_get", nested={"to": ["https://elsewhere.example/x"]}) == ("deny", "egress.default")
    assert decide(gateway, "http_get", url="https://api.example.org@elsewhere.example/") == ("deny", "egress.unreadable")
    # As clients read them: they leave the tab out, and skip the space.
    assert decide(gateway, "http_get", url="https://api.example.org\t.elsewhere.example/") == ("deny", "egress.unreadable")
    assert decide(gateway, "http_get", url=" https://elsewhere.example/") == ("deny", "egress.default")
    assert decide(gateway, "http_get", url="https:elsewhere.example") == ("deny", "egress.unreadable")
    assert decide(gateway, "http_get", note="no address at all")[0] == "allow"
    elsewhere = bench.start("egress", data={"egress": {"allowed": ["api.example.com"]}})
    assert "egress.default" in chat(elsewhere)


def test_write_approval_is_asked_about_tools_that_write(bench: Bench) -> None:
    calm = bench.start("write_approval")
    assert decide(calm, "file.write", path="/tmp/x") == ("allow", "defaults")
    # Who may do everything is a risk from the first call on.
    risky = bench.start("write_approval", agent="roles: [superuser, admin]")
    assert decide(risky, "file.write", path="/tmp/x") == ("require_approval", "write.approval")
    assert decide(risky, "refund", amount=5) == ("require_approval", "write.approval"), "what is not known to read only"
    assert decide(risky, "document_share", id=5) == ("require_approval", "write.approval"), "of the kind that searches, but it does not say so"
    assert decide(risky, "file.read", path="/tmp/x") == ("allow", "defaults")


def test_memory_is_asked_about_tools_that_remember(bench: Bench) -> None:
    reader = bench.start("memory", agent="scopes: ['memory:read:longterm']")
    assert decide(reader, "recall_memory", query="x") == ("allow", "defaults")
    assert decide(reader, "save_memory", text="x") == ("allow", "defaults")
    assert decide(reader, "delete_memory", id="x") == ("deny", "memory.default")
    assert decide(reader, "memory", command="view", path="/memories") == ("allow", "defaults")
    assert decide(reader, "memory", command="delete", path="/memories") == ("deny", "memory.default")
    risky = bench.start("memory", agent="roles: [superuser, admin]")
    assert decide(risky, "save_memory", text="x") == ("deny", "memory.risk")
    assert decide(risky, "save_session_memory", text="x") == ("allow", "defaults")
    assert decide(risky, "recall_memory", query="x") == ("deny", "memory.default")
    assert decide(risky, "file.write", path="x") == ("allow", "defaults"), "no memory"


def test_retrieval_is_asked_about_searches_and_what_they_found(bench: Bench) -> None:
    gateway = bench.start("retrieval")
    assert decide(gateway, "search_documents", namespace="handbook", top_k=5) == ("allow", "defaults")
    assert decide(gateway, "search_documents", namespace="handbook", top_k=11) == ("deny", "retrieval.chunks")
    assert decide(gateway, "search_documents", namespace="handbook", top_k="5000") == ("deny", "retrieval.chunks"), "a text, to programs a number"
    assert decide(gateway, "search_documents", namespace="hr_records") == ("deny", "retrieval.sensitive")
    sensitive = bench.start("retrieval", agent="scopes: ['rag:sensitive']")
    assert decide(sensitive, "search_documents", namespace="hr_records") == ("allow", "defaults")

    def found(count: int) -> str:
        calls = [{"id": f"c{i}", "type": "function", "function": {"name": "search_documents", "arguments": "{}"}} for i in range(count)]
        results = [{"role": "tool", "tool_call_id": f"c{i}", "content": f"Page {i} of the handbook"} for i in range(count)]
        asked = [{"role": "user", "content": "What does it say?"}, {"role": "assistant", "tool_calls": calls}, *results]
        return chat(gateway, messages=asked)

    assert "The tool said" in found(10)
    assert "retrieval.chunks" in found(11)


def test_retrieval_is_asked_about_so_many_places_at_once_and_no_more(bench: Bench) -> None:
    gateway = bench.start("retrieval")

    def found(tools: int) -> str:
        calls = [{"id": f"c{i}", "type": "function", "function": {"name": f"search_{i}", "arguments": "{}"}} for i in range(tools)]
        results = [{"role": "tool", "tool_call_id": f"c{i}", "content": f"Page {i} of the handbook"} for i in range(tools)]
        return chat(gateway, messages=[{"role": "user", "content": "What does it say?"}, {"role": "assistant", "tool_calls": calls}, *results])

    assert "The tool said" in found(64)
    assert "retrieval.unreadable" in found(65)
    assert "search_64" not in json.dumps(bench.provider.seen()[-1]["body"])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_pii_is_asked_about_each_kind_of_personal_data(bench: Bench, stream: bool) -> None:
    nobody = bench.start("pii")
    assert chat(nobody, stream=stream) == PARIS
    said = chat(nobody, "emit person", stream=stream)
    assert "jane.doe" not in said and "3704" not in said, said
    # The caller may read personal data, but no number with which somebody can pay.
    reader = bench.start("pii", agent="scopes: ['pii:read']")
    said = chat(reader, "emit person", stream=stream)
    assert "jane.doe@example.com" in said and "3704" not in said, said
    # What goes to the model is cut for everybody.
    assert "heard you" in chat(reader, "Please write to john.roe@example.com about it", stream=stream)
    asked = json.dumps(bench.provider.seen()[-1]["body"])
    assert "john.roe" not in asked and "about it" in asked, asked
