"""What a conversation was given a moment ago, and what became of it, told in place of it all again.

Must not know: how changes are found or results kept.

Where repeats are told as changes, what read-only tools answer a conversation is kept, once it is
long enough (`policies.repeats.LARGE`). The same call again, with other bytes, is answered by what
changed, where that takes at most `SHARE` of the tokens of the whole, and no more than a preview of
it where it would be shown by one. What is told is always what changed since the last answer the
conversation was given as it was: so that and one list of changes are the result. All of the new one
is kept as well. Whoever calls once more for the same is given it as it is, and so is whoever was
given it longer ago than `policies.repeats.FRESH`: the host may have forgotten.

Never shortened: what `policies.repeats` never leaves out, errors and structured content.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from typing import Final, NamedTuple, TypeVar

import msgspec

from lockgate.context.body import MEDIA, body_of, replaced
from lockgate.context.changes import MOST_READ, Changes, changes
from lockgate.context.tokens import counter
from lockgate.core.message import Call
from lockgate.core.raw import Raw
from lockgate.core.store import StoreGone
from lockgate.gateway.loans import Lender, Lent, Loan, Looked
from lockgate.gateway.source import Source
from lockgate.gateway.weighing import previewed
from lockgate.kit.deposits import Gone
from lockgate.kit.pages import text_of
from lockgate.policies.repeats import FRESH, LARGE, conversation, plain

SHARE: Final = 0.3
MOST: Final = 10_000
_LONG: Final = 64 * 1024
_LARGEST: Final = 4 * MOST_READ
_PATHS: Final = (
    'One change a line: ["=", path, value] stands there now, "+" is new (before that element), '
    '"-" is gone; paths as they were.'
)
_LINES: Final = "As a unified diff:"
_NOTHING: Final = "The same values, written in another way."


T = TypeVar("T")


class Given(NamedTuple):
    """What became of one answer.

    lent  it, as it is kept.
    raw   what is sent in its place; None: it is sent.
    """

    lent: Lent
    raw: Raw | None = None


class _Before(NamedTuple):
    """handle of what was last given as it was, when that was, and a digest of the last answer."""

    handle: str
    at: float
    digest: bytes


class ChangingResults:
    """Remembers what conversations of this process were given; what came first is forgotten."""

    def __init__(self, lender: Lender, now: Callable[[], float]) -> None:
        """`now` is what ages are measured by."""
        self._lender = lender
        self._now = now
        self._given: OrderedDict[bytes, _Before] = OrderedDict()

    async def given(self, call: Call, raw: Raw, loan: Loan, source: Source) -> Given | None:
        """What becomes of an answer; None: it is none of which anything is remembered."""
        within = conversation(call)
        if within is None or not LARGE <= raw.size <= _LARGEST or not plain(raw):
            return None
        if not self._lender.reads_only(source):
            return None
        looked = await _aside(raw.size, lambda: _compared(raw, loan))
        lent = None if looked is None else await self._lender.keep(call, looked, source)
        if looked is None or lent is None:
            return None
        parts = self._lender.owner(call), within, source.target.server, source.target.name
        key = _digest(msgspec.json.encode(parts) + source.asked)
        digest = _digest(looked.body.text.encode(errors="surrogatepass"))
        before = self._given.get(key)
        short = None
        # Whoever asks once more for what was just told wants it as it is.
        if before is not None and before.digest != digest and self._now() - before.at < FRESH:
            said = await self._said(call, looked, lent, before, loan)
            short = None if said is None else _replaced(raw, said, lent, before)
            if short is not None and not self._lender.spares(call, raw, short):
                short = None
        if short is None or before is None:
            before = _Before(lent.handle, self._now(), digest)
        self._given[key] = before._replace(digest=digest)
        self._given.move_to_end(key)
        if len(self._given) > MOST:
            self._given.popitem(last=False)
        return Given(lent, short)

    async def _said(
        self, call: Call, looked: Looked, lent: Lent, before: _Before, loan: Loan
    ) -> str | None:
        """What changed, in words; None: too much, or nobody knows."""
        try:
            found = await self._lender.kept(call, before.handle)
        except (Gone, StoreGone):
            return None
        old, body = text_of(found), looked.body
        size = max(len(old), len(body.text))
        json = found.about.json and body.json
        changed = await _aside(size, lambda: changes(old, body.text, json=json))
        if changed is None:
            return None
        ago = f"{self._now() - before.at:.0f} s ago (result {before.handle})"
        reader = f'{self._lender.reader(call)}(id="{lent.handle}")'
        said = "\n".join(
            (
                f"[Changed since this conversation was given it {ago}. {_how(changed)}]",
                *changed.lines,
                f"[All of it as it is now: {reader}]",
            )
        )
        most = int(looked.tokens * SHARE)
        if looked.tokens > loan.budget:
            most = min(most, loan.preview)
        # A token has one character at least, and seldom more than eight.
        return said if len(said) <= most * 8 and counter()(said) <= most else None


def _compared(raw: Raw, loan: Loan) -> Looked | None:
    """A result that can be compared with another; None: it cannot."""
    try:
        body = body_of(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    seen = any(part.get("type") in MEDIA for part in body.parts)
    return None if seen or len(body.text) > MOST_READ else previewed(body, loan)


def _how(changed: Changes) -> str:
    if not changed.lines:
        return _NOTHING
    return _PATHS if changed.kind == "paths" else _LINES


def _replaced(raw: Raw, said: str, lent: Lent, before: _Before) -> Raw:
    note = {**lent.note, "since": before.handle}
    return replaced(raw, said, None, note, promised=False)


async def _aside(size: int, work: Callable[[], T]) -> T:
    """Do what takes long beside the event loop."""
    return work() if size <= _LONG else await asyncio.to_thread(work)


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()
