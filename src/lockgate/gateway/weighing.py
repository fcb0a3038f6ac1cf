"""How much of a result a model would have to read, and what it is shown in its place. Pure.

Must not know: what is kept where, whose results are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from lockgate.context.body import CONTENT, MEDIA, STRUCTURED, Body, body_of, shown
from lockgate.context.tokens import counter
from lockgate.core.raw import Raw
from lockgate.gateway.loans import HARDLY, Loan, Looked
from lockgate.kit.pages import over, room

_SAMPLE: Final = 8192


def looked_at(raw: Raw, loan: Loan, *, promised: bool) -> Looked | None:
    """A result of a tool that is over the budget; None: it is not.

    Raises:
        msgspec.MsgspecError, UnicodeDecodeError, RecursionError: it is no result of a tool.
    """
    body = _weighed(raw, loan, promised=promised)
    return None if body is None else previewed(body, loan)


def previewed(body: Body, loan: Loan) -> Looked:
    """A body with what is shown of it, whatever its length."""
    count = counter()
    seen = shown(body, room(loan.preview, loan.budget), count)
    return Looked(body, seen, tokens_of(body.text))


def tokens_of(text: str) -> int:
    """About how many tokens a text has, by those of its beginning."""
    sample = text[:_SAMPLE]
    return counter()(sample) * len(text) // max(len(sample), 1)


def _weighed(raw: Raw, loan: Loan, *, promised: bool) -> Body | None:
    """The body of a result that is over the budget; None: it is not."""
    size = raw.length(CONTENT) + (0 if promised else raw.length(STRUCTURED))
    if size <= loan.budget * HARDLY:
        return None
    body = body_of(raw)
    text = body.text
    if body.parts:
        # What a model looks at or listens to is no text that it reads.
        read = [one for one in body.parts if not (loan.images and one.get("type") in MEDIA)]
        weighed = [one.encode() for one in read]
        weighed += [] if promised else [raw.member(STRUCTURED) or b""]
        text = b"\n".join(weighed).decode("utf-8", "replace")
    count = counter()
    return body if over(len(text), loan.budget, lambda: count(text)) else None


def media(raw: Raw) -> Sequence[Raw]:
    """The images and sounds of a result."""
    blocks = msgspec.json.decode(raw.member(CONTENT) or b"[]", type=list[msgspec.Raw])
    every = [Raw(bytes(one)) for one in blocks]
    return [one for one in every if one.get("type") in MEDIA]
