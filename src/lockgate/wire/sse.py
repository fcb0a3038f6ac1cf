"""Server-sent events: bytes to events in any chunking, and events to bytes.

Must not know: JSON-RPC, HTTP, reconnection.

Source: WHATWG HTML, section 9.2 "Server-sent events" (parsing an event stream). Data stays bytes;
event names and ids become text. Unlike a browser's, this parser also gives events that carry no
data but an id or a retry time, since a client that resumes needs them.
"""

from __future__ import annotations

from typing import Final

import msgspec

COMMENT: Final = b": keep-alive\n\n"
"""A comment: no event to any reader, and a sign of life to whatever stands between."""

_DIGITS_LIMIT = 10
_BOM: Final = b"\xef\xbb\xbf"


class EventTooLarge(Exception):
    """An event grew over the limit; the parser is of no further use."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event.

    `data` is empty and `event` is `message` when the sender gave none; `id` is the event's own, not
    a remembered one; `retry` is in milliseconds.
    """

    data: bytes
    event: str = "message"
    id: str | None = None
    retry: int | None = None


class Parser:
    """Cuts a stream into events; feed it chunks as they come."""

    __slots__ = (
        "_data",
        "_event",
        "_id",
        "_limit",
        "_partial",
        "_retry",
        "_size",
        "_skip_newline",
        "_started",
    )

    def __init__(self, max_event_bytes: int) -> None:
        """`max_event_bytes` bounds what one event, its comments included, may hold in memory."""
        self._limit = max_event_bytes
        self._partial: list[bytes] = []
        self._data: list[bytes] = []
        self._event = ""
        self._id: str | None = None
        self._retry: int | None = None
        self._size = 0
        self._skip_newline = False
        self._started = False

    def feed(self, chunk: bytes) -> list[Event]:
        """The events this chunk completes.

        Raises:
            EventTooLarge: an event is larger than the limit, complete or not.
        """
        if not chunk:
            return []
        self._size += len(chunk)
        if self._skip_newline:
            # The line ended with the CR that closed the last chunk; its LF is not a line more.
            self._skip_newline = False
            chunk = chunk.removeprefix(b"\n")
        if b"\n" not in chunk and b"\r" not in chunk:
            self._partial.append(chunk)
            self._check(self._size)
            return []
        if self._partial:
            self._partial.append(chunk)
            chunk = b"".join(self._partial)
            self._partial = []
        if b"\r" in chunk:
            self._skip_newline = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if not self._started:
            self._started = True
            chunk = chunk.removeprefix(_BOM)
        return self._lines(chunk)

    def _lines(self, text: bytes) -> list[Event]:
        events: list[Event] = []
        lines = text.split(b"\n")
        rest = lines.pop()
        size = max(self._size - len(text), 0)
        for line in lines:
            size += len(line) + 1
            if line:
                self._line(line)
                continue
            self._check(size)
            size = 0
            event = self._dispatch()
            if event is not None:
                events.append(event)
        self._size = size + len(rest)
        self._check(self._size)
        if rest:
            self._partial.append(rest)
        return events

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise EventTooLarge(f"An event is larger than {self._limit} bytes.")

    def _line(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if value[:1] == b" ":
            value = value[1:]
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"id":
            if b"\0" not in value:
                self._id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit() and len(value) <= _DIGITS_LIMIT:
            self._retry = int(value)

    def _dispatch(self) -> Event | None:
        if not self._data and self._id is None and self._retry is None:
            self._event = ""
            return None
        event = Event(b"\n".join(self._data), self._event or "message", self._id, self._retry)
        self._data, self._event, self._id, self._retry = [], "", None, None
        return event


def encode(
    data: bytes,
    id: str | None = None,  # noqa: A002  # the field is called so
    event: str | None = "message",
    retry: int | None = None,
) -> bytes:
    """One event as bytes.

    Line breaks in `data` (CR, LF, CRLF) become lines, so that what was one event stays one; `id`
    and `event` must hold none.

    Raises:
        ValueError: a line break or a null in `id` or `event`.
    """
    head = b"" if event is None else b"event: %b\n" % _field(event)
    if id is not None:
        head += b"id: %b\n" % _field(id)
    if retry is not None:
        head += b"retry: %d\n" % retry
    if b"\n" in data or b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\ndata: ")
    return b"".join((head, b"data: ", data, b"\n\n"))


def _field(value: str) -> bytes:
    if "\n" in value or "\r" in value or "\0" in value:
        raise ValueError("Line breaks and nulls cannot stand in a field of an event.")
    return value.encode()
