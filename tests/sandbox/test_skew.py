# SPDX-License-Identifier: Apache-2.0
"""A gateway that is older than aispm-run: what is missing, and what to update."""

from __future__ import annotations

import json

from conftest import Sandbox
from test_network import FakeGateway, gateway  # noqa: F401

# As a gateway says it that knows no `start_kind`.
REFUSAL = json.dumps({"error": {"message": "AISPM: events[0]: event: INVALID_ARGUMENT:(sandbox_start) start_kind: Cannot find field.",
                                "type": "invalid_request_error"}}).encode()  # fmt: skip


def test_a_gateway_that_refuses_new_fields_is_named(sandbox: Sandbox, gateway: FakeGateway) -> None:  # noqa: F811
    gateway.events_answer = (400, REFUSAL)
    ended = sandbox.run("--gateway", sandbox.folder / "gateway.sock", "--", "/bin/echo", "ran")
    assert ended.returncode == 125
    assert ended.stdout == ""
    assert "start_kind: Cannot find field" in ended.stderr
    assert "It is older than this aispm-run: update aispm-gateway to the same version" in ended.stderr


def test_another_refusal_is_not_taken_for_it(sandbox: Sandbox, gateway: FakeGateway) -> None:  # noqa: F811
    gateway.events_answer = (400, b'{"error":{"message":"AISPM: not JSON"}}')
    ended = sandbox.run("--gateway", sandbox.folder / "gateway.sock", "--", "/bin/echo", "ran")
    assert ended.returncode == 125
    assert "not JSON" in ended.stderr
    assert "update" not in ended.stderr


def test_what_a_gateway_left_out_is_said_at_the_end(sandbox: Sandbox, gateway: FakeGateway) -> None:  # noqa: F811
    gateway.events_answer = (200, b'{"accepted":1,"unknown_fields":"2","unknown_events":"0"}')
    ended = sandbox.run("--gateway", sandbox.folder / "gateway.sock", "--", "/bin/echo", "ran")
    assert (ended.returncode, ended.stdout) == (0, "ran\n")
    assert "Update aispm-gateway to the same version" in ended.stderr
    assert "left out 4 fields" in ended.stderr or "left out 6 fields" in ended.stderr  # start and end, in one or two requests
