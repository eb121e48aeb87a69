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
from aispm.plugins import Call, Decision, Plugin, add_plugin, on, remove_plugin
from aispm.tools import check_tool_call, protect

__all__ = [
    "AispmError",
    "ApprovalRequired",
    "Call",
    "Completion",
    "CompletionStream",
    "Decision",
    "GatewayError",
    "GatewayUnavailable",
    "NotConfigured",
    "PermissionDenied",
    "Plugin",
    "PolicyDenied",
    "Usage",
    "__version__",
    "add_plugin",
    "check_tool_call",
    "llm",
    "log",
    "lost_logs",
    "on",
    "protect",
    "ready",
    "remove_plugin",
]
