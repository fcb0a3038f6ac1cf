"""What is different between two definitions, in the words of people who have to decide on it.

Must not know: terminals. Texts are given word by word, as they are: whoever shows them makes what
is invisible visible.

Bounded: texts of more than `MOST_WORDS` words are given whole, and no more than `MOST` differences.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, Final, Literal, cast

import msgspec

from lockgate.guard.definition import canonical_order_kept, fingerprint_of

MOST: Final = 200
MOST_WORDS: Final = 1000
Path = tuple[str, ...]
Mark = Literal["same", "out", "in"]
Kind = Literal["added", "removed", "changed", "text"]
_ABSENT: Final = object()
MEMBERS: Final = frozenset(
    {
        "_meta",
        "annotations",
        "arguments",
        "description",
        "execution",
        "icons",
        "inputSchema",
        "instructions",
        "mimeType",
        "name",
        "outputSchema",
        "serverInfo",
        "title",
        "uriTemplate",
    }
)
"""Members of definitions that the specification names: they may be named to anybody."""


class Words(msgspec.Struct, frozen=True):
    """Words that are in both texts, only in the one before, or only in the one after."""

    mark: Mark
    text: str


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is different.

    where   the path to it: `inputSchema.properties.path.description`.
    said    what is different, in a few words; may quote names that the server chose.
    before  as it was, as JSON; None: it was not there, or `words` has it.
    after   the same as it is now.
    words   of a text that is another text.
    """

    kind: Kind
    where: str
    said: str
    before: str | None = None
    after: str | None = None
    words: tuple[Words, ...] = ()


def compare(before: Any, after: Any) -> list[Difference]:
    """The differences between two definitions, at most `MOST`."""
    found: list[Difference] = []
    for one in _walk(before, after, ()):
        found.append(one)
        if len(found) == MOST:
            break
    return found


def touched(before: Any, after: Any) -> list[str]:
    """Which members of a definition are different, without anything that its server chose.

    For whoever must not be shown what nobody has approved; other members count as `others`.
    """
    if not isinstance(before, dict) or not isinstance(after, dict):
        return []
    old, new = cast("dict[str, Any]", before), cast("dict[str, Any]", after)
    different = {
        key for key in {*old, *new} if not _same(old.get(key, _ABSENT), new.get(key, _ABSENT))
    }
    return sorted(different & MEMBERS) + (["others"] if different - MEMBERS else [])


def _same(before: object, after: object) -> bool:
    if before is _ABSENT or after is _ABSENT:
        return before is after
    return fingerprint_of(before) == fingerprint_of(after)


def _walk(before: object, after: object, path: Path) -> Iterator[Difference]:
    other = _scalars_or_kinds(before, after, path)
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _objects(cast("dict[str, Any]", before), cast("dict[str, Any]", after), path)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _lists(cast("list[Any]", before), cast("list[Any]", after), path)
    else:
        yield from other


def _scalars_or_kinds(before: object, after: object, path: Path) -> Iterator[Difference]:
    where = _joined(path)
    if type(before) is str and type(after) is str:
        if before != after:
            yield Difference(kind="text", where=where, said=where, words=words(before, after))
    elif not _same(before, after):
        yield Difference(
            kind="changed", where=where, said=where, before=_json(before), after=_json(after)
        )


def _objects(
    before: Mapping[str, Any], after: Mapping[str, Any], path: Path
) -> Iterator[Difference]:
    lost = [key for key in before if key not in after]
    for key in lost:
        if not _demands(key, before[key]):
            yield _gone(before[key], (*path, key))
    for key in after:
        if key in before:
            yield from _walk(before[key], after[key], (*path, key))
        elif _demands(key, after[key]):
            yield from _walk([], after[key], (*path, key))
        else:
            yield _come(after[key], (*path, key))
    for key in lost:
        if _demands(key, before[key]):
            yield from _walk(before[key], [], (*path, key))


