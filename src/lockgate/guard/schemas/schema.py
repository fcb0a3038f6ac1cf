"""One schema, ready for use: compiled once, and bounded in what a check may cost.

Must not know: where schemas or values come from.

The library (docs/why/schema-validation.md) checks plain Python values, fetches nothing, and matches
patterns in linear time. What it does not bound itself is how often subschemas look at the same
place; that is what `shape` and `counted` are for. Whether `format` is kept to is the server's own
business: since 2019-09 it asserts nothing.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import blake2b
from itertools import islice
from typing import Any, Final, cast

import jsonschema_rs
import msgspec

from lockgate.guard.schemas.counted import (
    MOST_VISITS,
    PAID,
    PURSE,
    Counted,
    Paid,
    pattern_cost,
)
from lockgate.guard.schemas.shape import (
    MOST_BYTES,
    MOST_DEPTH,
    Schema,
    Shape,
    Unusable,
    nodes,
    shape_of,
)
from lockgate.guard.schemas.words import Problem, problem_of
from lockgate.wire.jsonrpc import too_deep

MOST_PROBLEMS: Final = 5
DEEPEST_COUNTED: Final = 64
"""How deep a value may nest under a schema whose references lead back."""
_FEW: Final = 1000
"""Looks that may be told of one by one: each is told in some 25 microseconds."""
_FEW_UNBOUND: Final = 512
_PLAIN: Final = 10
_DEAR: Final = 200
"""What a byte of a value costs at the worst, so that what is easy is easy beyond doubt."""
_LINEAR: Final = jsonschema_rs.RegexOptions(size_limit=64 * 1024)
_UNBOUND: Final = jsonschema_rs.FancyRegexOptions(backtrack_limit=10_000, size_limit=64 * 1024)
_decode: Final = msgspec.json.Decoder().decode

_CHEAP: Final = re.compile(r"\^?[\w /:@.-]*|\^(?:\[[^]\[\\]{1,64}\]|\\[wdsWDS]|\.)[*+]?\$?")
"""Patterns of one loop at most, with nothing after it: they cost next to nothing."""

Dialect = type[jsonschema_rs.Validator]
DIALECTS: Final[dict[str, Dialect]] = {
    "json-schema.org/draft/2020-12/schema": jsonschema_rs.Draft202012Validator,
    "json-schema.org/draft/2019-09/schema": jsonschema_rs.Draft201909Validator,
    "json-schema.org/draft-07/schema": jsonschema_rs.Draft7Validator,
    "json-schema.org/draft-06/schema": jsonschema_rs.Draft6Validator,
    "json-schema.org/draft-04/schema": jsonschema_rs.Draft4Validator,
    "json-schema.org/schema": jsonschema_rs.Draft202012Validator,
}
_WITH_SIBLINGS: Final[frozenset[Dialect]] = frozenset(
    {jsonschema_rs.Draft202012Validator, jsonschema_rs.Draft201909Validator}
)
_WITH_IF: Final = _WITH_SIBLINGS | {jsonschema_rs.Draft7Validator}

NO_WORDS: Final = Problem("", "schema", "do not fit the schema")
TOO_MUCH: Final = Problem("", "cost", "take more to be checked than one call may take")


class Checked:
    """A schema that values can be held against. Made by `compiled`."""

    __slots__ = (
        "_counted",
        "_counting",
        "_dear",
        "_draft",
        "_schema",
        "_shape",
        "_unbound",
        "_valid",
        "easy",
        "fits",
    )

    def __init__(self, schema: Schema | bool, shape: Shape, draft: Dialect) -> None:
        """`fits`: whether a value fits, of at most `easy` bytes; no others may be asked about so.

        Raises:
            Unusable: it is no schema of its dialect, or needs another document.
        """
        self._schema = schema
        self._shape = shape
        self._draft = draft
        self._unbound = frozenset(one for one in shape.texts | shape.names if not linear(one))
        self._dear = frozenset(one for one in shape.texts if not _CHEAP.fullmatch(one))
        self._counted: jsonschema_rs.Validator | None = None
        self._counting = isinstance(schema, dict) and draft in _WITH_IF
        self._valid = self._made(schema)
        self.fits: Callable[[Any], bool] = self._valid.is_valid
        self.easy = 0 if shape.endless else self._easy()

    def _easy(self) -> int:
        dear = self._dear | {one for one in self._shape.names if not _CHEAP.fullmatch(one)}
        if dear & self._unbound:
            return _FEW_UNBOUND
        return MOST_VISITS // self._shape.looks // (_DEAR if dear else _PLAIN)

    def _made(self, schema: Schema | bool) -> jsonschema_rs.Validator:
        try:
            return self._draft(
                schema,
                validate_formats=False,
                offline=True,
                mask="it",
                pattern_options=_UNBOUND if self._unbound else _LINEAR,
                keywords={PAID: Paid},
            )
        except jsonschema_rs.ValidationError as error:
            raise _unusable(error) from None
        except (ValueError, RecursionError) as error:
            raise Unusable("invalid", str(error)[:200]) from None

    def problems(self, value: Any, data: bytes) -> Sequence[Problem]:
        """What is wrong with a value, written as `data`; nothing when it fits."""
        plain = len(data) <= self.easy or self._affordable(value, data)
        if plain:
            return () if self._valid.is_valid(value) else self._found(value, data)
        if plain is None or too_deep(data, DEEPEST_COUNTED):
            return (TOO_MUCH,)
        validator = self._with_purse()
        PURSE.left = MOST_VISITS - self._shape.looks * nodes(value, MOST_VISITS)
        if PURSE.left < 0:
            return (TOO_MUCH,)
        fits = validator.is_valid(value)
        if PURSE.left < 0:
            return (TOO_MUCH,)
        if fits:
            return ()
        # Finding words costs far more than finding out.
        PURSE.left = MOST_VISITS // 50
        found = _first(validator, value)
        return (NO_WORDS,) if PURSE.left < 0 else found

    def _affordable(self, value: Any, data: bytes) -> bool | None:
        """Whether a value can be checked without counting; None: not at all."""
        shape, length = self._shape, len(data)
        names = [one for one in shape.names if not _CHEAP.fullmatch(one)]
        keys = len(names) * pattern_cost(length, linear=not self._unbound) if names else 0
        if keys > MOST_VISITS:
            return None
        if not shape.endless:
            texts = 0
            if self._dear:
                texts = shape.looks * pattern_cost(length, linear=not self._unbound)
            if texts + shape.looks * _parts(data) <= MOST_VISITS:
                return True
            if not texts and shape.looks * nodes(value, MOST_VISITS) <= MOST_VISITS:
                return True
        return False if self._counting else None

    def _with_purse(self) -> jsonschema_rs.Validator:
        found = self._counted
        if found is None:
            rewritten = Counted(
                self._shape.looks,
                self._dear,
                self._unbound,
                siblings=self._draft in _WITH_SIBLINGS,
            )
            found = self._counted = self._made(rewritten.schema(self._schema))
        return found

    def _found(self, value: Any, data: bytes) -> Sequence[Problem]:
        """What is wrong with a value that does not fit, as far as that is found quickly."""
        looks = self._shape.looks
        if looks * _parts(data) <= _FEW:
            errors = self._valid.iter_errors(value)
            return tuple(dict.fromkeys(_problem(one) for one in islice(errors, MOST_PROBLEMS)))
        return _first(self._valid, value) if looks <= _FEW else (NO_WORDS,)


def _parts(data: bytes) -> int:
    """At least as many as a value has parts."""
    return data.count(b",") + data.count(b"{") + data.count(b"[") + 1


def _first(validator: jsonschema_rs.Validator, value: Any) -> Sequence[Problem]:
    try:
        validator.validate(value)
    except jsonschema_rs.ValidationError as error:
        return (_problem(error),)
    return ()


def linear(pattern: str) -> bool:
    """Whether a pattern can be matched in linear time: no looking around, no back references."""
    try:
        jsonschema_rs.validator_for({"pattern": pattern}, offline=True, pattern_options=_LINEAR)
    except jsonschema_rs.ValidationError:
        return False
    return True


def compiled(data: bytes, *, strict: bool = False) -> Checked:
    """The schema that `data` is, which is JSON.

    `strict`: of an object whose schema does not say whether members may have other names than it
    has, they may not.

    Raises:
        Unusable: nothing can be checked by it.
    """
    if len(data) > MOST_BYTES:
        raise Unusable("too-large", f"it has more than {MOST_BYTES} bytes")
    if too_deep(data, MOST_DEPTH):
        raise Unusable("too-large", f"it nests deeper than {MOST_DEPTH}")
    try:
        schema: Any = _decode(data)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Unusable("invalid", str(error)) from None
    draft = _draft(schema)
    shape = shape_of(schema)
    return Checked(_strict(schema, draft) if strict else schema, shape, draft)


def _draft(schema: Any) -> Dialect:
    said: object = cast("Schema", schema).get("$schema") if isinstance(schema, dict) else None
    if said is None:
        return jsonschema_rs.Draft202012Validator
    if not isinstance(said, str):
        raise Unusable("invalid", "its `$schema` is no string")
    name = said.removeprefix("http://").removeprefix("https://").rstrip("#")
    found = DIALECTS.get(name)
    if found is None:
        raise Unusable("dialect", "it is written in a dialect that is not known")
    return found


def _strict(schema: Any, draft: Dialect) -> Any:
    if not isinstance(schema, dict):
        return cast("object", schema)
    said = cast("Schema", schema)
    if "additionalProperties" in said or "unevaluatedProperties" in said:
        return said
    if draft in _WITH_SIBLINGS:
        return {**said, "unevaluatedProperties": False}
    if any(key in said for key in ("allOf", "anyOf", "oneOf", "$ref", "if", "dependencies")):
        # What these name cannot be told from what nobody names.
        return said
    return {**said, "additionalProperties": False}


def _unusable(error: jsonschema_rs.ValidationError) -> Unusable:
    if error.kind.name == "$ref" or type(error.kind).__name__ == "Referencing":
        return Unusable("reference", "a reference leads outside of it, or to nothing")
    place = "/".join(map(str, error.instance_path)) or "its root"
    return Unusable("invalid", f"what it says at {place[:200]} is no JSON Schema")


def _problem(error: jsonschema_rs.ValidationError) -> Problem:
    return problem_of(
        error.instance_path, error.kind.name, error.kind.as_dict(), lambda: error.instance
    )


class Schemas:
    """Schemas by what they say, each compiled once; those used longest ago are let go of."""

    def __init__(self, most: int = 2048) -> None:
        self._most = most
        self._known: OrderedDict[bytes, Checked | Unusable] = OrderedDict()

    def of(self, data: bytes, *, strict: bool = False) -> Checked | Unusable:
        """The schema, or why nothing can be checked by it."""
        key = blake2b(data, digest_size=24, key=b"strict" if strict else b"").digest()
        found = self._known.get(key)
        if found is not None:
            self._known.move_to_end(key)
            return found
        try:
            found = compiled(data, strict=strict)
        except Unusable as error:
            found = error
        self._known[key] = found
        while len(self._known) > self._most:
            self._known.popitem(last=False)
        return found
