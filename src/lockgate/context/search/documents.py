"""Listed things as what is searched: the texts of a definition, by field.

Must not know: how they are ranked, who may see them.

A definition is whatever a server wrote; what has not the shape it should have is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final, NamedTuple, cast

MOST_PARAMETERS: Final = 200
DEEPEST: Final = 4
_ended: Final = re.compile(
    "[.!?](?=\\s)|[\u3002\uff01\uff1f]|\n\\s*\n|\n(?=[ \t]*(?:[-*\u2022]|\\d+[.)]|\\w+:))"
)


class Document(NamedTuple):
    """What can be found, and the texts it is found by.

    key          what results are ordered by where they are equally good: unique, and the same on
                 every run.
    lead         the first sentence of what is said of it, which as a rule says what it does.
    description  the rest: what it does not do, how it is called, examples.
    """

    key: str
    server: str
    name: str
    title: str = ""
    description: str = ""
    parameters: str = ""
    details: str = ""
    lead: str = ""


def document(key: str, server: str, name: str, definition: Mapping[str, Any]) -> Document:
    """A tool, a prompt, a resource or a template as what is searched.

    Args:
        key: see `Document.key`.
        server: what the server is called.
        name: its name in the server's own words, or its URI.
        definition: as the server lists it.
    """
    names: list[str] = []
    details: list[str] = []
    for parameter, about in _parameters(definition):
        names.append(parameter)
        details.append(about)
    # A resource has a name beside its URI.
    called = [_text(definition.get("name")), _text(definition.get("title"))]
    title = " ".join(one for one in called if one not in ("", name))
    lead, rest = _apart(_text(definition.get("description")))
    return Document(
        key=key,
        server=server,
        name=name,
        title=title or _title(definition.get("annotations")),
        description=rest,
        parameters=" ".join(names),
        details=" ".join(details),
        lead=lead,
    )


def _apart(description: str) -> tuple[str, str]:
    """The first sentence, or what stands before the first list or empty line; and the rest."""
    begin = len(description) - len(description.lstrip())
    end = _ended.search(description, begin)
    cut = len(description) if end is None else end.end()
    return description[:cut], description[cut:]


def _title(annotations: object) -> str:
    if not isinstance(annotations, dict):
        return ""
    return _text(cast("dict[str, Any]", annotations).get("title"))


def _parameters(definition: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and descriptions: of a tool's properties, or of a prompt's arguments."""
    yield from islice(_entries(definition), MOST_PARAMETERS)


def _entries(definition: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    schema = definition.get("inputSchema")
    if isinstance(schema, dict):
        yield from _properties(cast("dict[str, Any]", schema), 0)
    arguments = definition.get("arguments")
    for one in cast("list[object]", arguments) if isinstance(arguments, list) else ():
        if isinstance(one, dict):
            argument = cast("dict[str, Any]", one)
            yield _text(argument.get("name")), _text(argument.get("description"))


def _properties(schema: Mapping[str, Any], depth: int) -> Iterator[tuple[str, str]]:
    properties = schema.get("properties")
    if not isinstance(properties, dict) or depth > DEEPEST:
        return
    for name, value in cast("dict[str, object]", properties).items():
        if not isinstance(value, dict):
            yield name, ""
            continue
        inner = cast("dict[str, Any]", value)
        yield name, " ".join([_text(inner.get("description")), *_choices(inner)])
        yield from _properties(inner, depth + 1)
        items = inner.get("items")
        if isinstance(items, dict):
            yield from _properties(cast("dict[str, Any]", items), depth + 1)


def _choices(schema: Mapping[str, Any]) -> list[str]:
    choices = schema.get("enum")
    if not isinstance(choices, list):
        return []
    return [one for one in cast("list[object]", choices)[:20] if isinstance(one, str)]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
