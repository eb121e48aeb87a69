# SPDX-License-Identifier: Apache-2.0
"""What import.py decides by itself: names, weights, and facts that mean less than they seem to."""

from __future__ import annotations

WEIGHT = {"high": 0.9, "medium": 0.7, "low": 0.3}
# Names of OpenTelemetry GenAI for vendors; others become a slug of the vendor's name.
PROVIDERS = {
    "OpenAI SDK": "openai",
    "Anthropic SDK": "anthropic",
    "Claude Code": "anthropic",
    "Codex": "openai",
    "Gemini CLI": "gcp.gemini",
    "OpenAI": "openai",
    "Anthropic": "anthropic",
    "Google": "gcp.gemini",
    "Microsoft": "azure.ai.openai",
    "AWS": "aws.bedrock",
    "Amazon": "aws.bedrock",
    "Mistral AI": "mistral_ai",
    "Mistral": "mistral_ai",
    "xAI": "x_ai",
    "DeepSeek": "deepseek",
    "Cohere": "cohere",
    "Groq": "groq",
    "Perplexity": "perplexity",
    "IBM": "ibm.watsonx.ai",
    "GitHub": "github",
}
# Categories of hosts whose visit says little about AI in a program.
WEAK_HOSTS = {"vendor_site", "saas_embedded_ai"}
HOST_WEIGHT = {
    "vendor_site": 0.3,
    "llm_console": 0.5,
    "ai_other": 0.5,
    "model_hub": 0.5,
    "mlops": 0.5,
    "vector_db": 0.6,
    "skill_registry": 0.5,
    "ai_security": 0.4,
}
# An installed package, a file or a name of a variable is a trace of use, not use.
KIND_WEIGHT = {
    "package": {"high": 0.7, "medium": 0.6, "low": 0.3},
    "env_var": {"high": 0.4, "medium": 0.3, "low": 0.2},
    "config_file": {"high": 0.5, "medium": 0.4, "low": 0.2},
    "mcp_config": {"high": 0.6, "medium": 0.5, "low": 0.3},
    "skill_dir": {"high": 0.4, "medium": 0.3, "low": 0.2},
    "plugin_dir": {"high": 0.4, "medium": 0.3, "low": 0.2},
    "rules_file": {"high": 0.3, "medium": 0.3, "low": 0.2},
    "container_image": {"high": 0.9, "medium": 0.8, "low": 0.4},
}
# Variables that other programs use as well: with another kind of evidence only.
SHARED_VARIABLES = {
    "AWS_REGION",
    "CLOUDFLARE_ACCOUNT_ID",
    "DATABRICKS_HOST",
    "SNOWFLAKE_ACCOUNT",
    "SRC_ENDPOINT",
    "AZURE_RESOURCE_NAME",
    "GOOGLE_VERTEX_PROJECT",
    "GOOGLE_VERTEX_LOCATION",
    "LOBE_PORT",
    "GITHUB_TOKEN",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "CLOUDFLARE_API_TOKEN",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "DATABRICKS_TOKEN",
    "GITLAB_TOKEN",
}
# Files that projects without any AI have too.
SHARED_FILES = {
    "mcp.json",
    "agents.yaml",
    "CONVENTIONS.md",
    "config.pbtxt",
    "saved_model.pb",
    "MLmodel",
    "llms.txt",
    "adapter_config.json",
    "model_index.json",
    "Modelfile",
}
MCP_KEYS = {".vscode/mcp.json": "servers", "~/.config/zed/settings.json": "context_servers"}
FILE_KINDS = {"config_file": "config", "mcp_config": "mcp", "skill_dir": "skills", "rules_file": "rules", "plugin_dir": "plugins"}
# Patterns that fit more than they mean.
BETTER_COMMANDS = {
    "(^|/)claude( |$).*(-p|--print)": "(^|/)claude (.* )?(-p|--print) ",
    "ComfyUI.*main\\.py|main\\.py.*--listen": "ComfyUI.*main\\.py",
    "python.* -m .*mcp": "python[^ ]* (-[^m ]+ )*-m [^ ]*mcp",
    "docker run .*(mcp/|mcp-)": "docker run .* mcp/",
    "(uvx|uv tool run|pipx run) .*mcp": "(uvx|uv tool run|pipx run) [^/]*mcp",
    "mcp-remote": "[ /@]mcp-remote",
    "--dangerously-bypass-approvals-and-sandbox|--yolo": "--dangerously-bypass-approvals-and-sandbox"
    "|(codex|gemini|qwen) (.* )?--yolo ",
}
COMMON_PORTS = {
    8001,
    8002,
    8081,
    8082,
    8088,
    8100,
    8123,
    8500,
    8501,
    8787,
    9091,
    9222,
    3001,
    4444,
    5678,
    10001,
    15000,
    50051,
    2024,
}
COMMON_NAMES = {
    "omni",
    "zed",
    "pieces",
    "blackbox",
    "bito",
    "opcode",
    "aoe",
    "wsh",
    "droid",
    "lms",
    "Jan",
    "Cursor",
    "Cline",
    "Cody",
    "pdx",
    "devin",
    "raylet",
}
COMMON_PATHS = {"/generate", "/completion", "/mcp", "/sse", "/v1/models", "/v1/predictions"}
