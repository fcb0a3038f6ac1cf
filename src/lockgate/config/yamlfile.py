"""YAML read into nodes with positions, by the rules of YAML 1.2's core schema.

Must not know: what any key means. ruamel.yaml does the parsing; only its composed nodes are used,
so no tag can build an object of any type.
"""

from __future__ import annotations

from typing import Any, Final, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from lockgate.config.finding import Findings
from lockgate.config.nodes import Node, Position, Scalar

DEEPEST: Final = 100
MOST_NODES: Final = 100_000
_TAG: Final = "tag:yaml.org,2002:"
_REMEDY: Final = "Check indentation (spaces, no tabs), colons followed by a space, and quotes."


class _TooMuch(Exception):
    """Aliases that multiply, or nesting without end."""


def parse(text: str, findings: Findings) -> Node | None:
    """The value `text` holds, or None after noting why it cannot be read.

    A key that stands twice is noted; the first counts.
    """
    try:
        composed = cast("Any", YAML(typ="rt", pure=True)).compose(text)
        if composed is None:
            findings.add("syntax", "The file is empty.", "Write at least `mcpServers: {}`.", (1, 1))
            return None
        return _Reader(findings).node(composed, 0)
    except MarkedYAMLError as error:
        marked = cast("Any", error)  # ruamel.yaml declares no types for its marks
        mark = marked.problem_mark or marked.context_mark
        at = (int(mark.line) + 1, int(mark.column) + 1) if mark is not None else None
        if r"'\t'" in str(marked.problem):
            findings.add("syntax", "A tab stands where YAML wants spaces.", "Use spaces.", at)
        else:
            findings.add("syntax", f"No YAML: {_sentence(marked.problem)}.", _REMEDY, at)
    except ReaderError:
        findings.add("syntax", "The file has a character YAML does not allow.", _REMEDY)
    except (_TooMuch, RecursionError):
        findings.add("syntax", "Too deep, or aliases that multiply without end.", "Flatten it.")
    return None


def _sentence(problem: object) -> str:
    return " ".join(str(problem or "unreadable").split())


class _Reader:
    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.left = MOST_NODES

    def node(self, source: object, depth: int, key_at: Position | None = None) -> Node:
        self.left -= 1
        if depth > DEEPEST or self.left < 0:
            raise _TooMuch
        at = _at(source)
        if isinstance(source, MappingNode):
            return Node(self.mapping(source, depth), at, key_at)
        if isinstance(source, SequenceNode):
            items = cast("list[object]", cast("Any", source).value)
            return Node([self.node(item, depth + 1) for item in items], at, key_at)
        scalar = cast("ScalarNode", source)
        return Node(_scalar(scalar), at, key_at, str(cast("Any", scalar).value))

    def mapping(self, source: MappingNode, depth: int) -> dict[str, Node]:
        members: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key, value in cast("list[tuple[Any, Any]]", cast("Any", source).value):
            name, at = str(key.value), _at(key)
            node = self.node(value, depth + 1, at)
            if name == "<<":
                for part in [node, *node.items]:
                    merged = {**part.members, **merged}
            elif name in members:
                first = members[name].key_at or members[name].at
                self.findings.add(
                    "duplicate-key",
                    f'The key "{name}" stands twice in this mapping, first in line {first[0]}.',
                    "Remove one of the two.",
                    at,
                )
            else:
                members[name] = node
        return {**merged, **members}


def _at(source: Any) -> Position:
    return int(source.start_mark.line) + 1, int(source.start_mark.column) + 1


def _scalar(source: ScalarNode) -> Scalar:
    tag, text = str(cast("Any", source).tag), str(cast("Any", source).value)
    if tag == f"{_TAG}null":
        return None
    if tag == f"{_TAG}bool":
        return text.lower() == "true"
    if tag == f"{_TAG}int":
        return _whole(text)
    if tag == f"{_TAG}float":
        return _real(text)
    return text


def _whole(text: str) -> int | str:
    try:
        return int(text.replace("_", ""), 0)
    except ValueError:
        return text


def _real(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
