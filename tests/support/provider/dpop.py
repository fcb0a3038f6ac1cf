"""DPoP proofs (RFC 9449) for tests that get or use sender-constrained tokens."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time

from joserfc import jwt
from joserfc.jwk import ECKey


def new_key() -> ECKey:
    """A P-256 key of a client."""
    return ECKey.generate_key("P-256")


def thumbprint(key: ECKey) -> str:
    """What ``cnf.jkt`` of a token bound to the key says."""
    return key.thumbprint()


def proof(
    key: ECKey, method: str, url: str, *, token: str | None = None, nonce: str | None = None
) -> str:
    """The value of a ``DPoP`` header for one request."""
    claims = {"jti": secrets.token_urlsafe(12), "htm": method, "htu": url, "iat": int(time.time())}
    if token is not None:
        digest = hashlib.sha256(token.encode()).digest()
        claims["ath"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    if nonce is not None:
        claims["nonce"] = nonce
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)}
    return jwt.encode(header, claims, key)
