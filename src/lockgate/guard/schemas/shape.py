"""What a schema can cost, read off before anything is compiled or checked.

Must not know: how values are checked.

Counted is how many subschemas may look at one and the same place of a value. Subschemas that apply
where they stand (`allOf`, `anyOf`, `$ref` and the like) add up; those for members and items go to
other places, so of them the largest counts. A reference back to where it is used, and one that
cannot be followed here, has no such number: it has to be counted while a value is checked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, cast
from urllib.parse import unquote

import msgspec

MOST_BYTES: Final = 256 * 1024
MOST_DEPTH: Final = 64
MOST_NODES: Final = 20_000
MOST_PATTERNS: Final = 100
LONGEST_PATTERN: Final = 4096
MOST_LOOKS: Final = 10_000
"""Subschemas that may look at one place before it is counted how many really do."""
_DEEPEST_CHAIN: Final = 400

_ALL_OF: Final = ("allOf", "anyOf", "oneOf")
_HERE: Final = ("not", "if", "then", "else")
BY_NAME: Final = ("dependentSchemas", "dependencies")
_UNEVALUATED: Final = ("unevaluatedProperties", "unevaluatedItems")
_ELSEWHERE_REFS: Final = ("$dynamicRef", "$recursiveRef")
DEFINED: Final = ("$defs", "definitions")
MAPS: Final = frozenset({*DEFINED, "properties", "patternProperties", *BY_NAME})
"""Keywords whose members have names of their own, each with a schema."""
VALUES: Final = frozenset({"enum", "const"})
"""Keywords that hold values, and no schema."""
_UNDER_WAY: Final = (0, 0)
_MISSING: Final = object()

Schema = dict[str, Any]


class Unusable(Exception):
    """A schema that nothing can be checked by.

    why  `invalid`; `dialect`: written in one that is not known; `reference`: it needs another
         document, and none is fetched; `too-large`: it goes over a bound of this file.
    """

    def __init__(self, why: str, message: str) -> None:
        super().__init__(message)
        self.why: Final = why


class Shape(msgspec.Struct, frozen=True):
    """What is known of a schema before it is used.

    looks     how many subschemas may look at one place of a value.
    endless   there is no such number: whoever checks has to count.
    texts     the patterns that texts are held against.
    names     the same for names of members.
    """

    looks: int
    endless: bool
    texts: frozenset[str]
    names: frozenset[str]


def shape_of(schema: Any) -> Shape:
    """The shape of a schema that was read from JSON.

    Raises:
        Unusable: it is none, or too large.
    """
    if isinstance(schema, bool):
        return Shape(1, False, frozenset(), frozenset())
    if not isinstance(schema, dict):
        raise Unusable("invalid", "it is neither an object nor true or false")
    if nodes(schema, MOST_NODES) > MOST_NODES:
        raise Unusable("too-large", f"it has more than {MOST_NODES} parts")
    found = _Reader(cast("Schema", schema))
    looks = found.looks(found.root)
    endless = found.endless or looks > MOST_LOOKS
    if endless:
        looks = found.alone()
    patterns = found.texts | found.names
    if len(patterns) > MOST_PATTERNS or any(len(one) > LONGEST_PATTERN for one in patterns):
        raise Unusable("too-large", "it has too many patterns, or one that is too long")
    return Shape(looks, endless, frozenset(found.texts), frozenset(found.names))


def nodes(value: Any, most: int) -> int:
    """How many parts a value has, long texts for several; past `most` nobody looks on."""
    found, waiting = 0, [value]
    while waiting and found <= most:
        one = waiting.pop()
        found += 1
        if isinstance(one, dict):
            waiting += cast("Schema", one).values()
        elif isinstance(one, list):
            waiting += cast("list[Any]", one)
        elif isinstance(one, str):
            found += len(one) >> 8
    return found


class _Reader:
    """Counts, once for every subschema; what references lead to counts where they stand."""

    def __init__(self, root: Schema) -> None:
        self.root = root
        self.endless = False
        self.texts: set[str] = set()
        self.names: set[str] = set()
        self._targets: list[Any] = [root]
        self._lost = False
        self._follow = True
        self._known: dict[int, tuple[int, int]] = {}
        self._depth = 0

    def looks(self, schema: Any) -> int:
        """How many subschemas may look at one place, when `schema` looks at a value once."""
        return max(self._count(schema))

    def alone(self) -> int:
        """The same for the worst of what references lead to, each by itself."""
        self._follow = False
        self._known = {}
        if self._lost:
            return nodes(self.root, MOST_NODES)
        return max(map(self.looks, self._targets))

    def _count(self, schema: Any) -> tuple[int, int]:
        """How many look at the value itself, and at most at one of its parts."""
        if not isinstance(schema, dict):
            return 1, 0
        known = self._known.get(id(cast("object", schema)))
        if known is not None:
            self.endless |= known is _UNDER_WAY
            return known
        self._depth += 1
        if self._depth > _DEEPEST_CHAIN:
            raise Unusable("too-large", "its references lead too far")
        self._known[id(cast("object", schema))] = _UNDER_WAY
        found = self._counted(cast("Schema", schema))
        self._known[id(cast("object", schema))] = found
        self._depth -= 1
        return found

    def _counted(self, schema: Schema) -> tuple[int, int]:
        here, parts = self._own(schema), self._parts(schema)
        for one in self._in_place(schema):
            more, below = self._count(one)
            here += more
            parts += below
        if any(key in schema for key in _UNEVALUATED):
            # Whoever asks what is left over asks everybody else once more.
            here, parts = 2 * here, 2 * parts
        return min(here, MOST_LOOKS + 1), min(parts, MOST_LOOKS + 1)

    def _own(self, schema: Schema) -> int:
        pattern = schema.get("pattern")
        if isinstance(pattern, str):
            self.texts.add(pattern)
        if schema is not self.root and isinstance(schema.get("$id"), str):
            # References inside of it are relative to it.
            self._lose()
        compared = (schema.get("enum"), schema.get("const"), schema.get("required"))
        cost = sum(nodes(one, MOST_NODES) for one in compared if one is not None)
        return 1 + cost // 8 + 16 * (schema.get("uniqueItems") is True)

    def _in_place(self, schema: Schema) -> Iterable[Any]:
        for key in _ALL_OF:
            yield from _listed(schema.get(key))
        for key in _HERE:
            if key in schema:
                yield schema[key]
        for key in BY_NAME:
            yield from _named(schema.get(key)).values()
        reference = schema.get("$ref")
        if isinstance(reference, str):
            target = self._target(reference)
            if self._follow and target is not None:
                yield target
        if any(key in schema for key in _ELSEWHERE_REFS):
            self._lose()

    def _parts(self, schema: Schema) -> int:
        patterned = _named(schema.get("patternProperties"))
        self.names.update(patterned)
        named = [*_named(schema.get("properties")).values(), schema.get("additionalProperties")]
        members = self._largest(named) + self._sum(patterned.values())
        members += self._sum([schema.get("propertyNames"), schema.get("unevaluatedProperties")])
        items = schema.get("items")
        placed = [*_listed(schema.get("prefixItems")), *_listed(items)]
        placed += [schema.get("additionalItems"), None if isinstance(items, list) else items]
        rest = [schema.get("contains"), schema.get("unevaluatedItems")]
        return max(members, self._largest(placed) + self._sum(rest))

    def _largest(self, schemas: Iterable[Any]) -> int:
        return max((self.looks(one) for one in schemas if one is not None), default=0)

    def _sum(self, schemas: Iterable[Any]) -> int:
        return sum(self.looks(one) for one in schemas if one is not None)

    def _target(self, reference: str) -> Any:
        """What a reference within the document leads to; None: it cannot be followed here."""
        document, _, fragment = reference.partition("#")
        steps = unquote(fragment).split("/")
        found: Any = _MISSING if document or steps[0] else self.root
        named = False
        for step in steps[1:]:
            if step in VALUES and not named:
                # What stands there is no schema, and nothing in it would be counted.
                raise Unusable("reference", "a reference leads into a value")
            named = step in MAPS and not named
            found = _member(found, step.replace("~1", "/").replace("~0", "~"))
        if found is _MISSING:
            self._lose()
            return None
        self._targets.append(found)
        return found

    def _lose(self) -> None:
        self.endless = self._lost = True


def _member(value: Any, key: str) -> Any:
    if isinstance(value, dict):
        return cast("Schema", value).get(key, _MISSING)
    items = _listed(value)
    return items[int(key)] if key.isdecimal() and int(key) < len(items) else _MISSING


def _listed(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _named(value: Any) -> Schema:
    return cast("Schema", value) if isinstance(value, dict) else {}
