"""The troubleshooting page: its tables, its words, and that what it shows works."""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil
from pathlib import Path

import pytest

from lockgate.doctor import page
from lockgate.doctor.kinds import KINDS
from lockgate.doctor.steps import NAMES
from tests.doctor.patient import Patient

PAGE = Path(__file__).parents[2] / page.PAGE
TEXT = PAGE.read_text("utf-8")
BY_HAND = TEXT.partition("## Steps")[0]

# What people come with → the section that has it, and findings that have to be named there.
SYMPTOMS = {
    "The server does not start": {"start-python", "start-module", "start-port"},
    "The connection is refused, or times out": {"tcp-refused", "tcp-silent"},
    "The handshake fails": {"initialize-refused", "era-none", "stdout-noise"},
    "Tools are not found": {"list-empty", "capability-none", "capability-undeclared"},
    "Calls fail": {"call-failed", "call-error", "call-output"},
    "Streams do not work": {"http-accept", "stream-silent", "stream-cut"},
    "Sessions do not last": {"session-lost", "cors-expose", "session-code"},
    "The login fails": {"auth-challenge", "auth-refused", "auth-metadata"},
    "It works everywhere but in the browser": {"cors-none", "cors-headers", "cors-expose"},
    "It is slow": {"latency-slow"},
    "It fails behind a proxy or gateway, and works without": {"http-forbidden"},
}


def test_the_tables_are_those_of_the_code() -> None:
    assert page.filled(TEXT) == TEXT, "run: python -m lockgate.doctor.page"
    for kind in KINDS:
        assert f"| `{kind}` |" in TEXT


def test_every_finding_that_is_named_exists() -> None:
    families = {one.partition("-")[0] for one in KINDS}
    named = set(re.findall(r"`([a-z]+-[a-z0-9-]+)`", BY_HAND))
    assert {one for one in named if one.partition("-")[0] in families} <= set(KINDS)
    rows = re.findall(r"^\| [A-Z][^|]*\| ([^|]*) \|", BY_HAND, re.MULTILINE)
    steps = {one for row in rows for one in re.findall(r"`([a-z]+)`", row)}
    assert {"tcp", "era", "lists", "call"} <= steps <= set(NAMES)


@pytest.mark.parametrize("symptom", SYMPTOMS)
def test_every_symptom_has_a_section(symptom: str) -> None:
    section = BY_HAND.partition(f"### {symptom}\n")[2].partition("\n### ")[0]
    assert {one for one in SYMPTOMS[symptom] if f"`{one}`" not in section} == set()


@pytest.mark.skipif(shutil.which("curl") is None, reason="asks with curl")
def test_what_is_asked_by_hand_is_answered() -> None:
    (block,) = re.findall(r"```sh\n(curl .*?)```", TEXT, re.DOTALL)

    async def run() -> bytes:
        async with Patient().serve() as url:
            words = shlex.split(block.replace("http://127.0.0.1:8000/mcp", url))
            child = await asyncio.create_subprocess_exec(
                *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
            )
            return (await child.communicate())[0]

    said = asyncio.run(run())
    assert said.startswith(b"HTTP/1.1 200")
    assert b'"supportedVersions"' in said
