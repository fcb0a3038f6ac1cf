"""What may be said of credentials toward servers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lockgate.config.load import load
from lockgate.config.model import ServerConfig
from tests.security.musts import must

URL = {"url": "https://mcp.example.com/mcp"}


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"auth": {}}, "type"),
        ({"auth": {"type": "client_credentials"}}, "client_id"),
        ({"auth": {"type": "jwt_bearer"}}, "assertion_file"),
        ({"auth": {"type": "identity_assertion", "client_id": "x"}}, "provider"),
        ({"auth": {"type": "oauth", "client_secret": "x"}}, "client_id"),
        ({"auth": {"type": "oauth", "issuer": "http://login.example.com"}}, "https"),
        ({"auth": {"type": "oauth", "client_document": "https://x.example"}}, "path"),
        ({"auth": {"type": "jwt_bearer", "assertion": "x", "account": "shared"}}, "account"),
        ({"auth": {"type": "oauth"}, "headers": {"authorization": "x"}}, "exclude"),
        ({"auth": {"type": "oauth"}, "url": "wss://x.example/mcp"}, "WebSocket"),
        ({"auth": {"type": "oauth"}, "url": None, "command": "x"}, "env"),
        (
            {
                "auth": {
                    "type": "token_exchange",
                    "client_id": "x",
                    "provider": {"issuer": "https://a.example", "token_url": "https://a.example/t"},
                }
            },
            "token_url",
        ),
        ({"claim_headers": {"email": "Authorization"}}, "itself"),
        ({"claim_headers": {"email": "Mcp-Name"}}, "itself"),
        ({"claim_headers": {"a": "x-a", "b": "X-A"}}, "one header"),
        ({"forward_headers": {"x-a": "Host"}}, "itself"),
        ({"forward_headers": {"x a": "x-a"}}, "name of a header"),
    ],
)
def test_what_is_refused(entry: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ServerConfig.model_validate({**URL, **entry})


@must("forward-never-authorization")
@pytest.mark.parametrize("name", ["Authorization", "authorization", "Cookie", "DPoP"])
def test_a_clients_own_credential_is_never_forwarded(name: str) -> None:
    with pytest.raises(ValidationError, match="token_exchange"):
        ServerConfig.model_validate({**URL, "forward_headers": {name: "x-token"}})


def test_files_lie_beside_the_configuration_and_secrets_are_known(tmp_path: Path) -> None:
    auth = {
        "type": "identity_assertion",
        "client_id": "me",
        "client_secret": "very-secret-value",
        "provider": {
            "issuer": "https://idp.example.com",
            "client_id": "x",
            "private_key_file": "k.pem",
        },
        "subject_token_file": "token",
    }
    lockgate = {"logins": {"store": "sqlite:logins.db", "keys_file": "keys"}}
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": {"a": {**URL, "auth": auth}}, "lockgate": lockgate}))

    config = load(path, {})

    found = config.servers["a"].auth
    assert found is not None
    assert found.provider is not None
    assert found.subject_token_file == tmp_path / "token"
    assert found.provider.private_key_file == tmp_path / "k.pem"
    assert found.alike
    assert "very-secret-value" in config.secrets
    logins = config.lockgate.logins
    assert logins.keys_file == tmp_path / "keys"
    assert logins.store is not None
    assert logins.store.get_secret_value() == f"sqlite:{tmp_path / 'logins.db'}"
