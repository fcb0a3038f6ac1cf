"""The tables: every kind of finding belongs to a step, is said in full, and is found by a test."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from lockgate.doctor.blacken import Blackener
from lockgate.doctor.checks import latency
from lockgate.doctor.checks.clues import CLUES, clue
from lockgate.doctor.heard import Heard
from lockgate.doctor.kinds import KINDS
from lockgate.doctor.report import Found
from lockgate.doctor.steps import NAMES
from lockgate.doctor.visit import HttpSubject, Patience, Visit
from tests.doctor.defects import DEFECTS
from tests.doctor.guarded import GUARDED
from tests.doctor.test_stdio_defects import WRONGS

HERE = Path(__file__).parent
SOURCE = Path(latency.__file__).parents[1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_whole(kind: str) -> None:
    one = KINDS[kind]
    assert one.step in {*NAMES, "any"}
    assert not one.means.endswith(".")
    assert one.cause.endswith(".")
    assert one.remedy.endswith(".")


def test_every_kind_is_found_by_a_test() -> None:
    named = {*DEFECTS, *GUARDED, *WRONGS}
    files = (
        "test_reach.py",
        "test_stdio_defects.py",
        "test_kinds.py",
        "test_odd_answers.py",
        "test_older.py",
        "test_sockets.py",
    )
    for file in (*files, "../cli/test_check_servers.py"):
        named |= set(re.findall(r"\[([a-z]+-[a-z0-9-]+)\]", (HERE / file).read_text()))
        named |= set(re.findall(r'"([a-z]+-[a-z0-9-]+)"', (HERE / file).read_text()))
    assert set(KINDS) <= named, set(KINDS) - named
    assert {*DEFECTS, *GUARDED} <= set(KINDS)


def test_every_kind_is_used_and_every_one_used_is_in_the_table() -> None:
    source = "\n".join(
        one.read_text("utf-8") for one in SOURCE.rglob("*.py") if not one.name.startswith("kinds_")
    )
    written = set(re.findall(r'"([a-z]+(?:-[a-z0-9]+)+)"', source))
    made = {f"tcp-{one}" for one in ("refused", "silent", "unreachable")}
    assert set(KINDS) <= written | made
    for found in re.findall(r'\.find\(\s*"([a-z0-9-]+)"', source):
        assert found in KINDS, found


class Timed:
    """A voice whose answers take as long as it was told."""

    era: Any = "modern"

    def __init__(self, *seconds: float) -> None:
        self._seconds = list(seconds)

    async def ask(
        self, method: str, params: dict[str, Any] | None = None, *, within: float | None = None
    ) -> Heard:
        del method, params, within
        return Heard(seconds=self._seconds.pop(0))

    async def tell(self, method: str, params: dict[str, Any] | None = None) -> Heard:
        del method, params
        return Heard()


@pytest.mark.parametrize(
    ("kind", "seconds"),
    [
        ("", [0.002] * 7),
        ("", [0.045, 0.001] + [0.002] * 5),
        ("latency-slow", [1.2, 1.3, 1.4]),
        ("latency-unsteady", [0.002] * 6 + [0.9]),
        ("latency-delayed", [0.002] + [0.044] * 6),
    ],
)
def test_latencies(kind: str, seconds: list[float]) -> None:
    async def run() -> list[Found]:
        subject = HttpSubject(name="here", url="http://127.0.0.1:1/mcp")
        visit = Visit(subject, Patience(), Blackener())
        visit.voices["modern"] = Timed(*seconds)
        await latency.latency(visit)
        return list(visit.taken()[2])

    assert [one.id for one in asyncio.run(run())] == ([kind] if kind else [])


WORDS = {
    "Error: Cannot find module '@acme/server'": "start-module",
    "error while loading shared libraries: libssl.so.3": "start-module",
    "TypeError: unsupported operand type(s) for |: 'type' and 'NoneType'": "start-python",
    "Error: listen EADDRINUSE: address already in use :::8000": "start-port",
    "docker: Cannot connect to the Docker daemon": "start-package",
    "EACCES: permission denied, open '/etc/x'": "start-permission",
    "ValueError: ACME_API_KEY is not set": "start-environment",
    "Fatal: nothing we know": None,
}


@pytest.mark.parametrize("words", WORDS)
def test_what_last_words_are_a_sign_of(words: str) -> None:
    assert clue(words) == WORDS[words]
    assert {kind for kind, _ in CLUES} <= set(KINDS)


@pytest.mark.parametrize(
    "unit", ["A", "A_", "KeyError: '", "Because a", " ", "AAA ", "requires N", "npm error "]
)
def test_long_last_words_are_read_in_no_time(unit: str) -> None:
    assert clue(unit * (200_000 // len(unit))) is None
