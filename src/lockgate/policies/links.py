"""Lets results hold links of chosen schemes and content of chosen media types only.

Refuses: results with a `resource_link` or an embedded resource whose URI has another scheme, or
with an image, audio or embedded resource of another media type (`result-link`). Costs: the content
of every result is decoded, so it stands only before servers that it is configured for. Does not
protect from: links that stand in texts. Nothing that results name is ever fetched by the gateway.

Must not know: where links lead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Final, cast

import msgspec

from lockgate.core.message import Call, Failure, Reply, Result
from lockgate.core.policy import Look, Stage
from lockgate.core.targets import Words
from lockgate.wire.jsonrpc import INTERNAL_ERROR

_LINKS: Final = frozenset({"resource_link", "resource"})
_MEDIA: Final = frozenset({"image", "audio", "resource"})


class LinkCheck:
    """Before one server. See `lockgate.core.policy.Check`."""

    name: ClassVar[str] = "links"
    stage: ClassVar[Stage] = Stage.VERIFY

    def __init__(self, schemes: Sequence[str], media: Sequence[str]) -> None:
        """`schemes` and `media`, such as `https` and `image/*`; none: any."""
        self._schemes = frozenset(one.lower().rstrip(":") for one in schemes)
        self._media = Words(one.lower() for one in media) if media else None

    def concerns(self, method: str) -> bool:
        """Whatever answers with content."""
        return method in {"tools/call", "resources/read", "prompts/get"}

    def check(self, call: Call, /) -> Failure | Look | None:
        """See `lockgate.core.policy.Check`."""
        del call
        return self._look

    def _look(self, call: Call, reply: Reply) -> Reply:
        if not isinstance(reply, Result) or reply.kind != "complete":
            return reply
        try:
            wrong = next(self._wrong(call.method, reply), None)
        except (msgspec.MsgspecError, RecursionError):
            wrong = "content that cannot be read"
        if wrong is None:
            return reply
        return Failure(
            code=INTERNAL_ERROR,
            message=f"The result holds {wrong}.",
            origin="policy",
            reason="result-link",
            policy=self.name,
            remedy="Whoever runs the gateway can allow it in guard.outputs: schemes and media.",
        )

    def _wrong(self, method: str, reply: Result) -> Iterator[str]:
        for block in _blocks(method, reply):
            inner: Any = block.get("resource")
            resource = cast("dict[str, Any]", inner) if isinstance(inner, dict) else block
            kind = block.get("type")
            if kind in _LINKS and self._schemes:
                scheme = str(resource.get("uri", "")).strip().partition(":")[0].lower()
                if scheme not in self._schemes:
                    yield "a link of a scheme that is not allowed"
            media = resource.get("mimeType")
            if kind in _MEDIA and self._media is not None and media is not None:
                plain = str(media).partition(";")[0].strip().lower()
                if plain not in self._media:
                    yield "content of a media type that is not allowed"


def _blocks(method: str, reply: Result) -> Iterator[dict[str, Any]]:
    """All content of a result, whatever it is called there."""
    member = {"tools/call": "content", "prompts/get": "messages"}.get(method, "contents")
    found: Any = reply.raw.get(member)
    for one in cast("list[Any]", found) if isinstance(found, list) else ():
        if not isinstance(one, dict):
            continue
        block = cast("dict[str, Any]", one)
        if method == "resources/read":
            yield {"type": "resource", "resource": block}
            continue
        content: Any = block.get("content") if method == "prompts/get" else block
        for each in cast("list[Any]", content) if isinstance(content, list) else [content]:
            if isinstance(each, dict):
                yield cast("dict[str, Any]", each)
