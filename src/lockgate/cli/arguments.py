"""`key=value` words from a shell, as arguments of the types a tool's schema declares.

Must not know: terminals, tools beyond their `inputSchema`. The schema comes from a server and is
not trusted to be sound: what it does not say plainly is taken as text.

    key=value      by the schema's type: text, number, true/false, null; JSON for lists and objects
    key=a key=b    a list, where the schema wants one
    outer.inner=1  a member of an object, where `outer` is one
    key:=JSON      any JSON value, whatever the schema says
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from lockgate.core.names import nearest

Schema = Mapping[str, Any]
_TRUTH: Final = {"true": True, "yes": True, "on": True, "1": True} | {
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


class BadArgument(ValueError):
    """A word cannot be understood; the message says how to write it."""


def parse(words: Sequence[str], schema: Schema, start: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a call.

    Args:
        words: `key=value` and `key:=JSON` words.
        schema: the tool's inputSchema.
        start: arguments given otherwise, which words may replace.

    Raises:
        BadArgument: a word is malformed, a key unknown, a value of the wrong type, or a required
            argument missing.
    """
    arguments: dict[str, Any] = dict(start)
    repeated: dict[str, list[Any]] = {}
    for word in words:
        key, value = _word(word, schema)
        if kinds(_described(schema, key)) & {"array"} and not isinstance(value, list):
            repeated.setdefault(key, []).append(value)
            value = list(repeated[key])
        _put(arguments, key, value, schema)
    wanted = [key for key in _list(schema, "required") if isinstance(key, str)]
    missing = [key for key in wanted if key not in arguments]
    if missing:
        raise BadArgument(f"Required and not given: {', '.join(missing)}.")
    return arguments


def _word(word: str, schema: Schema) -> tuple[str, Any]:
    key, separator, text = word.partition("=")
    if not separator or not key.rstrip(":"):
        raise BadArgument(f"{word!r} is not key=value.")
    if key.endswith(":"):
        key = key[:-1]
        _check_known(key, schema)
        return key, _json(key, text)
    _check_known(key, schema)
    return key, convert(key, text, _described(schema, key))


def _check_known(key: str, schema: Schema) -> None:
    properties = _properties(schema)
    outer = key.partition(".")[0]
    if not properties or key in properties or outer in properties:
        return
    if schema.get("additionalProperties") not in (None, False):
        return
    guess = nearest(key, properties)
    hint = f"Did you mean {guess!r}?" if guess else f"Known: {', '.join(properties)}."
    raise BadArgument(f"The tool has no argument {key!r}. {hint}")


def _properties(schema: Schema) -> dict[str, Any]:
    found = schema.get("properties")
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _list(schema: Schema, key: str) -> list[Any]:
    found = schema.get(key)
    return cast("list[Any]", found) if isinstance(found, list) else []


def _described(schema: Schema, key: str) -> Schema:
    """What the schema says of an argument, dots followed; empty when it says nothing."""
    properties = _properties(schema)
    inner = properties.get(key)
    if inner is None and "." in key:
        outer, _, rest = key.partition(".")
        within = properties.get(outer)
        return _described(cast("Schema", within), rest) if isinstance(within, dict) else {}
    return _resolved(cast("Schema", inner), schema) if isinstance(inner, dict) else {}


def _resolved(described: Schema, root: Schema) -> Schema:
    """A reference into the same schema followed once."""
    reference = described.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return described
    found: Any = root
    for step in reference[2:].split("/"):
        found = cast("dict[str, Any]", found).get(step) if isinstance(found, dict) else None
    return cast("Schema", found) if isinstance(found, dict) else {}


def kinds(described: Schema) -> set[str]:
    """The types a value may have; empty when the schema does not say."""
    kind = described.get("type")
    if isinstance(kind, str):
        return {kind}
    if isinstance(kind, list):
        return {str(one) for one in cast("list[object]", kind)}
    choices = [*_list(described, "anyOf"), *_list(described, "oneOf")]
    found: set[str] = set()
    for choice in choices:
        if isinstance(choice, dict):
            found |= kinds(cast("Schema", choice))
    return found


def convert(key: str, text: str, described: Schema) -> Any:
    """The value a text stands for, by what the schema says of it.

    Raises:
        BadArgument: the text is no value of any type the schema allows.
    """
    allowed_kinds = kinds(described)
    if not allowed_kinds:
        allowed = _list(described, "enum")
        return next((one for one in allowed if str(one) == text), text)
    for kind in ("null", "boolean", "integer", "number", "object", "array"):
        if kind in allowed_kinds:
            found, value = _as(kind, text, described)
            if found:
                return value
    if "string" in allowed_kinds:
        return text
    raise BadArgument(f"{key}: {text!r} is no {' or '.join(sorted(allowed_kinds))}.")


def _as(kind: str, text: str, described: Schema) -> tuple[bool, Any]:
    if kind == "null":
        return text == "null", None
    if kind == "boolean":
        return text.lower() in _TRUTH, _TRUTH.get(text.lower())
    try:
        value: Any = json.loads(text, parse_constant=_no_constant)
    except ValueError:
        return _loose(kind, text, described)
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool), value
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool), value
    if kind == "object":
        return isinstance(value, dict), value
    if isinstance(value, list):
        return True, cast("list[Any]", value)
    return _loose(kind, text, described)


def _loose(kind: str, text: str, described: Schema) -> tuple[bool, Any]:
    """One item of a list, which may be written without brackets."""
    if kind != "array":
        return False, None
    items = described.get("items")
    try:
        return True, convert("item", text, cast("Schema", items) if isinstance(items, dict) else {})
    except BadArgument:
        return False, None


def _no_constant(word: str) -> Any:
    raise ValueError(word)


def _json(key: str, text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError as error:
        raise BadArgument(f"{key}: what follows := is no JSON ({error}).") from error


def _put(arguments: dict[str, Any], key: str, value: Any, schema: Schema) -> None:
    properties = _properties(schema)
    if "." not in key or key in properties:
        arguments[key] = value
        return
    outer, _, rest = key.partition(".")
    within = arguments.get(outer)
    inner: dict[str, Any] = cast("dict[str, Any]", within) if isinstance(within, dict) else {}
    described = properties.get(outer)
    _put(inner, rest, value, cast("Schema", described) if isinstance(described, dict) else {})
    arguments[outer] = inner
