"""`config import`: what all clients have configured, gathered into one file.

Must not know: the terminal. Reads clients' files and writes one of ours; theirs are never changed.
Equal servers become one, whatever they are called; different servers of one name are told apart by
the client's name. The order of sources decides, so the same files give the same result.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Any, Literal, cast

import msgspec

from lockgate.config import load
from lockgate.config.clients import Source
from lockgate.config.finding import Findings
from lockgate.config.foreign import Entry, entries
from lockgate.config.show import as_yaml

Outcome = Literal["taken", "renamed", "same", "itself", "unreadable", "none"]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one server, or of one file.

    outcome  taken, renamed (another server had the name), same (equal to one already taken),
             itself (it is Lockgate), unreadable or none (the file as a whole).
    server   its name in the client's file; None when the line is about the file.
    name     its name in ours.
    """

    client: str
    path: str
    outcome: Outcome
    server: str | None = None
    name: str | None = None
    detail: str | None = None


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """The result: our servers by name, and what became of everything that was found."""

    servers: dict[str, dict[str, Any]]
    lines: list[Line]


def gather(sources: Iterable[Source]) -> Gathered:
    """The servers of all sources that exist."""
    servers: dict[str, Entry] = {}
    lines: list[Line] = []
    for source in sources:
        if not source.path.is_file():
            continue
        content, why = content_of(source.path)
        if why is not None:
            lines.append(_line(source, "unreadable", detail=why))
            continue
        found = entries(source.shape, content)
        lines += [_take(source, name, entry, servers) for name, entry in found]
        if not found:
            lines.append(_line(source, "none"))
    return Gathered(servers=servers, lines=lines)


def _line(source: Source, outcome: Outcome, **more: str | None) -> Line:
    return Line(client=source.client, path=str(source.path), outcome=outcome, **more)


def _take(source: Source, name: str, entry: Entry, servers: dict[str, Entry]) -> Line:
    if is_lockgate(entry):
        return _line(source, "itself", server=name)
    entry = placed(entry, source)
    for taken, other in servers.items():
        if other == entry:
            return _line(source, "same", server=name, name=taken)
    ours = _free(name, source.client, servers)
    servers[ours] = entry
    outcome: Outcome = "taken" if ours == name else "renamed"
    return _line(source, outcome, server=name, name=ours)


def is_lockgate(entry: Entry) -> bool:
    """Whether the entry starts Lockgate itself."""
    words = [str(entry.get("command", "")), *[str(arg) for arg in entry.get("args", [])]]
    return any(PurePath(word).stem == "lockgate" for word in words) and "up" in words


def _free(name: str, client: str, servers: dict[str, Entry]) -> str:
    if name not in servers:
        return name
    slug = re.sub(r"[^a-z0-9]+", "-", client.lower()).strip("-")
    candidate, number = f"{name}-{slug}", 2
    while candidate in servers:
        candidate, number = f"{name}-{slug}-{number}", number + 1
    return candidate


def placed(entry: Entry, source: Source) -> Entry:
    """The entry with what depended on its file's place written out."""
    if source.project is not None and "command" in entry:
        entry = {**entry, "cwd": entry.get("cwd", str(source.project))}
    return cast("Entry", _rewritten(entry, source.project))


def _rewritten(value: object, project: Path | None) -> object:
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        return {key: _rewritten(item, project) for key, item in members.items()}
    if isinstance(value, list):
        return [_rewritten(item, project) for item in cast("list[object]", value)]
    if not isinstance(value, str):
        return value
    if project is not None:
        value = value.replace("${workspaceFolder}", str(project))
        value = value.replace("${workspaceFolderBasename}", project.name)
    return re.sub(r"\$\{input:([^}]+)\}", lambda found: f"${{{_variable(found[1])}}}", value)


def _variable(label: str) -> str:
    name = re.sub(r"[^A-Za-z0-9]+", "_", label).strip("_").upper()
    return name if name and not name[0].isdigit() else f"INPUT_{name}"


def content_of(path: Path) -> tuple[object, str | None]:
    """The plain content of a file, or None and why not."""
    if path.suffix == ".toml":
        try:
            return tomllib.loads(path.read_text("utf-8")), None
        except (OSError, ValueError) as error:
            return None, str(error)
    findings = Findings(path)
    node = load.read(path, findings)
    if node is None:
        first = findings[0]
        return None, first.summary if first.line is None else f"line {first.line}: {first.summary}"
    return node.plain(), None


def written(servers: dict[str, Entry], suffix: str) -> str:
    """The text of our file: YAML for such a suffix, JSON otherwise."""
    values = {"mcpServers": servers}
    if suffix.lower() in (".yaml", ".yml"):
        return as_yaml(values) + "\n"
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def write(target: Path, text: str, *, force: bool) -> None:
    """Put `text` into `target`, whole or not at all, readable by its owner only.

    Raises:
        FileExistsError: there is a file already and `force` is not set.
        OSError: it cannot be written.
    """
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        if force:
            Path(temporary).replace(target)
        else:
            _claim(Path(temporary), target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()


def _claim(temporary: Path, target: Path) -> None:
    """Give the file its name unless that is taken."""
    try:
        target.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if target.exists():
            raise FileExistsError(target) from None
        temporary.replace(target)
