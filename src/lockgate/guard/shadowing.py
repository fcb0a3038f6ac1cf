"""Names held against one another: look-alikes, hidden characters, and talk about others' tools.

Must not know: how names are listed or refused. Equal names on different servers are normal (one
real name in ten is on more than one server) and harmless where names carry their server; a name
that only looks like another one is not.

| the name                             | next to              | finding           |
|--------------------------------------|----------------------|-------------------|
| has characters that nobody sees      |                      | `hidden-name`     |
| looks like another                   | of the same server   | `look-alike-name` |
| looks like another, in other letters | of another server    | `look-alike-name` |
| differs in case or separators        | of another server    | `similar-name`    |
| is the same                          | of another server    | `same-name`       |

Of two that look alike the incumbent is never the one with the finding: what was there before, else
what is written in plain letters, else what stands first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from lockgate.core.legible import shortened, visible
from lockgate.guard.characters import escaped, is_clean, stripped
from lockgate.guard.finding import Finding, Severity
from lockgate.guard.signals.kinds import SHADOW_KINDS
from lockgate.guard.signals.rows import Rows, near
from lockgate.guard.text.confusable import skeleton, unfolded
from lockgate.guard.text.sentences import sentences
from lockgate.guard.text.walk import places

MOST_MENTIONS: Final = 60
_SHORTEST: Final = 5
"""Shorter names of one word are words that anybody uses."""


class Mention(msgspec.Struct, frozen=True):
    """A name in a text that is none of the definition's own.

    grave  whether what it names is to be changed, avoided or kept quiet about.
    """

    name: str
    where: str
    sentence: str
    grave: bool


class Listed(msgspec.Struct, frozen=True):
    """One listed thing."""

    server: str
    name: str
    mentions: tuple[Mention, ...] = ()


Found = dict[tuple[str, str], list[Finding]]
"""What was found, by server and name."""


def mentions(definition: Mapping[str, object]) -> tuple[Mention, ...]:
    """The identifiers a definition speaks of that it does not define, and `NAME tool` for words."""
    found: dict[tuple[str, str], Mention] = {}
    for place in places(definition):
        if place.role != "description" and not place.path.endswith("title"):
            continue
        for sentence in sentences(unfolded(stripped(place.text))):
            rows = Rows(sentence)
            named = dict(sentence.wholes)
            tools = rows["tool"] >> 1
            for number, word in enumerate(sentence.words):
                if tools >> number & 1 and len(word) >= _SHORTEST:
                    named.setdefault(number, word)
            grave = _steers(rows) if named else False
            for name in named.values():
                mention = Mention(name, place.path, sentence.text, grave)
                if (name, place.path) not in found or grave:
                    found[name, place.path] = mention
            if len(found) >= MOST_MENTIONS:
                return tuple(found.values())
    return tuple(found.values())


def _steers(rows: Rows) -> bool:
    return bool(
        near(rows["tamper"], rows["subject"], 8)
        or (rows["over-others"] and rows["prefer"])
        or rows["disparaged"]
        or rows["takes-over"]
        or near(rows["not"], rows["call"] | rows["strictly-tell"], 3)
    )


def judge(
    listed: Sequence[Listed], known: Collection[tuple[str, str]] = (), *, names: bool = True
) -> Found:
    """Hold everything that is shown together against one another.

    known  (server, name) of what was there before.
    names  False: they are URIs, of which many differ in case or separators alone.
    """
    found: Found = defaultdict(list)
    for one in listed:
        if not is_clean(one.name) or not one.name.isprintable():
            _add(found, one, "hidden-name", "name", escaped(one.name))
    if names:
        _look_alikes(listed, known, found)
        _mentioned(listed, found)
    return dict(found)


def _look_alikes(
    listed: Sequence[Listed], known: Collection[tuple[str, str]], found: Found
) -> None:
    groups: dict[str, list[Listed]] = defaultdict(list)
    for one in listed:
        groups[skeleton(one.name)].append(one)
    for group in groups.values():
        if len(group) < 2:
            continue
        ordered = sorted(
            group, key=lambda one: ((one.server, one.name) not in known, _odd(one.name))
        )
        incumbents: list[Listed] = []
        for one in ordered:
            _against(one, incumbents, found)
            incumbents.append(one)


def _against(one: Listed, incumbents: Iterable[Listed], found: Found) -> None:
    """Hold a name against those that were there before it, gravest first."""
    others = [other for other in incumbents if other.name != one.name]
    for other in others:
        if other.server == one.server or _odd(one.name):
            _add(found, one, "look-alike-name", "name", f"{one.name} beside {_called(other)}")
            return
    for other in others:
        _add(found, one, "similar-name", "name", f"{one.name} beside {_called(other)}")
        return
    for other in incumbents:
        if other.server != one.server:
            _add(found, one, "same-name", "name", f"{one.name} is also {_called(other)}")
            return


def _odd(name: str) -> bool:
    return not name.isascii() or not name.isprintable()


def _called(one: Listed) -> str:
    return f"{one.server}/{one.name}"


def _mentioned(listed: Sequence[Listed], found: Found) -> None:
    """Who speaks of others' tools."""
    servers: dict[str, set[str]] = defaultdict(set)
    for one in listed:
        servers[one.name].add(one.server)
    own: dict[str, set[str]] = defaultdict(set)
    for one in listed:
        own[one.server].add(one.name)
    for one in listed:
        for mention in one.mentions:
            others = servers.get(mention.name, set()) - {one.server}
            if others and mention.name not in own[one.server]:
                kind = "steers-other-server" if mention.grave else "names-other-server"
                whose = f"{min(others)}/{mention.name}"
                _add(found, one, kind, mention.where, f"{whose}: {mention.sentence}")


def _add(found: Found, one: Listed, kind: str, where: str, evidence: str) -> None:
    sort = SHADOW_KINDS[kind]
    severity: Severity = sort.severity
    found[one.server, one.name].append(
        Finding(
            id=kind,
            severity=severity,
            summary=sort.meaning,
            where=where,
            evidence=visible(shortened(evidence, 240)),
            remedy=sort.remedy,
        )
    )
