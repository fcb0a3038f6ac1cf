"""API keys, for callers without an issuer of tokens: what they look like, and what is kept of them.

Must not know: HTTP, where the list comes from.

Only a digest of a key is kept. A key is 256 bits of chance, so a plain fast hash keeps it: there is
nothing to guess, and the slow hashes that protect passwords would protect nothing more here while
costing every request. The name inside a key finds its digest, and the digests are compared in
constant time.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from hmac import compare_digest
from typing import Any, Final

import msgspec

from lockgate.core.message import Principal
from lockgate.identity.principals import including
from lockgate.identity.verdicts import Accepted, Refused

PREFIX: Final = "lockgate_"
"""What every key begins with, so that programs which look for leaked secrets know one."""
ISSUER: Final = "lockgate:keys"
_SHAPE: Final = re.compile(r"lockgate_([a-z0-9]{12})_([A-Za-z0-9_-]{43})\Z", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}\Z", re.ASCII)
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}\Z", re.ASCII)
_NOBODY: Final = "sha256:" + "0" * 64
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_ID_LENGTH: Final = 12
MOST: Final = 100_000
REFUSED: Final = Refused("The API key is not known here, or was revoked.")


class BadKeys(ValueError):
    """A list of keys that cannot be used; the message names the place and no secret."""


class ApiKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept of one key.

    name     whose it is; rules and logs know it as `key:NAME`.
    id       the part of the key that finds it; no secret.
    hash     the digest of the whole key.
    """

    name: str
    id: str
    hash: str
    scopes: list[str] = []
    groups: list[str] = []
    created: datetime | None = None
    expires: datetime | None = None


class KeyList(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The document that keys are kept in."""

    keys: list[ApiKey] = []


def new_key(
    name: str,
    now: float,
    *,
    scopes: Sequence[str] = (),
    groups: Sequence[str] = (),
    expires: float | None = None,
) -> tuple[str, ApiKey]:
    """A new key, and what is to be kept of it.

    Raises:
        BadKeys: the name is none.
    """
    if not _NAME.match(name):
        raise BadKeys(f"{name[:80]!r} is no name of a key: letters, digits and . _ @ -, up to 64")
    found = "".join(secrets.choice(_LETTERS) for _ in range(_ID_LENGTH))
    text = f"{PREFIX}{found}_{secrets.token_urlsafe(32)}"
    kept = ApiKey(
        name=name,
        id=found,
        hash=_digest(text),
        scopes=list(scopes),
        groups=list(groups),
        created=_moment(now),
        expires=None if expires is None else _moment(expires),
    )
    return text, kept


def _moment(wall: float) -> datetime:
    return datetime.fromtimestamp(int(wall), UTC)


def _digest(text: str) -> str:
    return f"sha256:{sha256(text.encode()).hexdigest()}"


def read_keys(data: bytes) -> list[ApiKey]:
    """The keys of a document.

    Raises:
        BadKeys: it is none, or two keys have the same name or id.
    """
    try:
        listed = msgspec.json.decode(data, type=KeyList).keys
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadKeys(f"it holds no list of keys: {error}") from None
    if len(listed) > MOST:
        raise BadKeys(f"it holds more than {MOST} keys")
    for one in listed:
        if not _NAME.match(one.name):
            raise BadKeys(f"{one.name[:80]!r} is no name of a key")
        if not _DIGEST.match(one.hash):
            raise BadKeys(f"the hash of {one.name!r} is not `sha256:` and 64 hexadecimal digits")
        if one.expires is not None and one.expires.tzinfo is None:
            raise BadKeys(f"the expiry of {one.name!r} names no time zone")
    for what, values in (("name", [x.name for x in listed]), ("id", [x.id for x in listed])):
        if len(set(values)) != len(values):
            raise BadKeys(f"two of its keys have the same {what}")
    return listed


def write_keys(listed: Iterable[ApiKey]) -> bytes:
    """The document that `read_keys` reads."""
    encoded = msgspec.json.encode(KeyList(keys=list(listed)))
    return msgspec.json.format(encoded, indent=2) + b"\n"


class Keyring:
    """The keys that are accepted."""

    def __init__(self, listed: Iterable[ApiKey], implied: Mapping[str, frozenset[str]]) -> None:
        self._known: dict[str, tuple[str, Principal]] = {
            one.id: (one.hash, principal_of(one, implied)) for one in listed
        }

    def __len__(self) -> int:
        return len(self._known)

    def find(self, text: str, now: float) -> Accepted | Refused:
        """Whose key it is."""
        shape = _SHAPE.match(text)
        kept, who = self._known.get(shape[1], (_NOBODY, None)) if shape else (_NOBODY, None)
        if not compare_digest(kept, _digest(text)) or who is None:
            return REFUSED
        if who.expires is not None and who.expires <= now:
            return Refused("The API key has expired.", "expired")
        return Accepted(who, who.expires or float("inf"))


def principal_of(one: ApiKey, implied: Mapping[str, frozenset[str]]) -> Principal:
    """The caller that a key makes; `implied` says which scopes a broader one includes."""
    claims: dict[str, Any] = {"name": one.name}
    return Principal(
        id=f"key:{one.name}",
        issuer=ISSUER,
        client=one.name,
        scopes=including(frozenset(one.scopes), implied),
        groups=frozenset(one.groups),
        claims=claims,
        expires=None if one.expires is None else one.expires.timestamp(),
    )
