"""What servers answer, looked through before anybody reads it.

Changes: what is to be taken out of results, failures, progress and log lines is replaced. Refuses:
results that hold what is to be blocked. Notes: what was found and let pass, in `_meta` of the
result. Costs: one reading of the bytes for hints; more only where there is one. Does not protect
from: what has no form by which it is known (`docs/security/content.md` has the figures).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

import msgspec

from lockgate.core.message import (
    LISTEN,
    Call,
    Emit,
    Failure,
    Notification,
    Reply,
    Result,
    Target,
)
from lockgate.core.policy import Stage
from lockgate.core.raw import Raw
from lockgate.guard.blobs import HINTS, cleaned_blobs, each_blob
from lockgate.guard.borders import bordered
from lockgate.guard.content import Inspector, in_pieces
from lockgate.guard.kept_back import blocked, kept_for_a_person, unredactable
from lockgate.guard.pieces import each_text, rejoined
from lockgate.guard.rules import ResultRules
from lockgate.guard.seen import STOPPING, Seen
from lockgate.wire.elicitation import ASKABLE

NOTE: Final = "io.github.lockgate/found"
"""The member of a result's `_meta` that says what was found and let pass."""
ANSWERS: Final = frozenset(
    {
        "tools/call",
        "resources/read",
        "prompts/get",
        "completion/complete",
        "tasks/get",
        "tasks/update",
        "tasks/result",
    }
)
SPOKEN: Final = frozenset({"notifications/message", "notifications/progress"})

Told = Callable[[Call, Seen], None]
"""Hears of everything that was found."""
Fits = Callable[[Call, Raw, Raw], bool]
"""Whether a changed result of a tool still is what the tool promises (call, before, after)."""

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode


class Results:
    """The inspection of what one server says."""

    name: ClassVar[str] = "results"
    stage: ClassVar[Stage] = Stage.INSPECT

    def __init__(
        self,
        settings: ResultRules,
        told: Told,
        fits: Fits = lambda _call, _before, _after: True,
    ) -> None:
        """See the file, and `Told` and `Fits`."""
        self._inspector = Inspector(settings.filters, '"iserror"', *HINTS)
        failing = settings.failing
        self._failing = Inspector((*settings.filters, *failing)) if failing else self._inspector
        self._settings = settings
        self._always = settings.borders or settings.html is not None
        self._told = told
        self._fits = fits

    def concerns(self, method: str) -> bool:
        """What answers with content, and streams that carry what servers say."""
        return method in ANSWERS or method == LISTEN

    def inward(self, call: Call, /) -> Call | Failure:
        """See `lockgate.core.policy.Lens`; calls are not looked at."""
        return call

    def hearing(self, call: Call, target: Target | None, /) -> Emit:
        """See `lockgate.core.policy.Ear`."""
        client = call.client
        emit = call.emit
        if (
            client.era == "modern"
            and client.log_level is None
            and not call.wants_progress
            and call.method != LISTEN
        ):
            # Nothing that is said meanwhile would reach such a client (`wire.modern_dress`).
            return emit

        def said(notification: Notification) -> None:
            if notification.method in SPOKEN:
                params, seen = self._inspector.inspect_members(notification.params)
                if seen:
                    self._tell(call.replace(target=target), seen)
                if _blocked(seen) is not None:
                    return
                if params is not notification.params:
                    notification = Notification(notification.method, params)
            emit(notification)

        return said

    def outward(self, call: Call, reply: Reply, /) -> Reply:
        """See `lockgate.core.policy.Lens`."""
        if isinstance(reply, Failure):
            return self._failure(call, reply) if reply.origin == "upstream" else reply
        if call.method == LISTEN:
            return reply
        data = reply.raw.received
        # Most results hold nothing, and it is quickly told. What is in pieces is put together.
        if self._always or self._inspector.suspects(data) or in_pieces(data):
            return self._judged(call, reply)
        return reply

    def _judged(self, call: Call, reply: Result) -> Reply:
        raw = self._as_text(call, reply.raw)
        inspector = self._failing if raw.get("isError") is True else self._inspector
        raw, within = cleaned_blobs(raw, inspector)
        raw, seen = inspector.inspect_members(raw)
        raw, apart = rejoined(raw, inspector.doing("secrets"))
        seen = tuple(dict.fromkeys((*within, *seen, *apart)))
        self._tell(call, seen)
        stopped = _blocked(seen)
        askable = call.method in ASKABLE and reply.kind == "complete"
        if stopped is not None and (stopped.doing == "block" or not askable):
            return blocked(seen, self.name)
        if raw is not reply.raw and not self._fits(call, reply.raw, raw):
            return unredactable(seen, self.name)
        if self._settings.borders:
            raw = bordered(raw)
        if seen:
            raw = _noted(raw, seen)
        if stopped is not None:
            return kept_for_a_person(seen, self.name, raw.encode())
        return reply if raw is reply.raw else reply.replace(raw=raw)

    def _as_text(self, call: Call, raw: Raw) -> Raw:
        """The result with its pages made harmless."""
        html = self._settings.html
        if html is None:
            return raw
        pages = self._settings.html_tools["" if call.target is None else call.target.name]
        if not pages and b"html" not in raw.encode():
            return raw
        raw = each_text(
            raw, lambda text, kind: html(text) if pages or kind.startswith("text/html") else text
        )
        return each_blob(raw, lambda text, kind: html(text) if "html" in kind else text)

    def _failure(self, call: Call, failure: Failure) -> Failure:
        message, found = self._failing.inspect_text(failure.message)
        data, more = self._data(failure.data)
        seen = tuple(dict.fromkeys((*found, *more)))
        if not seen:
            return failure
        self._tell(call, seen)
        if _blocked(seen) is not None:
            return blocked(seen, self.name)
        return failure.replace(message=message, data=data)

    def _data(self, data: Any) -> tuple[Any, Sequence[Seen]]:
        if data is None:
            return None, ()
        try:
            written = _encode(data)
        except (TypeError, ValueError):
            return None, ()
        one = self._failing.inspect(written)
        return (data if one.data is written else _decode(one.data)), one.seen

    def _tell(self, call: Call, seen: Sequence[Seen]) -> None:
        for one in seen:
            self._told(call, one)


def _blocked(seen: Sequence[Seen]) -> Seen | None:
    """The gravest of what lets nothing pass."""
    stopping = [one for one in seen if one.doing in STOPPING]
    blocking = [one for one in stopping if one.doing == "block"]
    return next(iter(blocking or stopping), None)


def _noted(raw: Raw, seen: Sequence[Seen]) -> Raw:
    return raw.replace(_meta=raw.object("_meta").replace(**{NOTE: [one.note() for one in seen]}))
