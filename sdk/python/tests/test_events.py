# SPDX-License-Identifier: Apache-2.0
"""`ready` and `log` against a fake gateway."""

from __future__ import annotations

import logging
import os

import pytest
from fake_gateway import FakeGateway

import aispm


def test_ready_sends_name_version_and_framework(gateway: FakeGateway) -> None:
    gateway.say({"accepted": 1})
    aispm.ready("hello", "1.2", framework="none")
    (sent,) = gateway.requests
    assert (sent.method, sent.path) == ("POST", "/aispm/v1/agent-events")
    assert sent.body == {"events": [{"agent_ready": {"name": "hello", "version": "1.2", "framework": "none"}}]}
    assert sent.headers["authorization"] == "Bearer aispm-key"


def test_ready_raises_when_the_gateway_does_not_take_it(gateway: FakeGateway) -> None:
    gateway.say({"error": {"message": "not the key of an agent", "code": "invalid_api_key"}}, 401)
    with pytest.raises(aispm.GatewayError, match="not the key of an agent"):
        aispm.ready("hello")
    assert len(gateway.requests) == 1


def test_log_sends_its_fields_as_text(gateway: FakeGateway) -> None:
    gateway.say({"accepted": 1})
    assert aispm.log("done", level="warning", count=3, message="of a field")
    assert gateway.requests[0].body == {"events": [
        {"agent_log": {"level": "warning", "message": "done", "fields": {"count": "3", "message": "of a field"}}}]}


def test_a_file_name_that_is_not_utf8_can_be_logged(gateway: FakeGateway) -> None:
    gateway.say({"accepted": 1})
    assert aispm.log("read " + os.fsdecode(b"a\xff"), path=os.fsdecode(b"\xfe.txt"))
    assert gateway.requests[0].body == {"events": [
        {"agent_log": {"level": "info", "message": r"read a\udcff", "fields": {"path": r"\udcfe.txt"}}}]}


def test_a_lost_log_line_is_counted_and_said_but_never_raised(
        gateway: FakeGateway, caplog: pytest.LogCaptureFixture) -> None:
    before = aispm.lost_logs()
    gateway.say({"error": {"message": "cannot be recorded", "code": "aispm_not_recorded"}}, 503)
    with caplog.at_level(logging.WARNING, logger="aispm"):
        assert not aispm.log("done")
    assert aispm.lost_logs() == before + 1
    assert "cannot be recorded" in caplog.text
    gateway.say({"accepted": 1})
    assert aispm.log("done")
    assert aispm.lost_logs() == before + 1


def test_a_line_that_the_gateway_would_refuse_is_told_before(gateway: FakeGateway) -> None:
    gateway.say({"accepted": 1})
    with pytest.raises(ValueError, match="level 'loud'"):
        aispm.log("x", level="loud")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at most 921600 bytes"):
        aispm.log("x" * (900 << 10))
    with pytest.raises(ValueError, match="at most 921600 bytes"):
        aispm.log("\u00e9" * (200 << 10))  # six bytes each as JSON
    assert not gateway.requests
    assert aispm.log("x" * (899 << 10))
