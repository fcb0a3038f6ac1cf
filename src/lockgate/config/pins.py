"""How servers are held to what was approved: the keys `pins` and `pins_file`, and who a server is.

Must not know: the lock file, or what is done about a server that is another one.

Who a server is, is told as the file spells it: `${VARIABLES}` unexpanded, so that a shared lock
file says the same on every machine, and secrets masked, so that a new one changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from lockgate.config.nodes import Node
from lockgate.config.secrets import masked_arg, masked_args
from lockgate.guard.pins.identity import of_command, of_urls

if TYPE_CHECKING:
    from lockgate.config.model import Config, ServerConfig

Pins = Literal["enforce", "warn", "off"]
LOCK_FILE: Final = "lockgate.lock"

PINS: Final[Any] = Field(
    default="enforce",
    description=(
        "What is done with tools, prompts, templates and instructions that are not as they were "
        "approved: `enforce` withholds them, `warn` says so in the log, `off` does not look. "
        "Without a lock file, what servers define first is believed and recorded in one."
    ),
)
SERVER_PINS: Final[Any] = Field(
    default=None,
    description="The same for this server; by default as `lockgate.pins` says.",
)
PINS_FILE: Final[Any] = Field(
    default=None,
    strict=False,
    description=(
        "The lock file with what was approved; by default `lockgate.lock` beside the "
        "configuration. Commit it with the configuration."
    ),
)


def lock_file(named: Path | None, folder: Path) -> Path:
    """The lock file of a configuration in `folder`."""
    return folder / (Path(LOCK_FILE) if named is None else named.expanduser())


def identity_of(server: ServerConfig, node: Node | None = None) -> dict[str, Any]:
    """Who a server is; `node` knows how it is spelled in the file."""
    members: Mapping[str, Node] = {} if node is None else node.members
    if server.command is None:
        return of_urls(server.addresses)
    args = server.args
    if "args" in members and len(members["args"].items) == len(args):
        args = [_spelling(item) for item in members["args"].items]
    command = _spelling(members["command"]) if "command" in members else server.command
    return of_command(masked_arg(command), masked_args(args))


def identities(config: Config, tree: Node | None = None) -> dict[str, dict[str, Any]]:
    """Who each server is, by its name in the configuration."""
    nodes = tree.members["servers"].members if tree is not None else {}
    return {name: identity_of(server, nodes.get(name)) for name, server in config.enabled.items()}


def _spelling(node: Node) -> str:
    return node.spelled if node.spelled is not None else str(node.value)
