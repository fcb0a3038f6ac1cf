"""Every string of a definition, with its path and what it is there for.

Must not know: what is looked for. Bounded: a definition larger than any honest one is not read to
its end, and that it was not is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, cast

import msgspec

Role = Literal["name", "title", "description", "parameter", "value", "annotation", "pattern"]
"""What a string is there for.

    name         what the definition is called.
    description  prose for the model: also titles' longer siblings, instructions, `$comment`.
    parameter    the name of an argument.
    value        a constant of a schema: enum, default, const, an example.
    annotation   anything else: `_meta`, icons, members nobody here knows.
"""

MOST_STRINGS: Final = 4000
MOST_CHARACTERS: Final = 100_000
DEEPEST: Final = 64

_ROLES: Final[dict[str, Role]] = {
    "name": "name",
    "title": "title",
    "description": "description",
    "instructions": "description",
    "$comment": "description",
    "enum": "value",
    "default": "value",
    "const": "value",
    "examples": "value",
    "example": "value",
    "pattern": "pattern",
    "uri": "name",
    "uriTemplate": "name",
}
_SCHEMAS: Final = frozenset({"properties", "patternProperties", "$defs", "definitions"})
_QUIET: Final = frozenset({"type", "format", "$ref", "$schema", "$id", "mimeType", "required"})
"""Members whose strings are words of JSON Schema; they are read only when they are long."""


class Place(msgspec.Struct, frozen=True):
    """One string: where it stands, and what for."""

    path: str
    text: str
    role: Role


class Places(list[Place]):
    """The strings of one definition.

    cut  whether there was more than is ever read.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cut = False
        self.left = MOST_CHARACTERS

    def add(self, path: str, text: str, role: Role) -> None:
        """Note one string, as far as there is room."""
        if len(self) >= MOST_STRINGS or self.left <= 0:
            self.cut = True
            return
        if len(text) > self.left:
            self.cut = True
            text = text[: self.left]
        self.left -= len(text)
        self.append(Place(path, text, role))


def places(definition: Mapping[str, object]) -> Places:
    """The strings of a definition, in the order they are written."""
    found = Places()
    _walk(definition, "", "annotation", found, 0)
    return found


def _walk(value: object, path: str, role: Role, found: Places, depth: int) -> None:
    if isinstance(value, str):
        if value:
            found.add(path, value, role)
    elif depth >= DEEPEST:
        found.cut = True
    elif isinstance(value, dict):
        _members(cast("Mapping[str, object]", value), path, role, found, depth)
    elif isinstance(value, (list, tuple)):
        for number, one in enumerate(cast("Sequence[object]", value)):
            _walk(one, f"{path}[{number}]", role, found, depth + 1)
            if found.cut:
                return


def _members(value: Mapping[str, object], path: str, role: Role, found: Places, depth: int) -> None:
    for key, one in value.items():
        if found.cut:
            return
        below = f"{path}.{key}" if path else key
        if key in _SCHEMAS and isinstance(one, dict):
            for name, schema in cast("Mapping[str, object]", one).items():
                found.add(f"{below}.{name}", name, "parameter")
                _walk(schema, f"{below}.{name}", "annotation", found, depth + 2)
        elif key in _QUIET:
            if isinstance(one, str) and len(one) > 40:
                found.add(below, one, "annotation")
        elif key == "arguments" and isinstance(one, list):
            _arguments(cast("Sequence[object]", one), below, found, depth)
        else:
            if not key.isidentifier() or len(key) > 40:
                found.add(below, key, "parameter")
            inner = role if role == "value" else _ROLES.get(key, "annotation")
            _walk(one, below, inner, found, depth + 1)


def _arguments(value: Sequence[object], path: str, found: Places, depth: int) -> None:
    """A prompt's arguments: their names are parameters."""
    for number, one in enumerate(value):
        below = f"{path}[{number}]"
        if isinstance(one, dict):
            argument = cast("dict[str, object]", one)
            name = argument.get("name")
            if isinstance(name, str):
                found.add(f"{below}.name", name, "parameter")
                argument = {key: it for key, it in argument.items() if key != "name"}
            _members(argument, below, "annotation", found, depth + 2)
        else:
            _walk(one, below, "annotation", found, depth + 1)
