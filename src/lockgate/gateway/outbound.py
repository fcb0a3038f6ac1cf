"""What servers are shown, from the configuration: one `Credentials` for each that wants any.

Must not know: OAuth's messages, pages, how servers are reached.

What signatures need takes long to import, so nothing of it is imported for configurations without
`auth`. Credentials of a server whose settings stay the same outlive a reload, and with them its
tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

import msgspec
from pydantic import BaseModel, SecretStr

from lockgate.config.model import Config, ServerConfig
from lockgate.config.oauth_client import ClientSettings
from lockgate.config.outbound import ServerAuth
from lockgate.core.clock import Clock
from lockgate.core.codes import CODES
from lockgate.core.credentials import SHARED, Credentials
from lockgate.core.message import ANONYMOUS
from lockgate.core.secret import Secret
from lockgate.core.store import Store
from lockgate.errors import LockgateError
from lockgate.gateway.status import ServerStatus
from lockgate.gateway.vaults import login_keys, login_store
from lockgate.policies.login import Login
from lockgate.upstreams.guard import NEEDS_LOGIN
from lockgate.wire.seal import KeyRing

if TYPE_CHECKING:
    from lockgate.gateway.fetching import PoolFetch
    from lockgate.identity.outbound.clients import Client
    from lockgate.identity.outbound.discovery import Discovery
    from lockgate.identity.outbound.grants import Grant, Means
    from lockgate.identity.outbound.person import Person
    from lockgate.identity.outbound.pins import Pins
    from lockgate.identity.outbound.reach import Reach
    from lockgate.identity.outbound.vault import Vault

PAGE: Final = "/login"
DOCUMENT: Final = "/login/client.json"
CALLBACK: Final = "/login/callback"
IDENTITY: Final = "/login/identity"
LINK: Final = "login-link"
LINK_SECONDS: Final = 900


class Outbound:
    """The credentials of all servers."""

    def __init__(self, keys: KeyRing, clock: Clock) -> None:
        """`keys` seal the links that people get."""
        self.keys: Final = keys
        self._clock = clock
        self._made: dict[str, tuple[str, Credentials]] = {}
        self._fetches: tuple[PoolFetch, PoolFetch] | None = None
        self._vault: Vault | None = None
        self._store: Store | None = None
        self.on_login: Callable[[str], None] | None = None
        """Told the server's name when somebody has logged in or out there."""
        self.base: str | None = None
        """What browsers call the gateway; None: there is no way for them."""
        self.shows: Callable[[str], bool] = lambda _owner: False
        """Whether the owner of a login can show at a browser that it is them."""

    # From the configuration.

    def turn_to(self, config: Config) -> dict[str, Credentials]:
        """The credentials of every server that wants any, by name.

        Raises:
            LockgateError: a key, or what logins are kept in, cannot be used.
        """
        public = config.lockgate.public_url
        found: dict[str, tuple[str, Credentials]] = {}
        for name, server in config.enabled.items():
            if not wants_any(server):
                continue
            told = told_of(server, public)
            before = self._made.get(name)
            if before is None or before[0] != told:
                before = told, self._credentials(name, server, config)
            found[name] = before
        self._made = found
        return {name: one for name, (_, one) in found.items()}

    def policies(self, config: Config) -> dict[str, Login]:
        """What asks callers to log in, for each server where that can be needed."""
        wait = config.lockgate.logins.wait
        return {
            name: Login(name, self.keys, one.logged_in, wait=wait, clock=self._clock)
            for name, one in self.persons().items()
        }

    def persons(self) -> dict[str, Person]:
        """The servers that people log in to, by name."""
        if not self._made or self._vault is None:
            return {}
        from lockgate.identity.outbound.person import Person  # noqa: PLC0415 - see above

        inner = {name: getattr(one, "inner", one) for name, (_, one) in self._made.items()}
        return {name: one for name, one in inner.items() if isinstance(one, Person)}

    def vault(self, config: Config) -> Vault:
        """Where logins are kept. Raises LockgateError when it cannot be used."""
        if self._vault is None:
            from lockgate.identity.outbound.vault import Vault  # noqa: PLC0415 - see above

            settings = config.lockgate.logins
            self._store = login_store(settings, self._clock)
            self._vault = Vault(self._store, login_keys(settings), self._clock)
        return self._vault

    def link(self, server: str, owner: str) -> str | None:
        """The page where this owner logs in to that server; None: there is none for them."""
        if self.base is None or not self.shows(owner):
            return None
        said = msgspec.json.encode([server, owner])
        sealed = self.keys.seal(LINK, said, now=self._clock.wall(), ttl=LINK_SECONDS)
        return f"{self.base}{PAGE}?ticket={sealed}"

    def told(self, status: ServerStatus, config: Config) -> ServerStatus:
        """The status, with what to do where a login is missing."""
        person = self.persons().get(status.name)
        waits = status.phase == "needs-login"
        if not waits and not (status.phase == "ready" and person and person.wanting):
            return status
        remedy = f"Run `lockgate login {status.name}`."
        if person is None or config.identifies:
            remedy = "Whoever calls it is told what to do."
        elif self.base is not None and not person.one_account and self.shows(ANONYMOUS.id):
            remedy = f"Open {self.base}{PAGE}?server={quote(status.name)} and log in there."
        return msgspec.structs.replace(
            status,
            phase="needs-login",
            code=CODES["login-required"],
            error=status.error or NEEDS_LOGIN,
            remedy=remedy,
        )

    async def close(self) -> None:
        """Fetch nothing any more, and let go of the store."""
        for fetch in self._fetches or ():
            await fetch.close()
        if self._store is not None:
            await self._store.close()

    # One server.

    def _credentials(self, name: str, server: ServerConfig, config: Config) -> Credentials:
        from lockgate.identity.outbound.passed import Passing  # noqa: PLC0415 - see above

        inner = SHARED
        if server.auth is not None:
            inner = self._oauth(name, server.addresses[0], server.auth, config)
        if server.forward_headers or server.claim_headers:
            return Passing(inner, server.forward_headers, server.claim_headers)
        return inner

    def _oauth(self, name: str, url: str, auth: ServerAuth, config: Config) -> Credentials:
        from lockgate.identity.outbound.discovery import Discovery  # noqa: PLC0415 - see above
        from lockgate.identity.outbound.pins import Pins  # noqa: PLC0415 - see above

        vault = self.vault(config)
        pins = Pins(vault, name)
        reach = self._reach(url, auth)
        http = url.replace("wss://", "https://", 1).replace("ws://", "http://", 1)
        discovery = Discovery(reach, http, issuer=auth.issuer, resource=auth.resource)
        if auth.type == "oauth":
            return self._person(name, url, auth, config, reach, discovery, pins)
        return self._granted(name, url, auth, reach, discovery, pins)

    def _person(
        self,
        name: str,
        url: str,
        auth: ServerAuth,
        config: Config,
        reach: Reach,
        discovery: Discovery,
        pins: Pins,
    ) -> Person:
        from lockgate.identity.outbound.entrance import (  # noqa: PLC0415 - see above
            Entrance,
            EntranceSettings,
        )
        from lockgate.identity.outbound.person import Person  # noqa: PLC0415 - see above

        client = client_of(auth, auth.issuer)
        vault = self.vault(config)
        settings = EntranceSettings(
            entry=name,
            client=client,
            document=auth.client_document or own_document(config),
            scopes=tuple(auth.scopes),
            dpop=auth.dpop,
        )
        person = Person(
            name,
            url,
            entrance=Entrance(reach, discovery, vault, pins, settings, self._clock),
            reach=reach,
            vault=vault,
            client=client,
            one_account=auth.account == "shared",
            link=self.link,
            clock=self._clock,
        )
        person.watch(lambda: self.on_login(name) if self.on_login else None)
        return person

    def _granted(
        self,
        name: str,
        url: str,
        auth: ServerAuth,
        reach: Reach,
        discovery: Discovery,
        pins: Pins,
    ) -> Credentials:
        from lockgate.identity.outbound.clients import Client  # noqa: PLC0415 - see above
        from lockgate.identity.outbound.dpop import Prover  # noqa: PLC0415 - see above
        from lockgate.identity.outbound.granted import Granted  # noqa: PLC0415 - see above
        from lockgate.identity.outbound.grants import Means  # noqa: PLC0415 - see above

        prover = Prover() if auth.dpop else None
        means = Means(
            reach,
            discovery,
            client_of(auth, auth.issuer) or Client(id="", method="none"),
            self._clock,
            pins.check,
            tuple(auth.scopes),
            auth.audience,
            prover,
        )
        return Granted(name, url, self._grant(auth, means), discovery, prover, self._clock)

    def _grant(self, auth: ServerAuth, means: Means) -> Grant:
        from lockgate.identity.outbound import grants  # noqa: PLC0415 - see above

        if auth.type == "client_credentials":
            return grants.ClientCredentials(means)
        if auth.type == "jwt_bearer":
            source = source_of(auth.assertion, auth.assertion_file)
            return grants.JwtBearer(means, source or (lambda: ""))
        fixed = source_of(auth.subject_token, auth.subject_token_file)
        subject = grants.Subject(auth.token_type, fixed)
        provider = auth.provider
        there = None
        if provider is not None:
            there = grants.Provider(
                client_of(provider, provider.issuer) or means.client,
                means.discovery,
                issuer=provider.issuer,
                token_url=provider.token_url,
            )
        if auth.type == "identity_assertion" and there is not None:
            return grants.IdentityAssertion(means, subject, there)
        return grants.TokenExchange(means, subject, there)

    def _reach(self, url: str, auth: ServerAuth) -> Reach:
        provider = auth.provider
        named = [auth.issuer, provider and provider.issuer, provider and provider.token_url]
        return self.reach(url, [one for one in named if one])

    def reach(self, url: str, named: Sequence[str] = ()) -> Reach:
        """What asks `url`, the `named` ones, and what these name."""
        from lockgate.gateway.fetching import PoolFetch  # noqa: PLC0415 - see above
        from lockgate.identity.outbound.reach import Reach  # noqa: PLC0415 - see above

        if self._fetches is None:
            self._fetches = PoolFetch(), PoolFetch(public_only=True)
        known, strange = self._fetches
        return Reach(known, strange, url, named)


