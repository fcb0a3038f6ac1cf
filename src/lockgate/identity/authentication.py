"""Who asks at one endpoint: credentials in, a principal or a challenge out.

Must not know: fronts, MCP, servers. Sources: RFC 6750, RFC 9449 sections 7 and 9, RFC 9728
section 5, revision 2026-07-28, basic/authorization.

A credential that was accepted is known by a digest of its header for a while, so that the
next request with it costs one look into a table. Tokens that come often are found by their last
letters and compared as a whole, which is cheaper than a digest of as many bytes as they have; API
keys are not, since nothing here keeps one. Everything that is looked at before that look is looked
at with every request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from hashlib import sha256
from typing import Final, Protocol
from urllib.parse import parse_qsl

from lockgate.core.clock import Clock
from lockgate.core.message import Principal
from lockgate.identity.answers import Answers
from lockgate.identity.introspection import Introspection
from lockgate.identity.jose import BadToken, Signed, looks_signed, read
from lockgate.identity.keys import PREFIX, Keyring
from lockgate.identity.nonces import Nonces
from lockgate.identity.proofs import Held, Proofs, Terms
from lockgate.identity.recent import Recent
from lockgate.identity.settings import EndpointSettings
from lockgate.identity.tokens import Issuer, judged, judged_later, key_id, unfit
from lockgate.identity.verdicts import Accepted, Refused
from lockgate.wire.challenge import Admitted, Challenge

MOST_REFUSED: Final = 10_000
MOST_NEAR: Final = 1024
"""Tokens that are compared as a whole."""
LONGEST_NEAR: Final = 4096
_LAST: Final = 24
_AUTHORIZATION: Final = b"authorization"
_DPOP: Final = b"dpop"
_TOKEN: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=")
UNKNOWN_ISSUER: Final = Refused("The token is of no issuer that is accepted here.")

_NONCE: Final = b"dpop-nonce"

Verdict = Principal | Admitted | Challenge


class Asked(Protocol):
    """What of a request is looked at."""

    @property
    def method(self) -> str: ...  # noqa: D102 - as HTTP has it
    @property
    def path(self) -> str: ...  # noqa: D102 - as HTTP has it
    @property
    def query(self) -> str: ...  # noqa: D102 - as HTTP has it
    @property
    def headers(self) -> Mapping[bytes, bytes]: ...  # noqa: D102 - as HTTP has it
    @property
    def certificate(self) -> str: ...  # noqa: D102 - its thumbprint
    @property
    def repeated(self) -> frozenset[bytes]: ...  # noqa: D102 - as HTTP has it


class Authentication:
    """Knows the callers of one endpoint."""

    def __init__(
        self,
        settings: EndpointSettings,
        clock: Clock,
        *,
        issuers: Sequence[Issuer] = (),
        introspections: Sequence[Introspection] = (),
        keys: Keyring | None = None,
        proofs: Proofs | None = None,
        recent: Recent | None = None,
        nonces: Nonces | None = None,
    ) -> None:
        self.settings = settings
        self.answers = Answers(settings, oauth=bool(issuers or introspections))
        self._clock = clock
        self._wall = clock.wall
        self._issuers = {one.settings.issuer: one for one in issuers}
        self._introspections = tuple(introspections)
        self._keys = keys
        # Not `or`: what remembers nothing yet is false.
        self._proofs = Proofs() if proofs is None else proofs
        self._nonces = nonces
        self._recent = Recent() if recent is None else recent
        self._known = self._recent.table
        self._near: dict[bytes, tuple[bytes, Accepted]] = {}
        self._refused: dict[bytes, tuple[float, Refused]] = {}
        self._asking: dict[bytes, asyncio.Task[Accepted | Refused]] = {}

    def authenticate(self, request: Asked) -> Verdict | Awaitable[Verdict]:
        """The principal of a request, or what it is answered instead; awaitable if it takes time.

        Never raises for anything a client sends.
        """
        value = request.headers.get(_AUTHORIZATION)
        if request.query and _has_token(request.query):
            return self.answers.in_query
        if value is None:
            return self.answers.missing
        if request.repeated and not request.repeated.isdisjoint((_AUTHORIZATION, _DPOP)):
            return self.answers.repeated
        near = self._near.get(value[-_LAST:])
        if near is not None and near[0] == value:
            known, digest = near[1], b""
        else:
            digest = sha256(value).digest()
            known = self._known.get(digest)
        if known is not None and known.until > self._wall():
            if known.bound is None:
                return known.principal
            return self._proved(known, request, value)
        return self._look(request, value, digest or sha256(value).digest())

    def _look(self, request: Asked, value: bytes, digest: bytes) -> Verdict | Awaitable[Verdict]:
        scheme, token = _parted(value)
        if scheme not in ("bearer", "dpop"):
            return self.answers.missing
        if token is None:
            return self.answers.malformed
        if scheme == "dpop" and self.settings.dpop == "off":
            return self.answers.missing
        found = self._judge(token, digest)
        if isinstance(found, Accepted | Refused):
            return self._concluded(found, request, value, digest)
        return self._awaited(found, request, value, digest)

    async def _awaited(
        self, found: Awaitable[Accepted | Refused], request: Asked, value: bytes, digest: bytes
    ) -> Verdict:
        concluded = self._concluded(await found, request, value, digest)
        return await concluded if isinstance(concluded, Awaitable) else concluded

    def _judge(
        self, token: str, digest: bytes
    ) -> Accepted | Refused | Awaitable[Accepted | Refused]:
        if token.startswith(PREFIX):
            keys = self._keys
            return UNKNOWN_ISSUER if keys is None else keys.find(token, self._wall())
        if looks_signed(token):
            try:
                signed = read(token)
            except BadToken as bad:
                return Refused(str(bad))
            return self._judge_signed(signed, digest)
        if not self._introspections:
            return UNKNOWN_ISSUER
        return self._ask(token, digest, self._introspections)

    def _judge_signed(
        self, signed: Signed, digest: bytes
    ) -> Accepted | Refused | Awaitable[Accepted | Refused]:
        named: object = signed.claims.get("iss")
        issuer = self._issuers.get(named) if isinstance(named, str) else None
        if issuer is None:
            # Never shown to another issuer than the one it names.
            asked = [one for one in self._introspections if one.issuer.issuer == named]
            return self._ask(signed.text, digest, asked) if asked else UNKNOWN_ISSUER
        wrong = unfit(signed, issuer.settings)
        if wrong is not None:
            return wrong
        keys = issuer.keys.at_hand(key_id(signed), signed.algorithm)
        now = self._wall()
        if keys:
            return judged(signed, keys, issuer.settings, self.settings, now)
        return judged_later(signed, issuer, self.settings, now)

    # Introspection.

    def _ask(
        self, token: str, digest: bytes, asked: Sequence[Introspection]
    ) -> Refused | Awaitable[Accepted | Refused]:
        refused = self._refused.get(digest)
        if refused is not None and refused[0] > self._clock.monotonic():
            return refused[1]
        task = self._asking.get(digest)
        if task is None:
            # A task of its own: however many wait for the same answer, each may give up alone.
            task = asyncio.get_running_loop().create_task(self._ask_all(token, digest, asked))
            self._asking[digest] = task
            task.add_done_callback(lambda _: self._asking.pop(digest, None))
        return asyncio.shield(task)

    async def _ask_all(
        self, token: str, digest: bytes, asked: Sequence[Introspection]
    ) -> Accepted | Refused:
        last: Refused | None = None
        for one in asked:
            found = await one.ask(token, self.settings)
            if isinstance(found, Accepted):
                return found
            # That one could not be asked outweighs that another does not know it.
            last = last if last is not None and last.cause == "away" else found
        last = last or UNKNOWN_ISSUER
        if last.cause != "away":
            keep = min(one.told.keep_refused for one in asked)
            while len(self._refused) >= MOST_REFUSED:
                del self._refused[next(iter(self._refused))]
            self._refused[digest] = (self._clock.monotonic() + keep, last)
        return last

    # What it comes to.

    def _concluded(
        self, found: Accepted | Refused, request: Asked, value: bytes, digest: bytes
    ) -> Verdict | Awaitable[Verdict]:
        if isinstance(found, Refused):
            return self.answers.refused(found)
        missing = self._missing_scopes(found.principal)
        if missing is not None:
            return missing
        if self.settings.dpop == "require" and (found.bound is None or found.bound.key is None):
            return self.answers.refused(
                Refused("Only tokens that are bound to a key are accepted.")
            )
        self._recent.add(digest, found, len(value))
        if found.principal.subject is not None and len(value) <= LONGEST_NEAR:
            if len(self._near) >= MOST_NEAR:
                self._near.clear()
            self._near[value[-_LAST:]] = value, found
        return self._proved(found, request, value)

    def _missing_scopes(self, who: Principal) -> Challenge | None:
        wanted = self.settings.scopes
        if not wanted or who.scopes.issuperset(wanted):
            return None
        return self.answers.insufficient(wanted)

    def _proved(
        self, found: Accepted, request: Asked, value: bytes
    ) -> Verdict | Awaitable[Verdict]:
        """A token that is bound, so that more than it has to be shown with every request."""
        bound = found.bound
        if bound is None:
            return found.principal
        if bound.certificate is not None and bound.certificate != request.certificate:
            why = "The token is bound to a client certificate that was not shown."
            return self.answers.refused(Refused(why))
        if bound.key is None:
            return found.principal
        held = self._proof(bound.key, request, value)
        if isinstance(held, Refused):
            return self._refused_proof(held)
        if self._proofs.shared:
            return self._proved_everywhere(found.principal, held)
        return self._admitted(found.principal, held)

    async def _proved_everywhere(self, who: Principal, held: Held) -> Verdict:
        wrong = await self._proofs.first(held, self.settings.window)
        return self._admitted(who, held) if wrong is None else self._refused_proof(wrong)

    def _admitted(self, who: Principal, held: Held) -> Verdict:
        """Who has shown a nonce that is not the newest, or none, is told the newest."""
        if self._nonces is None:
            return who
        nonce = self._nonces.current(self._wall())
        return who if held.nonce == nonce else Admitted(who, ((_NONCE, nonce.encode()),))

    def _refused_proof(self, why: Refused) -> Challenge:
        answer = self.answers.refused(why)
        if self._nonces is None:
            return answer
        nonce = self._nonces.current(self._wall()).encode()
        return Challenge(answer.status, (*answer.headers, (_NONCE, nonce)), answer.failure)

    def _proof(self, key: str, request: Asked, value: bytes) -> Held | Refused:
        scheme, token = _parted(value)
        if scheme != "dpop" or token is None or self.settings.dpop == "off":
            return Refused("The token is bound to a key; use DPoP.", "proof")
        proof = request.headers.get(_DPOP, b"").decode("latin-1")
        if not proof:
            return Refused("The proof of possession is missing.", "proof")
        settings = self.settings
        url = settings.base + request.path
        terms = Terms(request.method, url, self._wall(), settings.window, self._nonces)
        return self._proofs.check(proof, token, key, terms)

    async def close(self) -> None:
        """Ask nobody any more."""
        tasks = tuple(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _parted(value: bytes) -> tuple[str, str | None]:
    """The scheme in lower case, and the token; None when there is none of the right form."""
    text = value.decode("latin-1").strip()
    scheme, _, token = text.partition(" ")
    token = token.strip()
    return scheme.lower(), token if token and _TOKEN.issuperset(token) else None


def _has_token(query: str) -> bool:
    """Whether a credential is in the URL, where logs and histories keep it."""
    try:
        return any(
            name == "access_token" or value.startswith(PREFIX)
            for name, value in parse_qsl(query, keep_blank_values=True, max_num_fields=64)
        )
    except ValueError:
        return True
