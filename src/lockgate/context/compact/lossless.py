"""The lossless level: a shorter schema that accepts and refuses exactly what the original does.

Must not know: who is shown it.

    | dropped or rewritten                                   | unless                              |
    |--------------------------------------------------------|-------------------------------------|
    | `$schema`                                              | draft-07 and 2020-12 would differ   |
    | `$comment`                                             |                                     |
    | a `title` that says no more than the name beside it    |                                     |
    | empty `description`, `examples`, `required`, `$defs`   |                                     |
    | `additionalProperties` that accepts everything         | something asks what is left over    |
    | definitions nobody refers to                           | a reference leads elsewhere         |
    | a definition used once: it moves to where it is used   | a reference leads elsewhere         |
    | `anyOf: [X, null]` becomes `type: [X, "null"]`         | the reader takes no lists of types  |
    | `default: null` of what may be null or missing         |                                     |
    | indents, blank lines and doubled spaces of descriptions| between code fences                 |

What a model can learn from stays: examples, other defaults, every other title. What nobody here
knows stays as it is.
"""

from __future__ import annotations

from typing import Any, Final, cast

from lockgate.context.compact.keywords import (
    ANNOTATIONS,
    DEEPEST,
    DEFINED,
    NAMED,
    OF_ONE_TYPE,
    SEVERAL,
    SINGLE,
    Schema,
    Survey,
    TooDeep,
    defined,
    named,
    survey,
)
from lockgate.context.compact.text import tidy

PASSES: Final = 4
"""Rounds at most: what one takes away may be what kept the next from taking more."""
_GONE: Final = object()
_EMPTY_LISTS: Final = frozenset({"examples", "required"})
_PLAIN: Final = OF_ONE_TYPE | ANNOTATIONS | {"type", "format"}


def lossless(schema: Schema, *, type_lists: bool) -> Schema:
    """The schema, shorter; a new one, the given one is not touched.

    Args:
        schema: one that was read from JSON.
        type_lists: whether its reader understands `type: ["string", "null"]`.

    Raises:
        TooDeep: it nests further than anybody looks.
    """
    for _ in range(PASSES):
        before, schema = schema, _Compaction(schema, type_lists).done()
        if schema == before:
            break
    return schema


