"""Where schemas stand in a schema, and which of their keywords mean the same in every dialect.

Must not know: what anybody does about it.

Source: JSON Schema draft-07, 2019-09 and 2020-12 (Core and Validation).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, cast

import msgspec

Schema = dict[str, Any]

SINGLE: Final = frozenset(
    {
        "additionalItems",
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
"""Keywords that hold a schema; `items` may hold several."""
SEVERAL: Final = frozenset({"allOf", "anyOf", "items", "oneOf", "prefixItems"})
DEFINED: Final = ("$defs", "definitions")
NAMED: Final = frozenset(
    {*DEFINED, "dependencies", "dependentSchemas", "patternProperties", "properties"}
)
"""Keywords whose members have names of their own, each with a schema."""
ANNOTATIONS: Final = frozenset(
    {
        "$comment",
        "default",
        "deprecated",
        "description",
        "examples",
        "readOnly",
        "title",
        "writeOnly",
    }
)
"""Keywords that accept everything."""
OF_ONE_TYPE: Final = frozenset(
    {
        "additionalProperties",
        "contains",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "items",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "multipleOf",
        "pattern",
        "patternProperties",
        "prefixItems",
        "properties",
        "propertyNames",
        "required",
        "uniqueItems",
    }
)
"""Keywords that accept whatever is of another type than theirs, and so accept null."""
_COMMON: Final = frozenset(
    {
        *OF_ONE_TYPE,
        *ANNOTATIONS,
        "$defs",
        "$id",
        "$ref",
        "$schema",
        "allOf",
        "anyOf",
        "const",
        "definitions",
        "else",
        "enum",
        "if",
        "not",
        "oneOf",
        "then",
        "type",
    }
) - {"prefixItems"}
_STANDARD: Final = _COMMON | {
    "$anchor",
    "$dynamicAnchor",
    "$dynamicRef",
    "$recursiveAnchor",
    "$recursiveRef",
    "$vocabulary",
    "additionalItems",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "format",
    "maxContains",
    "minContains",
    "prefixItems",
    "unevaluatedItems",
    "unevaluatedProperties",
}
_SAME: Final = (
    "json-schema.org/draft-07/schema",
    "json-schema.org/draft/2019-09/schema",
    "json-schema.org/draft/2020-12/schema",
)
DEEPEST: Final = 64


class TooDeep(Exception):
    """Schemas stand in schemas further down than anybody looks."""


class Survey(msgspec.Struct):
    """What has to be known of a schema before anything in it is moved.

    refs         how often each definition is referred to, by `#/$defs/NAME`, from what is reached.
    stuck        of those, what something stands beside that only means something there.
    movable      every reference leads to a definition of the root, or to the root itself.
    leftovers    somewhere it matters which members were looked at by whom.
    same         it means the same in draft-07, 2019-09 and 2020-12.
    """

    refs: dict[str, int]
    stuck: set[str]
    movable: bool = True
    leftovers: bool = False
    same: bool = True


def survey(schema: Schema) -> Survey:
    """See `Survey`.

    Raises:
        TooDeep: see there.
    """
    found = Survey(refs={}, stuck=set())
    _survey(schema, found, schema, 0)
    waiting = list(found.refs)
    while waiting:
        target = defined(schema, waiting.pop())
        if target is None:
            found.movable = False
            continue
        before = set(found.refs)
        _survey(target, found, schema, 0)
        waiting += set(found.refs) - before
    # What nobody refers to is still read by whoever asks what dialect it is.
    unreached = Survey(refs={}, stuck=set())
    for key in DEFINED:
        for one in named(schema.get(key)).values():
            _survey(one, unreached, schema, 0)
    found.movable &= unreached.movable
    found.leftovers |= unreached.leftovers
    found.same &= unreached.same and dialect(schema) in _SAME
    return found


def _survey(schema: Any, found: Survey, root: Schema, depth: int) -> None:
    if not isinstance(schema, dict):
        return
    if depth > DEEPEST:
        raise TooDeep
    one = cast("Schema", schema)
    _look(one, found, root)
    for key, value in below(one):
        if one is root and key in DEFINED:
            continue
        _survey(value, found, root, depth + 1)


def _look(one: Schema, found: Survey, root: Schema) -> None:
    strange = (one.keys() & _STANDARD) - _COMMON
    if strange or isinstance(one.get("items"), list):
        found.same = False
        found.leftovers |= any(key.startswith("unevaluated") for key in strange)
        found.movable &= not any(key.startswith("$") for key in strange)
    if one is not root and ("$id" in one or "$schema" in one):
        found.movable = found.same = False
    reference = one.get("$ref")
    if reference is None:
        return
    # In draft-07, what stands beside a reference is not there.
    alone = one.keys() <= {*ANNOTATIONS, "$ref", "$schema", "$id", *DEFINED}
    found.same &= alone
    if not isinstance(reference, str) or not simple(reference):
        found.movable = False
    elif reference != "#":
        found.refs[reference] = found.refs.get(reference, 0) + 1
        if not alone:
            found.stuck.add(reference)


def dialect(schema: Schema) -> str:
    """The dialect a schema says it is written in, without the beginning and end of its URI."""
    said = schema.get("$schema")
    return said.partition("://")[2].rstrip("#") if isinstance(said, str) else ""


def simple(reference: str) -> bool:
    """Whether a reference names a definition of the root, or the root itself."""
    start, _, name = reference.rpartition("/")
    plain = bool(name) and not any(mark in name for mark in "~%#")
    return reference == "#" or (plain and start in {f"#/{key}" for key in DEFINED})


def defined(root: Schema, reference: str) -> Any:
    """What a simple reference leads to; None: nothing."""
    _, key, name = reference.split("/")
    return named(root.get(key)).get(name)


def named(value: Any) -> Schema:
    """A mapping, or an empty one."""
    return cast("Schema", value) if isinstance(value, dict) else {}


def below(schema: Schema) -> Iterator[tuple[str, Any]]:
    """The schemas that stand in a schema, with the keyword they stand under."""
    for key, value in schema.items():
        if key in NAMED:
            for one in named(value).values():
                yield key, one
        elif isinstance(value, list):
            if key in SEVERAL:
                for one in cast("list[Any]", value):
                    yield key, one
        elif key in SINGLE:
            yield key, value
