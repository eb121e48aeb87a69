# SPDX-License-Identifier: Apache-2.0
"""The agent's side of AISPM: language models through the gateway, `ready()` and `log()`.

Everything goes through the gateway named by AISPM_GATEWAY_URL (set by `aispm-run`), which is a sandboxed agent's only way out.
"""

from aispm import llm
from aispm._events import log, lost_logs, ready
from aispm._version import __version__
from aispm.errors import AispmError, GatewayError, GatewayUnavailable, NotConfigured, PolicyDenied
from aispm.llm import Completion, CompletionStream, Usage

__all__ = [
    "AispmError",
    "Completion",
    "CompletionStream",
    "GatewayError",
    "GatewayUnavailable",
    "NotConfigured",
    "PolicyDenied",
    "Usage",
    "__version__",
    "llm",
    "log",
    "lost_logs",
    "ready",
]
