# SPDX-License-Identifier: Apache-2.0
"""RFC 9728 and access tokens: who may say which agent a client is, told to clients that are refused and checked for those that are not."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from conftest import KEY, real_gateway, wait_for_rules
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from mcp.shared.auth import ProtectedResourceMetadata
from test_mcp import HELLO, names, post

RESOURCE = "https://gateway.example/mcp"
ISSUER = "https://issuer.example"


@pytest.fixture(scope="module")
def signer() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture(scope="module")
def guarded(provider: Any, certificate: Any, servers: dict[str, Any], signer: Ed25519PrivateKey,
            tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder: Path = tmp_path_factory.mktemp("guarded")
    public = signer.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (folder / "issuer.pub").write_bytes(public)
    running = real_gateway.Gateway(folder)
    extra = (f"mcp:\n  servers:\n    - {{name: json, origin: 'http://127.0.0.1:{servers['json'].port}', allow_private: true, "
             f"agents: ['team/*', 'tests/*'], tools: [send]}}\n"
             f"  authorization: {{resource: '{RESOURCE}', servers: ['{ISSUER}'], scopes: ['mcp:tools'], keys: [{folder}/issuer.pub]}}\n")
    running.start(running.configure(provider.port, certificate.cert, extra))
    wait_for_rules(running)
    yield running
    assert running.stop() == 0, running.log.read_text()


def token(signer: Ed25519PrivateKey, **changed: Any) -> str:
    claims = {"iss": ISSUER, "aud": RESOURCE, "sub": "team/agent", "exp": int(time.time()) + 300}
    claims.update(changed)
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, signer, algorithm="EdDSA")


def get(gateway: Any, path: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(gateway.url + path, timeout=30) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


@pytest.mark.parametrize("path", ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"])
def test_the_metadata_stand_at_both_places(guarded: Any, gateway: Any, path: str) -> None:
    status, body = get(guarded, path)
    assert status == 200
    said = ProtectedResourceMetadata.model_validate_json(body)
    assert (str(said.resource), [str(one).rstrip("/") for one in said.authorization_servers]) == (RESOURCE, [ISSUER])
    assert said.scopes_supported == ["mcp:tools"] and said.bearer_methods_supported == ["header"]
    assert get(gateway, path)[0] == 404  # nobody is named there


def test_who_is_refused_is_told_where_they_stand(guarded: Any) -> None:
    def challenge(headers: dict[str, str]) -> str:
        request = urllib.request.Request(guarded.url + "/mcp", data=json.dumps(HELLO).encode(), method="POST",
                                         headers={"content-type": "application/json", "accept": "*/*", **headers})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=30)
        assert refused.value.code == 401
        said: str = refused.value.headers["www-authenticate"]
        return said

    where = 'Bearer resource_metadata="https://gateway.example/.well-known/oauth-protected-resource/mcp"'
    assert challenge({}) == where + ', scope="mcp:tools"'
    assert challenge({"authorization": "Bearer wrong"}) == where + ', error="invalid_token", scope="mcp:tools"'


def test_a_token_is_good_for_its_agent(guarded: Any, signer: Ed25519PrivateKey) -> None:
    assert names(guarded, key=token(signer)) == ["json__send"]
    assert names(guarded, key=token(signer, aud=["https://other.example", RESOURCE])) == ["json__send"]
    assert names(guarded, key=token(signer, exp=time.time() + 300.25, nbf=time.time() - 0.5)) == ["json__send"]  # fractions of a second are legal
    assert names(guarded, key=token(signer, sub="strangers/agent")) == []
    assert names(guarded, key=KEY) == ["json__send"]  # agents' own keys go on


@pytest.mark.parametrize("changed", [{"iss": "https://evil.example"}, {"aud": "https://other.example/mcp"}, {"aud": None}, {"exp": 1},
                                     {"exp": 1.5}, {"exp": 1e300}, {"exp": None}, {"nbf": 4_000_000_000}, {"sub": None}, {"sub": "a b"}])
def test_tokens_for_others_and_at_other_times_are_refused(guarded: Any, signer: Ed25519PrivateKey, changed: dict[str, Any]) -> None:
    assert post(guarded, HELLO, {"authorization": "Bearer " + token(signer)})[0] == 200
    assert post(guarded, HELLO, {"authorization": "Bearer " + token(signer, **changed)})[0] == 401


def test_tokens_that_nobody_known_signed_are_refused(guarded: Any, gateway: Any, signer: Ed25519PrivateKey) -> None:
    assert post(guarded, HELLO, {"authorization": "Bearer " + token(Ed25519PrivateKey.generate())})[0] == 401
    assert post(gateway, HELLO, {"authorization": "Bearer " + token(signer)})[0] == 401  # takes none at all
