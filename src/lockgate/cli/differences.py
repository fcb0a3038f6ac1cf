"""Differences between definitions on a terminal: what a person reads before saying yes.

Must not know: where definitions come from, or what is done after the yes. Everything shown was
written by a server: nothing in it is markup, nothing in it stays invisible, and no line of it can
look like one of ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from rich.console import Console
from rich.text import Text

from lockgate.cli.terminal import hang
from lockgate.core.legible import shortened, visible
from lockgate.guard.definition import canonical_order_kept
from lockgate.guard.pins.book import Thing
from lockgate.guard.pins.difference import Difference, Words, compare
from lockgate.guard.pins.drift import Drift
from lockgate.guard.scan import scan

_LONGEST: Final = 4000
_STYLES: Final = {"out": "red strike", "in": "bold green", "same": ""}
_MARKS: Final = {"added": ("+ ", "green"), "removed": ("- ", "red"), "changed": ("~ ", "yellow")}
_WHAT: Final = {
    "new server": "a server that was never approved",
    "identity": "another program or address than was approved",
    "new": "new",
    "changed": "changed",
    "as before": "as it was approved of the other one",
    "denied": "denied",
    "gone": "no longer listed",
}


def titled(server: str, thing: Thing | None) -> str:
    """What a difference is about: `files/tool read`, as nobody can misread it."""
    if thing is None or thing[0] == "server":
        return visible(server)
    return f"{visible(server)}/{visible(thing[1])} ({thing[0]})"


def show_drift(out: Console, one: Drift, *, full: bool = True) -> None:
    """One difference: its title, and below it what is different, or all of what is new."""
    said = _WHAT[one.what]
    if one.thing is not None and one.thing[0] == "server":
        said = f"what it says of itself: {said}"
    style = "yellow" if one.what == "gone" else "bold"
    hang(out, Text.assemble((titled(one.server, one.thing), style), f": {said}"))
    if not full or one.what == "gone":
        return
    if one.before is None:
        _show_new(out, one.after)
        return
    for difference in compare(one.before, one.after):
        show_difference(out, difference)


def show_found(out: Console, one: Drift) -> None:
    """What a scan finds in the definition there is now, so that nobody says yes without it."""
    definition: object = one.after
    if one.thing is None or not isinstance(definition, dict):
        return
    for found in scan(cast("Mapping[str, Any]", definition)).findings:
        if found.severity != "note":
            style = "bold red" if found.severity == "block" else "yellow"
            said = Text(f"{found.summary}  [{found.id}]", style)
            _line(out, "! ", style, f"{found.severity}: ", said)


def _show_new(out: Console, value: Any) -> None:
    if not isinstance(value, dict):
        return
    for key, inner in cast("Mapping[str, Any]", value).items():
        shown = inner if isinstance(inner, str) else canonical_order_kept(inner).decode()
        _line(out, "+ ", "green", f"{visible(key)}: ", Text(_safe(str(shown)), "green"))


def show_difference(out: Console, one: Difference) -> None:
    """One line, or for a text its words with what went and what came marked."""
    if one.kind == "text":
        _line(out, "~ ", "yellow", f"{visible(one.said)}: ", marked(one.words))
        return
    mark, style = _MARKS[one.kind]
    values = [_safe(value) for value in (one.before, one.after) if value is not None]
    _line(out, mark, style, f"{visible(one.said)}: ", Text(" → ".join(values), style))


def _line(out: Console, mark: str, style: str, label: str, value: Text) -> None:
    # Where a line has to be broken, what follows is indented: it cannot pass for one of ours.
    hang(out, Text.assemble("  ", (mark, style), (label, "dim"), value))


def marked(words: Sequence[Words]) -> Text:
    """Words with marks that show without colours as well: [-out-] and {+in+}."""
    text = Text()
    for one in words:
        shown = _safe(one.text)
        if one.mark == "out":
            text.append(f"[-{shown}-]", _STYLES["out"])
        elif one.mark == "in":
            text.append(f"{{+{shown}+}}", _STYLES["in"])
        else:
            text.append(_shortened(shown))
    return text


def _shortened(text: str) -> str:
    """What is the same on both sides need not be read again."""
    return text if len(text) <= 200 else f"{text[:90]} … {text[-90:]}"


def _safe(text: str) -> str:
    return shortened(visible(text), _LONGEST)


def plain(one: Drift) -> dict[str, Any]:
    """A difference for programs."""
    changes = [] if one.before is None or one.what == "gone" else compare(one.before, one.after)
    return {
        "server": one.server,
        "what": one.what,
        **({} if one.thing is None else {"kind": one.thing[0], "name": one.thing[1]}),
        **({"fingerprint": one.fingerprint} if one.fingerprint else {}),
        **({"changes": [_change(change) for change in changes]} if changes else {}),
    }


def _change(one: Difference) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": one.kind, "where": one.where, "said": one.said}
    if one.words:
        found["words"] = [[word.mark, word.text] for word in one.words]
    if one.before is not None:
        found["before"] = one.before
    if one.after is not None:
        found["after"] = one.after
    return found
