"""Where a value stands in a JSON document, and the value, as the bytes it has there.

Must not know: what the document is, or who asks.

A path is a JSON pointer (RFC 6901), `/items/3/name`, or what models write as often,
`items[3].name`. A step `*` stands for every element or member, and what follows it is looked up in
each that has it. Nothing is decoded but the way there, so numbers keep their spelling.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

LONGEST: Final = 1024
DEEPEST: Final = 32
EVERY: Final = "*"
_SHOWN: Final = 12
_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_elements: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
# Each alternative begins with a character none of the others takes, so nothing is tried twice.
_STEP: Final = re.compile(r"\.?([^.\[\]]+)|\[([^\[\]]*)\]")


class NoSuchPlace(Exception):
    """A path that leads nowhere; the message says how far it went and what there is."""


def steps(path: str) -> list[str]:
    """The steps of a path; none for the whole document.

    Raises:
        NoSuchPlace: it is too long, or no path at all.
    """
    if len(path) > LONGEST:
        raise NoSuchPlace(f"A path has at most {LONGEST} characters.")
    if path in ("", "/", "$"):
        return []
    if path.startswith("/"):
        found = [step.replace("~1", "/").replace("~0", "~") for step in path[1:].split("/")]
    else:
        found = _dotted(path)
    if len(found) > DEEPEST:
        raise NoSuchPlace(f"A path has at most {DEEPEST} steps.")
    return found


def _dotted(path: str) -> list[str]:
    path = path.removeprefix("$")
    found: list[str] = []
    at = 0
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            raise NoSuchPlace(f"{path[:100]!r} is no path; write it as /items/0/name.")
        said = step[1] if step[1] is not None else step[2].strip("'\"")
        found.append(said)
        at = step.end()
    return found


def at(data: bytes, path: str) -> bytes:
    """The value at `path` of the JSON document `data`, as JSON bytes.

    Raises:
        NoSuchPlace: there is nothing, or the document is no JSON.
    """
    return _at(data, steps(path), "")


def _at(data: bytes, rest: list[str], been: str) -> bytes:
    for number, step in enumerate(rest):
        if step == EVERY:
            return _each(data, rest[number + 1 :], been)
        data = _into(data, step, been)
        been = f"{been}/{escaped(step)}"
    return data


def _each(data: bytes, rest: list[str], been: str) -> bytes:
    found: list[bytes] = []
    every = [bytes(one) for one in parts(data)]
    for one in every:
        try:
            found.append(_at(one, rest, f"{been}/{EVERY}"))
        except NoSuchPlace:
            continue
    if every and not found:
        # Why nothing has it is best told of the first.
        _at(every[0], rest, f"{been}/{EVERY}")
    return b"[" + b",".join(found) + b"]"


def parts(data: bytes) -> list[msgspec.Raw]:
    """The elements of an array or the values of an object.

    Raises:
        NoSuchPlace: it is neither.
    """
    kind = data.lstrip()[:1]
    try:
        if kind == b"[":
            return _elements(data)
        if kind == b"{":
            return list(_members(data).values())
    except (msgspec.MsgspecError, RecursionError):
        pass
    raise NoSuchPlace("This is neither an array nor an object.")


def _into(data: bytes, step: str, been: str) -> bytes:
    kind = data.lstrip()[:1]
    try:
        if kind == b"{":
            members = _members(data)
            if step not in members:
                raise _missing(f"has no member {step[:100]!r}", been, list(members))
            return bytes(members[step])
        if kind == b"[":
            elements = _elements(data)
            place = int(step) if step.isascii() and step.removeprefix("-").isdecimal() else None
            if place is None or not -len(elements) <= place < len(elements):
                raise _missing(
                    f"is an array of {len(elements)}; {step[:100]!r} is none of them", been
                )
            return bytes(elements[place])
    except (msgspec.MsgspecError, RecursionError):
        raise NoSuchPlace("The document cannot be read as JSON.") from None
    raise _missing("is neither an array nor an object", been)


def _missing(what: str, been: str, names: list[str] | None = None) -> NoSuchPlace:
    shown = ""
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        shown = f" It has {', '.join(name[:60] for name in names[:_SHOWN])}{more}."
    return NoSuchPlace(f"What is at {been or 'the top'} {what}.{shown}")


def escaped(step: str) -> str:
    """One step as it stands in a JSON pointer."""
    return step.replace("~", "~0").replace("/", "~1")
