"""What tools answer, in fewer tokens that say the same.

Changes: JSON in the text of results, as the endpoint allows. Refuses: nothing. Costs: one look at
the size; for large results one more at their bytes. Does not protect from: results that are large
for what they say. Never touched: `structuredContent`, errors, anything that is no JSON text.

It stands outside of what looks through results, so that what is hidden is gone before a table tears
names and values apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

import msgspec

from lockgate.context.encoding import MOST_MINIFIED, columnar, may_be_shorter, minified, same
from lockgate.context.verbatim import holds_text, is_verbatim
from lockgate.core.message import Call, Failure, Reply, Result
from lockgate.core.policy import Stage
from lockgate.core.raw import Raw, encode

SMALL: Final = 1024
"""Bytes of a result below which nothing is looked at."""
WINS: Final = 0.85
"""A table by columns has to have so many of the tokens at most."""
_LOOKED_AT: Final = 8192
"""Characters of each form whose tokens are compared."""
ELSEWHERE: Final = "(as in structuredContent)"
_blocks: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode

Saved = Callable[[str, str, int], None]


@dataclass(frozen=True, slots=True)
class ResultShape:
    """How one endpoint wants results: see `lockgate.config.compact`."""

    results: Literal["off", "auto", "minify", "columnar"] = "auto"
    duplicates: Literal["keep", "drop"] = "keep"


OFF: Final = ResultShape("off")


class Shortening:
    """Before every server. See `lockgate.core.policy.Lens`."""

    name: ClassVar[str] = "compact"
    stage: ClassVar[Stage] = Stage.PRESENT

    def __init__(
        self, shapes: Mapping[str, ResultShape], count: Callable[[str], int], saved: Saved
    ) -> None:
        """`shapes` by endpoint; `count` estimates tokens; `saved` hears of bytes that are gone."""
        self._shapes = shapes
        self._count = count
        self._saved = saved

    def concerns(self, method: str) -> bool:
        """Calls of tools."""
        return method == "tools/call"

    def inward(self, call: Call, /) -> Call | Failure:
        """Nothing is changed on the way in."""
        return call

    def outward(self, call: Call, reply: Reply, /) -> Reply:
        """See the file."""
        if not isinstance(reply, Result) or reply.kind != "complete":
            return reply
        data = reply.raw.received
        if len(data) < SMALL:
            return reply
        shape = self._shapes.get(call.facts.get("endpoint", ""), OFF)
        if shape == OFF:
            return reply
        # The latter from the end: that is where it mostly is, and where looking costs a fifth.
        if shape.results == "auto" and not (
            may_be_shorter(data) or data.rfind(b'"structuredContent"') >= 0
        ):
            return reply
        raw = self._shorter(call, reply.raw, shape)
        return reply if raw is None else reply.replace(raw=raw)

    def _shorter(self, call: Call, raw: Raw, shape: ResultShape) -> Raw | None:
        try:
            if raw.get("isError") is True:
                return None
            blocks = [Raw(bytes(one)) for one in _blocks(raw.member("content") or b"[]")]
        except (msgspec.MsgspecError, RecursionError):
            return None
        structured = raw.member("structuredContent")
        changed = [self._block(call, one, structured, shape) for one in blocks]
        if all(one is None for one in changed):
            return None
        pairs = zip(blocks, changed, strict=True)
        written = [encode(one if made is None else made) for one, made in pairs]
        return raw.with_members({"content": b"[" + b",".join(written) + b"]"})

    def _block(
        self, call: Call, block: Raw, structured: bytes | None, shape: ResultShape
    ) -> Raw | None:
        text = block.get("text") if block.get("type") == "text" else None
        if not isinstance(text, str) or len(text) < SMALL // 2:
            return None
        if structured is not None and shape.duplicates == "drop" and same(text, structured):
            return self._told(call, block, text, ELSEWHERE, "duplicate")
        if shape.results == "off":
            return None
        if shape.results == "auto" and not _is_data(call, text, structured):
            return None
        short = minified(text)
        if shape.results == "columnar":
            table = columnar(short or text)
            if table is not None and self._wins(short or text, table):
                return self._told(call, block, text, table, "columnar")
        return None if short is None else self._told(call, block, text, short, "minify")

    def _wins(self, before: str, after: str) -> bool:
        """Whether a form has enough less tokens; judged by how each begins."""
        if len(after) > len(before):
            return False
        had, has = before[:_LOOKED_AT], after[:_LOOKED_AT]
        tokens_before = self._count(had) * len(before) / len(had)
        return self._count(has) * len(after) / len(has) <= WINS * tokens_before

    def _told(self, call: Call, block: Raw, before: str, after: str, how: str) -> Raw:
        server = "" if call.target is None else call.target.server
        self._saved(server, how, len(before) - len(after))
        return block.replace(text=after)


def _is_data(call: Call, text: str, structured: bytes | None) -> bool:
    """Whether a text is JSON of which nobody needs the space."""
    if structured is not None:
        if same(text, structured):
            return True
        if holds_text(structured, text):
            return False
    if len(text) > MOST_MINIFIED or call.target is None:
        return False
    return not is_verbatim(call.target.name, call.params.member("arguments"))