def wants_any(server: ServerConfig) -> bool:
    """Whether a server is shown anything beside its configured headers."""
    return bool(server.auth or server.forward_headers or server.claim_headers)


def own_document(config: Config) -> str | None:
    """The URL of the gateway's own client metadata document, where it can be one."""
    public = config.lockgate.public_url or ""
    return public + DOCUMENT if public.startswith("https://") else None


def browsers_base(config: Config, listening: str | None) -> str | None:
    """What browsers call the gateway; None where they have no safe way to it.

    Authorization servers send people back to https, or to the very machine they sit at.
    """
    public = config.lockgate.public_url
    if public is not None or listening is None:
        return public
    host = urlsplit(listening).hostname
    return listening if host in ("127.0.0.1", "::1", "localhost") else None


def carried_names(config: Config) -> frozenset[str]:
    """The headers of requests that some server is to see."""
    return frozenset(name for one in config.enabled.values() for name in one.forward_headers)


def told_of(server: ServerConfig, public: str | None = None) -> str:
    """A digest of all that credentials are made from; the same for what is the same."""
    if not wants_any(server):
        return ""
    said = [server.addresses, _plain(server.auth), server.forward_headers, server.claim_headers]
    data = msgspec.json.encode([said, public], order="deterministic")
    return blake2b(data, digest_size=16).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, BaseModel):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    return str(value) if isinstance(value, Path) else value


def source_of(value: SecretStr | None, path: Path | None) -> Callable[[], str] | None:
    """What reads a secret: the configured one, or the file anew each time."""
    if path is not None:
        return path.read_text
    return value.get_secret_value if value is not None else None


def client_of(settings: ClientSettings, issuer: str | None) -> Client | None:
    """The client that was registered by hand.

    Raises:
        LockgateError: its key cannot be used.
    """
    if settings.client_id is None:
        return None
    from lockgate.identity.outbound.clients import Client, read_key  # noqa: PLC0415 - see above

    source = source_of(settings.private_key, settings.private_key_file)
    try:
        text = source() if source is not None else None
        signer = read_key(text, settings.key_algorithm, settings.key_id) if text else None
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise LockgateError(
            f"The private key of the client {settings.client_id} cannot be used: {said}.",
            "Give a private key of kind EC, OKP or RSA, as PEM or JWK.",
            reason="outbound-key",
        ) from error
    secret = settings.client_secret
    return Client(
        id=settings.client_id,
        secret=Secret(secret.get_secret_value()) if secret is not None else None,
        method=settings.client_auth,
        signer=signer,
        issuer=issuer,
    )
