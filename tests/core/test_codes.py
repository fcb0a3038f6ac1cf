"""The table of errors is whole, sound, and the same as what the source says."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from lockgate.cli import errors_page
from lockgate.cli.exits import EXITS
from lockgate.config.finding import KINDS
from lockgate.core.codes import CODES, COMMANDS, ENTRIES, FAILURES, FINDINGS, STARTS, TABLE
from lockgate.core.taxonomy import BY_CODE, FAMILIES, Entry, numbers
from tests.support import reasons
from tests.support.reasons import PASSED, Reader, Unknown, Use

THEIRS = {"upstream-error", "input-refused"}
"""Errors whose words, code and remedy are somebody else's."""


@cache
def reader() -> Reader:
    """What the source says, read when it is first asked for: that takes seconds."""
    made = Reader(reasons.modules())
    made.run()
    return made


@cache
def by_reason() -> dict[str, list[Use]]:
    found: dict[str, list[Use]] = defaultdict(list)
    for use in reader().uses:
        found[use.reason].append(use)
    return found


def free_number(family: int) -> int:
    taken = {entry.number for entry in TABLE}
    return next(one for one in range(family * 100 + 1, family * 100 + 100) if one not in taken)


def missing() -> list[str]:
    """For each reason without an entry, what to add and where."""
    return [
        f"{use.place}: {use.reason!r} has no entry. Add one to src/lockgate/core/codes.py, in its "
        f"family (4xx is for bounds and policies: the next free number is {free_number(4)}; for "
        f"6xx, servers, {free_number(6)}), then run: python -m lockgate.cli.errors_page\n"
        f'    Entry({free_number(4)}, "{use.reason}", "policy", -32000, 200, 200, LATER,\n'
        '          "What happened, in one line.",\n'
        '          "What to do."),'
        for use in reader().uses
        if use.reason not in ENTRIES
    ]


def test_every_reason_in_the_source_has_an_entry() -> None:
    assert not missing(), "\n" + "\n".join(missing())


def test_every_entry_is_used() -> None:
    unused = sorted(set(ENTRIES) - set(by_reason()))
    assert not unused, (
        f"take these out of core/codes.py, never to use their numbers again: {unused}"
    )


def test_every_reason_can_be_read_from_the_source() -> None:
    assert not reader().unknown, "write these reasons as plain strings"
    assert len(reader().uses) > 150


def test_numbers_and_reasons_are_unique_and_in_order() -> None:
    assert len({entry.number for entry in TABLE}) == len(TABLE) == len(ENTRIES) == len(CODES)
    assert [entry.number for entry in TABLE] == sorted(entry.number for entry in TABLE)
    for entries, families in (
        (FAILURES, "123456"),
        (STARTS, "7"),
        (FINDINGS, "8"),
        (COMMANDS, "9"),
    ):
        assert {str(entry.number)[0] for entry in entries} <= set(families)
    assert {entry.number // 100 for entry in TABLE} == set(FAMILIES)


@pytest.mark.parametrize("entry", TABLE, ids=lambda entry: entry.code)
def test_an_entry_is_whole(entry: Entry) -> None:
    assert entry.remedy.endswith(".")
    assert entry.meaning.endswith(".") or entry.reason.startswith("exit-")
    assert entry.reason == entry.reason.lower()
    assert entry.anchor == f"docs/errors.md#{entry.code.lower()}"
    assert (entry.severity is not None) == (entry in FINDINGS)


@pytest.mark.parametrize("entry", FAILURES, ids=lambda entry: entry.code)
def test_the_table_has_the_codes_the_source_has(entry: Entry) -> None:
    said = {code for use in by_reason()[entry.reason] for code in use.codes}
    known: set[Any] = {
        code for code in said if code is not PASSED and not isinstance(code, Unknown)
    }
    if entry.codes is BY_CODE:
        assert known <= {-32603}
    elif known or PASSED not in said:
        # A failure made of another one (`replace`) has that one's code.
        assert known == set(numbers(entry.codes)) or not said


@pytest.mark.parametrize("entry", FAILURES, ids=lambda entry: entry.code)
def test_whose_fault_it_is_agrees_with_the_origin(entry: Entry) -> None:
    origins = {one for use in by_reason()[entry.reason] for one in use.origins if one is not PASSED}
    for origin in origins:
        # Bounds of the gateway's own, beside those that policies keep, have one name each.
        same = entry.fault == origin or {entry.fault, origin} == {"policy", "gateway"}
        assert same or entry.fault in {"configuration", "environment"}, origin


def test_every_failure_has_a_remedy() -> None:
    assert {
        use.place for use in reader().uses if not use.remedy and use.reason not in THEIRS
    } == set()


def test_what_is_to_be_tried_later_says_when() -> None:
    untimed = {
        use.place
        for entry in FAILURES
        if entry.retry == "later" and entry.codes != ()
        for use in by_reason()[entry.reason]
        if use.codes and not use.timed
    }
    assert untimed == set()


def test_findings_and_exit_codes_are_those_of_the_table() -> None:
    assert {one.reason: (one.severity, one.meaning) for one in FINDINGS} == dict(KINDS)
    exits = {one.reason for one in COMMANDS if one.reason.startswith("exit-")}
    assert exits == {f"exit-{number}" for number in EXITS if number}


def test_the_page_is_current() -> None:
    root = Path(__file__).resolve().parents[2]
    written = (root / errors_page.PAGE).read_text("utf-8")
    assert written == errors_page.page(), "run: python -m lockgate.cli.errors_page"
    for entry in TABLE:
        assert f"\n### {entry.code}\n" in written
        assert f"](#{entry.code.lower()})" in written


SOURCE = """
from lockgate.core.message import Failure, Origin

def made(reason, *, origin: Origin = "gateway", code=-1, remedy=None):
    return Failure(code, "m", origin, reason, remedy=remedy)

def through(slug):
    return made(slug, code=-2, remedy="r", origin="client")

def use(flag):
    through("one")
    made("two" if flag else "three")
    word = "four" if flag else "five"
    Failure(code=-5, message="m", origin="upstream", reason=word, remedy="r")
    Failure(-6, "m", "policy")
    Failure(-7, "m", "policy", reason=f"x-{flag}")
"""


def test_makers_of_failures_are_followed_to_the_words() -> None:
    reader = Reader([reasons.read("lockgate.core.chain", SOURCE)])
    found = {use.reason: use for use in reader.run() if use.codes}
    assert set(found) == {"one", "two", "three", "four", "five", "error"}
    assert (found["one"].codes, found["one"].origins) == ({-2}, {"client"})
    assert (found["two"].codes, found["two"].origins) == ({-1}, {"gateway"})
    assert found["one"].remedy
    assert not found["two"].remedy
    assert found["five"].origins == {"upstream"}
    assert len(reader.unknown) == 1
