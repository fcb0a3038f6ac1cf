"""What resources and prompts hold, held to the budget where an endpoint asks for that.

Must not know: how contents are drawn, paged or kept.

The longest goes first: each text that is replaced by a preview makes the whole shorter, until it is
within the budget. Neither a resource's contents nor a prompt's message has room for a link, so its
URI is in the `_meta` of what stands there. What is read by a URI of this gateway's own is what a
preview leads to: it does not come this way, and is never shortened again.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import Any, Final

import msgspec

from lockgate.context.body import NOTE, Body, is_json
from lockgate.context.preview import Seen
from lockgate.context.tokens import counter
from lockgate.core.message import Call, Reply, Result
from lockgate.core.policy import CallNext
from lockgate.core.raw import Raw, encode
from lockgate.gateway.loans import HARDLY, Lender, Loan, Looked, lengthy
from lockgate.gateway.source import Source
from lockgate.gateway.weighing import previewed
from lockgate.kit.pages import over

MOST: Final = 20
"""Texts of one answer that are replaced."""
_LISTS: Final = {"resources/read": "contents", "prompts/get": "messages"}
_PLAIN: Final = "text/plain"
_SEEN: Final = ("image/", "audio/")
_blocks: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


class _Piece(msgspec.Struct, frozen=True):
    """A text or a blob of an answer.

    number  which of the answer's contents or messages it is in.
    around  that.
    path    the members that lead from there to what holds it.
    holder  what holds it.
    """

    number: int
    around: Raw
    path: tuple[str, ...]
    holder: Raw

    @property
    def member(self) -> str:
        """Where it is in what holds it."""
        return "text" if "text" in self.holder else "blob"

    @property
    def size(self) -> int:
        """Bytes of it, as JSON."""
        return self.holder.length(self.member)

    def binary(self) -> tuple[Looked, bytes]:
        """What is shown of a blob, and its bytes."""
        data = base64.b64decode(str(self.holder["blob"]), validate=True)
        mime = str(self.holder.get("mimeType", "application/octet-stream"))[:80]
        seen = Seen(f"{mime}, {len(data)} bytes", "(binary: as base64)")
        return Looked(Body("", False, mime), seen, self.size // HARDLY), data

    def saying(self, text: str, note: dict[str, Any]) -> bytes:
        """What it was in, with this text in its place."""
        holder = self.holder.without("blob")
        found = holder.replace(text=text, _meta=holder.object("_meta").replace(**{NOTE: note}))
        if "uri" in found:
            found = found.replace(mimeType=_PLAIN)
        for depth in range(len(self.path) - 1, -1, -1):
            outer = self.around
            for step in self.path[:depth]:
                outer = outer.object(step)
            found = outer.with_members({self.path[depth]: found.encode()})
        return found.encode()


class Contents:
    """Stands around the reading of resources and the getting of prompts."""

    def __init__(self, lender: Lender) -> None:
        """`lender` keeps what is too long."""
        self._lender = lender

    async def run(self, call: Call, chain: CallNext, loan: Loan) -> Reply:
        """An answer within the budget, as far as its longest texts make that possible."""
        reply = await chain(call)
        long = lengthy(reply, loan)
        if long is None or call.target is None:
            return reply
        arguments = call.params.member("arguments") or b"{}"
        source = Source(call.target, arguments, arguments, method=call.method)
        try:
            short = await self._shorter(call, long.raw, loan, source)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return reply
        if short is None or not self._lender.spares(call, long.raw, short):
            return reply
        return Result(short)

    async def _shorter(self, call: Call, raw: Raw, loan: Loan, source: Source) -> Raw | None:
        name = _LISTS[call.method]
        written = [bytes(one) for one in _blocks(raw.member(name) or b"[]")]
        left = sorted(_pieces(written, loan, name), key=lambda one: -one.size)
        changed = False
        for piece in left[:MOST]:
            if not _over(left, loan) or piece.size <= loan.preview * HARDLY:
                break
            said = await self._said(call, piece, loan, source)
            left = left[1:]
            if said is not None:
                written[piece.number] = said
                changed = True
        if not changed:
            return None
        members = {name: b"[" + b",".join(written) + b"]"}
        if "cacheScope" in raw:
            # The id in it is this caller's alone, and is worth nothing once it is over.
            ttl: object = raw.get("ttlMs")
            lasts = min(ttl, FRESH) if isinstance(ttl, int) else 0
            members |= {"cacheScope": b'"private"', "ttlMs": encode(lasts)}
        return raw.with_members(members)

    async def _said(self, call: Call, piece: _Piece, loan: Loan, source: Source) -> bytes | None:
        """What a piece was in, with a preview in its place; None: it cannot be kept."""
        if piece.member == "blob":
            try:
                looked, data = piece.binary()
            except (binascii.Error, ValueError):
                return None
        else:
            looked, data = await asyncio.to_thread(_looked, piece.holder, loan), None
        lent = await self._lender.keep(call, looked, source, data)
        return (
            None
            if lent is None
            else piece.saying(self._lender.shown(call, looked, lent), lent.note)
        )


FRESH: Final = 60_000
"""Milliseconds for which a client may believe a preview."""


def _looked(holder: Raw, loan: Loan) -> Looked:
    text, mime = str(holder["text"]), holder.get("mimeType")
    json = is_json(text)
    plain = mime if isinstance(mime, str) else _PLAIN
    return previewed(Body(text, json, "application/json" if json else plain[:80]), loan)


def _pieces(written: list[bytes], loan: Loan, name: str) -> list[_Piece]:
    found: list[_Piece] = []
    for number, data in enumerate(written):
        around = holder = Raw(data)
        path: tuple[str, ...] = ()
        if name == "messages":
            path, holder = ("content",), around.object("content")
            if holder.get("type") == "resource":
                path, holder = (*path, "resource"), holder.object("resource")
        seen = loan.images and str(holder.get("mimeType")).startswith(_SEEN)
        if isinstance(holder.get("text"), str) or (
            isinstance(holder.get("blob"), str) and not seen
        ):
            found.append(_Piece(number, around, path, holder))
    return found


def _over(pieces: list[_Piece], loan: Loan) -> bool:
    def tokens() -> int:
        count = counter()
        return sum(count(str(one.holder[one.member])) for one in pieces)

    return over(sum(one.size for one in pieces), loan.budget, tokens)
