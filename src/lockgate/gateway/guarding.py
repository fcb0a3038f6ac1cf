"""What stands guard, and where: the seam between the engine and every check of servers.

Must not know: what any check looks for, or how it was configured (`lockgate.gateway.guards`).

    | what passes                      | who looks at it                                         |
    |----------------------------------|---------------------------------------------------------|
    | a list, whenever it is shown     | `Vetting.vet`: what is withheld is on no list           |
    | what a server says of itself     | `Vetting.introduced`                                    |
    | calls and their replies          | the policies of that server, by their stages            |
    | either of the first two, as read | `Learner`, before anybody is shown anything             |

Lists are vetted each time a face is made of them, not when they are read, so that a later yes of a
person counts without asking the server again. What a list withholds is refused by name, and by the
server's policies, wherever the name came from.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Protocol

from lockgate.core.message import Call, Era, Failure, Target
from lockgate.core.policy import AnyPolicy, Check
from lockgate.core.raw import Raw
from lockgate.gateway.definitions import Definitions
from lockgate.gateway.listing import ListMethod, Section
from lockgate.gateway.views import View


class Vetting(Protocol):
    """Judges what servers list before anybody sees it. Never raises; a doubt is a no."""

    def vet(self, entry: ListMethod, sections: Sequence[Section], era: Era, /) -> Sequence[Section]:
        """The sections, in the same order, without what is withheld.

        What is withheld moves from `Section.items` to `Section.withheld`, with why. All sections
        that are shown together are given together, so that what one server says can be held
        against what others say. Called whenever a face is made: remember what was judged once.
        """
        ...

    def introduced(self, server: str, facts: Raw, /) -> Raw:
        """What a server says of itself (a discover result), without what is withheld."""
        ...


Locate = Callable[[Call, str], Awaitable[Target | Failure]]


class Lists(Protocol):
    """Where lists are kept; see `lockgate.gateway.catalog.Catalog`."""

    def view(self, server: str, call: Call, /) -> View: ...  # noqa: D102 - see Catalog
    def definition(self, server: str, method: str, key: str, /) -> Raw | None: ...  # noqa: D102 - see Catalog
    def problem(self, server: str, method: str, call: Call, /) -> Failure | None: ...  # noqa: D102 - see Faces
    async def learn(self, server: str, call: Call, /, *, anew: bool = False) -> None: ...  # noqa: D102 - see Catalog
    def relearn(self, servers: Collection[str] | None = None, /) -> None: ...  # noqa: D102 - see Catalog


class Learner(Protocol):
    """Is told what servers say as soon as it is read, whether or not anybody asks for it."""

    def learned(self, entry: ListMethod, section: Section, view: View, /) -> None:
        """A list of a server, as callers of this view are told it."""
        ...

    def curious(self, server: str, /) -> bool:
        """Whether a server is to be asked as clients of all abilities would: it is met now."""
        ...

    def surveyed(self, server: str, /) -> None:
        """Every list of a server was asked for once, in each era it knows."""
        ...

    def said(self, server: str, facts: Raw, era: Era, /) -> None:
        """What a server says of itself (a discover result) in an era."""
        ...


async def _nothing(section: Section) -> None:
    del section


class Guard:
    """Everything that stands guard over the servers of one configuration."""

    def __init__(
        self,
        vettings: Sequence[Vetting] = (),
        policies: Mapping[str, Sequence[AnyPolicy]] = MappingProxyType({}),
        learners: Sequence[Learner] = (),
        look_into: Callable[[Lists], None] = lambda _: None,
        definitions: Definitions | None = None,
        study: Callable[[Section], Awaitable[None]] | None = None,
    ) -> None:
        """See the file's table.

        Args:
            vettings: asked one after another, each about what the ones before it let through.
            policies: by the name of the server they stand before.
            learners: told of everything that is read.
            look_into: told where lists are kept, once there are any.
            definitions: what the policies ask for what callers were shown; the engine tells it.
            study: awaited with each list that was read, before anything else is done with it.
        """
        self.study = study or _nothing
        self.look_into = look_into
        self._vettings = tuple(vettings)
        self._policies = policies
        self._learners = tuple(learners)
        self.definitions = definitions or Definitions()

    def learned(self, entry: ListMethod, section: Section, view: View) -> None:
        """A list was read, as callers of this view are told it."""
        for learner in self._learners:
            learner.learned(entry, section, view)

    def vet(self, entry: ListMethod, sections: Sequence[Section], era: Era) -> Sequence[Section]:
        """What all vettings let through."""
        for vetting in self._vettings:
            sections = vetting.vet(entry, sections, era)
        return sections

    def curious(self, server: str) -> bool:
        """Whether a server is to be asked as clients of all abilities would."""
        return any(learner.curious(server) for learner in self._learners)

    def surveyed(self, server: str) -> None:
        """Every list of a server was asked for once, in each era it knows."""
        for learner in self._learners:
            learner.surveyed(server)

    def introduced(self, server: str, facts: Raw, era: Era) -> Raw:
        """What a server says of itself in an era, as all vettings let it through."""
        for learner in self._learners:
            learner.said(server, facts, era)
        for vetting in self._vettings:
            facts = vetting.introduced(server, facts)
        return facts

    def of(self, server: str) -> Sequence[AnyPolicy]:
        """The policies that stand before one server."""
        return self._policies.get(server, ())

    def admitting(self, locate: Locate) -> Locate:
        """As `locate` says where a resource is, if it may be read there."""

        async def admitted(call: Call, uri: str) -> Target | Failure:
            found = await locate(call, uri)
            if isinstance(found, Failure):
                return found
            return self._checked(call.replace(method="resources/read", target=found)) or found

        return admitted

    def _checked(self, call: Call) -> Failure | None:
        """Why a call would not be let in to its target's server, by the checks of that server."""
        if call.target is None:
            return None
        for policy in self.of(call.target.server):
            if isinstance(policy, Check) and policy.concerns(call.method):
                said = policy.check(call)
                if isinstance(said, Failure):
                    return said
        return None


NO_GUARD: Final = Guard()
