"""Which arguments of a tool lead somewhere, and what their values may be.

Must not know: calls, how names are looked up.

An argument has a rule because somebody wrote one, or because the tool's own schema says that it is
a URL. Where a rule stands, a value has to be a text, or a list of texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, cast

import msgspec

from lockgate.core.match import ByTool
from lockgate.guard.places.hosts import NOT_PUBLIC, Open, UrlRule, judged, leads_to_metadata
from lockgate.guard.places.paths import inside
from lockgate.guard.schemas.words import Problem, place_of

Urls = Literal["any", "metadata", "public"]
Path = tuple[str, ...]
Anything = dict[str, Any]

FORMATS: Final = frozenset({"uri", "url", "iri", "uri-reference", "iri-reference"})
MOST_VALUES: Final = 1000
MOST_PLACES: Final = 256
DEEPEST: Final = 16
PRESENT: Final = "must be a text"
TOO_MANY: Final = "has more values than are checked"
METADATA: Final = "leads to where a cloud keeps its credentials"


class PlaceRule(msgspec.Struct, frozen=True):
    """What one argument may be.

    under  folders, in one of which it has to lie, as a path; empty: it is no path.
    url    where it may lead, as a URL; None: it is none.
    """

    under: tuple[str, ...] = ()
    url: UrlRule | None = None


class Place(NamedTuple):
    """One argument that leads somewhere; `rule` is None where only its schema says so."""

    path: Path
    rule: PlaceRule | None
    relative: bool = False


class Where(msgspec.Struct, frozen=True):
    """What is known of whoever is called: see `paths.inside`."""

    base: str | None = None
    real: Callable[[str], str] = str


class Places:
    """The rules of one server."""

    def __init__(
        self,
        rules: Mapping[str, Mapping[str, PlaceRule]],
        urls: Urls = "metadata",
        where: Where = Where(),  # noqa: B008 - it is frozen
    ) -> None:
        """`rules`: by patterns of tools, then by the argument, as in `options.url`."""
        self._rules = ByTool[Mapping[str, PlaceRule]](list(rules.items()), {})
        self._urls = urls
        self._where = where
        written = (one.url for by_name in rules.values() for one in by_name.values())
        self.looks_up = urls == "public" or any(one.public for one in written if one is not None)
        self.any = bool(rules) or urls != "any"

    def of(self, tool: str, schema: Any) -> tuple[Place, ...]:
        """The arguments of a tool that lead somewhere; a rule counts before what a schema says."""
        ruled = {tuple(name.split(".")): rule for name, rule in self._rules[tool].items()}
        found = [Place(path, rule) for path, rule in ruled.items()]
        if self._urls != "any":
            found += [one for one in _urls_of(schema, (), 0) if one.path not in ruled]
        return tuple(found[:MOST_PLACES])

    def judge(self, places: Sequence[Place], arguments: Any) -> tuple[list[Problem], list[Open]]:
        """What is wrong, and what has to be looked up before it is known."""
        problems: list[Problem] = []
        hosts: list[Open] = []
        for place in places:
            for value in _values(arguments, place.path):
                said = self._value(place, value)
                if isinstance(said, Open):
                    hosts.append(said)
                elif said is not None:
                    problems.append(Problem(place_of(place.path), "place", said))
                    break
        return problems, hosts

    def _value(self, place: Place, value: Any) -> Open | str | None:
        if value is _TOO_MANY:
            return TOO_MANY
        rule = place.rule
        if not isinstance(value, str):
            return None if rule is None else PRESENT
        if rule is None:
            return self._url(value, relative=place.relative)
        if rule.under and not inside(value, rule.under, self._where.base, self._where.real):
            return f"must be a path in {' or '.join(rule.under)}"
        return None if rule.url is None else judged(value, rule.url)

    def _url(self, value: str, *, relative: bool) -> Open | str | None:
        if leads_to_metadata(value):
            return METADATA
        if self._urls != "public" or (relative and _is_relative(value)):
            return None
        return judged(value, UrlRule())


def not_public(place: str = "") -> Problem:
    """What is said of a name that leads where it must not, or nowhere."""
    return Problem(place, "place", f"a URL {NOT_PUBLIC}")


def _is_relative(text: str) -> bool:
    head = text.replace("\\", "/").partition("/")[0]
    return ":" not in head and not text.lstrip().replace("\\", "/").startswith("//")


def _urls_of(schema: Any, path: Path, depth: int) -> Iterator[Place]:
    """The members a schema calls URLs; references are not followed."""
    if not isinstance(schema, dict) or depth > DEEPEST:
        return
    said = cast("Anything", schema)
    form = said.get("format")
    if path and isinstance(form, str) and form in FORMATS:
        yield Place(path, None, form.endswith("reference"))
    for key in ("allOf", "anyOf", "oneOf"):
        several: Any = said.get(key)
        for one in cast("list[Any]", several) if isinstance(several, list) else ():
            yield from _urls_of(one, path, depth + 1)
    yield from _urls_of(said.get("items"), path, depth + 1)
    members: Any = said.get("properties")
    for name, one in cast("Anything", members).items() if isinstance(members, dict) else ():
        yield from _urls_of(one, (*path, name), depth + 1)


_TOO_MANY: Final = object()


def _values(arguments: Any, path: Path) -> Iterator[Any]:
    """What stands at a path, the items of lists one by one; nothing where it is absent or null."""
    waiting: list[tuple[Any, Path]] = [(arguments, path)]
    for _ in range(MOST_VALUES):
        if not waiting:
            return
        value, rest = waiting.pop()
        if isinstance(value, list):
            waiting += [(one, rest) for one in cast("list[Any]", value)]
        elif value is not None and not rest:
            yield value
        elif isinstance(value, dict) and rest:
            waiting.append((cast("Anything", value).get(rest[0]), rest[1:]))
    if waiting:
        yield _TOO_MANY
