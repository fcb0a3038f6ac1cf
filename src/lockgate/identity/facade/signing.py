"""The facade's own keys: what signs access tokens, what seals what clients carry, all of one ring.

Must not know: what is in a token. Sources: RFC 5869, RFC 7517, RFC 7518 section 3.4, RFC 9068.

Each configured key of 32 bytes gives one P-256 signing key and one sealing key, derived under
different names, so that replicas with the same configuration sign and open alike, and rotating one
list rotates all: the first signs and seals, every one verifies and opens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwt
from joserfc.jwk import ECKey

from lockgate.wire.seal import KEY_BYTES, KeyRing

ALGORITHM: Final = "ES256"
# The order of P-256's group. 16 bytes more than it has leave no bias (FIPS 186-5 A.2.1).
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_SEED_BYTES: Final = 48


class Signer:
    """Signs access tokens with the first key; publishes all of them."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Raises ValueError when there is no key."""
        if not keys:
            raise ValueError("signing needs a key")
        self._keys = [_signing_key(key) for key in keys]

    def sign(self, claims: Mapping[str, Any]) -> str:
        """An access token (RFC 9068) with these claims."""
        key = self._keys[0]
        header = {"alg": ALGORITHM, "typ": "at+jwt", "kid": key.thumbprint()}
        return jwt.encode(header, dict(claims), key)

    def jwks(self) -> dict[str, Any]:
        """The public halves, as a JWK Set."""
        return {
            "keys": [
                {
                    **key.as_dict(private=False),
                    "kid": key.thumbprint(),
                    "use": "sig",
                    "alg": ALGORITHM,
                }
                for key in self._keys
            ]
        }


def sealing_ring(keys: Sequence[bytes]) -> KeyRing:
    """What the facade seals with, kept apart from what sessions are sealed with."""
    return KeyRing([_derived(key, b"lockgate facade sealing", KEY_BYTES) for key in keys])


def _signing_key(key: bytes) -> ECKey:
    seed = _derived(key, b"lockgate facade signing", _SEED_BYTES)
    secret = int.from_bytes(seed, "big") % (_ORDER - 1) + 1
    return ECKey.import_key(_pem(ec.derive_private_key(secret, ec.SECP256R1())))


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _derived(key: bytes, name: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=name).derive(key)
