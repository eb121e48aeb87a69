# SPDX-License-Identifier: Apache-2.0
"""APR-001 002 003 005 006 007 009, POL-010 034: people answer for actions, with unmodified clients on the other side."""

from __future__ import annotations

import functools
import itertools
import json
import subprocess
import time
import urllib.parse
import urllib.request
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from conftest import BIN, KEY, Notices, People, decide, make_gateway, wait_until

numbers = itertools.count(2000)
pool = ThreadPoolExecutor(130)


@functools.cache
def client_of(url: str) -> openai.OpenAI:
    """As it is; one for all threads, as making one takes longer than a call."""
    return openai.OpenAI(base_url=url + "/v1", api_key=KEY, timeout=120, max_retries=0)


def call(gateway: Any, tool: str, arguments: str, stream: bool) -> str:
    """The arguments of the tool call that arrives."""
    client = client_of(gateway.url)
    asked = [{"role": "user", "content": f"call tool args={arguments}"}]
    tools = [{"type": "function", "function": {"name": tool, "parameters": {"type": "object"}}}]
    if not stream:
        reply = client.chat.completions.create(model="m", messages=asked, tools=tools)
        return "".join(one.function.arguments for one in reply.choices[0].message.tool_calls or [])
    found = ""
    for event in client.chat.completions.create(model="m", messages=asked, tools=tools, stream=True):
        for choice in event.choices:
            for one in choice.delta.tool_calls or []:
                found += one.function.arguments or ""
    return found


def refund() -> str:
    """Arguments that no other test uses."""
    return json.dumps({"amount": next(numbers)})


def asked_for(people: People, arguments: str) -> dict[str, Any]:
    wanted = json.loads(arguments)
    return wait_until(lambda: next((one for one in people.waiting() if json.loads(one["arguments_text"]) == wanted), None))  # type: ignore[no-any-return]


both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@both
def test_a_call_waits_and_passes_once_when_approved(gateway: Any, people: People, stream: bool) -> None:
    arguments = refund()
    waits: Future[str] = pool.submit(call, gateway, "refund", arguments, stream)
    approval = asked_for(people, arguments)
    assert (approval["agent_id"], approval["rule_id"], approval["requester"]) == ("tests/agent", "large", "tests")
    time.sleep(0.6)
    assert not waits.done()
    assert people.answer(approval["id"], "APPROVE", reason="looked at it")[0] == 200
    assert json.loads(waits.result(20)) == json.loads(arguments)
    assert people.rest("GET", f"/api/v1/approvals/{approval['id']}", people.operator)[1]["state"] == "APPROVAL_STATE_USED"
    # The same again is asked about again.
    again: Future[str] = pool.submit(call, gateway, "refund", arguments, stream)
    newer = asked_for(people, arguments)
    assert newer["id"] != approval["id"]
    people.answer(newer["id"], "DENY", reason="once is enough")
    if stream:
        assert again.result(20) == ""
    else:
        with pytest.raises(openai.BadRequestError, match="once is enough"):
            again.result(20)


def test_an_anthropic_stream_waits_as_well(gateway: Any, people: People) -> None:
    arguments = refund()
    client = anthropic.Anthropic(base_url=gateway.url, api_key=KEY, timeout=60)

    def ask() -> Any:
        with client.messages.stream(model="m", max_tokens=99, messages=[{"role": "user", "content": f"call tool args={arguments}"}],
                                    tools=[{"name": "refund", "input_schema": {"type": "object"}}]) as events:
            return [block.input for block in events.get_final_message().content if block.type == "tool_use"]

    waits = pool.submit(ask)
    people.answer(asked_for(people, arguments)["id"], "APPROVE")
    assert waits.result(20) == [json.loads(arguments)]


def test_other_arguments_need_an_approval_of_their_own(gateway: Any, people: People) -> None:
    arguments = refund()
    first = decide(gateway, "refund", arguments=json.loads(arguments))
    assert (first["outcome"], first["allowed"]) == ("require_approval", False)
    assert first["link"] == "https://aispm.example/approvals/" + first["approval_id"]
    assert decide(gateway, "refund", arguments=json.loads(arguments))["approval_id"] == first["approval_id"]
    people.answer(first["approval_id"], "APPROVE")
    other = decide(gateway, "refund", arguments=json.loads(refund()))
    assert (other["allowed"], other["approval_id"] != first["approval_id"]) == (False, True)
    passed = decide(gateway, "refund", arguments=json.loads(arguments))
    assert (passed["outcome"], passed["allowed"]) == ("approved", True)
    assert "carol" in passed["reason"]
    assert decide(gateway, "refund", arguments=json.loads(arguments))["allowed"] is False


