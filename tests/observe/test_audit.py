"""The audit log: whatever is done to its lines shows."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from lockgate.observe import audit
from lockgate.observe.audit import Audit, AuditUnusable, head_path, key_path
from lockgate.observe.chained import Broken, Chain, Head, verify, whole_lines
from lockgate.testing.clock import ManualClock
from tests.security.controls import holds
from tests.support.waiting import until

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
AT = "2026-11-21T00:00:00.000Z"


def written(events: int, seals: set[int], key: Ed25519PrivateKey = KEY) -> tuple[list[bytes], Head]:
    """The lines of a log with seals after some events and at its end; its head."""
    chain, lines = Chain(key), []
    for number in range(events):
        lines.append(chain.line("call", {"at": AT, "name": f"tool-{number}"}))
        if number in seals:
            lines.append(chain.seal(AT)[0])
    line, head = chain.seal(AT)
    return [*lines, line], head


LOGS = st.builds(written, st.integers(1, 8), st.sets(st.integers(0, 7)))


@given(LOGS)
def test_a_log_that_nobody_touched_holds(log: tuple[list[bytes], Head]) -> None:
    lines, head = log
    found = verify(lines, head=head)
    assert (found.lines, found.sealed) == (len(lines), len(lines))


@holds(43)
@given(LOGS, st.data())
def test_any_change_shows(log: tuple[list[bytes], Head], data: st.DataObject) -> None:
    lines, head = log
    at = data.draw(st.integers(0, len(lines) - 1))
    what = data.draw(st.sampled_from(["byte", "drop", "twice", "swap", "cut"]))
    changed = list(lines)
    if what == "byte":
        place = data.draw(st.integers(0, len(lines[at]) - 1))
        line = bytearray(lines[at])
        line[place] ^= data.draw(st.integers(1, 255))
        changed[at : at + 1] = whole_lines(bytes(line))
    elif what == "drop":
        del changed[at]
    elif what == "twice":
        changed.insert(at, changed[at])
    elif what == "swap" and len(lines) > 1:
        other = (at + 1) % len(lines)
        changed[at], changed[other] = changed[other], changed[at]
    else:
        changed = changed[:at]
    if changed != lines:
        with pytest.raises(Broken):
            verify(changed, head=head)


@holds(43)
def test_who_writes_it_all_anew_has_another_key() -> None:
    lines, head = written(3, {1})
    key = verify(lines).key
    forged, _ = written(3, {1}, Ed25519PrivateKey.generate())
    assert verify(forged).key != key
    with pytest.raises(Broken, match="another key"):
        verify(forged, key)
    with pytest.raises(Broken):
        verify(forged, head=head)


def run_with(file: Path, *events: str, clock: ManualClock | None = None, end: bool = True) -> Audit:
    async def play() -> Audit:
        log = Audit(file, None, clock or ManualClock())
        for event in events:
            log.note(event, {"name": "x"})
        if end:
            await log.close()
        return log

    return asyncio.run(play())


def events_in(file: Path) -> list[str]:
    lines = list(whole_lines(file.read_bytes()))
    verify(lines, head=_head(file))
    return [line.split(b'"event":"')[1].split(b'"')[0].decode() for line in lines]


def _head(file: Path) -> Head:
    return msgspec.json.decode(head_path(file).read_bytes(), type=Head)


def test_it_goes_on_where_it_ended(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    run_with(file, "one")
    key = key_path(file).read_bytes()
    run_with(file, "two")
    assert events_in(file) == ["one", "seal", "two", "seal"]
    assert key_path(file).read_bytes() == key
    for path in (file, key_path(file)):
        assert path.stat().st_mode & 0o077 == 0, "nobody else may read it"


@holds(43)
def test_a_line_that_was_torn_by_a_crash_is_told(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    run_with(file, "one")
    with file.open("ab") as out:
        out.write(b'{"n":3,"event":"ca')
    run_with(file, "two")
    assert events_in(file)[2] == "recovered"
    assert b'"torn":18' in file.read_bytes()


def test_only_one_process_writes_it(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"

    async def play() -> None:
        first = Audit(file, None, ManualClock())
        with pytest.raises(AuditUnusable, match="another process"):
            Audit(file, None, ManualClock())
        await first.close()

    asyncio.run(play())


@pytest.mark.parametrize(
    ("log", "key"),
    [(b"not a log\n", None), (b"no line at all", None), (b"", b"no key")],
)
def test_what_is_damaged_is_not_gone_on_with(tmp_path: Path, log: bytes, key: bytes | None) -> None:
    file = tmp_path / "audit.jsonl"
    file.write_bytes(log)
    if key is not None:
        key_path(file).write_bytes(key)
    with pytest.raises(AuditUnusable, match="cannot be used"):
        run_with(file, "one")
    assert file.read_bytes() == log


def test_it_is_sealed_every_minute(tmp_path: Path) -> None:
    clock, file = ManualClock(), tmp_path / "audit.jsonl"

    async def play() -> None:
        log = Audit(file, None, clock)
        log.note("one", {})
        log.note("two", {})
        clock.advance(audit.SEALED_EVERY)
        log.note("three", {})
        await log.close()

    asyncio.run(play())
    assert events_in(file) == ["one", "two", "three", "seal"]


@holds(44)
def test_what_cannot_be_written_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    async def play() -> None:
        log = Audit(tmp_path / "audit.jsonl", None, ManualClock())
        assert log.ready
        monkeypatch.setattr(audit.os, "write", full)
        log.note("one", {})
        await until(lambda: not log.ready)
        await log.close()

    asyncio.run(asyncio.wait_for(play(), 60))
