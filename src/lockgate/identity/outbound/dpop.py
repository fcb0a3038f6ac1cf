"""Proofs that whoever shows a token holds the key it is bound to (RFC 9449).

Must not know: where tokens come from.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import msgspec
from joserfc import jwt
from joserfc.jwk import ECKey

ALGORITHM: Final = "ES256"
LONGEST_NONCE: Final = 1024


class Prover:
    """One key, and the nonces that servers want to see."""

    def __init__(self, key: ECKey | None = None) -> None:
        """`key`: from `restored`; otherwise a new one."""
        self._key = key or ECKey.generate_key("P-256", auto_kid=False)
        self._public: dict[str, Any] = dict(self._key.as_dict(private=False))
        self.nonces: dict[str, str] = {}

    @classmethod
    def restored(cls, kept: str) -> Prover:
        """The prover of a key that was kept with `keep`."""
        return cls(ECKey.import_key(msgspec.json.decode(kept, type=dict[str, Any])))

    def keep(self) -> str:
        """The private key, to be sealed and kept with the token."""
        return msgspec.json.encode(self._key.as_dict(private=True)).decode()

    def proof(self, method: str, url: str, now: float, token: str | None = None) -> str:
        """A new proof for one request; `token` is the one that goes with it."""
        parts = urlsplit(url)
        claims: dict[str, Any] = {
            "jti": token_urlsafe(16),
            "htm": method,
            "htu": urlunsplit((parts.scheme, parts.netloc, parts.path, "", "")),
            "iat": int(now),
        }
        nonce = self.nonces.get(_origin(url))
        if nonce is not None:
            claims["nonce"] = nonce
        if token is not None:
            digest = sha256(token.encode("ascii")).digest()
            claims["ath"] = urlsafe_b64encode(digest).rstrip(b"=").decode()
        header = {"typ": "dpop+jwt", "alg": ALGORITHM, "jwk": self._public}
        return jwt.encode(header, claims, self._key, algorithms=[ALGORITHM])

    def take(self, url: str, nonce: str | None) -> bool:
        """Use this nonce toward that server from now on; False: it is none, or not new."""
        if not nonce or len(nonce) > LONGEST_NONCE:
            return False
        before, self.nonces[_origin(url)] = self.nonces.get(_origin(url)), nonce
        return before != nonce


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
