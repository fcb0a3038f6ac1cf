"""A definition judged: every string of it, and its shape. The same definition, the same verdict.

Must not know: where definitions come from, what is done with a verdict, or any configuration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from lockgate.core.legible import shortened, visible
from lockgate.guard.characters import Hidden, escaped, smuggled, spots, stripped
from lockgate.guard.finding import Finding, Severity
from lockgate.guard.signals import shape
from lockgate.guard.signals.combination import suspicious
from lockgate.guard.signals.kinds import KINDS
from lockgate.guard.signals.rows import Rows
from lockgate.guard.signals.sentence import SIGNALS
from lockgate.guard.text.confusable import mixed, unfolded
from lockgate.guard.text.decoding import DECODED, carried, decoded
from lockgate.guard.text.sentences import sentences
from lockgate.guard.text.walk import Place, places

Grade = Literal["block", "review", "none"]

MOST_FINDINGS: Final = 50
_EVIDENCE: Final = 240
_AROUND: Final = 40
_WORDS: Final = 4
"""Fewer words than these are no sentence: names and constants have to have as many to be read."""


class Verdict(msgspec.Struct, frozen=True):
    """What is thought of one definition; a note alone is no reason to grade it."""

    severity: Grade
    findings: tuple[Finding, ...]


_LARGE: Final = KINDS["too-large"]
TOO_LARGE: Final = Finding(
    id="too-large", severity=_LARGE.severity, summary=_LARGE.meaning, remedy=_LARGE.remedy
)
"""What is said of what is not even read."""


def scan(definition: Mapping[str, object]) -> Verdict:
    """Judge a tool, prompt, resource or template, or what a server says of itself."""
    notes = _Notes()
    own = own_names(definition)
    found = places(definition)
    for place in found:
        _text(place, own, notes)
    if found.cut or any(len(place.text) > DECODED for place in found):
        notes.add("too-large", "", "")
    if shape.contradicts(definition):
        notes.add("read-only-contradicted", "annotations.readOnlyHint", str(definition["name"]))
    if shape.harmful(str(definition.get("name", ""))):
        notes.add("harmful-name", "name", str(definition["name"]))
    for kind, path in shape.left_open(definition):
        notes.add(kind, path, "")
    return notes.verdict()


_DEEDS: Final = frozenset(
    {"secret-asked", "context-taken", "file-asked", "personal-data-sent", "changes-others"}
    | {"forced-value", "standing-order", "removes", "runs-command", "declared-harm", "disguise"}
    | {"context-collected", "harmful-name"}
)
"""Kinds of what is to be done beside a tool's work."""


