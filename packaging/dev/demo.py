# SPDX-License-Identifier: Apache-2.0
"""The demo: a stand-in provider with TLS, and three demonstrators that need no internet."""

from __future__ import annotations

import os
import subprocess

import build
import daemons
from state import State
from ui import ROOT, Refusal, run, step

EXAMPLES = ROOT / "sdk" / "examples" / "demo"
DEMONSTRATOR_SECONDS = 60


def make_certificate(state: State) -> None:
    """A CA and a server certificate for localhost and api.openai.com, made once, only in the state folder."""
    folder = state.folder / "demo"
    if (folder / "server.crt").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    with step("demo: certificate of the stand-in provider"):
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
             "-subj", "/CN=AISPM demo CA", "-keyout", folder / "ca.key", "-out", folder / "ca.crt"], "demo-ca")
        (folder / "ca.key").chmod(0o600)
        extensions = folder / "server.ext"
        extensions.write_text("subjectAltName=DNS:localhost,DNS:api.openai.com,DNS:api.anthropic.com,IP:127.0.0.1\n")
        run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-subj", "/CN=localhost", "-keyout", folder / "server.key", "-out", folder / "server.csr"], "demo-csr")
        run(["openssl", "x509", "-req", "-in", folder / "server.csr", "-CA", folder / "ca.crt", "-CAkey", folder / "ca.key",
             "-CAcreateserial", "-days", "30", "-extfile", extensions, "-out", folder / "server.crt"], "demo-sign")
        (folder / "server.key").chmod(0o600)


def start_provider(state: State) -> None:
    folder = state.folder / "demo"
    daemons.start(state, "provider", ["/usr/bin/python3", str(EXAMPLES / "provider.py"), "--port", str(state.provider),
                                      "--cert", str(folder / "server.crt"), "--key", str(folder / "server.key")])
    daemons.wait_for_port(state, "provider", state.provider)


def run_demonstrators(state: State) -> None:
    """Runs the three demonstrators one after the other and says what to look at."""
    import up  # the CLI's environment; imported here since up imports this module

    python = build.python_environment()
    base = {"SSL_CERT_FILE": str(state.provider_ca), "AISPM_DEMO_PROVIDER": f"https://localhost:{state.provider}"}
    print("\nDemonstrators")
    _demonstrate("1. shadow AI: an openai client that talks to the provider behind the gateway's back",
                 [str(python), str(EXAMPLES / "shadow.py")], base)
    _demonstrate("   the same with curl, as api.openai.com",
                 ["curl", "-sS", "--cacert", str(state.provider_ca), "--resolve",
                  f"api.openai.com:{state.provider}:127.0.0.1", "-H", "Content-Type: application/json", "-d",
                  '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hello from curl"}]}',
                  f"https://api.openai.com:{state.provider}/v1/chat/completions"], {}, show=False)
    key = _agent_key(state, up.cli_environment(state))
    _demonstrate("2. a keyed agent: anthropic client through the gateway, a secret cut across the stream is redacted",
                 [str(python), str(EXAMPLES / "keyed.py")],
                 {"ANTHROPIC_BASE_URL": f"http://127.0.0.1:{state.gateway}", "ANTHROPIC_API_KEY": key})
    user = up.ordinary_user()
    _demonstrate(f"3. a sandboxed agent, started by the ordinary user {user}",
                 ["setpriv", f"--reuid={user}", f"--regid={_group_of(user)}", "--clear-groups",
                  str(build.binary("aispm-run")), "--gateway", str(state.gateway_socket), "--agent", "demo-agent",
                  "--python", str(python), str(EXAMPLES / "sandboxed.py")], {"HOME": "/tmp"})
    print("\nLook at: Inventory > AI processes (demonstrator 1 is unsanctioned) and Sessions > demo-agent (3 as a story).")


def _group_of(user: str) -> int:
    import pwd
    return pwd.getpwnam(user).pw_gid


def _agent_key(state: State, env: dict[str, str]) -> str:
    path = state.config / "demo-agent.key"
    if path.exists():
        return path.read_text().strip()
    import json
    done = subprocess.run([build.binary("aispm"), "agent", "create-key", "demo-keyed", "--json"], capture_output=True,
                          text=True, check=False, env=env)
    if done.returncode != 0:
        raise Refusal(f"aispm agent create-key exited {done.returncode}: {done.stderr.strip()}")
    key: str = json.loads(done.stdout)["key"]
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(key)
    return key


def _demonstrate(title: str, command: list[str], env: dict[str, str], show: bool = True) -> None:
    print(f"  {title}", flush=True)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, cwd="/",
                              env={**os.environ, **env}, timeout=DEMONSTRATOR_SECONDS)
    except subprocess.TimeoutExpired:
        print(f"       (did not end within {DEMONSTRATOR_SECONDS} s and was killed)")
        return
    if show or done.returncode != 0:
        for line in (done.stdout + done.stderr).strip().splitlines()[-20:]:
            print(f"       {line}")
    if done.returncode != 0:
        print(f"       (exit code {done.returncode})")


