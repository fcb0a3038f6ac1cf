"""A tool in one line: `name(owner: string, page?: integer, state?: "open"|"closed")`.

Must not know: who reads it. Says when the line leaves out something that the schema insists on.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple, cast

import msgspec

from lockgate.context.compact.keywords import ANNOTATIONS, DEFINED, Schema, defined, named, simple
from lockgate.context.compact.text import first_sentence

LOST: Final = "~"
"""Stands after a signature that is not the whole truth: the schema accepts less."""
LONGEST_SENTENCE: Final = 200
_MOST_VALUES: Final = 12
_FEW_VALUES: Final = 4
_MOST_MEMBERS: Final = 100
_LONGEST: Final = 2000
_LONGEST_VALUE: Final = 60
_DEEPEST: Final = 3
_SAID: Final = frozenset(
    {*ANNOTATIONS, *DEFINED, "$schema", "$id", "type", "properties", "required", "items", "enum"}
) | {"const", "anyOf", "oneOf", "$ref", "format"}
_CHOICES: Final = frozenset({"anyOf", "oneOf", "enum", "const", "$ref"})
"""What says of an object as a whole which members belong together."""
_encode: Final = msgspec.json.Encoder().encode


class Signature(NamedTuple):
    """One line, and whether everything the schema insists on is in it."""

    text: str
    whole: bool

    def __str__(self) -> str:
        """With a mark where it is not whole."""
        return self.text if self.whole else self.text + LOST


def signature(name: str, schema: Any) -> Signature:
    """The signature of a tool of this name and input schema. Bounded; never raises."""
    writer = _Writer(named(schema))
    inside = writer.members(named(schema), 0)
    if len(inside) > _LONGEST:
        return Signature(f"{name}({inside[:_LONGEST]}…)", False)
    return Signature(f"{name}({inside})", writer.whole)


def line(name: str, description: Any, schema: Any) -> str:
    """The signature and the first sentence of what the tool says of itself."""
    said = first_sentence(description, LONGEST_SENTENCE) if isinstance(description, str) else ""
    written = str(signature(name, schema))
    return f"{written} - {said}" if said else written


class _Writer:
    def __init__(self, root: Schema) -> None:
        self._root = root
        self._left = _MOST_MEMBERS
        self.whole = True

    def members(self, schema: Schema, depth: int) -> str:
        """What stands between the brackets."""
        self._notice(schema)
        self.whole &= not schema.keys() & _CHOICES
        properties = named(schema.get("properties"))
        needed = schema.get("required")
        needed = cast("list[Any]", needed) if isinstance(needed, list) else []
        # What has to be there comes first; otherwise in the order of the schema.
        names = sorted(properties, key=lambda name: name not in needed)
        shown = names[: self._left]
        self._left -= len(shown)
        if len(shown) < len(names) or not set(needed) <= set(names):
            self.whole = False
        parts = [self._member(name, properties[name], name in needed, depth) for name in shown]
        return ", ".join([*parts, "…"] if len(shown) < len(names) else parts)

    def _member(self, name: str, schema: Any, needed: bool, depth: int) -> str:
        kind = self._type(schema, depth + 1)
        if needed:
            return f"{name}: {kind}"
        # What may be left out need not be null.
        return f"{name}?: {kind.removesuffix('|null')}"

    def _type(self, schema: Any, depth: int) -> str:
        if not isinstance(schema, dict):
            return "any" if schema is not False else "never"
        one = cast("Schema", schema)
        reference = one.get("$ref")
        if isinstance(reference, str) and simple(reference) and reference != "#":
            one = {**named(defined(self._root, reference)), **one}
            one.pop("$ref", None)
        elif reference is not None:
            self.whole = False
        if depth > _DEEPEST:
            self.whole = False
            return _plain(one.get("type"))
        return self._written(one, depth)

    def _written(self, one: Schema, depth: int) -> str:
        for key in ("enum", "const"):
            if key in one:
                self._notice(one)
                return self._values(one[key] if key == "enum" else [one[key]])
        for key in ("anyOf", "oneOf"):
            if isinstance(one.get(key), list):
                self._notice(one)
                kinds = [self._type(choice, depth + 1) for choice in cast("list[Any]", one[key])]
                return _either(kinds)
        if one.get("type") == "array":
            self._notice(one)
            inside = self._type(one.get("items", True), depth)
            return f"({inside})[]" if "|" in inside else f"{inside}[]"
        if named(one.get("properties")):
            return "{" + self.members(one, depth) + "}"
        self._notice(one)
        return _plain(one.get("type"))

    def _values(self, values: Any) -> str:
        if not isinstance(values, list):
            self.whole = False
            return "any"
        every = cast("list[Any]", values)
        # Of very many, a few show what kind they are.
        most = _MOST_VALUES if len(every) <= _MOST_VALUES else _FEW_VALUES
        written = [_encode(value).decode() for value in every[:most]]
        if len(written) < len(every) or any(len(one) > _LONGEST_VALUE for one in written):
            self.whole = False
            written = [one for one in written if len(one) <= _LONGEST_VALUE] + ["…"]
        return "|".join(written)

    def _notice(self, schema: Schema) -> None:
        """Whether something here insists on more than is written."""
        if schema.keys() <= _SAID:
            return
        more = {
            key: one
            for key, one in schema.items()
            if key not in _SAID and not key.startswith("x-") and one is not True and one != []
        }
        if more and more != {"additionalProperties": False}:
            self.whole = False


def _plain(kind: Any) -> str:
    if isinstance(kind, list):
        return _either(str(one) for one in cast("list[Any]", kind))
    return kind if isinstance(kind, str) else "any"


def _either(kinds: Iterable[str]) -> str:
    return "|".join(dict.fromkeys(kinds)) or "any"
