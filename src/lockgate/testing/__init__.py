"""For tests of Lockgate and of policies written for it: scripted peers and a clock you move.

Shipped, so that people who write policies test them the way we do. Never imported by the rest.
"""

from lockgate.testing.clock import ManualClock
from lockgate.testing.server import ScriptedServer

__all__ = ["ManualClock", "ScriptedServer"]