class _Notes:
    """The findings as they come: one of a kind for one place, and not too many."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], Finding] = {}

    def add(self, kind: str, where: str, evidence: str, severity: Severity | None = None) -> None:
        """Note one finding; of two of a kind in one place, the graver."""
        sort = KINDS[kind]
        grave = severity or sort.severity
        before = self.found.get((kind, where))
        if before is not None and (before.severity == "block" or grave != "block"):
            return
        if before is None and len(self.found) >= MOST_FINDINGS and grave != "block":
            return
        self.found[kind, where] = Finding(
            id=kind,
            severity=grave,
            summary=sort.meaning,
            where=visible(where)[:200],
            evidence=visible(shortened(evidence, _EVIDENCE)),
            remedy=sort.remedy,
        )

    def _weigh(self) -> None:
        """What a person is not to be told weighs more beside something that is to be done."""
        if any(kind in _DEEDS for kind, _ in self.found):
            for key in [key for key in self.found if key[0] == "untold"]:
                self.found[key] = replace(self.found[key], severity="block")

    def verdict(self) -> Verdict:
        """All of it, gravest first."""
        self._weigh()
        order = {"block": 0, "review": 1, "note": 2}
        ordered = sorted(self.found.values(), key=lambda one: order[one.severity])[:MOST_FINDINGS]
        grade = ordered[0].severity if ordered else "none"
        return Verdict("none" if grade == "note" else grade, tuple(ordered))


def own_names(definition: Mapping[str, object]) -> frozenset[str]:
    """The names a definition may speak of because they are its own."""
    names: set[str] = set()
    name = definition.get("name")
    if isinstance(name, str):
        names.add(name)
    schema = definition.get("inputSchema")
    properties = schema.get("properties") if isinstance(schema, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType] - any JSON
    if isinstance(properties, dict):
        names.update(str(one) for one in properties)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - any JSON
    return frozenset(names)


def _text(place: Place, own: frozenset[str], notes: _Notes) -> None:
    """Everything one string can be found to say."""
    seen = stripped(place.text)
    if seen is not place.text:
        _concealed(place, own, notes)
    if not seen.isascii():
        _look_alikes(place, seen, notes)
        seen = unfolded(seen)
    if place.role == "parameter":
        severity = shape.carries_context(seen)
        if severity:
            kind = "context-parameter" if severity == "block" else "context-collected"
            notes.add(kind, place.path, seen)
    for kind, severity, evidence in _said(seen, own, prose=place.role == "description"):
        notes.add(kind, place.path, evidence, severity)
    for one in decoded(seen):
        inner = list(_said(one.text, own, prose=True))
        for kind, _, evidence in inner:
            notes.add(kind, place.path, f"{one.form}: {evidence}", "block")
        if inner or one.form[0] in "bh":
            notes.add("encoded-text", place.path, f"{one.written} = {one.text}")


_HIDDEN_KINDS: Final[dict[Hidden, str]] = {
    "ansi": "terminal-codes",
    "control": "terminal-codes",
    "private": "private-characters",
}


def _concealed(place: Place, own: frozenset[str], notes: _Notes) -> None:
    """What stands where nobody sees it, and what it says."""
    text = place.text
    seen: set[Hidden] = {"soft"}
    for spot in spots(text):
        if spot.kind not in seen:
            seen.add(spot.kind)
            kind = _HIDDEN_KINDS.get(spot.kind, "hidden-characters")
            around = text[max(0, spot.start - _AROUND) : spot.end + _AROUND]
            notes.add(kind, place.path, f"{spot.kind}: {escaped(around)}")
    for said in (smuggled(text), carried(text)):
        if said:
            notes.add("hidden-message", place.path, said)
            for kind, _, evidence in _said(said, own, prose=True):
                notes.add(kind, place.path, evidence, "block")


def _look_alikes(place: Place, seen: str, notes: _Notes) -> None:
    """Words that are Latin but for a letter or two."""
    odd = [word for word in seen.split() if mixed(word.strip("\"'`()[]{}.,:;!?*"))]
    if odd:
        kind = "block" if place.role in ("name", "parameter") else None
        shown = " ".join(word.encode("unicode_escape").decode() for word in odd[:6])
        notes.add("look-alike-letters", place.path, shown, kind)


def _said(text: str, own: frozenset[str], *, prose: bool) -> Iterator[tuple[str, Severity, str]]:
    """Every signal of a text: its kind, how grave it is, and the words."""
    mark, grave = shape.tag(text)
    if mark:
        yield "instruction-tag", grave, mark
    image = shape.beacon(text)
    if image:
        yield "image-beacon", "review", image
    title, happened = shape.heading(text)
    ordered = False
    for sentence in sentences(text):
        if len(sentence.words) < _WORDS - prose:
            continue
        rows = Rows(sentence)
        ordered = ordered or bool(title and rows.orders())
        found = [signal for signal in SIGNALS if signal.judge(rows, own)]
        grave = [signal for signal in found if signal.severity == "block"]
        for signal in grave or found:
            yield signal.id, signal.severity, sentence.text
        if prose and not found and suspicious(rows, own):
            yield "suspicious-combination", "review", sentence.text
    if title:
        yield "instruction-heading", "block" if ordered and happened else "review", title
