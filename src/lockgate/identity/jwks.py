"""The keys of one issuer: fetched when they are needed, again when they have changed.

Must not know: tokens, claims, who asks. Source: RFC 7517; RFC 9700 section 2.6 for metadata.

A token signed with a key nobody here knows has the keys fetched again, but however many such tokens
come, only once in `pause` seconds, and never twice at the same time. When the issuer cannot be
reached its last keys serve on for `last_good` seconds; who cannot be judged for want of keys gets
`KeysAway`, which is another thing than a bad token.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, cast

import msgspec

from lockgate.core.clock import Clock
from lockgate.core.codes import CODES
from lockgate.identity.documents import NoDocument, document, issuer_metadata, place
from lockgate.identity.fetch import Fetch
from lockgate.identity.jose import Key, fits, public_key
from lockgate.identity.settings import IssuerSettings

_log: Final = logging.getLogger("lockgate.identity")
MOST_KEYS: Final = 64
RETRY: Final = 5.0
"""Seconds between two attempts to reach an issuer that cannot be reached."""
MOST_TRIED: Final = 4
"""Keys that are tried for a token that does not name its key."""


class KeysAway(Exception):
    """The keys are not to be had now, so that nothing can be said about a token."""


class Keys(Protocol):
    """Where the keys of an issuer come from."""

    def at_hand(self, kid: str | None, algorithm: str) -> Sequence[Key]:
        """The keys known now that may have signed a token; none: ask `fetched`."""
        ...

    async def fetched(self, kid: str | None, algorithm: str) -> Sequence[Key]:
        """As `at_hand`, after fetching the keys again if it is time for that.

        Raises:
            KeysAway: they cannot be had.
        """
        ...


class _Entry(msgspec.Struct, frozen=True):
    kid: str | None
    algorithm: str | None
    key: Key


class KnownKeys:
    """Keys that never have to be fetched: those of an issuer in this very process."""

    def __init__(self, jwks: Mapping[str, Any]) -> None:
        self._entries = _entries(jwks)

    def at_hand(self, kid: str | None, algorithm: str) -> Sequence[Key]:
        """See `Keys`."""
        return _matching(self._entries, kid, algorithm)

    async def fetched(self, kid: str | None, algorithm: str) -> Sequence[Key]:
        """See `Keys`."""
        return self.at_hand(kid, algorithm)


class FetchedKeys:
    """The keys an issuer publishes."""

    def __init__(self, settings: IssuerSettings, fetch: Fetch, clock: Clock) -> None:
        self._settings = settings
        self._fetch = fetch
        self._clock = clock
        self._entries: tuple[_Entry, ...] = ()
        self._got = float("-inf")
        self._tried = float("-inf")
        self._failed = False
        self._flight: asyncio.Task[bool] | None = None

    def at_hand(self, kid: str | None, algorithm: str) -> Sequence[Key]:
        """See `Keys`. Old keys are fetched anew behind the back of whoever asks."""
        age = self._clock.monotonic() - self._got
        if age >= self._settings.last_good:
            return ()
        if age >= self._settings.refresh and self._may_try():
            self._begin()
        return _matching(self._entries, kid, algorithm)

    async def fetched(self, kid: str | None, algorithm: str) -> Sequence[Key]:
        """See `Keys`."""
        if self._flight is not None or self._may_try():
            # Shielded: whoever goes away leaves the others waiting for the same answer.
            await asyncio.shield(self._flight or self._begin())
        found = self.at_hand(kid, algorithm)
        if not found and self._failed:
            raise KeysAway(self._settings.issuer)
        return found

    def _may_try(self) -> bool:
        if self._flight is not None:
            return False
        pause = RETRY if self._failed or not self._entries else self._settings.pause
        return self._clock.monotonic() - self._tried >= pause

    def _begin(self) -> asyncio.Task[bool]:
        self._tried = self._clock.monotonic()
        self._flight = asyncio.get_running_loop().create_task(self._refresh())
        return self._flight

    async def _refresh(self) -> bool:
        try:
            found = _entries(await document(self._fetch, await self._place()))
            if not found:
                raise NoDocument(f"the issuer {self._settings.issuer} publishes no usable key")
        except NoDocument as error:
            self._failed = True
            kept = self._clock.monotonic() - self._got < self._settings.last_good
            _log.warning(
                "the keys of an issuer cannot be fetched: %s; %s",
                error,
                "the last ones serve on" if kept else "its tokens get 503 until they can",
                extra={"code": CODES["issuer-unavailable"]},
            )
        else:
            if self._failed:
                _log.info("the keys of the issuer %s are there again", self._settings.issuer)
            self._failed = False
            self._entries, self._got = found, self._clock.monotonic()
        finally:
            self._flight = None
        return not self._failed

    async def _place(self) -> str:
        if self._settings.jwks_uri is not None:
            return self._settings.jwks_uri
        # Asked anew each time: an issuer may move its keys.
        metadata = await issuer_metadata(self._fetch, self._settings.issuer)
        url = place(metadata, "jwks_uri")
        if url is None:
            raise NoDocument(f"the issuer {self._settings.issuer} names no safe jwks_uri")
        return url

    async def close(self) -> None:
        """Fetch no more."""
        flight = self._flight
        if flight is not None:
            flight.cancel()
            await asyncio.gather(flight, return_exceptions=True)


def _entries(jwks: Mapping[str, Any]) -> tuple[_Entry, ...]:
    """The keys of a JWK Set that can be used; those that cannot are left out."""
    listed: object = jwks.get("keys")
    if not isinstance(listed, list):
        return ()
    entries: list[_Entry] = []
    for one in cast("list[object]", listed)[:MOST_KEYS]:
        key = public_key(one)
        if key is None:
            continue
        members = cast("dict[str, object]", one)
        kid, algorithm = members.get("kid"), members.get("alg")
        entries.append(
            _Entry(
                kid if isinstance(kid, str) else None,
                algorithm if isinstance(algorithm, str) else None,
                key,
            )
        )
    return tuple(entries)


def _matching(entries: Sequence[_Entry], kid: str | None, algorithm: str) -> Sequence[Key]:
    found = [
        one.key
        for one in entries
        if (kid is None or one.kid is None or one.kid == kid)
        and (one.algorithm is None or _same(one.algorithm, algorithm))
        and fits(one.key, algorithm)
    ]
    return found[:MOST_TRIED]


def _same(one: str, other: str) -> bool:
    return one == other or {one, other} == {"EdDSA", "Ed25519"}