class _Compaction:
    def __init__(self, root: Schema, type_lists: bool) -> None:
        self._root = root
        self._known: Survey = survey(root)
        self._type_lists = type_lists and self._known.movable and not self._known.leftovers

    def done(self) -> Schema:
        return self._schema(self._root, "", 0, root=True)

    def _any(self, schema: Any, name: str, depth: int) -> Any:
        if not isinstance(schema, dict):
            return schema
        return self._schema(cast("Schema", schema), name, depth)

    def _schema(self, schema: Schema, name: str, depth: int, *, root: bool = False) -> Schema:
        if depth > DEEPEST:
            raise TooDeep
        reference = schema.get("$ref")
        if isinstance(reference, str) and self._moves(reference):
            name = name or reference.rpartition("/")[2]
            beside = {key: one for key, one in schema.items() if key != "$ref"}
            moved = named(defined(self._root, reference))
            if "title" in moved and _says_no_more(moved["title"], reference.rpartition("/")[2]):
                moved = {key: one for key, one in moved.items() if key != "title"}
            schema = {**moved, **beside}
        found: Schema = {}
        for key, value in schema.items():
            kept = self._member(schema, key, value, name, depth, root=root)
            if kept is not _GONE:
                found[key] = kept
        return _with_type_list(found) if self._type_lists else found

    def _moves(self, reference: str) -> bool:
        once = self._known.refs.get(reference) == 1 and reference not in self._known.stuck
        return once and self._known.movable and isinstance(defined(self._root, reference), dict)

    def _member(
        self, schema: Schema, key: str, value: Any, name: str, depth: int, *, root: bool
    ) -> Any:
        if key in ANNOTATIONS:
            return _annotation(key, value, name, root=root)
        if key in _EMPTY_LISTS and value == []:
            return _GONE
        if key == "$schema" and root and self._known.same:
            return _GONE
        if key == "additionalProperties" and (value is True or value == {}):
            return value if self._known.leftovers else _GONE
        if root and key in DEFINED:
            return self._definitions(key, value, depth)
        if key == "properties":
            return self._properties(schema, value, depth)
        return self._below(key, value, depth)

    def _below(self, key: str, value: Any, depth: int) -> Any:
        if key in NAMED and isinstance(value, dict):
            members = cast("Schema", value).items()
            return {name: self._any(one, name, depth + 1) for name, one in members}
        if key in SEVERAL and isinstance(value, list):
            return [self._any(one, "", depth + 1) for one in cast("list[Any]", value)]
        return self._any(value, "", depth + 1) if key in SINGLE else value

    def _properties(self, schema: Schema, value: Any, depth: int) -> Any:
        if not isinstance(value, dict):
            return value
        needed = schema.get("required")
        found: Schema = {}
        for name, one in cast("Schema", value).items():
            kept = self._any(one, name, depth + 1)
            if not isinstance(needed, list) or name not in needed:
                kept = _without_null(kept)
            found[name] = kept
        return found

    def _definitions(self, key: str, value: Any, depth: int) -> Any:
        if not isinstance(value, dict) or not self._known.movable:
            return self._below(key, value, depth)
        kept = {
            name: self._any(one, name, depth + 1)
            for name, one in cast("Schema", value).items()
            if f"#/{key}/{name}" in self._known.refs and not self._moves(f"#/{key}/{name}")
        }
        return kept or _GONE


def _annotation(key: str, value: Any, name: str, *, root: bool) -> Any:
    if key == "$comment" or (key == "examples" and value == []):
        return _GONE
    if key == "title":
        return _GONE if root or _says_no_more(value, name) else value
    if key == "description" and isinstance(value, str):
        return tidy(value) or _GONE
    return value


def _says_no_more(title: Any, name: str) -> bool:
    """Whether a title is made of the name beside it, as generators of schemas do."""
    return isinstance(title, str) and _letters(title) in ("", _letters(name))


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()


def _without_null(schema: Any) -> Any:
    """What is left out may as well say nothing of being null, where it may be null."""
    if not isinstance(schema, dict):
        return schema
    one = cast("Schema", schema)
    if one.get("default", "") is not None or not _takes_null(one):
        return one
    return {key: value for key, value in one.items() if key != "default"}


def _takes_null(schema: Schema) -> bool:
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return "null" in kinds
    choices = schema.get("anyOf")
    return isinstance(choices, list) and {"type": "null"} in choices


def _with_type_list(schema: Schema) -> Schema:
    """`anyOf: [X, null]` as X with one type more, where nothing in X would refuse null."""
    for key in ("anyOf", "oneOf"):
        choice = _or_null(schema.get(key))
        if choice is None:
            continue
        beside = {name: value for name, value in schema.items() if name != key}
        kind = choice["type"]
        kinds = cast("list[Any]", kind) if isinstance(kind, list) else [kind]
        if beside.keys() <= ANNOTATIONS:
            return {**choice, "type": [*kinds, "null"], **beside}
    return schema


def _or_null(choices: Any) -> Schema | None:
    """The one of two choices that is not null; None: there is no such."""
    if not isinstance(choices, list) or len(cast("list[Any]", choices)) != 2:
        return None
    null = {"type": "null"}
    left = [named(one) for one in cast("list[Any]", choices) if one != null]
    if len(left) != 1 or not left[0].keys() <= _PLAIN:
        return None
    kinds = left[0].get("type")
    several = isinstance(kinds, list) and "null" not in kinds
    return left[0] if several or (isinstance(kinds, str) and kinds != "null") else None
