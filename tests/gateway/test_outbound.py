"""Credentials from the configuration: kept over reloads, sealed where they are stored."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import stat
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from lockgate.config.model import Config
from lockgate.config.outbound import LoginSettings
from lockgate.core.clock import SYSTEM
from lockgate.core.message import ANONYMOUS, Failure
from lockgate.errors import LockgateError
from lockgate.fronts.http import Headers, HttpRequest
from lockgate.gateway.identity import Doors
from lockgate.gateway.issuing import OwnIssuer
from lockgate.gateway.logging_in import LoggingIn
from lockgate.gateway.logins import Logins
from lockgate.gateway.outbound import Outbound, browsers_base
from lockgate.gateway.vaults import login_keys
from lockgate.gateway.visitors import Visitors
from lockgate.wire.seal import KeyRing
from tests.security.musts import must
from tests.support.guarded import guarded
from tests.support.valkey import valkey
from tests.support.visiting import Browser


def config(folder: Path, servers: dict[str, Any], logins: Any = None, **settings: Any) -> Config:
    logins = logins or {"store": f"sqlite:{folder / 'logins.db'}"}
    return Config.model_validate({"servers": servers, "lockgate": {"logins": logins, **settings}})


def entry(**auth: Any) -> dict[str, Any]:
    return {"url": "https://mcp.example.com/mcp", "auth": {"type": "oauth", **auth}}


class Answer:
    """What a handler sent."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""

    def send(self, status: int, headers: Headers, body: bytes = b"") -> None:
        del headers
        self.status, self.body = status, body


def test_what_stays_the_same_keeps_its_credentials(tmp_path: Path) -> None:
    async def scenario() -> None:
        outbound = Outbound(KeyRing.generate(), SYSTEM)
        first = outbound.turn_to(config(tmp_path, {"a": entry(), "b": entry(), "c": {"url": "x"}}))
        second = outbound.turn_to(config(tmp_path, {"a": entry(), "b": entry(scopes=["x"])}))

        assert set(first) == {"a", "b"}
        assert second["a"] is first["a"]
        assert second["b"] is not first["b"]
        assert set(outbound.policies(config(tmp_path, {}))) == {"a", "b"}
        await outbound.close()

    asyncio.run(scenario())


@must("client-document")
@pytest.mark.parametrize("public", ["https://gateway.example.com", None])
def test_the_gateways_own_document(public: str | None, tmp_path: Path) -> None:
    async def scenario() -> None:
        outbound = Outbound(KeyRing.generate(), SYSTEM)
        settings = config(tmp_path, {"a": entry()}, **({"public_url": public} if public else {}))
        outbound.turn_to(settings)
        outbound.base = browsers_base(settings, "http://127.0.0.1:4040")
        own = OwnIssuer(SYSTEM, None)
        keys = KeyRing.generate()
        visitors = Visitors(outbound, Doors(SYSTEM, own, keys), own, lambda: settings, SYSTEM)
        logins = Logins(outbound, visitors, lambda: settings, SYSTEM)
        answer = Answer()
        request = HttpRequest(method="GET", path="/login/client.json", query="", headers={})
        await logins.handlers()["/login/client.json"](request, answer)  # type: ignore[arg-type] - all that is used

        if public is None:
            assert answer.status == 404
        else:
            said = json.loads(answer.body)
            assert said["client_id"] == f"{public}/login/client.json"
            back = [f"{public}/login/callback", f"{public}/login/identity"]
            assert said["redirect_uris"] == back
            assert said["client_name"]
            assert "refresh_token" in said["grant_types"]
        await outbound.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("listening", "base"),
    [
        ("http://127.0.0.1:4040", "http://127.0.0.1:4040"),
        ("http://0.0.0.0:4040", None),
        ("http://192.168.1.5:4040", None),
        (None, None),
    ],
)
def test_browsers_come_by_https_or_on_the_machine_itself(
    listening: str | None, base: str | None, tmp_path: Path
) -> None:
    assert browsers_base(config(tmp_path, {}), listening) == base