def test_of_two_gateways_only_one_uses_an_approval(gateway: Any, second: Any, people: People) -> None:
    for _ in range(5):
        arguments = json.loads(refund())
        waits = [pool.submit(decide, one, "refund", arguments=arguments, wait=True) for one in (gateway, second)]
        approval = asked_for(people, json.dumps(arguments))
        time.sleep(0.2)
        people.answer(approval["id"], "APPROVE")
        outcomes = sorted(one.result(20)["outcome"] for one in waits)
        assert outcomes == ["approved", "rejected"]


def test_who_asked_does_not_answer_and_the_role_counts(gateway: Any, people: People) -> None:
    approval = decide(gateway, "refund", arguments=json.loads(refund()))
    status, said = people.answer(approval["approval_id"], "APPROVE", people.requester)
    assert (status, "may not answer" in str(said)) == (403, True)
    status, said = people.answer(approval["approval_id"], "APPROVE", people.operator)
    assert (status, "finance_manager" in str(said)) == (403, True)
    assert people.answer(approval["approval_id"], "APPROVE", KEY)[0] == 401
    assert people.answer(approval["approval_id"], "DENY")[0] == 400  # without a reason
    assert people.answer(approval["approval_id"], "APPROVE")[0] == 200
    assert people.answer(approval["approval_id"], "APPROVE")[0] == 400  # answered already


def test_a_denied_action_is_not_asked_about_again_at_once(gateway: Any, people: People) -> None:
    arguments = json.loads(refund())
    first = decide(gateway, "refund", arguments=arguments)
    people.answer(first["approval_id"], "DENY", reason="no")
    again = decide(gateway, "refund", arguments=arguments)
    assert (again["outcome"], again["approval_id"]) == ("rejected", first["approval_id"])


def test_escalating_gives_it_to_another_role(gateway: Any, people: People) -> None:
    arguments = json.loads(refund())
    asked = decide(gateway, "refund", arguments=arguments)
    assert people.answer(asked["approval_id"], "ESCALATE", role="board", reason="too large for me")[0] == 200
    assert people.answer(asked["approval_id"], "APPROVE")[0] == 403
    board = people.token("erin", "board")
    assert people.answer(asked["approval_id"], "APPROVE", board)[0] == 200
    assert decide(gateway, "refund", arguments=arguments)["outcome"] == "approved"


def test_a_human_must_act_not_just_approve(gateway: Any, people: People) -> None:
    waits = pool.submit(decide, gateway, "police", arguments={"n": next(numbers)}, wait=True)
    approval = wait_until(lambda: people.waiting("police"))[0]
    assert people.answer(approval["id"], "APPROVE")[0] == 400
    assert people.answer(approval["id"], "TAKE_OVER")[1]["state"] == "APPROVAL_STATE_TAKEN_OVER"
    assert people.answer(approval["id"], "FINISH", people.operator, result="x")[0] == 403
    assert not waits.done()
    assert people.answer(approval["id"], "FINISH", result="They are on their way")[0] == 200
    answer = waits.result(20)
    assert (answer["outcome"], answer["allowed"], answer["result"]) == ("require_human", False, "They are on their way")
    # A model's call is answered likewise, in words.
    arguments = json.dumps({"n": next(numbers)})
    waits_too: Future[str] = pool.submit(call, gateway, "police", arguments, False)
    approval = asked_for(people, arguments)
    people.answer(approval["id"], "TAKE_OVER")
    people.answer(approval["id"], "FINISH", result="Done by hand")
    with pytest.raises(openai.BadRequestError, match="Done by hand"):
        waits_too.result(20)


def test_without_an_answer_it_is_denied_and_may_come_later(
        provider: Any, certificate: Any, collector: Any, people: People, tmp_path: Path) -> None:
    hasty = make_gateway(tmp_path, provider, certificate, collector, wait="1s")
    try:
        arguments = refund()
        with pytest.raises(openai.BadRequestError) as late:
            call(hasty, "refund", arguments, False)
        approval = asked_for(people, arguments)
        assert approval["id"] in str(late.value)
        assert late.value.response.headers["x-aispm-decision"] == "timeout"
        people.answer(approval["id"], "APPROVE")
        assert json.loads(call(hasty, "refund", arguments, False)) == json.loads(arguments)
    finally:
        assert hasty.stop() == 0, hasty.log.read_text()


