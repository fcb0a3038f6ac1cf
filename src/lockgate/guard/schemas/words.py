"""What is wrong with a value, in words a model or a person can act on.

Must not know: how values are checked. The value itself is never quoted: it may be a secret, and
whoever sent it has it. Names and allowed values come from the schema, so they are shortened and
what is invisible in them is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

import msgspec

from lockgate.core.legible import visible

MOST_VALUES: Final = 12
LONGEST_VALUE: Final = 60
LONGEST_PLACE: Final = 200
_encode = msgspec.json.Encoder().encode


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong.

    place     where, as in `filters[0].limit`; empty: the value as a whole.
    keyword   the keyword of the schema that is not satisfied.
    expected  what should be, as in `must be an integer`.
    """

    place: str
    keyword: str
    expected: str

    def __str__(self) -> str:
        return f"`{self.place}` {self.expected}" if self.place else self.expected


def place_of(path: Sequence[str | int]) -> str:
    """A path in words: `filters[0].limit`."""
    found = ""
    for step in path:
        found += f"[{step}]" if isinstance(step, int) else f".{step}" if found else step
    return _short(visible(found), LONGEST_PLACE)


def problem_of(
    path: Sequence[str | int], keyword: str, facts: Mapping[str, Any], given: Callable[[], Any]
) -> Problem:
    """What a failed keyword means; of the value it failed for, `given`, the kind is said."""
    place, missing = path, facts.get("property")
    if keyword == "required" and isinstance(missing, str):
        return Problem(place_of([*path, missing]), keyword, "is missing")
    unexpected = cast("Sequence[str]", facts.get("unexpected") or ())
    if keyword in ("additionalProperties", "unevaluatedProperties") and unexpected:
        names = _listed(unexpected)
        one = len(unexpected) == 1
        said = (
            f"has a member that is not known: {names}" if one else f"has unknown members: {names}"
        )
        return Problem(place_of(place), keyword, said)
    say = _WORDS.get(keyword)
    said = "does not fit its schema" if say is None else say(facts)
    if keyword == "type":
        said += f", not {_kind(given())}"
    return Problem(place_of(place), keyword, said)


def _types(facts: Mapping[str, Any]) -> str:
    names = [_KINDS.get(one, one) for one in cast("Sequence[str]", facts.get("types") or ())]
    return f"must be {' or '.join(names)}"


_KINDS: Final[Mapping[str, str]] = {
    "integer": "an integer",
    "number": "a number",
    "string": "a string",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    kinds = ((str, "string"), (int, "integer"), (float, "number"), (list, "array"))
    return _KINDS[next((name for one, name in kinds if isinstance(value, one)), "object")]


def _listed(values: Sequence[Any]) -> str:
    shown = [_short(visible(_encode(one).decode()), LONGEST_VALUE) for one in values[:MOST_VALUES]]
    more = len(values) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _limit(words: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda facts: words.format(_short(str(facts.get("limit")), LONGEST_VALUE))


def _fixed(words: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda _: words


_WORDS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "type": _types,
    "enum": lambda facts: f"must be one of {_listed(facts.get('options') or ())}",
    "const": lambda facts: f"must be {_listed([facts.get('expected_value')])}",
    "minimum": _limit("must be at least {}"),
    "maximum": _limit("must be at most {}"),
    "exclusiveMinimum": _limit("must be more than {}"),
    "exclusiveMaximum": _limit("must be less than {}"),
    "minLength": _limit("must have at least {} characters"),
    "maxLength": _limit("must have at most {} characters"),
    "minItems": _limit("must have at least {} items"),
    "maxItems": _limit("must have at most {} items"),
    "minProperties": _limit("must have at least {} members"),
    "maxProperties": _limit("must have at most {} members"),
    "additionalItems": _limit("must have at most {} items"),
    "multipleOf": lambda facts: f"must be a multiple of {facts.get('multiple_of')}",
    "uniqueItems": _fixed("must not have an item twice"),
    "pattern": lambda facts: (
        f"must match the pattern {_short(visible(str(facts['pattern'])), LONGEST_VALUE)}"
        if "pattern" in facts
        else "takes too long to be held against its pattern"
    ),
    "propertyNames": _fixed("has a member whose name is not allowed"),
    "falseSchema": _fixed("is not allowed"),
    "anyOf": _fixed("fits none of the forms that are allowed"),
    "oneOf": _fixed("does not fit exactly one of the forms that are allowed"),
    "not": _fixed("has a form that is not allowed"),
    "contains": _fixed("lacks an item that is needed"),
    "unevaluatedItems": _fixed("has items that are not known"),
}
