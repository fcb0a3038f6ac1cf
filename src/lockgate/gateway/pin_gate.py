"""The gate before a server: no call for what was not approved, whatever way its name came.

Refuses: calls of tools, prompts and templates that nobody approved, or that the caller is shown
otherwise than they were approved; reads of resources that only a withheld template stands for.
Costs: one look into a set. Only for what some caller is shown otherwise it is asked who is calling.
Does not protect from: what an approved tool does.

Must not know: how anything is judged; it is told what each list, as it was read, is found to hold.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import ClassVar, Final, cast

from lockgate.core.legible import shortened, visible
from lockgate.core.message import Call, Failure, Reply, Target
from lockgate.core.policy import CallNext, Stage
from lockgate.gateway.guarding import Lists
from lockgate.gateway.pin_refusals import Doubt, refusal
from lockgate.gateway.resources import matches
from lockgate.gateway.views import View
from lockgate.guard.pins.book import Subject
from lockgate.wire.jsonrpc import INVALID_PARAMS

GATED: Final = frozenset({"tools/call", "prompts/get", "resources/read", "completion/complete"})
MOST_LISTS: Final = 2048
"""Lists of one server of which it is remembered what in them is withheld."""
_SUBJECTS: Final[Mapping[str, Subject]] = {
    "tool": "tool",
    "prompt": "prompt",
    "template": "template",
}
_METHODS: Final[Mapping[Subject, str]] = {
    "tool": "tools/list",
    "prompt": "prompts/list",
    "template": "resources/templates/list",
}
_Doubts = Mapping[str, Failure]


class PinGate:
    """Before one server. See `lockgate.core.policy.Check`."""

    name: ClassVar[str] = "pins"
    stage: ClassVar[Stage] = Stage.VERIFY

    def __init__(self, server: str) -> None:
        """Nothing is let in before it is known what the server lists."""
        self._server = server
        self._lists: OrderedDict[tuple[Subject, View], _Doubts] = OrderedDict()
        self._approved: dict[Subject, frozenset[str]] = {}
        self.clear: frozenset[tuple[str, str]] = frozenset()
        """Kinds and names that were approved, and that nobody is shown otherwise."""
        self._sources: Lists | None = None

    def look_into(self, lists: Lists) -> None:
        """What servers list is kept there."""
        self._sources = lists

    def learned(
        self, subject: Subject, view: View, doubts: _Doubts, approved: frozenset[str]
    ) -> None:
        """A list was read in this view, and so much of it is withheld."""
        self._lists.pop((subject, view), None)
        self._lists[subject, view] = doubts
        if len(self._lists) > MOST_LISTS:
            self._lists.popitem(last=False)
        self._approved[subject] = approved
        doubted = {(kind, name) for (kind, _), found in self._lists.items() for name in found}
        self.clear = frozenset(
            thing
            for kind, names in self._approved.items()
            for name in names
            if (thing := (kind, name)) not in doubted
        )

    def concerns(self, method: str) -> bool:
        """See `lockgate.core.policy.Check`."""
        return method in GATED

    def check(self, call: Call, /) -> Failure | None:
        """See `lockgate.core.policy.Check`."""
        target = call.target
        if target is None or (target.kind, target.name) in self.clear:
            return None
        return self._doubtful(call, target)

    def _doubtful(self, call: Call, target: Target) -> Failure | None:
        if target.kind == "resource":
            return self.resource(target.name)
        subject = _SUBJECTS.get(target.kind)
        return None if subject is None else self._thing(call, subject, target.name)

    def _thing(self, call: Call, subject: Subject, name: str) -> Failure | None:
        found = [(view, doubts) for (kind, view), doubts in self._lists.items() if kind == subject]
        if not found:
            return self._unread(call, subject, name)
        view = None if self._sources is None else self._sources.view(self._server, call)
        # Who was not shown a list of their own is shown what those without capabilities are.
        neutral = None if view is None else view._replace(capabilities="", session=None)
        known = dict(found)
        own = next(
            (known[one] for one in (view, neutral) if one is not None and one in known), None
        )
        if own is not None and name not in own and name in self._approved.get(subject, ()):
            return None
        doubt = (own or {}).get(name)
        others = (doubts[name] for _, doubts in found if name in doubts)
        return doubt or next(others, None) or self._unlisted(subject, name)

    def _unread(self, call: Call, subject: Subject, name: str) -> Failure:
        """Nobody was shown such a list yet; why not is what the caller is told, if it is known."""
        problem = None
        if self._sources is not None:
            problem = self._sources.problem(self._server, _METHODS[subject], call)
        return problem or refusal(Doubt("unread", self._server, (subject, name)))

    async def learn(self, call: Call) -> None:
        """Have the caller's own lists read, if they were not."""
        subject = None if call.target is None else _SUBJECTS.get(call.target.kind)
        if subject is None or self._sources is None:
            return
        view = self._sources.view(self._server, call)
        if (subject, view) not in self._lists:
            await self._sources.learn(self._server, call, anew=True)

    def _unlisted(self, subject: Subject, name: str) -> Failure:
        """What no list shows and nobody approved. To honest callers it is simply not there."""
        return Failure(
            code=INVALID_PARAMS,
            message=f"Unknown {subject}: {shortened(visible(name), 128)}",
            origin="client",
            reason="unknown-tool" if subject == "tool" else "unknown-prompt",
            policy=self.name,
            data={"server": self._server},
            remedy="Call what the server lists; what it does not list was never approved.",
        )

    def resource(self, uri: str) -> Failure | None:
        """Refuses what only a withheld template stands for; what is listed stands for itself."""
        withheld = {
            name: why
            for (kind, _), doubts in self._lists.items()
            if kind == "template"
            for name, why in doubts.items()
        }
        why = next((why for name, why in withheld.items() if matches(name, uri)), None)
        if why is None:
            return None
        lists = self._sources
        if lists is not None and lists.definition(self._server, "resources/list", uri) is not None:
            return None
        approved = self._approved.get(cast("Subject", "template"), frozenset())
        if any(matches(name, uri) for name in approved if name not in withheld):
            return None
        return why


class PatientPinGate:
    """The same before a server that people log in to: what it lists is known only after that.

    So the first call after a login waits for the caller's own lists; and where there still are
    none, the caller is told why: that a login is needed.
    """

    name: ClassVar[str] = "pins"
    stage: ClassVar[Stage] = Stage.VERIFY

    def __init__(self, gate: PinGate) -> None:
        """`gate` judges."""
        self._gate = gate

    def concerns(self, method: str) -> bool:
        """See `lockgate.core.policy.Policy`."""
        return self._gate.concerns(method)

    async def __call__(self, call: Call, call_next: CallNext, /) -> Reply:
        """See `lockgate.core.policy.Policy`."""
        await self._gate.learn(call)
        return self._gate.check(call) or await call_next(call)