def _demands(key: str, value: object) -> bool:
    """Whether it names what is required: leaving that out says as well that nothing is."""
    return key == "required" and isinstance(value, list) and bool(cast("list[object]", value))


def _gone(value: Any, path: Path) -> Difference:
    said = f"parameter {path[-1]} removed" if _parameter(path) else f"{_joined(path)} removed"
    return Difference(kind="removed", where=_joined(path), said=said, before=_json(value))


def _come(value: Any, path: Path) -> Difference:
    said = f"parameter {path[-1]} added" if _parameter(path) else f"{_joined(path)} added"
    return Difference(kind="added", where=_joined(path), said=said, after=_json(value))


def _parameter(path: Path) -> bool:
    return len(path) >= 3 and path[-2] == "properties" and path[0] == "inputSchema"


def _lists(before: Sequence[Any], after: Sequence[Any], path: Path) -> Iterator[Difference]:
    if _scalars(before) and _scalars(after):
        yield from _values(before, after, path)
        return
    for number in range(max(len(before), len(after))):
        inner = (*path, _label(before, after, number))
        if number >= len(after):
            yield _gone(before[number], inner)
        elif number >= len(before):
            yield _come(after[number], inner)
        else:
            yield from _walk(before[number], after[number], inner)


def _label(before: Sequence[Any], after: Sequence[Any], number: int) -> str:
    """A prompt's arguments have names; anything else is counted."""
    for values in (after, before):
        one: object = values[number] if number < len(values) else None
        if isinstance(one, dict):
            name: object = cast("dict[str, Any]", one).get("name")
            if isinstance(name, str):
                return name
    return str(number)


def _scalars(values: Sequence[Any]) -> bool:
    return not any(isinstance(one, dict | list) for one in values)


def _values(before: Sequence[Any], after: Sequence[Any], path: Path) -> Iterator[Difference]:
    old, new = [_json(one) for one in before], [_json(one) for one in after]
    what = path[-1] if path else ""
    for one in new:
        if one not in old:
            said = f"{_bare(one)} is now required" if what == "required" else _joined(path)
            yield Difference(kind="added", where=_joined(path), said=said, after=one)
    for one in old:
        if one not in new:
            said = f"{_bare(one)} is no longer required" if what == "required" else _joined(path)
            yield Difference(kind="removed", where=_joined(path), said=said, before=one)
    if old != new and sorted(old) == sorted(new):
        yield Difference(
            kind="changed",
            where=_joined(path),
            said=f"{_joined(path)}: another order",
            before=", ".join(old),
            after=", ".join(new),
        )
    elif old != new and set(old) == set(new):
        yield Difference(
            kind="changed",
            where=_joined(path),
            said=f"{_joined(path)}: repeated otherwise",
            before=", ".join(old),
            after=", ".join(new),
        )


def _bare(text: str) -> str:
    return text[1:-1] if text.startswith('"') else text


def _joined(path: Path) -> str:
    return ".".join(path)


def _json(value: Any) -> str:
    return canonical_order_kept(value).decode()


def words(before: str, after: str) -> tuple[Words, ...]:
    """The words of two texts, marked."""
    old, new = _split(before), _split(after)
    if len(old) > MOST_WORDS or len(new) > MOST_WORDS:
        return (Words("out", before), Words("in", after))
    marked: list[Words] = []
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for op, a, b, c, d in matcher.get_opcodes():
        if op == "equal":
            marked.append(Words("same", "".join(old[a:b])))
            continue
        if a < b:
            marked.append(Words("out", "".join(old[a:b])))
        if c < d:
            marked.append(Words("in", "".join(new[c:d])))
    return tuple(marked)


def _split(text: str) -> list[str]:
    """Words, each with the white space before it, so that joining them gives the text."""
    found: list[str] = []
    start, space = 0, True
    for at, one in enumerate(text):
        if one.isspace() and not space:
            found.append(text[start:at])
            start = at
        space = one.isspace()
    if start < len(text):
        found.append(text[start:])
    return found
