# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, by what the caller can do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aispm.plugins import Decision


class AispmError(Exception):
    """Base of all errors of this package."""


class NotConfigured(AispmError):
    """No gateway is known: run under `aispm-run`, or set AISPM_GATEWAY_URL."""


class GatewayUnavailable(AispmError):
    """The gateway cannot be reached, or its answer broke off or makes no sense. Trying again may help."""


class GatewayError(AispmError):
    """The gateway or the provider answered with an error.

    `status` is the HTTP status (0 inside a stream); `code` the machine-readable word of the answer, "" when it has none.
    """

    def __init__(self, message: str, *, status: int, code: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class PolicyDenied(GatewayError):
    """Policy refused the request, or stopped the reply. Trying the same again meets the same answer.

    `case_id` is what to name when asking the people who own the policy; `decision` is policy's word, such as "deny".
    """

    def __init__(self, message: str, *, status: int, code: str, decision: str, case_id: str) -> None:
        super().__init__(message, status=status, code=code)
        self.decision = decision
        self.case_id = case_id


class PermissionDenied(AispmError):
    """Policy does not let this tool be called with these arguments; `decision` says by which rule and why."""

    def __init__(self, tool: str, decision: Decision) -> None:
        super().__init__(f"{tool}: {decision.outcome} by rule {decision.rule or '?'}: {decision.reason}")
        self.tool = tool
        self.decision = decision


class ApprovalRequired(PermissionDenied):
    """Not yet: somebody must agree first. `decision.approval_id` and `decision.link` say where; then ask again."""
