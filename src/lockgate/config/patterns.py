"""Patterns for what is on servers, as they are written in a configuration.

Must not know: who uses them for what; `lockgate.core.targets` says what they mean.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, cast

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from lockgate.core.targets import divided

MOST_WORDS: Final = 1000
TEXTS: Final[dict[str, Any]] = {
    "anyOf": [
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}, "maxItems": MOST_WORDS},
    ]
}


def listed(value: object) -> object:
    """One of what may be several."""
    return cast("object", value) if isinstance(value, list) else [value]


def _pattern(text: str) -> str:
    divided(text)
    return text


Text = Annotated[str, Field(min_length=1, max_length=2048)]
Texts = Annotated[
    list[Text], BeforeValidator(listed), Field(max_length=MOST_WORDS), WithJsonSchema(TEXTS)
]
Patterns = Annotated[
    list[Annotated[Text, AfterValidator(_pattern)]],
    BeforeValidator(listed),
    Field(max_length=MOST_WORDS),
    WithJsonSchema(TEXTS),
]
