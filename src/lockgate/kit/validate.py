"""Arguments that are what they have to be: each function returns what it was given, or raises.

Must not know: which tool, or what is done with the argument. Raises `errors.InvalidInput`, which is
a ValueError, so each function is a validator of pydantic's as well:
`Annotated[str, AfterValidator(validate.identifier)]`. No message quotes the argument.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from lockgate.guard.characters import is_clean
from lockgate.guard.places.hosts import SCHEMES, UrlRule, judged
from lockgate.guard.places.paths import inside
from lockgate.kit.errors import InvalidInput

T = TypeVar("T")
Number = TypeVar("Number", int, float)

_identifier: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,255}")
_sql: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_RESERVED: Final = frozenset(
    {"con", "prn", "aux", "nul"} | {f"{one}{n}" for one in ("com", "lpt") for n in "123456789"}
)
"""Names that are devices on Windows, whatever their suffix."""
_SHOWN: Final = 20


def path(value: str, root: str | Path, *, exists: bool = False, name: str = "path") -> Path:
    """The absolute path, links followed, of something in the folder `root` or of `root` itself.

    It has to lie there in every reading: as it stands, percent-decoded, with backslashes as
    slashes, with links followed. Relative paths start at `root`. Whoever may change links below
    `root` between this and the opening of the file may still lead it elsewhere.

    Raises:
        InvalidInput: it leads out of `root`, or `exists` and there is nothing.
    """
    top = os.path.realpath(root)
    if not value or not inside(value, [top, str(Path(root).absolute())], top, os.path.realpath):
        raise InvalidInput(f"{name} must be a path inside the folder that is served")
    found = Path(os.path.realpath(Path(top, value)))
    if not found.is_relative_to(top):
        raise InvalidInput(f"{name} must be a path inside the folder that is served")
    if exists and not found.exists():
        raise InvalidInput(f"{name} names nothing that exists")
    return found


def filename(value: str, *, name: str = "filename") -> str:
    """One name of a file that every common system takes, and takes as a name.

    Raises:
        InvalidInput: it is none.
    """
    stem = value.partition(".")[0].rstrip(" ").lower()
    dubious = any(one in '/\\:*?"<>|' for one in value) or not value.isprintable()
    if not value or dubious or value[-1] in ". " or value[0] == " ":
        raise InvalidInput(f"{name} must be one name of a file, without separators")
    if stem in _RESERVED or len(value.encode("utf-8", "replace")) > 255 or not is_clean(value):
        raise InvalidInput(f"{name} must be a name of a file that every system takes")
    return value


def url(
    value: str,
    *,
    schemes: Sequence[str] = SCHEMES,
    hosts: Sequence[str] | None = None,
    name: str = "url",
) -> str:
    """A URL with one reading, that leads to the public internet by what it says.

    Where its host's name leads is seen when it is looked up, so follow it with `kit.fetch`.

    Args:
        value: the URL.
        schemes: those it may have.
        hosts: the only hosts it may lead to, wherever these are: `example.com`, `*.example.com`,
            `10.1.2.3:8080`; None: anywhere public.
        name: of the argument.

    Raises:
        InvalidInput: it is none, or leads elsewhere.
    """
    rule = UrlRule(tuple(schemes), hosts is None, tuple(hosts or ()))
    said = judged(value, rule)
    if isinstance(said, str):
        raise InvalidInput(f"{name} {said}")
    return value


def identifier(value: str, *, most: int = 64, name: str = "identifier") -> str:
    """A letter or underscore, then letters, digits, underscores and hyphens, all of ASCII.

    Raises:
        InvalidInput: it is none, or longer than `most`.
    """
    if len(value) > most or not _identifier.fullmatch(value):
        raise InvalidInput(
            f"{name} must be at most {most} letters, digits, '_' or '-', beginning with a letter"
        )
    return value


def sql_identifier(
    value: str, allowed: Collection[str] | None = None, *, name: str = "identifier"
) -> str:
    """The name of a table or column, where a query cannot take it as a parameter.

    Args:
        value: the name.
        allowed: those there are; without them any name passes that cannot be more than a name.
        name: of the argument.

    Raises:
        InvalidInput: it is none, or none of these.
    """
    if not _sql.fullmatch(value):
        raise InvalidInput(f"{name} must be a plain name: letters, digits and '_', at most 63")
    return value if allowed is None else choice(value, allowed, name=name)


def choice(value: T, allowed: Collection[T], *, name: str = "value") -> T:
    """One of a few; the message lists them.

    Raises:
        InvalidInput: it is none of them.
    """
    if value not in allowed:
        listed = ", ".join(sorted(map(str, allowed))[:_SHOWN])
        more = f" and {len(allowed) - _SHOWN} more" if len(allowed) > _SHOWN else ""
        raise InvalidInput(f"{name} must be one of: {listed}{more}")
    return value


def text(
    value: str, *, least: int = 0, most: int = 10_000, lines: bool = True, name: str = "text"
) -> str:
    """A text of so many characters, none of them hidden from whoever reads it.

    Raises:
        InvalidInput: it is too short or long, holds hidden characters, or line ends without
            `lines`.
    """
    if not least <= len(value) <= most:
        raise InvalidInput(f"{name} must have {least} to {most} characters")
    if not is_clean(value):
        raise InvalidInput(f"{name} must not hold control or invisible characters")
    if not lines and len(value.splitlines()) > 1:
        raise InvalidInput(f"{name} must be one line")
    return value


def number(value: Number, least: Number, most: Number, *, name: str = "number") -> Number:
    """A number between two others, these included.

    Raises:
        InvalidInput: it is not, or is none (NaN).
    """
    if math.isnan(value) or not least <= value <= most:
        raise InvalidInput(f"{name} must be between {least} and {most}")
    return value


def items(value: Sequence[T], *, least: int = 0, most: int = 100, name: str = "items") -> list[T]:
    """A list of so many.

    Raises:
        InvalidInput: there are fewer or more.
    """
    if not least <= len(value) <= most:
        raise InvalidInput(f"{name} must be {least} to {most}")
    return list(value)


def size(value: Any, most: int, *, name: str = "value") -> Any:
    """Something of at most so many bytes: bytes as they are, a text as UTF-8, the rest as JSON.

    Raises:
        InvalidInput: it is larger, or cannot be written as JSON.
    """
    try:
        data = value if isinstance(value, bytes) else _encoded(value)
    except (TypeError, ValueError, RecursionError):
        raise InvalidInput(f"{name} must be something that JSON can say") from None
    if len(data) > most:
        raise InvalidInput(f"{name} must have at most {most} bytes")
    return value


def _encoded(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else msgspec.json.encode(value)
