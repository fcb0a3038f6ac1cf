"""Holds what a tool answers against its own output schema.

Refuses, where it is enforced: structured content that does not fit or is missing (`result-schema`),
and calls of a tool whose output schema is unusable (`schema-unusable`), before they are sent.
Costs: nothing for tools without an output schema; for others their structured content is decoded,
and where it is enforced written anew. Does not protect from: what stands in other content, and what
fits.

An error of a tool (`isError`) need not fit, nor does what is no complete result. Larger content
than is checked counts as not fitting: nobody knows.

Source: specification 2026-07-28, server/tools, "Output Schema".
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

import msgspec

from lockgate.core.message import Call, Failure, Reply, Result, Target
from lockgate.core.policy import Look, Stage
from lockgate.core.raw import Raw
from lockgate.guard.schemas.known import KnownSchemas, Said
from lockgate.guard.schemas.schema import Checked, Schemas
from lockgate.guard.schemas.shape import Unusable
from lockgate.guard.schemas.words import Problem
from lockgate.wire.jsonrpc import INTERNAL_ERROR

_log: Final = logging.getLogger("lockgate.guard")
_decode: Final = msgspec.json.Decoder().decode
CONTENT: Final = "structuredContent"
_MISSING: Final = Problem("", "required", "structured content is missing")
_TOO_LARGE: Final = Problem("", "size", "there is more of it than is checked")
_UNREADABLE: Final = Problem("", "json", "it cannot be read")


class OutputCheck:
    """Before one server. See `lockgate.core.policy.Check`."""

    name: ClassVar[str] = "outputs"
    stage: ClassVar[Stage] = Stage.VERIFY

    def __init__(
        self,
        definition: Callable[[Call], Raw | None],
        schemas: Schemas,
        *,
        enforce: bool = False,
        largest: int = 1024 * 1024,
        refuse_unusable: bool = False,
    ) -> None:
        """`largest`: bytes of structured content that are checked."""
        self._schemas = KnownSchemas(definition, schemas, "outputSchema")
        self._known = self._schemas.by_target
        self._enforce = enforce
        self._largest = largest
        self._refuse_unusable = refuse_unusable
        self._said = Said()

    def concerns(self, method: str) -> bool:
        """Calls of tools."""
        return method == "tools/call"

    def check(self, call: Call, /) -> Failure | Look | None:
        """See `lockgate.core.policy.Check`."""
        target = call.target
        if target is None:
            return None
        kept = self._known.get(id(target))
        if kept is not None and kept[0] is target:
            schema = kept[1]
        else:
            schema = self._schemas.learn(call, target)
        if schema is None:
            return None
        if isinstance(schema, Unusable):
            return self._unusable(target, schema)
        known: Checked = schema
        return lambda _, reply: self._seen(target, known, reply)

    def _seen(self, target: Target, schema: Checked, reply: Reply) -> Reply:
        if not isinstance(reply, Result) or reply.kind != "complete":
            return reply
        try:
            if reply.raw.get("isError") is True:
                return reply
            problems = self._problems(schema, reply.raw)
        except (msgspec.MsgspecError, RecursionError):
            problems = (_UNREADABLE,)
        if not problems:
            return reply
        if self._enforce:
            return _refused(target, problems)
        kinds = ", ".join(dict.fromkeys(one.keyword for one in problems))
        self._tell(target, f"its result does not fit its output schema ({kinds})")
        return reply

    def _problems(self, schema: Checked, raw: Raw) -> Sequence[Problem]:
        length = raw.length(CONTENT)
        if not length:
            return (_MISSING,)
        if length > self._largest:
            return (_TOO_LARGE,)
        # Whoever only notes what is wrong leaves the bytes as they are.
        value: Any = raw.get(CONTENT) if self._enforce else _decode(raw.member(CONTENT) or b"null")
        if length <= schema.easy and schema.fits(value):
            return ()
        return schema.problems(value, raw.member(CONTENT) or b"null")

    def _unusable(self, target: Target, schema: Unusable) -> Failure | None:
        if not (self._enforce and self._refuse_unusable):
            self._tell(target, f"its output schema cannot be used: {schema}")
            return None
        return Failure(
            code=INTERNAL_ERROR,
            message=(
                f"What {target.name} answers could not be checked, because its output schema "
                f"cannot be used: {schema}; it was not called."
            ),
            origin="upstream",
            reason="schema-unusable",
            policy=self.name,
            data={"why": schema.why},
            remedy="Have the server corrected, or set its guard.outputs.unusable to pass.",
        )

    def _tell(self, target: Target, what: str) -> None:
        if self._said.first(target, what):
            _log.warning("%s", what, extra={"server": target.server, "target": target.name[:200]})


def _refused(target: Target, problems: Sequence[Problem]) -> Failure:
    said = "; ".join(map(str, problems))
    return Failure(
        code=INTERNAL_ERROR,
        message=f"What {target.name} answered does not fit its output schema: {said}.",
        origin="upstream",
        reason="result-schema",
        policy=OutputCheck.name,
        data={"result": [{"path": one.place, "keyword": one.keyword} for one in problems]},
        remedy="The call was made; have the server corrected before making it again.",
    )
