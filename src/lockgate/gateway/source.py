"""Where something that is kept came from: a call, in the server's words. Pure.

Must not know: what is kept, or who may read it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from lockgate.core.message import Call, Kind, Target
from lockgate.core.raw import Raw
from lockgate.gateway.references import Origins

TOOL: Final = "tools/call"
KINDS: Final[dict[str, Kind]] = {
    TOOL: "tool",
    "resources/read": "resource",
    "prompts/get": "prompt",
}
_ARGUMENTS: Final = 4096
"""Bytes of arguments that are kept, to be judged again when what came of them is read."""


class Source(msgspec.Struct, frozen=True):
    """One call.

    target     what it was about.
    arguments  what the server was sent.
    asked      what the client wrote: references are not resolved in it.
    origins    where what it referred to came from.
    method     of the call.
    """

    target: Target
    arguments: bytes = b"{}"
    asked: bytes = b"{}"
    origins: Origins = ()
    method: str = TOOL

    @property
    def all_origins(self) -> Origins:
        """Everything that what came of it came from, itself first."""
        short = self.arguments if len(self.arguments) <= _ARGUMENTS else b""
        own = (self.target.server, self.target.name, short.decode("utf-8", "replace"))
        if self.method != TOOL:
            own = (*own, self.method)
        return tuple(dict.fromkeys((own, *self.origins)))

    def shown(self, hidden: Collection[str]) -> bytes:
        """What the client wrote, without parameters that it is not shown."""
        if not hidden:
            return self.asked
        try:
            return Raw(self.asked).check().without(*hidden).encode()
        except msgspec.MsgspecError:
            return b"{}"

    @staticmethod
    def known(origin: Call) -> bool:
        """Whether what `call` made is all that was called: long arguments were not kept."""
        return origin.method == "resources/read" or "arguments" in origin.params

    @staticmethod
    def call(call: Call, origin: Sequence[str]) -> Call:
        """The call that something came from, as the maker of `call` would make it now."""
        server, name, arguments, method = (*origin, TOOL)[:4]
        params = Raw.of({"uri" if method == "resources/read" else "name": name})
        if arguments and method != "resources/read":
            params = params.with_members({"arguments": arguments.encode()})
        target = Target(server, KINDS.get(method, "tool"), name)
        return call.replace(method=method, target=target, params=params)
