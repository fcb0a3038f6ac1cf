"""What a scan is of: one thing after another, each with a name and what was found.

Must not know: how it is shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Final, Literal

import msgspec

from lockgate.core.legible import shortened, visible
from lockgate.guard.finding import Finding, worst
from lockgate.guard.remembering import unwrapped
from lockgate.guard.scan import scan

Grade = Literal["block", "review", "none"]
LONGEST_LINE: Final = 8_000_000


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was scanned.

    name   what it is called, harmless to show.
    kind   `tool`, `prompt`, `resource`, `template`, `server` or `configuration`.
    file, line, column  where it is written, when it is in a file.
    error  why it could not be scanned; then there are no findings.
    """

    name: str
    kind: str
    findings: tuple[Finding, ...] = ()
    server: str | None = None
    file: str | None = None
    line: int | None = None
    column: int | None = None
    error: str | None = None

    @property
    def severity(self) -> Grade | None:
        """The gravest finding; None when it could not be scanned. A note alone is no reason."""
        if self.error is not None:
            return None
        found = worst(self.findings)
        return "none" if found == "note" else found


def lines(file: str, data: Iterable[bytes]) -> Iterator[Subject]:
    """One subject for each line of a JSON Lines file, in order."""
    for number, line in enumerate(data, 1):
        text = line.strip()
        if number == 1:
            text = text.removeprefix(b"\xef\xbb\xbf")
        yield _line(text, file, number)


def _line(text: bytes, file: str, number: int) -> Subject:
    def failed(why: str) -> Subject:
        return Subject(name=f"line {number}", kind="tool", file=file, line=number, error=why)

    if len(text) > LONGEST_LINE:
        return failed(f"The line has more than {LONGEST_LINE} bytes.")
    try:
        value = _decoded(text)
    except (ValueError, RecursionError) as error:
        return failed(f"It is no JSON: {shortened(visible(str(error)), 200)}.")
    definition = unwrapped(value)
    if definition is None:
        return failed("It is no definition: an object with a name, or with one under `tool`.")
    verdict = scan(definition)
    name = definition.get("name") or definition.get("uri") or definition.get("uriTemplate")
    return Subject(
        name=shortened(visible(name), 200) if isinstance(name, str) else f"line {number}",
        kind="tool",
        findings=verdict.findings,
        file=file,
        line=number,
    )


def _decoded(text: bytes) -> object:
    """JSON as strictly as possible; half of a surrogate pair is something to scan, not an error."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        if b"\\u" not in text:
            raise
        return json.loads(text)
