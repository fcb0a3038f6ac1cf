"""What stands guard, and where: the seam between the engine and every check of servers.

Must not know: what any check looks for, or how it was configured (`lockgate.gateway.guards`).

    | what passes                      | who looks at it                                         |
    |----------------------------------|---------------------------------------------------------|
    | a list, whenever it is shown     | `Vetting.vet`: what is withheld is on no list           |
    | what a server says of itself     | `Vetting.introduced`                                    |
    | calls and their replies          | the policies of that server, by their stages            |

Lists are vetted each time a face is made of them, not when they are read, so that a later yes of a
person counts without asking the server again. What a list withholds is refused by name, and by the
server's policies, wherever the name came from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Protocol

from lockgate.core.message import Era
from lockgate.core.policy import AnyPolicy
from lockgate.core.raw import Raw
from lockgate.gateway.definitions import Definitions
from lockgate.gateway.listing import ListMethod, Section


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


class Guard:
    """Everything that stands guard over the servers of one configuration."""

    def __init__(
        self,
        vettings: Sequence[Vetting] = (),
        policies: Mapping[str, Sequence[AnyPolicy]] = MappingProxyType({}),
        definitions: Definitions | None = None,
    ) -> None:
        """See the file's table.

        Args:
            vettings: asked one after another, each about what the ones before it let through.
            policies: by the name of the server they stand before.
            definitions: what the policies ask for what callers were shown; the engine tells it.
        """
        self._vettings = tuple(vettings)
        self._policies = policies
        self.definitions = definitions or Definitions()

    def vet(self, entry: ListMethod, sections: Sequence[Section], era: Era) -> Sequence[Section]:
        """What all vettings let through."""
        for vetting in self._vettings:
            sections = vetting.vet(entry, sections, era)
        return sections

    def introduced(self, server: str, facts: Raw) -> Raw:
        """As all vettings let it through."""
        for vetting in self._vettings:
            facts = vetting.introduced(server, facts)
        return facts

    def of(self, server: str) -> Sequence[AnyPolicy]:
        """The policies that stand before one server."""
        return self._policies.get(server, ())


NO_GUARD: Final = Guard()
