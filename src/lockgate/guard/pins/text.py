"""The book of pins as text: what stands in `lockgate.lock`, made to be read in a diff.

Must not know: files. The text is JSON with members in canonical order and no character that cannot
be seen, so the same book is always the same text. Each definition stands in full beside its
fingerprint, and both have to agree: half of a merge, or an edit by hand, is found when it is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from lockgate.guard.definition import (
    Exact,
    Unreadable,
    fingerprint_of,
    ordered,
    scalar_of,
    text_of,
    value_of,
)
from lockgate.guard.pins.book import (
    SUBJECTS,
    Book,
    Denial,
    Entry,
    Era,
    Pin,
    ServerPins,
    Subject,
    Thing,
    Trust,
)

FORMAT: Final = 1
"""What `lockgate` at the top says; a later form has a higher number."""
_WIDTH: Final = 96
_TRUSTS: Final[Mapping[str, Trust]] = {"first use": "first use", "reviewed": "reviewed"}
_ERAS: Final[Mapping[str, Era]] = {"handshake": "handshake", "modern": "modern"}


class BadBook(Exception):
    """The text is no book of pins; the message says where and why."""


# Writing.


def written(book: Book) -> str:
    """The text of a book."""
    servers = {name: _server(book.servers[name]) for name in sorted(book.servers)}
    return _pretty({"lockgate": FORMAT, "servers": servers}, "") + "\n"


def _server(server: ServerPins) -> dict[str, Any]:
    met: dict[str, list[str]] = {}
    for subject, era in sorted(server.met):
        met.setdefault(subject, []).append(era)
    things = sorted(server.entries, key=lambda thing: (SUBJECTS.index(thing[0]), thing[1]))
    return {
        "identity": _sorted(dict(server.identity)),
        **({} if server.version is None else {"version": server.version}),
        "trust": server.trust,
        "met": met,
        "pins": {_spelled(thing): _entry(server.entries[thing]) for thing in things},
    }


def _spelled(thing: Thing) -> str:
    return thing[0] if thing[0] == "server" else f"{thing[0]} {thing[1]}"


def _entry(entry: Entry) -> list[dict[str, Any]]:
    pins: list[dict[str, Any]] = [
        {
            "fingerprint": pin.fingerprint,
            "by": pin.by,
            "at": pin.at,
            "definition": _sorted(pin.definition),
        }
        for pin in sorted(entry.pins, key=lambda pin: (pin.at, pin.fingerprint))
    ]
    if entry.denied is not None:
        pins.append({"denied": True, "by": entry.denied.by, "at": entry.denied.at})
    return pins


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {key: _sorted(members[key]) for key in ordered(members)}
    if isinstance(value, list | tuple):
        return [_sorted(item) for item in cast("Sequence[Any]", value)]
    return value


def _pretty(value: Any, indent: str) -> str:
    if isinstance(value, dict | list):
        short = _short(cast("Any", value))
        if len(short) + len(indent) <= _WIDTH and _flat(cast("Any", value)):
            return short
        inner = indent + "  "
        if isinstance(value, dict):
            parts = [
                f"{_visible(key)}: {_pretty(item, inner)}"
                for key, item in cast("dict[str, Any]", value).items()
            ]
            opened, closed = "{", "}"
        else:
            parts = [_pretty(item, inner) for item in cast("list[Any]", value)]
            opened, closed = "[", "]"
        lines = f",\n{inner}".join(parts)
        return f"{opened}\n{inner}{lines}\n{indent}{closed}"
    return _short(value)


def _flat(value: dict[str, Any] | list[Any]) -> bool:
    inside = list(value.values()) if isinstance(value, dict) else value
    return not any(isinstance(one, dict | list) and len(cast("list[Any]", one)) for one in inside)


def _short(value: Any) -> str:
    if isinstance(value, Exact):
        return str(value)
    if isinstance(value, str):
        return _visible(value)
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return f"{{{', '.join(f'{_visible(key)}: {_short(one)}' for key, one in members.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(_short(one) for one in cast('list[Any]', value))}]"
    return scalar_of(value)


def _visible(text: str) -> str:
    """A JSON string in which nothing is invisible."""
    quoted = text_of(text)
    if quoted.isprintable():
        return quoted
    return "".join(one if one.isprintable() else _escape(one) for one in quoted)


def _escape(one: str) -> str:
    data = one.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{data[at : at + 2].hex()}" for at in range(0, len(data), 2))


# Reading.


def read(data: bytes) -> Book:
    """The book that a text holds.

    Raises:
        BadBook: it is cut off, of a later form, or was changed by hand in a way that does not fit.
    """
    if not data.strip():
        raise BadBook("it is empty")
    try:
        top = _object(value_of(data), "it")
    except Unreadable as error:
        raise BadBook(f"{error}") from error
    form = top.get("lockgate")
    if form != FORMAT:
        known = isinstance(form, int) and form > FORMAT
        raise BadBook(
            f"it is of form {form}, and this Lockgate knows form {FORMAT}"
            if known
            else "it does not say that it is a lock file of Lockgate"
        )
    servers = _object(top.get("servers"), "`servers`")
    return Book({name: _server_of(name, one) for name, one in servers.items()})


def _server_of(name: str, value: object) -> ServerPins:
    where = f"server {name!r}"
    server = _object(value, where)
    trust = _TRUSTS.get(_text(server.get("trust"), f"{where}: `trust`"))
    if trust is None:
        raise BadBook(f"{where}: `trust` is neither `first use` nor `reviewed`")
    met: set[tuple[str, Era]] = {
        (subject, _era(era, where))
        for subject, eras in _object(server.get("met", {}), f"{where}: `met`").items()
        for era in _list(eras, f"{where}: `met`")
    }
    version = server.get("version")
    pins = _object(server.get("pins"), f"{where}: `pins`")
    entries = {_thing(key, where): _entry_of(one, f"{where}, {key}") for key, one in pins.items()}
    return ServerPins(
        identity=_object(server.get("identity"), f"{where}: `identity`"),
        trust=trust,
        met=frozenset(met),
        version=None if version is None else _text(version, f"{where}: `version`"),
        entries=entries,
    )


def _era(value: object, where: str) -> Era:
    era = _ERAS.get(_text(value, where))
    if era is None:
        raise BadBook(f"{where}: {value!r} is no era")
    return era


def _thing(key: str, where: str) -> Thing:
    kind, _, name = key.partition(" ")
    if kind not in SUBJECTS or (kind == "server") != (key == "server"):
        raise BadBook(f"{where}: {key[:64]!r} is nothing that can be pinned")
    subject: Subject = kind
    return subject, name


def _entry_of(value: object, where: str) -> Entry:
    pins: list[Pin] = []
    denied: Denial | None = None
    for one in _list(value, where):
        fields = _object(one, where)
        by, at = _text(fields.get("by"), where), _text(fields.get("at"), where)
        if fields.get("denied") is True:
            denied = Denial(by, at)
            continue
        pin = Pin(_text(fields.get("fingerprint"), where), fields.get("definition"), by, at)
        if _printed(pin.definition, where) != pin.fingerprint:
            raise BadBook(f"{where}: the definition is not the one its fingerprint is of")
        pins.append(pin)
    return Entry(tuple(pins), denied)


def _printed(definition: object, where: str) -> str:
    try:
        return fingerprint_of(definition)
    except Unreadable as error:
        raise BadBook(f"{where}: {error}") from error


def _object(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadBook(f"{where} is no object")
    return cast("dict[str, Any]", value)


def _list(value: object, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise BadBook(f"{where} is no list")
    return cast("list[Any]", value)


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or isinstance(value, Exact):
        raise BadBook(f"{where} is no text")
    return value
