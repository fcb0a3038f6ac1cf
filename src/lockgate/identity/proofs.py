"""Proofs of possession (RFC 9449): who sends a bound token has the key it is bound to.

Must not know: access tokens, fronts.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, cast
from urllib.parse import urlsplit

from joserfc.errors import JoseError

from lockgate.identity.jose import BadToken, Key, Signed, fits, public_key, read, verified
from lockgate.identity.settings import ALGORITHMS
from lockgate.identity.verdicts import Refused

MOST_SEEN: Final = 100_000
AHEAD: Final = 5.0
"""Seconds a client's clock may be ahead."""
_LONGEST_ID: Final = 256
_PORTS: Final = {"http": 80, "https": 443}
_PRIVATE: Final = ("d", "p", "q", "dp", "dq", "qi", "k")


class Proofs:
    """Checks proofs, and remembers which were seen for as long as they could be used again."""

    def __init__(self, most: int = MOST_SEEN) -> None:
        self._seen: dict[bytes, float] = {}
        self._most = most

    def __len__(self) -> int:
        return len(self._seen)

    def check(
        self, proof: str, token: str, bound: str, method: str, url: str, now: float, window: float
    ) -> Refused | None:
        """What is wrong with a proof; None when it holds.

        Args:
            proof: the value of the `DPoP` header.
            token: the access token beside it.
            bound: the thumbprint the token is bound to.
            method: the method of the request.
            url: what the request is for, without query.
            now: the time, on the wall clock.
            window: how old it may be.
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
        wrong = _wrong_claims(signed.claims, token, method, url, now, window)
        if wrong is not None:
            return _wrong(wrong)
        return self._remember(signed.claims["jti"], bound, now, window)

    def thumbprint(
        self, proof: str, method: str, url: str, now: float, window: float
    ) -> str | Refused:
        """The key a token is to be bound to, by a proof that comes without one (section 5)."""
        try:
            signed = read(proof)
        except BadToken:
            return _wrong("is not well-formed")
        key = _key(signed)
        if key is None or not verified(signed, key):
            return _wrong("is not signed by the public key it holds")
        wrong = _wrong_claims(signed.claims, None, method, url, now, window)
        if wrong is not None:
            return _wrong(wrong)
        bound = _thumbprint(key)
        return self._remember(signed.claims["jti"], bound, now, window) or bound

    def _remember(self, name: str, bound: str, now: float, window: float) -> Refused | None:
        digest = sha256(f"{bound} {name}".encode("utf-8", "surrogatepass")).digest()
        if self._seen.get(digest, 0.0) > now:
            return _wrong("was used before")
        if len(self._seen) >= self._most:
            self._forget(now)
        if len(self._seen) >= self._most:
            # To forget one that can still be used again would let it be used again.
            return Refused("Too many proofs of possession at once; try again.", "away")
        self._seen.pop(digest, None)
        self._seen[digest] = now + window + AHEAD
        return None

    def _forget(self, now: float) -> None:
        # Nearly in the order in which they end; what is out of order goes a little later.
        for digest, until in list(self._seen.items()):
            if until > now:
                return
            del self._seen[digest]


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


def _wrong_claims(
    claims: Mapping[str, Any], token: str | None, method: str, url: str, now: float, window: float
) -> str | None:
    name, made = claims.get("jti"), claims.get("iat")
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_ID:
        return "has no proper jti"
    if claims.get("htm") != method:
        return "is for another method"
    if not same_place(claims.get("htu"), url):
        return "is for another URL"
    if isinstance(made, bool) or not isinstance(made, int | float):
        return "does not say when it was made"
    if not now - window <= made <= now + AHEAD:
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