def test_approvals_survive_restarts_of_both(provider: Any, certificate: Any, collector: Any, people: People, tmp_path: Path) -> None:
    gateway = make_gateway(tmp_path, provider, certificate, collector)
    arguments = json.loads(refund())
    asked = decide(gateway, "refund", arguments=arguments)
    gateway.stop()
    collector.kill()
    collector.start()
    assert people.answer(asked["approval_id"], "APPROVE")[0] == 200
    gateway.start(tmp_path / "gateway.yaml")
    try:
        passed = wait_until(lambda: (lambda said: said if said["allowed"] else None)(decide(gateway, "refund", arguments=arguments)), 30)
        assert passed["approval_id"] == asked["approval_id"]
        assert decide(gateway, "refund", arguments=arguments)["allowed"] is False
    finally:
        assert gateway.stop() == 0, gateway.log.read_text()


def test_while_the_collector_is_away_nothing_passes(provider: Any, certificate: Any, collector: Any, tmp_path: Path) -> None:
    gateway = make_gateway(tmp_path, provider, certificate, collector)
    try:
        collector.kill()
        answer = decide(gateway, "refund", arguments=json.loads(refund()))
        assert answer["allowed"] is False
        assert "could be asked" in answer["reason"]
    finally:
        collector.start()
        gateway.stop()


def test_a_hundred_go_on_while_one_waits(gateway: Any, people: People) -> None:
    """POL-010. Two workers serve all of them: a thread that waited would show."""
    # The test before this one had the collector away.
    wait_until(lambda: "approval_id" in decide(gateway, "mail", arguments={"n": next(numbers)}), 60)
    arguments = refund()
    waits: Future[str] = pool.submit(call, gateway, "refund", arguments, True)
    approval = asked_for(people, arguments)
    others = [pool.submit(call, gateway, "refund", '{"amount": 5}', n % 2 == 0) for n in range(100)]
    assert [json.loads(one.result(120)) for one in others] == [{"amount": 5}] * 100
    assert not waits.done()
    assert approval["id"] in [one["id"] for one in people.waiting("refund")]
    people.answer(approval["id"], "APPROVE")
    assert waits.result(20)


def page(people: People, path: str, form: dict[str, str] | None = None) -> tuple[int, str]:
    data = None if form is None else urllib.parse.urlencode(form).encode()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{people.collector.http_port}{path}", data=data, timeout=20) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def test_a_signed_link_answers_once(gateway: Any, people: People) -> None:
    arguments = {"to": "<script>", "n": next(numbers)}
    asked = decide(gateway, "mail", arguments=arguments)
    status, link = people.rest("POST", f"/api/v1/approvals/{asked['approval_id']}/links", people.operator, {"person": "frank"})
    assert status == 200, link
    for _ in range(3):  # following it decides nothing
        status, html = page(people, link["path"])
        assert (status, "frank" in html, "&lt;script&gt;" in html, "<script>" in html) == (200, True, True, False)
    assert decide(gateway, "mail", arguments=arguments)["allowed"] is False
    assert page(people, link["path"][:-1] + ("0" if link["path"][-1] != "0" else "1"))[0] == 404
    status, html = page(people, link["path"], {"decision": "approve", "reason": "fine by me"})
    assert (status, "approved" in html) == (200, True)
    assert page(people, link["path"], {"decision": "deny", "reason": "x"})[0] == 404
    passed = decide(gateway, "mail", arguments=arguments)
    assert (passed["outcome"], "link:frank" in passed["reason"]) == ("approved", True)


def test_a_link_gives_nobody_more_than_they_may(gateway: Any, people: People) -> None:
    asked = decide(gateway, "refund", arguments=json.loads(refund()))
    path = f"/api/v1/approvals/{asked['approval_id']}/links"
    assert people.rest("POST", path, people.operator, {"person": "frank", "roles": ["finance_manager"]})[0] == 403
    status, link = people.rest("POST", path, people.operator, {"person": "frank"})
    assert status == 200
    assert page(people, link["path"], {"decision": "approve"})[0] == 403
    status, link = people.rest("POST", path, people.finance, {"person": "tests", "roles": ["finance_manager"]})
    assert page(people, link["path"], {"decision": "approve"})[0] == 403  # who asked
    status, refused = people.rest("POST", path, people.requester, {"person": "frank", "roles": ["finance_manager"]})
    assert (status, "whoever asked" in refused["error"]["message"]) == (403, True)