def test_keys_are_made_once_and_for_their_owner_alone(tmp_path: Path) -> None:
    settings = LoginSettings.model_validate({"store": f"sqlite:{tmp_path / 'deep' / 'logins.db'}"})
    first, second = login_keys(settings), login_keys(settings)
    sealed = first.seal("p", b"x", now=0, ttl=10)

    assert second.open("p", sealed, now=1) == b"x"
    assert stat.S_IMODE((tmp_path / "deep" / "logins.key").stat().st_mode) == 0o600
    assert [one.name for one in (tmp_path / "deep").iterdir()] == ["logins.key"]


def test_keys_that_cannot_be_read_are_no_reason_to_make_new_ones(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("short\n")
    with pytest.raises(LockgateError):
        login_keys(LoginSettings.model_validate({"keys_file": str(tmp_path / "keys")}))


@contextmanager
def login_store(kind: str, folder: Path) -> Iterator[tuple[dict[str, Any], Callable[[], bytes]]]:
    """The settings of one, and all that is in it."""
    if kind == "sqlite":
        file = folder / "logins.db"
        yield {"store": f"sqlite:{file}"}, file.read_bytes
        return
    keys = folder / "keys"
    keys.write_text(urlsafe_b64encode(os.urandom(32)).decode() + "\n")
    with valkey() as server:

        def everything() -> bytes:
            client: Any = Redis(port=server.port)
            with client:
                names = list(client.scan_iter())
                kept = [client.get(one) for one in names if client.type(one) == b"string"]
                return b" ".join((*names, *kept))

        yield {"store": server.url, "keys_file": str(keys)}, everything


@pytest.mark.parametrize("kind", ["sqlite", "valkey"])
def test_a_login_from_the_terminal_is_found_by_the_gateway(kind: str, tmp_path: Path) -> None:
    async def scenario(logins: dict[str, Any], everything: Callable[[], bytes]) -> None:
        with guarded() as server:
            entry = {"url": server.url, "auth": {"type": "oauth"}}
            settings = config(tmp_path, {"g": entry}, logins)
            logging_in = LoggingIn(settings, "g")
            address = await logging_in.begin()
            status, text = await asyncio.to_thread(Browser().open, address)
            await logging_in.finished(10)
            await logging_in.close()
            assert (status, "Logged in" in text) == (200, True)

            # Whoever has the store and the keys has the login; who has other keys has none.
            foreign = tmp_path / "foreign"
            foreign.write_text(urlsafe_b64encode(os.urandom(32)).decode() + "\n")
            strange = config(tmp_path, {"g": entry}, {**logins, "keys_file": str(foreign)})
            for one in (settings, settings, strange):
                outbound = Outbound(KeyRing.generate(), SYSTEM)
                shown: Any = outbound.turn_to(one)["g"]
                found = shown.headers(ANONYMOUS)
                found = await found if inspect.isawaitable(found) else found
                if one is settings:
                    assert dict(found)[b"authorization"] == b"Bearer token-1-of-ann-there"
                else:
                    assert not found or isinstance(found, Failure)
                await outbound.close()
            kept = everything()
            assert kept
            assert b"token-1" not in kept
            assert b"ann-there" not in kept
            ending = LoggingIn(settings, "g")
            assert await ending.log_out()
            assert not await ending.log_out()
            await ending.close()

    with login_store(kind, tmp_path) as (logins, everything):
        asyncio.run(scenario(logins, everything))


@pytest.mark.parametrize(
    ("server", "settings"),
    [
        ("unknown", {}),
        ("fixed", {}),
        ("own", {"auth": {"keys_env": "NONE"}}),
    ],
)
def test_logins_that_make_no_sense(server: str, settings: Any, tmp_path: Path) -> None:
    servers = {"fixed": {"url": "https://x.example/mcp"}, "own": entry()}
    with pytest.raises(LockgateError) as refused:
        LoggingIn(config(tmp_path, servers, **settings), server)
    assert refused.value.reason == "login-unfit"
