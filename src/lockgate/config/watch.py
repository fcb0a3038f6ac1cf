"""When a configuration has changed on disk: the file, and the files it names.

Must not know: what is done about it, clocks, event loops. Whoever watches calls `look` every second
or so; polling works on every file system, through symbolic links that are exchanged (as container
platforms do) and for editors that write a new file and rename it.

A file that is being written changes from one look to the next, so a change counts once two looks in
a row see the same. Whether what is there then makes sense is for the reader to say.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Final

from lockgate.config.load import MOST_BYTES
from lockgate.config.nodes import Node

Stamp = tuple[int, int, int, int] | None
_READ: Final = 1 << 20


class Watch:
    """What some files were like when they were last taken over, and at the last look."""

    def __init__(self, file: Path) -> None:
        """What `file` holds now is known; so create this before reading it."""
        self._known: dict[Path, Stamp] = {}
        self._looked: dict[Path, Stamp] = {}
        self._contents: dict[Path, bytes] = {}
        self.follow([file])

    def follow(self, files: Iterable[Path]) -> None:
        """Look at these files; what one holds that was not looked at before is known."""
        wanted = dict.fromkeys(files)
        for file in wanted:
            if file not in self._known:
                self._known[file] = self._looked[file] = _stamp(file)
                self._contents[file] = _hashed(file)
        for kept in (self._known, self._looked, self._contents):
            for file in [file for file in kept if file not in wanted]:
                del kept[file]

    def take(self) -> None:
        """What the files hold now is known; so call this before reading them."""
        self._looked = {file: _stamp(file) for file in self._known}
        self._settle()

    def look(self) -> bool:
        """Whether the files hold something else now, and have come to rest."""
        before, self._looked = self._looked, {file: _stamp(file) for file in self._known}
        return self._looked == before != self._known and self._settle()

    def _settle(self) -> bool:
        self._known = dict(self._looked)
        before, self._contents = self._contents, {file: _hashed(file) for file in self._known}
        return self._contents != before


def _stamp(file: Path) -> Stamp:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev


def _hashed(file: Path) -> bytes:
    digest = sha256()
    try:
        with file.open("rb") as handle:
            for _ in range(MOST_BYTES // _READ + 1):
                digest.update(handle.read(_READ))
    except OSError:
        return b"-"
    return b"+" + digest.digest()


def sources(file: Path, tree: Node | None) -> list[Path]:
    """The file, and the files that it names: env files, lists of API keys.

    `tree` as `examine` found it.
    """
    found = [file]
    servers = tree.find(["servers"]) if tree is not None else None
    for server in servers.members.values() if servers is not None else ():
        found += _named(file, server, "envFile")
    settings = tree.find(["lockgate"]) if tree is not None else None
    if settings is not None:
        for key in ("certificate", "key", "client_ca"):
            found += _named(file, settings, "tls", key)
        endpoints = settings.find(["endpoints"])
        holders = [settings, *(endpoints.members.values() if endpoints is not None else ())]
        for holder in holders:
            found += _named(file, holder, "auth", "keys_file")
    return found


def _named(file: Path, node: Node, *key: str) -> list[Path]:
    named = node.find(list(key))
    plain = named.plain() if named is not None else None
    return [file.absolute().parent / Path(plain).expanduser()] if isinstance(plain, str) else []
