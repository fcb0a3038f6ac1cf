"""The lock file on disk: whole or not at all, and nothing lost between two who write."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lockgate.gateway import pin_file
from lockgate.gateway.pin_file import PinFile, PinsUnwritable
from lockgate.guard.pins.book import Book, ServerPins
from tests.security.controls import holds

WRITER = """
import sys
from pathlib import Path
from lockgate.gateway.pin_file import PinFile
from lockgate.guard.pins.book import Book, ServerPins
file = PinFile(Path(sys.argv[1]))
for number in range(10):
    name = f"{sys.argv[2]}-{number}"
    file.change(lambda book: (book or Book()).with_server(name, ServerPins(identity={})))
"""


def one(name: str) -> Book:
    return Book({name: ServerPins(identity={})})


def test_nothing_is_lost_between_two_who_write(tmp_path: Path) -> None:
    path = tmp_path / "lockgate.lock"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(number)])
        for number in range(3)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    book = PinFile(path).read()
    assert book is not None
    assert len(book.servers) == 30
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@holds(19)
def test_a_crash_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = PinFile(tmp_path / "lockgate.lock")
    file.change(lambda _: one("a"))
    before = file.path.read_bytes()

    def crash(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pin_file.os, "fsync", crash)
    with pytest.raises(KeyboardInterrupt):
        file.change(lambda _: one("b"))
    assert file.path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == [file.path.name]


def test_it_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = PinFile(tmp_path / "lockgate.lock")
    seen: list[tuple[bool, bool]] = []
    sync = os.fsync

    def noted(handle: int) -> None:
        folder = Path(f"/proc/self/fd/{handle}").is_dir()
        seen.append((folder, file.path.exists()))
        sync(handle)

    monkeypatch.setattr(pin_file.os, "fsync", noted)
    file.change(lambda _: one("a"))
    assert seen == [(False, False), (True, True)]
    file.change(lambda book: book or one("b"))
    assert len(seen) == 2  # the same again is not written


def test_a_link_stays_one(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "lockgate.lock").symlink_to(real / "shared.lock")
    file = PinFile(tmp_path / "lockgate.lock")
    file.change(lambda _: one("a"))
    assert file.path.is_symlink()
    assert (real / "shared.lock").exists()
    assert file.read() is not None


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(PinsUnwritable) as raised:
        PinFile(tmp_path / "gone" / "lockgate.lock").change(lambda _: one("a"))
    assert raised.value.code == "LG-951"
