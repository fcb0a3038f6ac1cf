"""Whether what a tool answers may be a copy of a file, so that every space of it may count.

Must not know: what is done with it.

A model that edits a file says which text is to be replaced, letter by letter as it has read it. So
where a tool may have read a file, or run a command that printed one, its text stays as it is, even
if it is JSON. It is told by what the tool is called and by what it was asked for; in doubt it is a
copy. JSON that comes of anything else is data: what counts are its values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, cast

import msgspec

_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
NAMES: Final = frozenset(
    """
    attachment attachments bash blob blobs cat clipboard cmd code command commands config console
    content contents diff directory disk document documents download edit editor exec file files
    gist json manifest notebook notebooks patch powershell process processes python raw replace
    repl script scripts sh shell snippet snippets source ssh stdin stdout template templates
    terminal write yaml
    """.split()  # noqa: SIM905 - words are read more easily than a list of texts
)
"""Words of a tool's name: it reads files, changes them, runs commands."""
PLACES: Final = frozenset(
    """
    absolutepath attachment blob cmd code command commands directory document file fileid filename
    filenames filepath filepaths files notebook path paths relativepath script source template
    uri uris
    """.split()  # noqa: SIM905 - as above
)
"""What arguments are called that say which file, or which command; without dashes and the like."""
_FILE: Final = re.compile(
    r"\.(json\w*|ndjson|\w*rc|ipynb|geojson|topojson|webmanifest|har|map|lock|tfstate|tfvars|avsc"
    r"|gltf|arb|excalidraw|canvas|code-workspace|resolved|txt|conf|cfg|toml|ya?ml)([?#]|\Z)",
    re.IGNORECASE,
)
"""How the name of a file ends that may hold JSON."""
_LONGEST: Final = 2048


def is_verbatim(tool: str, arguments: bytes | None) -> bool:
    """Whether a tool that was called so may have answered with the copy of a file.

    Args:
        tool: its name, in its server's words.
        arguments: what it was given, as JSON; None: nothing.
    """
    if any(word.lower() in NAMES for word in _WORDS.findall(tool)):
        return True
    try:
        given: Any = msgspec.json.decode(arguments or b"{}")
    except (msgspec.MsgspecError, RecursionError):
        return True
    if not isinstance(given, dict):
        return True
    members = cast("dict[str, Any]", given)
    return any(map(_is_place, members)) or any(map(_is_file, members.values()))


def holds_text(structured: bytes, text: str) -> bool:
    """Whether structured content has this text as one of its members, so that it is no data."""
    try:
        value: Any = msgspec.json.decode(structured)
    except (msgspec.MsgspecError, RecursionError):
        return True
    members: Iterable[Any] = (
        cast("dict[str, Any]", value).values() if isinstance(value, dict) else ()
    )
    return text in members


def _is_place(name: str) -> bool:
    return re.sub(r"[^a-z]", "", name.lower()) in PLACES


def _is_file(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_is_file, cast("list[Any]", value)))
    if not isinstance(value, str):
        return False
    return value.startswith("file:") or _FILE.search(value[:_LONGEST]) is not None
