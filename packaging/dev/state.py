# SPDX-License-Identifier: Apache-2.0
"""The one state folder of a development host: where things lie, and the configuration files ./dev up writes into it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ui import ROOT, Refusal


@dataclass(frozen=True)
class State:
    """Paths and ports. AISPM_STATE moves the folder; AISPM_PORT_<PART> moves a port."""

    folder: Path
    grpc: int
    http: int
    gateway: int
    provider: int

    @property
    def config(self) -> Path:
        return self.folder / "config"

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def gateway_socket(self) -> Path:
        return self.run / "gateway.sock"

    @property
    def provider_ca(self) -> Path:
        return self.folder / "demo" / "ca.crt"

    @property
    def collector_ca(self) -> Path:
        return self.folder / "collector" / "pki" / "ca.crt"

    def make(self) -> None:
        # The folder and run/ are open to all users (the gateway's socket is there); what holds keys is not.
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        for path, mode in ((self.run, 0o755), (self.config, 0o700), (self.log, 0o700)):
            path.mkdir(exist_ok=True)
            path.chmod(mode)


def _port(part: str, default: int) -> int:
    text = os.environ.get(f"AISPM_PORT_{part}", str(default))
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise Refusal(f"AISPM_PORT_{part}={text}: allowed is a port from 1 to 65535")
    return int(text)


def current() -> State:
    return State(
        folder=Path(os.environ.get("AISPM_STATE", "/var/lib/aispm")),
        grpc=_port("GRPC", 7443), http=_port("HTTP", 7080),
        gateway=_port("GATEWAY", 8088), provider=_port("PROVIDER", 9443))


def _write(path: Path, text: str, mode: int = 0o600) -> bool:
    """True when the file changed."""
    if path.exists() and path.read_text() == text:
        return False
    path.write_text(text)
    path.chmod(mode)
    return True


def _providers(state: State, demo: bool) -> str:
    """Upstreams: the real ones where a key is in the environment, else (in the demo) the stand-in."""
    text = "providers:\n"
    for name, variable, origin in (("openai", "OPENAI_API_KEY", "https://api.openai.com"),
                                   ("anthropic", "ANTHROPIC_API_KEY", "https://api.anthropic.com")):
        text += f"  - name: {name}\n    dialect: {name}\n"
        if demo and not os.environ.get(variable):
            key = state.config / "demo-provider.key"
            _write(key, "demo-key-for-the-stand-in-provider\n")
            text += (f"    origin: https://localhost:{state.provider}\n    ca_file: {state.provider_ca}\n"
                     f"    key_file: {key}\n    allow_private: true\n")
        else:
            text += f"    origin: {origin}\n    key_env: {variable}\n"
    return text


def _policy(state: State, demo: bool) -> Path:
    """The default policy; in the demo the same with prompts and replies stored, so that the session page shows them."""
    default = ROOT / "policies" / "rules" / "default.yaml"
    if not demo:
        return default
    path = state.config / "demo-policy.yaml"
    _write(path, default.read_text().replace("store_text: false", "store_text: true"))
    return path


def write_configs(state: State, demo: bool) -> bool:
    """Writes collector.yaml, gateway.yaml and sensord.yaml; True when gateway.yaml changed."""
    policies = ROOT / "policies"
    _write(state.config / "collector.yaml", f"""# Written by ./dev up.
state_folder: {state.folder}/collector
grpc:
  address: 127.0.0.1:{state.grpc}
http:
  address: 127.0.0.1
  port: {state.http}
""")
    changed = _write(state.config / "gateway.yaml", f"""# Written by ./dev up.
listen: 127.0.0.1:{state.gateway}
socket: {state.gateway_socket}
policy: {_policy(state, demo)}
packs: {policies}/detect
prices: {{file: {policies}/prices.yaml}}
report:
  collector: 127.0.0.1:{state.grpc}
  state_folder: {state.folder}/gateway
  enrolment_token_file: {state.config}/gateway.token
{_providers(state, demo)}""")
    _write(state.config / "sensord.yaml", f"""# Written by ./dev up.
collector: 127.0.0.1:{state.grpc}
state_folder: {state.folder}/sensord
enrolment_token_file: {state.config}/sensord.token
signatures: {policies}/signatures
gateway:
  - 127.0.0.1:{state.gateway}
sanctioned:
  - exe: {ROOT}/build/release/bin/aispm-gateway
""")
    return changed
