"""The gate before a server: no call for what was not approved, whatever way its name came.

Refuses: calls of tools, prompts and templates that nobody approved, or that the caller is shown
otherwise than they were approved; reads of resources that only a withheld template stands for.
Costs: one look into a set. Only for what some caller is shown otherwise it is asked who is calling.
Does not protect from: what an approved tool does.

Must not know: how anything is judged; it is told what each list, as it was read, is found to hold.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import ClassVar, Final, cast

from lockgate.core.message import Call, Failure, Target
from lockgate.core.policy import Stage
from lockgate.gateway.pin_refusals import Doubt, refusal
from lockgate.gateway.resources import matches
from lockgate.gateway.views import View
from lockgate.guard.pins.book import Subject

GATED: Final = frozenset({"tools/call", "prompts/get", "resources/read", "completion/complete"})
MOST_LISTS: Final = 2048
"""Lists of one server of which it is remembered what in them is withheld."""
_SUBJECTS: Final[Mapping[str, Subject]] = {
    "tool": "tool",
    "prompt": "prompt",
    "template": "template",
}
_Doubts = Mapping[str, Failure]


class PinGate:
    """Before one server. See `lockgate.core.policy.Gate`."""

    name: ClassVar[str] = "pins"
    stage: ClassVar[Stage] = Stage.VERIFY

    def __init__(self, server: str) -> None:
        """Nothing is let in before it is known what the server lists."""
        self._server = server
        self._lists: OrderedDict[tuple[Subject, View], _Doubts] = OrderedDict()
        self._approved: dict[Subject, frozenset[str]] = {}
        self.clear: frozenset[tuple[str, str]] = frozenset()
        """Kinds and names that were approved, and that nobody is shown otherwise."""
        self.view: Callable[[Call], View] | None = None
        self.listed: Callable[[str], bool] = lambda _: False

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
        """See `lockgate.core.policy.Gate`."""
        return method in GATED

    def enter(self, call: Call, /) -> Failure | None:
        """See `lockgate.core.policy.Gate`."""
        target = call.target
        if target is None or (target.kind, target.name) in self.clear:
            return None
        return self._doubtful(call, target)

    def leave(self, call: Call, /) -> None:
        """See `lockgate.core.policy.Gate`."""

    def _doubtful(self, call: Call, target: Target) -> Failure | None:
        if target.kind == "resource":
            return self.resource(target.name)
        subject = _SUBJECTS.get(target.kind)
        return None if subject is None else self._thing(call, subject, target.name)

    def _thing(self, call: Call, subject: Subject, name: str) -> Failure | None:
        found = [(view, doubts) for (kind, view), doubts in self._lists.items() if kind == subject]
        if not found:
            return refusal(Doubt("unread", self._server, (subject, name)))
        view = None if self.view is None else self.view(call)
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
        return doubt or next(others, None) or refusal(Doubt("new", self._server, (subject, name)))

    def resource(self, uri: str) -> Failure | None:
        """Refuses what only a withheld template stands for; what is listed stands for itself."""
        withheld = {
            name: why
            for (kind, _), doubts in self._lists.items()
            if kind == "template"
            for name, why in doubts.items()
        }
        why = next((why for name, why in withheld.items() if matches(name, uri)), None)
        if why is None or self.listed(uri):
            return None
        approved = self._approved.get(cast("Subject", "template"), frozenset())
        if any(matches(name, uri) for name in approved if name not in withheld):
            return None
        return why
