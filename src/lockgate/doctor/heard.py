"""What came back for one message, whatever the transport, with nothing forgiven.

Must not know: how it was sent.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from lockgate.core.legible import shortened, visible
from lockgate.core.message import RequestId
from lockgate.wire.jsonrpc import ErrorObject, Malformed, Message, Response, decode

Trouble = Literal["silence", "lost", "connect", "broken", "too-large"]
TROUBLES: Final[dict[Trouble, str]] = {
    "silence": "no answer in time",
    "lost": "the connection was closed without an answer",
    "connect": "no connection",
    "broken": "something that is no answer",
    "too-large": "an answer that is too large",
}
EVENTS: Final = "text/event-stream"
JSON: Final = "application/json"
_read = msgspec.json.Decoder(dict[str, Any]).decode


class Heard(msgspec.Struct, kw_only=True):
    """An answer, or what came in its place.

    id        of the request; None for a notification.
    status    of HTTP; None over stdio.
    body      of an answer that is no event stream.
    events    the data of each event, or each line.
    trouble   why there is none.
    """

    id: RequestId | None = None
    status: int | None = None
    headers: dict[str, str] = {}
    body: bytes = b""
    events: list[bytes] = []
    trouble: Trouble | None = None
    detail: str = ""
    seconds: float = 0.0

    @property
    def kind(self) -> str:
        """The media type without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def streamed(self) -> bool:
        """Whether it came as an event stream."""
        return self.kind == EVENTS

    def messages(self) -> list[Message | Malformed]:
        """Every message that came, and in the place of what is none, why it is not."""
        found: list[Message | Malformed] = []
        for data in [*([self.body] if self.body else []), *self.events]:
            try:
                found.append(decode(data))
            except Malformed as error:
                found.append(error)
        return found

    @property
    def response(self) -> Response | None:
        """The answer; one with another id is taken too, and judged elsewhere."""
        answers = [one for one in self.messages() if isinstance(one, Response)]
        mine = [one for one in answers if one.id == self.id]
        return (mine or answers or [None])[0]

    @property
    def result(self) -> dict[str, Any] | None:
        """The result, if it is one."""
        answer = self.response
        if answer is None or answer.result is None:
            return None
        try:
            return _read(answer.result)
        except msgspec.MsgspecError:
            return None

    @property
    def error(self) -> ErrorObject | None:
        """The error, if it is one."""
        answer = self.response
        return None if answer is None else answer.error

    @property
    def code(self) -> int | None:
        """The code of the error, if it is one."""
        error = self.error
        return None if error is None else error.code

    @property
    def accepted(self) -> bool:
        """Whether a notification was taken."""
        return self.trouble is None and (self.status is None or 200 <= self.status < 300)

    def __str__(self) -> str:
        """What it is, in a few words."""
        if self.trouble is not None:
            return self.detail or TROUBLES[self.trouble]
        http = "" if self.status is None else f"HTTP {self.status}"
        error = self.error
        if error is not None:
            said = shortened(visible(error.message), _SAID)
            return ", ".join(filter(None, (http, f"error {error.code}: {said}")))
        if self.result is not None:
            return ", ".join(filter(None, (http, "a result")))
        what = f" with {self.kind}" if self.kind else ""
        begins = shortened(visible(self.body[:200].decode("utf-8", "replace")).strip(), _BEGINS)
        return f"{http or 'something else'}{what}{f': {begins}' if begins else ''}"


_SAID: Final = 160
_BEGINS: Final = 80
