"""What a caller is shown of a schema after arguments that do not fit it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lockgate.context.healing import MOST, needed

PROPERTIES: dict[str, Any] = {
    f"p{at}": {"type": "string", "description": "Something. " * 20} for at in range(40)
}
LARGE = {"type": "object", "properties": PROPERTIES, "required": ["p3"]}


def test_a_schema_is_shown_whole_and_short() -> None:
    data = b'{"$schema":"http://json-schema.org/draft-07/schema#","type":"object"}'
    assert needed("f", data, []) == '{"type":"object"}'


def test_of_a_large_one_what_is_about_the_places_is_shown() -> None:
    found = needed("f", json.dumps(LARGE).encode(), ["p3", "p7[0].x", "elsewhere"])
    assert found is not None
    line, _, part = found.partition(", where ")
    assert line.startswith("f(p3: string, p0?: string")
    assert list(json.loads(part)) == ["p3", "p7"]
    assert len(found) <= MOST


def test_of_a_very_large_one_a_line_is_shown() -> None:
    found = needed("f", json.dumps(LARGE).encode(), list(PROPERTIES))
    assert found is not None
    assert ", where " not in found
    assert len(found) <= MOST


@pytest.mark.parametrize("data", [b"", b"{", b"true", b'{"maximum":1e999}', b"[" * 2000])
def test_of_what_is_no_schema_nothing_is_shown_or_little(data: bytes) -> None:
    assert needed("f", data, ["a"]) in (None, "{}")
