"""Schemas rewritten so that what they cost is counted while they are used.

Must not know: what a schema is for.

Every reference and every pattern that could be dear is asked only after what it may cost has been
paid for; when nothing is left to pay with, whatever would be asked is false at once. Places stay
where they are, so that references by place still lead there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final, cast

from lockgate.guard.schemas.shape import DEFINED, MAPS, VALUES, Schema, nodes

MOST_VISITS: Final = 5_000_000
"""Looks of one subschema at one place that one check may take: some hundred milliseconds."""
_EACH: Final = 50
"""What paying costs by itself."""
PAID: Final = "x-lockgate-paid"
DEAR_LENGTH: Final = 100
"""Visits that one character costs under a pattern, at the worst."""

_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")
_ASKED: Final = frozenset({*_REFERENCES, "pattern"})
_KEPT: Final = frozenset({*DEFINED, "$id", "$schema", "id"})


class Purse:
    """What is left to pay with in the check that is going on."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = 0

    def pay(self, visits: int) -> bool:
        """Whether that many could be paid for."""
        self.left -= visits
        return self.left >= 0


PURSE: Final = Purse()
"""One for all: checks do not wait, so that there is never more than one going on."""


class Paid:
    """The keyword that is true as long as its cost can be paid; the library makes and asks it."""

    def __init__(self, parent_schema: Schema, value: Any, schema_path: list[Any]) -> None:
        """`value` is how many look at each part; 0: a pattern looks at a text."""
        del parent_schema, schema_path
        self._looks: int = value if isinstance(value, int) else 1

    def validate(self, instance: Any) -> None:
        """Raises ValueError when there is nothing left to pay with."""
        looks = self._looks
        if looks > 0:
            cost = _EACH + looks * nodes(instance, MOST_VISITS // looks + 1)
        else:
            cost = pattern_cost(len(instance), linear=looks == 0) if type(instance) is str else 1
        if not PURSE.pay(cost):
            raise ValueError


def pattern_cost(length: int, *, linear: bool) -> int:
    """What a pattern may cost on a text of this length; one that is not linear, with its square."""
    return 16 + (DEAR_LENGTH * length if linear else DEAR_LENGTH * length + length * length // 16)


class Counted:
    """Rewrites schemas, with `looks` paid for at every reference, and for every `dear` pattern.

    unbound   those of the dear patterns whose time is not linear.
    siblings  whether what stands beside a reference counts: it does since 2019-09.
    """

    def __init__(
        self, looks: int, dear: Collection[str], unbound: Collection[str], *, siblings: bool
    ) -> None:
        self._looks = looks
        self._dear = dear
        self._unbound = unbound
        self._siblings = siblings

    def schema(self, value: Any) -> Any:
        """The schema, written anew; in a list, each."""
        if isinstance(value, list):
            return [self.schema(one) for one in cast("list[Any]", value)]
        if not isinstance(value, dict):
            return value
        found = {key: self._member(key, one) for key, one in cast("Schema", value).items()}
        more = [*self._references(found), *self._pattern(found)]
        if not more:
            return found
        if not self._siblings and "$ref" in found:
            found = {key: found[key] for key in found if key in _KEPT}
        rest = {key: one for key, one in found.items() if key not in _ASKED}
        if isinstance(found.get("pattern"), str) and found["pattern"] not in self._dear:
            rest["pattern"] = found["pattern"]
        return {**rest, "allOf": [*cast("list[Any]", found.get("allOf") or []), *more]}

    def _member(self, key: str, value: Any) -> Any:
        if key in VALUES:
            return value
        if key in MAPS and isinstance(value, dict):
            return {name: self.schema(one) for name, one in cast("Schema", value).items()}
        return self.schema(value)

    def _references(self, schema: Schema) -> Iterator[Schema]:
        for key in _REFERENCES:
            if isinstance(schema.get(key), str):
                yield _paid(self._looks, {key: schema[key]})

    def _pattern(self, schema: Schema) -> Iterator[Schema]:
        pattern = schema.get("pattern")
        if isinstance(pattern, str) and pattern in self._dear:
            yield _paid(-1 if pattern in self._unbound else 0, {"pattern": pattern})


def _paid(cost: int, then: Schema) -> Schema:
    return {"if": {PAID: cost}, "then": then, "else": False}
