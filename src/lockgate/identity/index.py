"""Which of many rules can be about a name, found without trying each of them. Pure.

Must not know: what rules say, who asks.

A pattern begins and ends with what it has before its first and after its last wildcard, so a name
that it matches does so too. Rules are found by these ends; which of those found do match is for
them to say. Names are looked up once for every pair of lengths that ends have, which are few,
however many rules there are.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from lockgate.core.targets import special
from lockgate.identity.rules import Rule

_begin: Final = re.compile(r"[^*?\[]*")
_end: Final = re.compile(r"[^*?\[\]]*\Z")

Ends = tuple[str, str]


class Index:
    """The rules that are about anything of one server."""

    def __init__(self, server: str, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        exact: defaultdict[str, set[int]] = defaultdict(set)
        ends: defaultdict[tuple[int, int], defaultdict[Ends, set[int]]] = defaultdict(
            lambda: defaultdict(set)
        )
        for number, rule in enumerate(self.rules):
            for pattern in _patterns(rule, server):
                if not special(pattern):
                    exact[pattern].add(number)
                    continue
                begin, end = ends_of(pattern)
                ends[len(begin), len(end)][begin, end].add(number)
        self._exact: Mapping[str, set[int]] = dict(exact)
        self._ends = [(*lengths, dict(found)) for lengths, found in ends.items()]

    def about(self, forms: Sequence[str]) -> Sequence[Rule]:
        """The rules that can be about a name in any of these forms, in their own order.

        No form at all is a name that nobody can read: then it can be any of them.
        """
        if not forms:
            return self.rules
        found: set[int] = set()
        for form in forms:
            found |= self._exact.get(form, _NONE)
            for first, last, by_ends in self._ends:
                ends = form[:first], form[len(form) - last :] if last <= len(form) else form
                found |= by_ends.get(ends, _NONE)
        return [self.rules[number] for number in sorted(found)]


_NONE: Final[frozenset[int]] = frozenset()


def ends_of(pattern: str) -> Ends:
    """What every word that a pattern matches begins and ends with."""
    begin, end = _begin.match(pattern), _end.search(pattern)
    return begin[0] if begin else "", end[0] if end else ""


def _patterns(rule: Rule, server: str) -> Iterable[str]:
    return (name for one in rule.what if server in one.servers for name in one.names.patterns)
