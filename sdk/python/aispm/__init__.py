# SPDX-License-Identifier: Apache-2.0
"""The agent's side of AISPM: language models through the gateway, tool calls that policy allows, `ready()` and `log()`.

Everything goes through the gateway named by AISPM_GATEWAY_URL (set by `aispm-run`), which is a sandboxed agent's only way out.
"""

from aispm import llm
from aispm._events import log, lost_logs, ready
from aispm._version import __version__
from aispm.errors import (
    AispmError,
    ApprovalRequired,
    GatewayError,
    GatewayUnavailable,
    NotConfigured,
    PermissionDenied,
    PolicyDenied,
)
from aispm.llm import Completion, CompletionStream, Usage
from aispm.tools import Decision, check_tool_call, protect

__all__ = [
    "AispmError",
    "ApprovalRequired",
    "Completion",
    "CompletionStream",
    "Decision",
    "GatewayError",
    "GatewayUnavailable",
    "NotConfigured",
    "PermissionDenied",
    "PolicyDenied",
    "Usage",
    "__version__",
    "check_tool_call",
    "llm",
    "log",
    "lost_logs",
    "protect",
    "ready",
]
