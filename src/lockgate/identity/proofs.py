"""Proofs of possession (RFC 9449): who sends a bound token has the key it is bound to.

Must not know: access tokens, fronts.

Each proof is good for one use. Which were used is remembered here, and in the store that replicas
share, if there is one: then a proof is good for one use at all of them. While that store is away
each remembers for itself, and a proof that was seen elsewhere is still too old after the window.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple, cast
from urllib.parse import urlsplit

from joserfc.errors import JoseError

from lockgate.core.once import first
from lockgate.core.store import Counters, StoreGone
from lockgate.identity.jose import BadToken, Key, Signed, fits, public_key, read, verified
from lockgate.identity.nonces import Nonces
from lockgate.identity.settings import ALGORITHMS
from lockgate.identity.verdicts import Refused

MOST_SEEN: Final = 100_000
AHEAD: Final = 5.0
"""Seconds a client's clock may be ahead."""
_LONGEST_ID: Final = 256
_PORTS: Final = {"http": 80, "https": 443}
_PRIVATE: Final = ("d", "p", "q", "dp", "dq", "qi", "k")


class Terms(NamedTuple):
    """What a proof has to be.

    method  for this method.
    url     for this, without query.
    now     the time, on the wall clock.
    window  no older than this.
    nonces  with one of these; None: nobody looks.
    """

    method: str
    url: str
    now: float
    window: float
    nonces: Nonces | None = None


class Held(NamedTuple):
    """A proof that holds, and was not seen here before.

    digest  of what tells it from all others.
    nonce   the one in it; None: it has none.
    """

    digest: bytes
    nonce: object


class Proofs:
    """Checks proofs, and remembers which were seen for as long as they could be used again."""

    def __init__(self, most: int = MOST_SEEN, store: Counters | None = None) -> None:
        """`store` is what replicas share."""
        self._seen: dict[bytes, float] = {}
        self._most = most
        self._store = store

    def __len__(self) -> int:
        return len(self._seen)

    @property
    def shared(self) -> bool:
        """Whether `first` has somebody to ask."""
        return self._store is not None

    def check(self, proof: str, token: str, bound: str, terms: Terms) -> Held | Refused:
        """Whether a proof holds, as far as can be told here; it is used up.

        Args:
            proof: the value of the `DPoP` header.
            token: the access token beside it.
            bound: the thumbprint the token is bound to.
            terms: what it has to be.
        """
        try:
            signed = read(proof)
        except BadToken:
            return _wrong("is not well-formed")
        key = _key(signed)
        if key is None:
            return _wrong("holds no public key, or an algorithm that is not accepted")
        if _thumbprint(key) != bound:
            return _wrong("is by another key than the token's")
        if not verified(signed, key):
            return _wrong("is not signed by its key")
        wrong = _wrong_claims(signed.claims, token, terms)
        if wrong is not None:
            return _wrong(wrong)
        nonce: object = signed.claims.get("nonce")
        if terms.nonces is not None and not terms.nonces.accepts(nonce, terms.now):
            return _NONCE
        digest = _digest(signed.claims["jti"], bound)
        return self._remember(digest, terms) or Held(digest, nonce)

    async def first(self, held: Held, window: float) -> Refused | None:
        """What is wrong with a proof that holds here, as far as all replicas can tell."""
        if self._store is None:
            return None
        name = urlsafe_b64encode(held.digest).decode()
        try:
            alone = await first(self._store, f"proof:{name}", window + AHEAD)
        except StoreGone:
            return None
        return None if alone else _wrong(_USED)

    def thumbprint(self, proof: str, terms: Terms) -> str | Refused:
        """The key a token is to be bound to, by a proof that comes without one (section 5).

        What it is shown for can be used once, at all replicas; so it need not be asked of them.
        """
        try:
            signed = read(proof)
        except BadToken:
            return _wrong("is not well-formed")
        key = _key(signed)
        if key is None or not verified(signed, key):
            return _wrong("is not signed by the public key it holds")
        wrong = _wrong_claims(signed.claims, None, terms)
        if wrong is not None:
            return _wrong(wrong)
        bound = _thumbprint(key)
        return self._remember(_digest(signed.claims["jti"], bound), terms) or bound

    def _remember(self, digest: bytes, terms: Terms) -> Refused | None:
        now = terms.now
        if self._seen.get(digest, 0.0) > now:
            return _wrong(_USED)
        if len(self._seen) >= self._most:
            self._forget(now)
        if len(self._seen) >= self._most:
            # To forget one that can still be used again would let it be used again.
            return Refused("Too many proofs of possession at once; try again.", "away")
        self._seen.pop(digest, None)
        self._seen[digest] = now + terms.window + AHEAD
        return None

    def _forget(self, now: float) -> None:
        # Nearly in the order in which they end; what is out of order goes a little later.
        for digest, until in list(self._seen.items()):
            if until > now:
                return
            del self._seen[digest]


_USED: Final = "was used before"
_NONCE: Final = Refused(
    "The proof of possession has to hold the nonce that is given here.", "nonce"
)


def _digest(name: str, bound: str) -> bytes:
    return sha256(f"{bound} {name}".encode("utf-8", "surrogatepass")).digest()


def _wrong(what: str) -> Refused:
    return Refused(f"The proof of possession {what}.", "proof")


def _key(signed: Signed) -> Key | None:
    header = signed.header
    jwk: object = header.get("jwk")
    if header.get("typ") != "dpop+jwt" or signed.algorithm not in ALGORITHMS:
        return None
    if not isinstance(jwk, Mapping):
        return None
    members = cast("Mapping[str, Any]", jwk)
    if any(name in members for name in _PRIVATE):
        return None
    key = public_key(dict(members))
    return key if key is not None and fits(key, signed.algorithm) else None


def _thumbprint(key: Key) -> str:
    try:
        return key.thumbprint()
    except (JoseError, ValueError):
        return ""


def _wrong_claims(claims: Mapping[str, Any], token: str | None, terms: Terms) -> str | None:
    name, made = claims.get("jti"), claims.get("iat")
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_ID:
        return "has no proper jti"
    if claims.get("htm") != terms.method:
        return "is for another method"
    if not same_place(claims.get("htu"), terms.url):
        return "is for another URL"
    if isinstance(made, bool) or not isinstance(made, int | float):
        return "does not say when it was made"
    if not terms.now - terms.window <= made <= terms.now + AHEAD:
        return "is too old or from the future"
    if token is None:
        return None
    digest = urlsafe_b64encode(sha256(token.encode()).digest()).rstrip(b"=").decode()
    return None if claims.get("ath") == digest else "is for another token"


def same_place(one: object, other: str) -> bool:
    """Whether two URLs are the same but for query, fragment, case of the host and default port."""
    if not isinstance(one, str):
        return False
    try:
        return _place(one) == _place(other)
    except ValueError:
        return False


def _place(url: str) -> tuple[str, str, int | None, str]:
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return scheme, parts.hostname or "", parts.port or _PORTS.get(scheme), parts.path or "/"
