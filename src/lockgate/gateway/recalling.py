"""What a caller is told of the results that are kept for it, once its host has forgotten their ids.

Must not know: how results come to be kept, or how they are read.

A list says nothing of what stands in a result: only what was asked, when, and how much came of it.
So asking for it is no reading of what came. Nor does it say more than its reader may see: what it
could not read is not on it (`Lending.seen`).

Whose list it is follows from who is told apart. Callers that are identified have one each at an
endpoint, whatever session they come in. Callers that are not share what is kept by ids nobody can
guess, and a list would hand those out: so theirs is that of a session of the handshake era, of the
process on stdio, or of a conversation that is named by what nobody can guess, and else there is
none.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec

from lockgate.core.legible import visible
from lockgate.core.message import ANONYMOUS, Call, Target
from lockgate.gateway.loans import Masked
from lockgate.guard.secret_names import is_named
from lockgate.guard.secrets import redacted
from lockgate.kit.deposits import About
from lockgate.observe.log import BLACK
from lockgate.policies.repeats import conversation

PAGE: Final = 20
GUESSED: Final = 22
"""Characters of a conversation's name below which somebody might guess it."""
NOBODY: Final = (
    "Callers are not told apart here, so nothing is listed: results are read by their ids."
)
NONE: Final = "[no results are kept for you here now]"
_ARGUMENTS: Final = 120
_VALUE: Final = 40
_READ: Final = 16 * 1024
_DEEPEST: Final = 6
_MEMBERS: Final = 20
_OF_TOOL: Final = 3
_NAMES: Final = ", each with"
_PROCESS: Final = secrets.token_hex(16)


def whose(call: Call, owner: str) -> str | None:
    """Whose list a call's results are on, and whose it may read; None: nobody's."""
    if call.principal.id != ANONYMOUS.id:
        return owner
    if call.facts.get("transport") == "stdio":
        return f"{owner}\0process\0{_PROCESS}"
    if call.affinity is not None:
        return f"{owner}\0session\0{call.affinity}"
    named = conversation(call)
    if named is None or len(named) < GUESSED:
        return None
    return f"{owner}\0conversation\0{named}"


def told(arguments: bytes, shape: str, tokens: int, masked: Masked) -> tuple[str, ...]:
    """What is kept of a result to be told of it: see `line`."""
    return _arguments(arguments, masked), _shape(shape), str(tokens)


def _shape(kind: str) -> str:
    """What a result is, without the names that stand in it and the length that is told anyway."""
    if _NAMES in kind:
        return kind.partition(_NAMES)[0]
    before, _, last = kind.rpartition(", ")
    return before if before and "characters" in last else kind


def _arguments(data: bytes, masked: Masked) -> str:
    """Arguments in short, without secrets: known by their names, by their form, or configured."""
    if len(data) > _READ:
        return f"({len(data)} bytes)"
    try:
        value: Any = msgspec.json.decode(data)
    except (msgspec.MsgspecError, RecursionError):
        return ""
    if value in (None, {}):
        return ""
    written = msgspec.json.encode(_cleaned("", value, masked)).decode()
    return written if len(written) <= _ARGUMENTS else f"{written[: _ARGUMENTS - 1]}…"


def _cleaned(name: str, value: Any, masked: Masked, depth: int = 0) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if is_named(name):
        return BLACK
    if isinstance(value, str):
        # What is cut first may no longer be known for a secret.
        clean = redacted(masked(value))[0]
        return clean if len(clean) <= _VALUE else f"{clean[:_VALUE]}…"
    if isinstance(value, int | float):
        return value
    if depth >= _DEEPEST:
        return "…"
    if isinstance(value, dict):
        members = list(cast("dict[str, Any]", value).items())[:_MEMBERS]
        return {
            redacted(key)[0][:_VALUE]: _cleaned(key, one, masked, depth + 1) for key, one in members
        }
    return [_cleaned(name, one, masked, depth + 1) for one in cast("list[Any]", value)[:_MEMBERS]]


def line(
    handle: str, about: About, names: Mapping[Target, str], now: float, *, arguments: bool
) -> str:
    """One result on a list.

    Args:
        handle: its id.
        about: what is known of it.
        names: what tools are called for whoever reads the list.
        now: on the wall clock.
        arguments: whether those are told.
    """
    asked, shape, tokens = (*about.told, "", "", "")[:3]
    name = about.name
    if about.origins and len(about.origins[0]) == _OF_TOOL:
        server, tool, _ = about.origins[0]
        name = names.get(Target(server, "tool", tool), tool)
    said = [handle, visible(name[:200])]
    said += [asked] if arguments and asked else []
    much = f"{about.size} bytes" + (f", about {tokens} tokens" if tokens else "")
    when = f"{_lasted(now - about.since)} ago, kept {_lasted(about.expires - now)} more"
    return f"{' '.join(said)} - {when}; {much}{'; ' if shape else ''}{shape}"


def _lasted(seconds: float) -> str:
    seconds = max(seconds, 0.0)
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
