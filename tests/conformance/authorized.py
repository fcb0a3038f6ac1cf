"""What the suite's client does in scenarios of authorization: configures the gateway, logs in.

The person at the browser says yes to everything; the suite's authorization server asks nobody.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from tests.support import running
from tests.support.speaking import Plain, RefusedError
from tests.support.visiting import Browser

DOCUMENT = "https://conformance-test.local/client-metadata.json"
SETTINGS: dict[str, dict[str, Any]] = {
    "auth/basic-cimd": {"client_document": DOCUMENT},
    "auth/dpop": {"dpop": True},
    "auth/dpop-nonce": {"dpop": True},
}


def settings(scenario: str, folder: Path) -> dict[str, Any]:
    """How the server's `auth` is configured in this scenario."""
    said = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
    if scenario == "auth/pre-registration":
        keys = ("client_id", "client_secret")
        return {"type": "oauth", **{key: said[key] for key in keys}}
    if scenario == "auth/client-credentials-basic":
        keys = ("client_id", "client_secret")
        return {"type": "client_credentials", **{key: said[key] for key in keys}}
    if scenario == "auth/client-credentials-jwt":
        path = folder / "key.pem"
        path.write_text(said["private_key_pem"])
        return {
            "type": "client_credentials",
            "client_id": said["client_id"],
            "private_key_file": str(path),
            "key_algorithm": said["signing_algorithm"],
        }
    if scenario == "auth/wif-jwt-bearer":
        return {
            "type": "jwt_bearer",
            "client_id": said["client_id"],
            "assertion": said["valid_jwt"],
        }
    if scenario == "auth/enterprise-managed-authorization":
        return {
            "type": "identity_assertion",
            "client_id": said["client_id"],
            "client_secret": said["client_secret"],
            "provider": {
                "token_url": said["idp_token_endpoint"],
                "client_id": said["idp_client_id"],
            },
            "subject_token": said["idp_id_token"],
            "subject_token_type": "id_token",
        }
    return {"type": "oauth", **SETTINGS.get(scenario, {})}


def configured(scenario: str, url: str, folder: Path) -> Path:
    """The gateway's configuration."""
    server = {"url": url, "auth": settings(scenario, folder)}
    logins = {"store": f"sqlite:{folder / 'logins.db'}"}
    return running.config_of({"suite": server}, folder, logins=logins)


class Visitor:
    """Answers questions of a server; opens the page it is sent to, once for each question."""

    def __init__(self) -> None:
        self.browser = Browser()
        self.seen: list[int] = []

    def answer(self, method: str, params: dict[str, Any]) -> Any:
        """See `tests.support.speaking.Answer`."""
        assert method == "elicitation/create"
        assert params["mode"] == "url"
        status, text = self.browser.log_in(params["url"])
        self.seen.append(status)
        print(status, text[-300:])
        return {"action": "accept" if status == 200 else "cancel"}


def run(client: Plain) -> None:
    """Call the suite's tool, logging in wherever that is asked for."""
    visitor = Visitor()
    client.answer = visitor.answer
    client.open()
    # What has to be refused is no failure of the client's.
    with contextlib.suppress(RefusedError):
        client.call("tools/call", {"name": "test-tool", "arguments": {}})
        client.tools()
