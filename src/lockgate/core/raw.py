"""A JSON object that stays as the bytes it arrived in until somebody looks.

Must not know: what any key means.

`Raw` keeps three faces of one object: the bytes received, the top-level members split but not
decoded, and the members somebody has decoded. Encoding prefers the least processed face that is
still truthful: an object nobody opened goes out as the bytes that came in; an opened one is written
again from its members, and a member somebody decoded is written from the decoded value. So what was
inspected is what is forwarded, and what nobody understands passes unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

if TYPE_CHECKING:
    from typing_extensions import Buffer

Members = dict[str, "Buffer"]
"""Keys with raw JSON values: bytes, or, just split, a `msgspec.Raw`: a view, not yet a copy.

A `msgspec.Raw` is no `bytes`, though its stubs say so; "something like bytes" is true of both."""

_MISSING: Final = object()
_split: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode


class Raw(Mapping[str, Any]):
    """An immutable JSON object, decoded member by member on demand.

    Reading a member (`raw["name"]`, `raw.get("name")`) decodes it once and pins that value as what
    `encode` will write. Decoded values are shared, so treat them as read-only; change an object
    with `replace` and `without`, which return new ones.

    A key that appears twice has one meaning everywhere: the last one wins (RFC 8259 section 4
    leaves it open).
    """

    __slots__ = ("_bytes", "_members", "_seen")

    def __init__(self, data: bytes | None = None, members: Members | None = None) -> None:
        """Wrap `data`, the bytes of one JSON object, or `members`: keys with raw JSON values."""
        self._bytes = data
        self._members: Members | None = members if data is None else None
        self._seen: dict[str, Any] = {}
        if data is None and members is None:
            self._bytes, self._members = b"{}", {}

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Raw:
        """Build from a mapping of plain values; a `Raw` may be among them, though no deeper."""
        if isinstance(value, Raw):
            return value
        return cls(members={key: encode(item) for key, item in value.items()})

    def _split(self) -> Members:
        members = self._members
        if members is None:
            data = b"{}" if self._bytes is None else self._bytes
            members = self._members = cast("Members", _split(data))
        return members

    def check(self) -> Raw:
        """Split now; raises `msgspec.DecodeError` when the bytes are not one JSON object."""
        self._split()
        return self

    def __getitem__(self, key: str) -> Any:
        value = self._seen.get(key, _MISSING)
        if value is _MISSING:
            value = _decode(self._split()[key])
            self._seen[key] = value
        return value

    def get(self, key: str, default: Any = None) -> Any:
        """The decoded member, or `default` when it is absent."""
        value = self._seen.get(key, _MISSING)
        if value is _MISSING:
            data: Buffer | None = (self._members or self._split()).get(key)
            if data is None:
                return default
            value = self._seen[key] = _decode(data)
        return value

    def member(self, key: str) -> bytes | None:
        """The member as JSON bytes, or None; what `encode` would write for it."""
        if key in self._seen:
            return _encode(self._seen[key])
        data: Buffer | None = (self._members or self._split()).get(key)
        return data if data is None else bytes(data)

    @property
    def size(self) -> int:
        """How many bytes the object had as it came in, or would have."""
        data = self._bytes
        return len(self.encode() if data is None else data)

    def length(self, key: str) -> int:
        """How many bytes the member had as it came in; 0 when it is absent."""
        data: Any = (self._members or self._split()).get(key)
        return 0 if data is None else len(data)

    def object(self, key: str) -> Raw:
        """The member as a `Raw` of its own; empty when it is absent, null or not an object."""
        data = self.member(key)
        if data is None or not data.lstrip().startswith(b"{"):
            return EMPTY
        return Raw(data)

    def __iter__(self) -> Iterator[str]:
        return iter(self._split())

    def __len__(self) -> int:
        return len(self._split())

    def __contains__(self, key: Any) -> bool:
        return key in (self._members or self._split())

    def replace(self, **members: Any) -> Raw:
        """A new object with these members set to plain values (or `Raw`, or `msgspec.Raw`)."""
        return self.with_members({key: encode(value) for key, value in members.items()})

    def with_members(self, members: Mapping[str, Buffer]) -> Raw:
        """A new object with these members set to ready JSON bytes."""
        return Raw(members={**self._written(), **members})

    def without(self, *keys: str) -> Raw:
        """A new object without these members; itself when it has none of them."""
        members = self._members or self._split()
        for key in keys:
            if key in members:
                break
        else:
            return self
        kept = dict(self._written())
        for key in keys:
            kept.pop(key, None)
        return Raw(members=kept)

    def _written(self) -> Members:
        members = self._members or self._split()
        if not self._seen:
            return members
        seen = self._seen
        return {k: _encode(seen[k]) if k in seen else v for k, v in members.items()}

    @property
    def received(self) -> bytes:
        """The bytes it arrived as, if there are any, else as it is written: to look through.

        Whatever `encode` writes of strings is in there somewhere, though perhaps escaped; so what
        these bytes do not hold is not in what is forwarded. Never forward them themselves.
        """
        return self.encode() if self._bytes is None else self._bytes

    def encode(self) -> bytes:
        """The object as JSON bytes."""
        if self._members is None:
            return b"{}" if self._bytes is None else self._bytes
        # Each key is written with a comma before it; the first one's makes room for the brace.
        return b"{" + b"".join(self._parts(self._members))[1:] + b"}"

    def encode_with(self, key: str, value: bytes) -> bytes:
        """As `encode`, with one more member, or another in its place; `value` is JSON bytes."""
        members = self._members or self._split()
        if key in members:
            return self.with_members({key: value}).encode()
        parts = self._parts(members)
        parts += (_keys.get(key) or _key(key), value)
        return b"{" + b"".join(parts)[1:] + b"}"

    def _parts(self, members: Members) -> list[Buffer]:
        seen = self._seen
        parts: list[Buffer] = []
        for key, value in members.items():
            parts += (
                _keys.get(key) or _key(key),
                _encode(seen[key]) if key in seen else value,
            )
        return parts

    def __repr__(self) -> str:
        """Names the members, never their values: params may hold secrets."""
        try:
            return f"Raw({', '.join(self._split())})"
        except msgspec.MsgspecError:
            return f"Raw(<{len(self._bytes or b'')} bytes, not a JSON object>)"


_keys: dict[str, bytes] = {}


def _key(key: str) -> bytes:
    written = b"," + _encode(key) + b":"
    if len(_keys) < 1024 and len(key) <= 64:
        _keys[key] = written
    return written


def encode(value: Any) -> bytes:
    """JSON bytes of a plain value, a `Raw` or a `msgspec.Raw`."""
    if isinstance(value, Raw):
        return value.encode()
    if isinstance(value, msgspec.Raw):
        return bytes(value)
    return _encode(value)


EMPTY: Final = Raw(b"{}")
