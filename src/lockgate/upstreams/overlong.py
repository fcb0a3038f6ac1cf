"""What can still be told of a message that was dropped for its length, from its first bytes.

Must not know: who waits for it. The head is not trusted to be JSON: whatever does not read as the
beginning of a JSON-RPC message says nothing.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import msgspec.json

_LONGEST_NUMBER: Final = 19
_SPACE: Final = b" \t\r\n"
_AFTER_NUMBER: Final = b" \t\r\n,}"


class Dropped(msgspec.Struct, frozen=True):
    """A message nobody has.

    answers  it may be the answer to a request: nothing shows that it is something else.
    id       the request it answers; None where the head does not tell.
    """

    answers: bool
    id: int | None = None


def dropped(head: bytes) -> Dropped:
    """Read the first members of the object that `head` is the beginning of."""
    request_id: int | None = None
    at = _skip(head, 0)
    if head[at : at + 1] != b"{":
        return Dropped(answers=not head)
    while True:
        at = _skip(head, at + 1)
        end = _string_end(head, at)
        key = _value(head[at:end]) if end else None
        at = _skip(head, end)
        if key == "method":
            return Dropped(answers=False)
        if not isinstance(key, str) or key in {"result", "error"} or head[at : at + 1] != b":":
            return Dropped(answers=True, id=request_id)
        at = _skip(head, at + 1)
        end = _scalar_end(head, at)
        if not end:
            # Only requests and notifications have another long member.
            return Dropped(answers=key != "params", id=request_id)
        value = _value(head[at:end])
        if key == "id" and type(value) is int:
            request_id = value
        at = _skip(head, end)
        if head[at : at + 1] != b",":
            return Dropped(answers=True, id=request_id)


def _skip(head: bytes, at: int) -> int:
    while at < len(head) and head[at] in _SPACE:
        at += 1
    return at


def _string_end(head: bytes, at: int) -> int:
    """The position behind a string that begins at `at`; 0 when none does, or it does not end."""
    if head[at : at + 1] != b'"':
        return 0
    end = head.find(b'"', at + 1)
    while end > 0 and _escaped(head, end):
        end = head.find(b'"', end + 1)
    return end + 1


def _escaped(head: bytes, at: int) -> bool:
    before = head[:at]
    return (len(before) - len(before.rstrip(b"\\"))) % 2 == 1


def _scalar_end(head: bytes, at: int) -> int:
    """The position behind a string or number that begins at `at`, or 0."""
    if head[at : at + 1] == b'"':
        return _string_end(head, at)
    end = at
    while end < len(head) and head[end] in b"-0123456789":
        end += 1
    # Whatever else follows, such as a fraction or the end of what is known, belongs to the number.
    whole = head[end : end + 1] in _AFTER_NUMBER and end < len(head)
    return end if whole and 0 < end - at <= _LONGEST_NUMBER else 0


def _value(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except msgspec.MsgspecError:
        return None
