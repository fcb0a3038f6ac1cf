"""What servers ask people, looked through before anybody is asked.

Refuses: forms and sampling that ask for passwords, keys, card codes and the like, and pages whose
address hides whose they are. The server gets a no, as if the person had said it, and goes on; where
it asks again and again, the call fails. Changes: a page's message names its host. Costs: nothing,
until a server asks. Does not protect from: a question in words nobody thought of.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final, Literal

import msgspec

from lockgate.core.message import LISTEN, Ask, Call, Failure, Reply, Result
from lockgate.core.policy import CallNext, Stage
from lockgate.core.raw import Raw
from lockgate.guard.asking import Page, secrets_asked
from lockgate.guard.seen import Seen

FORBIDDEN: Final = -32000
ASKING: Final = frozenset({"tools/call", "prompts/get", "resources/read", "tasks/get"})
REASON: Final = "question-blocked"
ROUNDS: Final = 3
ERROR: Final = "_lockgate/error"

Told = Callable[[Call, Seen], None]
Kept = Literal["off", "flag", "block"]


class Questions:
    """The inspection of what one server asks."""

    name: ClassVar[str] = "questions"
    stage: ClassVar[Stage] = Stage.INSPECT

    def __init__(self, secrets: Kept, pages: Kept, told: Told) -> None:
        """`secrets`: what is done about questions for them; `pages`: about addresses."""
        self._secrets: Kept = secrets
        self._pages: Kept = pages
        self._told = told

    def concerns(self, method: str) -> bool:
        """What may be answered with a question, and streams on which servers ask."""
        return method in ASKING or method == LISTEN

    def inward(self, call: Call, /) -> Call | Failure:
        """See `lockgate.core.policy.Lens`; what is asked outside of calls is judged as well."""
        return call if call.ask is None else call.replace(ask=self._asking(call, call.ask))

    def outward(self, call: Call, reply: Reply, /) -> Reply:
        """See `lockgate.core.policy.Lens`."""
        if not isinstance(reply, Result) or reply.kind != "input_required":
            return reply
        asked = reply.raw.object("inputRequests")
        judged: dict[str, Raw] = {}
        for key in asked:
            request = asked.object(key)
            params, no = self._judged(call, str(request.get("method")), request.object("params"))
            if no is not None:
                state: Any = reply.raw.get("requestState")
                return _refused(no, (_noes(asked), state if isinstance(state, str) else None))
            # As it was read, so that no other reader finds another question in it.
            judged[key] = request.replace(params=params)
        return Result(reply.raw.replace(inputRequests=Raw.of(judged)), "input_required")

    def _asking(self, call: Call, ask: Ask) -> Ask:
        async def judged(method: str, params: Raw) -> Reply:
            params, no = self._judged(call, method, params)
            if no is not None:
                return _refused(no, None)
            return await ask(method, params)

        return judged

    def _judged(self, call: Call, method: str, params: Raw) -> tuple[Raw, str | None]:
        """The params to ask with, and why it is not asked, if it is not."""
        if self._secrets != "off":
            for found in secrets_asked(method, params):
                self._told(call, Seen("questions", "secret", self._secrets))
                if self._secrets == "block":
                    return params, f"it asks for a secret ({found})"
        if self._pages == "off" or method != "elicitation/create" or params.get("mode") != "url":
            return params, None
        page = Page(str(params.get("url")))
        for odd in page.odd:
            self._told(call, Seen("questions", odd, self._pages))
        if self._pages == "block" and page.refused:
            return params, "the address hides whose page it is"
        message = f"{page.told()}\n{params.get('message') or ''}"
        return params.replace(message=message), None


class Declines:
    """A no to a question that is not asked, in place of the person's; outside `Questions`."""

    name: ClassVar[str] = "questions"
    stage: ClassVar[Stage] = Stage.INSPECT

    def concerns(self, method: str) -> bool:
        """See `lockgate.core.policy.Recovery`."""
        return method in ASKING

    def begin(self, call: Call, /) -> None:
        """See `lockgate.core.policy.Recovery`; nothing is counted."""

    async def recover(self, call: Call, failure: Failure, again: CallNext, /) -> Reply:
        """See `lockgate.core.policy.Recovery`."""
        reply: Reply = failure
        for _ in range(ROUNDS):
            if not isinstance(reply, Failure) or reply.reason != REASON or reply.detail is None:
                return reply
            noes, state = _read(reply.detail)
            params = call.params.without("requestState").replace(inputResponses=noes)
            if state is not None:
                params = params.replace(requestState=state)
            reply = await again(call.replace(params=params))
        return reply


_Waiting = tuple[dict[str, Any], str | None]
"""What a server that asked waits for: a no to each question, and its state."""
_write: Final = msgspec.json.Encoder().encode
_read: Final = msgspec.json.Decoder(_Waiting).decode


def _noes(asked: Raw) -> dict[str, Any]:
    """A no to every question: a server waits for all of them."""
    return {
        key: {"action": "decline"}
        if asked.object(key).get("method") == "elicitation/create"
        else {ERROR: {"code": -1, "message": "The request was refused."}}
        for key in asked
    }


def _refused(why: str, waiting: _Waiting | None) -> Failure:
    return Failure(
        code=FORBIDDEN,
        message=f"The server's question does not pass here: {why}.",
        origin="policy",
        reason="question-blocked",
        policy=Questions.name,
        remedy="Give such things to the server's own configuration, never to a form in a chat.",
        detail=None if waiting is None else _write(waiting).decode(),
    )