def test_a_token_that_names_nobody_answers_nothing(gateway: Any, people: People) -> None:
    asked = decide(gateway, "mail", arguments={"n": next(numbers)})
    status, refused = people.answer(asked["approval_id"], "APPROVE", people.token(""))
    assert (status, "--note" in refused["error"]["message"]) == (403, True)


def test_people_are_told_by_a_signed_message_that_is_sent_again(gateway: Any, people: People) -> None:
    asked = decide(gateway, "mail", arguments={"n": next(numbers)})
    notice = wait_until(lambda: next((one for one in Notices.taken if one["approval_id"] == asked["approval_id"]), None))
    assert notice["event"] == "approval_required"
    assert notice["link"] == "https://aispm.example/approvals/" + asked["approval_id"]
    assert "arguments" not in str(notice)
    again = wait_until(lambda: next((one for one in Notices.taken if one["approval_id"] == Notices.refused[0]), None))
    assert again["event"] == "approval_required"


def test_the_command_line_answers(gateway: Any, people: People) -> None:
    arguments = {"n": next(numbers)}
    asked = decide(gateway, "mail", arguments=arguments)
    cli = people.collector.cli
    assert asked["approval_id"] in [one["id"] for one in cli("approval", "list")["approvals"]]
    assert cli("approval", "show", asked["approval_id"])["tool"] == "mail"
    assert cli("approval", "approve", asked["approval_id"], "--reason", "ok")["state"] == "APPROVAL_STATE_APPROVED"
    assert decide(gateway, "mail", arguments=arguments)["outcome"] == "approved"
    # APR-008: who answered, when, and under which policy.
    past = next(one for one in cli("approval", "list", "--past")["approvals"] if one["id"] == asked["approval_id"])
    assert (bool(past["decided_by"]), bool(past["decided"]), past["decision_reason"]) == (True, True, "ok")
    assert (past["rule_id"], len(past["policy_version"])) == ("mails", 64)
    help_text = subprocess.run([BIN / "aispm", "approval", "--help"], check=True, capture_output=True, text=True).stdout
    for word in ("approve", "deny", "escalate", "take-over", "finish", "link"):
        assert word in help_text


def test_every_step_is_an_event(gateway: Any, people: People) -> None:
    """APR-008, APR-009 and POL-034: what was asked, what came of it, by which rule and policy."""
    def outcomes() -> dict[str, dict[str, Any]]:
        found = people.rest("GET", "/api/v1/events?kind=action_call&page_size=500", people.operator)[1]["events"]
        return {one["decision"]["outcome"]: one for one in found}
    wanted = {"OUTCOME_REQUIRE_APPROVAL", "OUTCOME_APPROVED", "OUTCOME_REJECTED", "OUTCOME_REQUIRE_HUMAN", "OUTCOME_ALLOW", "OUTCOME_TIMEOUT"}
    found = wait_until(lambda: outcomes() if wanted <= set(outcomes()) else None)
    approved = found["OUTCOME_APPROVED"]
    assert len(approved["decision"]["policy_version"]) == 64
    assert approved["decision"]["rule_id"] in ("large", "mails")
    assert approved["action_call"]["approval_id"] == approved["decision"]["case_id"]
    told = people.rest("GET", "/api/v1/events?kind=operator_action&page_size=500", people.operator)[1]["events"]
    actions = {one["operator_action"]["action"] for one in told}
    assert {"approval.approve", "approval.deny", "approval.escalate", "approval.take_over", "approval.use"} <= actions


def test_an_approval_explains_itself(gateway: Any, people: People) -> None:
    """POL-026: by the approval's id, which is what people have at hand, as by the event's."""
    status, events = people.rest("GET", "/api/v1/events?kind=action_call&page_size=500", people.operator)
    assert status == 200
    asked = next(one for one in events["events"] if one["decision"]["outcome"] == "OUTCOME_REQUIRE_APPROVAL")
    approval = asked["action_call"]["approval_id"]
    status, by_approval = people.rest("GET", f"/api/v1/explanations/{approval}", people.operator)
    assert status == 200, by_approval
    assert by_approval["event"]["action_call"]["approval_id"] == approval
    assert by_approval["event"]["decision"]["rule_id"] == asked["decision"]["rule_id"]
    assert people.rest("GET", "/api/v1/explanations/00000000-0000-4000-8000-000000000000", people.operator)[0] == 404
