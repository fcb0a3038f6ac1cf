"""An authorization server and the server it protects, as documents and answers in memory."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from lockgate.identity.fetch import Fetched, FetchFailed
from lockgate.identity.outbound.discovery import Discovery
from lockgate.identity.outbound.entrance import Entrance, EntranceSettings
from lockgate.identity.outbound.person import Person
from lockgate.identity.outbound.pins import Pins
from lockgate.identity.outbound.reach import Reach
from lockgate.identity.outbound.vault import Vault
from lockgate.stores.memory import MemoryStore
from lockgate.testing.clock import ManualClock
from lockgate.wire.seal import KeyRing

SERVER = "https://mcp.example.com/mcp"
ISSUER = "https://login.example.com"
BACK = "https://gateway.example.com/login/callback"
PRM = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp"
META = f"{ISSUER}/.well-known/oauth-authorization-server"


def resource(**more: Any) -> dict[str, Any]:
    """What the server says of itself."""
    return {"resource": SERVER, "authorization_servers": [ISSUER], **more}


def metadata(issuer: str = ISSUER, **more: Any) -> dict[str, Any]:
    """What the authorization server says of itself."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "registration_endpoint": f"{issuer}/register",
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic"],
        "authorization_response_iss_parameter_supported": True,
        **more,
    }


class World:
    """A `Fetch`: what is at which address, and what was asked there."""

    def __init__(self) -> None:
        self.documents: dict[str, Any] = {PRM: resource(), META: metadata()}
        self.asked: list[tuple[str, str]] = []
        self.grants: list[dict[str, str]] = []
        self.clients: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.challenge: str | None = f'Bearer resource_metadata="{PRM}"'
        self.given = 0
        self.answer: Callable[[dict[str, str]], tuple[int, dict[str, Any]]] = self.token

    def token(self, grant: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """A new token for whatever is shown."""
        del grant
        self.given += 1
        return 200, {
            "access_token": f"access-{self.given}",
            "token_type": "Bearer",
            "expires_in": 3600,
            "refresh_token": f"refresh-{self.given}",
        }

    async def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        most: int = 0,
        within: float = 0,
    ) -> Fetched:
        del most, within
        self.asked.append((method, url))
        if url == SERVER:
            shown = {} if self.challenge is None else {"www-authenticate": self.challenge}
            return Fetched(401 if shown else 200, shown, b"{}")
        if url.endswith("/register"):
            said = json.loads(body)
            self.clients.append({"issuer": url.removesuffix("/register"), **said})
            return _json(201, {"client_id": f"client-{len(self.clients)}", **said})
        if url.endswith(("/token", "/revoke")):
            grant = dict(parse_qsl(body.decode()))
            self.grants.append({"endpoint": url, **grant})
            self.headers.append(dict(headers))
            status, said = self.answer(grant)
            return _json(status, said)
        if url not in self.documents:
            return Fetched(404, {}, b"")
        found = self.documents[url]
        if isinstance(found, FetchFailed):
            raise found
        return _json(200, found)


def _json(status: int, said: Any) -> Fetched:
    return Fetched(status, {"content-type": "application/json"}, json.dumps(said).encode())


def basic(headers: dict[str, str]) -> tuple[str, str] | None:
    """The client that authenticated in the header."""
    scheme, _, shown = headers.get("authorization", "").partition(" ")
    if scheme != "Basic":
        return None
    name, _, secret = b64decode(shown).decode().partition(":")
    return unquote_plus(name), unquote_plus(secret)


class Setting:
    """Everything between one `Person` and the world; `again` is another process beside it."""

    def __init__(self, world: World | None = None, **settings: Any) -> None:
        self.clock = ManualClock()
        self.world = world or World()
        self.store = MemoryStore(self.clock)
        self.keys = KeyRing.generate()
        self.settings = settings
        self.person = self.again()

    def again(self, **more: Any) -> Person:
        """A `Person` over the same store."""
        self.vault = Vault(self.store, self.keys, self.clock)
        reach = Reach(self.world, self.world, SERVER)
        issuer = self.settings.get("issuer")
        entrance = EntranceSettings(
            entry="files", **{k: v for k, v in self.settings.items() if k != "issuer"}
        )
        discovery = Discovery(reach, SERVER, issuer=issuer)
        pins = Pins(self.vault, "files")
        return Person(
            "files",
            SERVER,
            entrance=Entrance(reach, discovery, self.vault, pins, entrance, self.clock),
            reach=reach,
            vault=self.vault,
            client=self.settings.get("client"),
            link=lambda server, owner: f"https://gateway.example.com/login?{server}-{owner}",
            clock=self.clock,
            **more,
        )
