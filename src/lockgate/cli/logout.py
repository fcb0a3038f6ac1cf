"""`lockgate logout`; see `login`, where it is.

Must not know: anything else.
"""

from lockgate.cli.login import logout as command

__all__ = ["command"]
