"""Why a call is allowed or not: every rule, and what of it does not match.

Must not know: terminals, configuration files. The verdict itself is the one calls are judged by.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from lockgate.core.message import Kind, Principal
from lockgate.identity.access import NOTHING, Book, Verdict
from lockgate.identity.arguments import all_hold, all_may_hold
from lockgate.identity.rules import Rule, forms_of

OTHER_THINGS: Final = "is about other things"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A call that somebody might make.

    offered  the endpoint shows such a thing to anybody at all.
    """

    principal: Principal
    endpoint: str
    server: str
    kind: Kind
    name: str
    arguments: object
    offered: bool = True


class Reason(msgspec.Struct, frozen=True):
    """One rule, and what of it does not match; nothing: it matches."""

    rule: Rule
    missed: tuple[str, ...]


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a call, and why.

    missing  scopes that the caller lacks.
    """

    verdict: Verdict
    shown: bool
    missing: tuple[str, ...]
    reasons: tuple[Reason, ...]


def explain(book: Book, asked: Asked) -> Explanation:
    """What the rules say of a call, and what each of them has to do with it."""
    scopes = asked.principal.scopes
    extract = book.of(book.about(asked.principal), asked.endpoint)
    entry = NOTHING
    if asked.offered:
        entry = extract.entry(asked.server, asked.kind, asked.name)
    verdict = entry.weigh(scopes, asked.arguments, asks=asked.kind != "template")
    return Explanation(
        verdict=verdict,
        shown=entry.shown,
        missing=tuple(sorted(verdict.scopes.difference(scopes))),
        reasons=tuple(Reason(one, tuple(_missed(one, asked, book))) for one in book.rules),
    )


def _missed(rule: Rule, asked: Asked, book: Book) -> Iterator[str]:
    """What of a rule does not match, in the order in which people look for it."""
    principal = asked.principal
    if not rule.covers(asked.kind, asked.server, forms_of(asked.kind, asked.name)):
        yield OTHER_THINGS
    if rule.who and not any(one.matches(principal) for one in rule.who):
        yield "is about other callers"
    if any(one.matches(principal) for one in rule.unless):
        yield "is not about this caller (unless)"
    if not rule.at(asked.endpoint):
        yield f"does not hold at {asked.endpoint}"
    if rule.hints and not _hinted(rule, asked, book):
        yield "asks for other annotations"
    test = all_hold if rule.grants else all_may_hold
    for one in rule.arguments:
        if not test([one], asked.arguments):
            yield f"the argument does not fit: {one.text}"


def _hinted(rule: Rule, asked: Asked, book: Book) -> bool:
    return asked.kind == "tool" and rule.hinted(book.hints_of(asked.server, asked.name))
