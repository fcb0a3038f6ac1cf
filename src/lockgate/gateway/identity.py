"""Who may ask at which endpoint, from one configuration to the next.

Must not know: how tokens are judged, fronts' handling of calls.

Endpoints outlive reloads, and so do their doors; what stands behind a door is made anew from each
configuration. What an issuer's keys are, and which proofs were seen, is kept as long as anybody
needs it, so that a reload lets nobody in twice and asks no issuer again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from lockgate.config.identity import AuthSettings
from lockgate.config.model import Config
from lockgate.core.clock import Clock
from lockgate.core.message import Failure
from lockgate.core.store import Counters
from lockgate.fronts.documents import document
from lockgate.fronts.http import Handler, HttpRequest
from lockgate.fronts.identified import Identified
from lockgate.gateway.endpoint_sights import endpoints_of, sse_path_of
from lockgate.gateway.issuing import OwnIssuer
from lockgate.observe import turned_away
from lockgate.wire.seal import KeyRing

if TYPE_CHECKING:
    # What signatures need takes long to import, and most configurations authenticate nobody.
    from lockgate.gateway.judging import Judges
    from lockgate.identity.authentication import Authentication
    from lockgate.identity.keys import ApiKey

Place = tuple[Path | None, str | None]
ApiKeys = Mapping[Place, "tuple[ApiKey, ...]"]
"""The keys that were read, by the file and the variable they were read from."""
WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"


class Door:
    """One endpoint's: who stands behind it changes with the configuration."""

    def __init__(self) -> None:
        self.authentication: Authentication | None = None
        self.document: bytes | None = None
        self.describe: Handler = document(lambda: self.document)

    def step_up(self, failure: Failure) -> Sequence[tuple[bytes, bytes]]:
        """The challenge that goes with a refusal for want of scopes."""
        data: object = failure.data
        if self.authentication is None or not isinstance(data, Mapping):
            return ()
        scopes: object = cast("Mapping[str, Any]", data).get("scopes")
        if not isinstance(scopes, list):
            return ()
        return self.authentication.answers.step_up(map(str, cast("list[object]", scopes)))

    def guard(self, inner: Handler) -> Handler:
        """`inner` for callers who are known; `inner` itself where nobody has to be."""
        if self.authentication is None:
            return inner
        return Identified(inner, self.authentication, _turned_away)


def _turned_away(request: HttpRequest, failure: Failure) -> None:
    turned_away.record(request.path, request.peer, failure)


class Doors:
    """The doors of all endpoints."""

    def __init__(
        self, clock: Clock, own: OwnIssuer, keys: KeyRing, store: Counters | None = None
    ) -> None:
        """`keys` make nonces, and `store` is what replicas share, if they share one."""
        self._clock = clock
        self._keys = keys
        self._store = store
        self._own = own
        self._base = ""
        self.base = ""
        """What clients call the gateway."""
        self._doors: dict[str, Door] = {}
        self._default = ""
        self._judges: Judges | None = None

    def door(self, path: str) -> Door:
        """The door of the endpoint at `path`."""
        return self._doors.setdefault(path, Door())

    def turn_to(
        self,
        wanted: Config,
        auths: Mapping[str, AuthSettings],
        listed: ApiKeys,
        base: str | None = None,
    ) -> None:
        """Judge callers by this configuration from now on.

        Args:
            wanted: the configuration.
            auths: who may ask, by path of the endpoint; the first is the default one.
            listed: their API keys.
            base: where the gateway listens, for one that has no public URL.
        """
        self._base = base or self._base
        self.base = public = wanted.lockgate.public_url or self._base
        self._own.turn_to(wanted, public, [public + path.rstrip("/") for path in auths])
        self._default = next(iter(auths), "")
        for path in auths:
            self.door(path)
        asking = {
            path: auth for path, auth in auths.items() if auth.asks or self._own.issuer is not None
        }
        if not asking and self._judges is None:
            return
        from lockgate.gateway import judging as late  # noqa: PLC0415 - see the top

        self._judges = self._judges or late.Judges(self._clock, self._keys, self._store)
        shown = wanted.lockgate.tls.clients != "off"
        every = {
            path: late.Wanted(path, auth, public, listed.get(_place(auth)), self._own.issuer, shown)
            for path, auth in asking.items()
        }
        made = self._judges.turn_to(every.values())
        for path, door in self._doors.items():
            found = made.get(path)
            door.authentication = found
            door.document = None if found is None else late.described(found, every[path])

    def documents(self, auths: Collection[str], public_url: str | None) -> dict[str, Handler]:
        """What describes the endpoints (RFC 9728), by path: at the place of each, and at the root.

        A gateway whose public URL has a path of its own may get requests with it or without.
        """
        prefix = (public_url or "").partition("://")[2].partition("/")[2]
        found: dict[str, Handler] = {}
        for path in auths:
            answer = self.door(path).describe
            found[WELL_KNOWN + path.rstrip("/")] = answer
            if prefix:
                found[f"{WELL_KNOWN}/{prefix}{path}".rstrip("/")] = answer
        found[WELL_KNOWN] = self.door(self._default).describe
        return found

    async def close(self) -> None:
        """Fetch nothing any more."""
        await self._own.close()
        if self._judges is not None:
            await self._judges.close()


def endpoint_auths(wanted: Config) -> dict[str, AuthSettings]:
    """Who may ask, by path of the endpoint; the default endpoint is the first.

    The path of the oldest transport is one of its own, because it is what its clients know the
    gateway by.
    """
    found: dict[str, AuthSettings] = {}
    for path, one in endpoints_of(wanted).items():
        auth = one.auth or wanted.lockgate.auth
        found[path] = found[sse_path_of(wanted, path)] = auth
    return found


def read_api_keys(auths: Iterable[AuthSettings]) -> ApiKeys:
    """The API keys of files and variables, by where they are.

    Raises:
        LockgateError: one of them cannot be read, or a file and the variable beside it have a name
            or id in common.
    """
    wanted = [one for one in auths if one.keys_file or one.keys_env]
    if not wanted:
        return {}
    from lockgate.gateway import judging as late  # noqa: PLC0415 - see the top

    return {_place(one): late.read(one) for one in wanted}


def _place(auth: AuthSettings) -> Place:
    return auth.keys_file, auth.keys_env
