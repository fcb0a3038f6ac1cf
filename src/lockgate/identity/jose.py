"""Signed tokens (RFC 7515, RFC 7519) read strictly, before anything in them is believed.

Must not know: who issues them, what their claims mean. The algebra of signatures is `joserfc`'s;
which key and which algorithm may be used is decided here and by the caller, never by the token:
`jwk`, `jku`, `x5c` and `x5u` in its header are not looked at.
"""

from __future__ import annotations

import binascii
import json
import re
import warnings
from base64 import b64decode
from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

Key = RSAKey | ECKey | OKPKey
LONGEST: Final = 16 * 1024
_MOST_HEADER: Final = 8 * 1024
_PARTS: Final = 3
_shape: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z", re.ASCII)
_FAMILIES: Final[Mapping[str, type[Key]]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), RSAKey),
    **dict.fromkeys(("ES256", "ES384", "ES512"), ECKey),
    **dict.fromkeys(("EdDSA", "Ed25519"), OKPKey),
}
_CURVES: Final = {
    "ES256": "P-256",
    "ES384": "P-384",
    "ES512": "P-521",
    "EdDSA": "Ed25519",
    "Ed25519": "Ed25519",
}
LEAST_RSA_BITS: Final = 2048


class BadToken(Exception):
    """What makes a token unfit, in words its sender may read."""


class Signed(msgspec.Struct, frozen=True):
    """A token whose signature nobody has looked at yet."""

    text: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]

    @property
    def algorithm(self) -> str:
        """What it says it is signed with; empty when it says nothing of the sort."""
        alg = self.header.get("alg")
        return alg if isinstance(alg, str) else ""


def looks_signed(text: str) -> bool:
    """Whether it has the shape of a signed token, so that it is one or is nothing."""
    return text.count(".") == _PARTS - 1 and text.startswith("ey")


def read(text: str) -> Signed:
    """Take a token apart.

    Raises:
        BadToken: it is too long, not of the shape, not JSON, has a member twice, or names
            extensions that have to be understood (`crit`).
    """
    if len(text) > LONGEST:
        raise BadToken("The token is too long.")
    if not _shape.match(text):
        raise BadToken("The token is not in the form of a signed token.")
    head, body, _ = text.split(".")
    header, claims = _object(head), _object(body)
    if "crit" in header or "b64" in header:
        raise BadToken("The token asks for extensions that are not supported.")
    return Signed(text, header, claims)


def _object(segment: str) -> Mapping[str, Any]:
    try:
        text = _decoded(segment).decode("utf-8")
        found: object = json.loads(
            text, object_pairs_hook=_without_duplicates, parse_constant=_no_number
        )
    except (ValueError, RecursionError):
        raise BadToken("The token is not made of proper JSON.") from None
    if not isinstance(found, dict):
        raise BadToken("The token is not made of JSON objects.")
    return cast("dict[str, Any]", found)


def _decoded(segment: str) -> bytes:
    try:
        return b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError("no base64url") from None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands twice")
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def fits(key: Key, algorithm: str) -> bool:
    """Whether a key is of the kind an algorithm takes, and strong enough."""
    family = _FAMILIES.get(algorithm)
    if family is None or not isinstance(key, family):
        return False
    if isinstance(key, RSAKey):
        return key.public_key.key_size >= LEAST_RSA_BITS
    return key.curve_name == _CURVES[algorithm]


def verified(signed: Signed, key: Key) -> bool:
    """Whether the token is signed with `key` by the algorithm it names; the key has to fit that."""
    algorithm = signed.algorithm
    if not fits(key, algorithm):
        return False
    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    registry.max_header_length = _MOST_HEADER
    registry.max_payload_length = LONGEST
    try:
        # RFC 9864 gave EdDSA more exact names; issuers will go on saying EdDSA for long.
        with warnings.catch_warnings(action="ignore"):
            jws.deserialize_compact(signed.text, key, registry=registry)
    except (JoseError, ValueError, TypeError):
        return False
    return True


def public_key(data: object) -> Key | None:
    """A key of a JWK (RFC 7517) that signatures may be checked with; None when it is none."""
    if not isinstance(data, dict):
        return None
    found = cast("dict[str, Any]", data)
    if found.get("use", "sig") != "sig":
        return None
    operations: object = found.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    kinds: dict[object, type[Key]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
    kind = kinds.get(found.get("kty"))
    if kind is None or "d" in found:
        return None
    members = {name: value for name, value in found.items() if name not in _NOT_NEEDED}
    try:
        key = kind.import_key(members)
        # Imported lazily: what is no point on its curve shows only now.
        _ = key.public_key
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return key


_NOT_NEEDED: Final = frozenset({"x5c", "x5t", "x5t#S256", "x5u", "key_ops", "use", "alg"})
