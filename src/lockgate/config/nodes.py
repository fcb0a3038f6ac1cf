"""A configuration file as a tree that remembers where everything stands.

Must not know: JSON, YAML, or what any key means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

Scalar = str | int | float | bool | None
Position = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Node:
    """One value. Its `repr` shows none, for any of them may be a secret.

    value    a scalar, a list of nodes, or a mapping of keys to nodes.
    at       line and column of the value, counted from 1.
    key_at   of its key, for the members of a mapping.
    spelled  what the file says, where that is not the value: an expanded string, a number.
    """

    value: Scalar | list[Node] | dict[str, Node] = field(repr=False)
    at: Position
    key_at: Position | None = None
    spelled: str | None = field(default=None, repr=False)

    @property
    def members(self) -> dict[str, Node]:
        """The members of a mapping; empty for anything else."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> list[Node]:
        """The items of a list; empty for anything else."""
        return self.value if isinstance(self.value, list) else []

    @property
    def text(self) -> str | None:
        """The string, if it is one."""
        return self.value if isinstance(self.value, str) else None

    @property
    def kind(self) -> str:
        """What people call a value of this kind."""
        for kind, name in _KINDS:
            if isinstance(self.value, kind):
                return name
        return "null"

    @property
    def unresolved(self) -> bool:
        """Whether a variable in it may have been left as it was written."""
        if self.text is not None:
            return self.spelled is not None and "${" in self.text
        return any(node.unresolved for node in [*self.items, *self.members.values()])

    def plain(self) -> Any:
        """The value without positions."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def with_members(self, members: dict[str, Node]) -> Node:
        """The same place with other members."""
        return replace(self, value=members)

    def locate(self, path: Sequence[str | int]) -> tuple[Position, bool]:
        """Where the value at `path` stands, and whether the path was followed to its end.

        Falls back to the innermost value on the way; the key's place counts for the last step.
        """
        node = self
        at = self.at
        for step in path:
            inner = _step(node, step)
            if inner is None:
                return at, False
            node, at = inner, inner.key_at or inner.at
        return at, True

    def written(self, path: Sequence[str | int]) -> list[str | int]:
        """The steps of `path` as the file has them, for a path through a model.

        Where the file may be shorter than the model (one object for a list of one, a plain text for
        an object), the path has steps that the file has not: those on the way are left out. The end
        stays, for a key that is missing is named too, but not numbers of a list that is none.
        """
        node, steps, absent = self, list[str | int](), list[str | int]()
        for step in path:
            inner = _step(node, step)
            if inner is None:
                absent.append(step)
            else:
                node, absent = inner, []
                steps.append(step)
        return steps + [step for step in absent if isinstance(step, str) or node.items]

    def find(self, path: Sequence[str | int]) -> Node | None:
        """The value at `path`, or None."""
        node: Node | None = self
        for step in path:
            node = _step(node, step) if node is not None else None
        return node


_KINDS: tuple[tuple[type, str], ...] = (
    (dict, "an object"),
    (list, "a list"),
    (str, "a string"),
    (bool, "true or false"),
    (int, "a number"),
    (float, "a number"),
)


def _step(node: Node, step: str | int) -> Node | None:
    if isinstance(step, int):
        return node.items[step] if 0 <= step < len(node.items) else None
    return node.members.get(step)
