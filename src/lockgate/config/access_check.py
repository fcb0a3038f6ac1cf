"""What is wrong with the rules of access that the model alone cannot see.

Must not know: how rules are applied. A rule that says nothing about anything is most often a slip
of the pen, and one that takes away nothing is a hole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Final

from lockgate.config.access import RuleSettings, WhoSettings
from lockgate.config.finding import Findings
from lockgate.config.model import Config
from lockgate.config.nodes import Node
from lockgate.core.message import ANONYMOUS
from lockgate.core.names import nearest, spell
from lockgate.core.targets import ALL, TargetPattern, special

PATH: Final = ("lockgate", "access", "rules")
_URI_MARK: Final = "://"


def review_access(
    config: Config, tree: Node, findings: Findings, endpoints: Collection[str]
) -> None:
    """Note everything that is found; `endpoints` are all paths there are."""
    rules = config.lockgate.access.rules
    seen: dict[str, int] = {}
    for number, rule in enumerate(rules):
        _Rule(number, rule, config, tree, findings).run(endpoints)
        if rule.name is not None and seen.setdefault(rule.name, number) != number:
            findings.add(
                "access-name",
                f"Two rules of access are called {rule.name!r}.",
                "Give each a name of its own, so that the record says which one decided.",
                tree.locate((*PATH, number, "name"))[0],
            )
    if rules and not any(rule.verb == "allow" for rule in rules):
        findings.add(
            "access-nothing",
            "No rule of access allows anything, so nobody can use anything.",
            "Add one: {allow: '*'} allows what the other rules do not take away.",
            tree.locate(PATH)[0],
        )
    _nobody(config, tree, findings)


def _nobody(config: Config, tree: Node, findings: Findings) -> None:
    """Rules about callers that can never be told apart; the first is enough."""
    settings = config.lockgate
    if settings.asks or any(one.auth and one.auth.asks for one in settings.endpoints.values()):
        return
    for number, rule in enumerate(settings.access.rules):
        key = next((key for key in ("who", "scopes") if getattr(rule, key)), None)
        if key is not None:
            findings.add(
                "access-nobody",
                f"Access, {rule.name or f'rule {number + 1}'}: `{key}` is about callers that are "
                "known, and nobody is authenticated.",
                "Set `lockgate.auth`, so that callers are known.",
                tree.locate((*PATH, number, key))[0],
            )
            return
    for name, server in config.enabled.items():
        for pattern, tool in server.tools.items():
            if tool.scopes:
                findings.add(
                    "access-nobody",
                    f"Server {name!r}: tools {pattern!r} need scopes, and nobody is authenticated.",
                    "Set `lockgate.auth`: without it nobody has any scope.",
                    tree.locate(("servers", name, "tools", pattern, "scopes"))[0],
                )
                return


class _Rule:
    """The checks of one rule."""

    def __init__(
        self, number: int, rule: RuleSettings, config: Config, tree: Node, findings: Findings
    ) -> None:
        self._number = number
        self._rule = rule
        self._config = config
        self._tree = tree
        self._findings = findings

    def run(self, endpoints: Collection[str]) -> None:
        for key, patterns in self._rule.things.parts:
            for number, pattern in enumerate(patterns):
                self._server(pattern, key, number)
                self._name(pattern, key, number)
        for key in ("who", "unless"):
            self._ids(key, getattr(self._rule, key))
        for number, endpoint in enumerate(self._rule.endpoints):
            if not any(fnmatchcase(one, endpoint) for one in endpoints):
                guess = nearest(endpoint, endpoints)
                self.note(
                    "access-name",
                    f"there is no endpoint {endpoint}.",
                    f"Did you mean {guess}?" if guess else f"There are: {', '.join(endpoints)}.",
                    "endpoints",
                    number,
                )

    def _ids(self, key: str, callers: Sequence[WhoSettings]) -> None:
        """Ids that nobody can have: a rule that takes away from them takes nothing away."""
        for number, one in ((n, one) for n, caller in enumerate(callers) for one in caller.id):
            if special(one) or one.startswith("key:") or "#" in one or one == ANONYMOUS.id:
                continue
            where = self._tree.written((*PATH, self._number, key, number, "id"))
            self.note(
                "access-impossible",
                f"no caller has the id {one!r}.",
                f"Write key:{one} for an API key, ISSUER#{one} for a subject of an issuer.",
                *where[len(PATH) + 1 :],
            )

    def _server(self, pattern: TargetPattern, key: str, number: int) -> None:
        servers = self._config.servers
        if any(fnmatchcase(name, pattern.server) for name in servers):
            return
        what = "no server's name matches" if special(pattern.server) else "there is no server"
        self.note(
            "access-name",
            f"{what} {pattern.server!r}.",
            self._meant(pattern) or f"There are: {', '.join(servers)}.",
            *self._place(key, number),
        )

    def _meant(self, pattern: TargetPattern) -> str | None:
        """What somebody may have meant by a server that does not exist."""
        for name in self._config.servers:
            prefix = spell(name, "", "prefix")
            if pattern.server.startswith(prefix) and pattern.name == ALL:
                own = pattern.server[len(prefix) :]
                return f"Write {name}/{own}: a tool's own name, below its server."
        guess = nearest(pattern.server, self._config.servers)
        if guess is None:
            return None
        return f"Did you mean {TargetPattern(guess, pattern.name)}?"

    def _name(self, pattern: TargetPattern, key: str, number: int) -> None:
        """Names that nothing of the kind can have."""
        name = pattern.name
        if key in ("tools", "prompts") and _URI_MARK in name:
            self.note(
                "access-impossible",
                f"{pattern} is a URI, and {key} have none.",
                "Put it below `resources`.",
                *self._place(key, number),
            )
        elif key == "resources" and not special(name) and ":" not in name:
            self.note(
                "access-impossible",
                f"{pattern} is no URI, so no resource has it.",
                "Write the whole URI, or a pattern: docs/file:///public/*.",
                *self._place(key, number),
            )
        elif name.startswith(spell(pattern.server, "", "prefix")) and key != "resources":
            rest = name[len(spell(pattern.server, "", "prefix")) :]
            self.note(
                "access-impossible",
                f"{pattern} names {pattern.server} twice.",
                f"Write {pattern.server}/{rest}: the server's own name for it.",
                *self._place(key, number),
            )

    def _place(self, key: str, number: int) -> Iterator[str | int]:
        """Where a pattern stands, in whichever of its forms it is written."""
        yield self._rule.verb
        node = self._tree.find((*PATH, self._number, self._rule.verb))
        if node is not None and node.members:
            yield key
            node = node.members.get(key)
        if node is not None and node.items:
            yield number

    def note(self, kind: str, summary: str, remedy: str, *path: str | int) -> None:
        where: Sequence[str | int] = (*PATH, self._number, *path)
        name = self._rule.name or f"rule {self._number + 1}"
        self._findings.add(kind, f"Access, {name}: {summary}", remedy, self._tree.locate(where)[0])
