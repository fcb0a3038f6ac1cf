"""The listener for operators: the keys of `lockgate.admin`.

Must not know: what is served there.
"""

from __future__ import annotations

from pydantic import Field, SecretStr

from lockgate.config.limits import Section
from lockgate.config.quantities import count


class AdminSettings(Section):
    """A listener of its own for `/health`, `/ready` in full and `/metrics`; none unless asked for.

    With one, the public listener says in `/health` and `/ready` no more than a word.
    """

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description=(
            "The address to listen on. Anything but loopback needs a `token`, because what is "
            "served there names servers and what becomes of them."
        ),
    )
    port: int = count(4041, 0, 65535, "The TCP port to listen on; 0 takes a free one.")
    path: str = Field(
        default="",
        pattern=r"^(/[A-Za-z0-9._~-]+)*$",
        max_length=256,
        description="What stands before `/health`, `/ready` and `/metrics`; nothing, as a rule.",
    )
    allow_hosts: list[str] = Field(
        default=[],
        max_length=1000,
        description=(
            "Host names that may be asked for beside loopback and `host`; with a `token` any may."
        ),
    )
    token: SecretStr | None = Field(
        default=None,
        description=(
            "What who asks has to show as `Authorization: Bearer`, for everything but `/health`; "
            "at least 16 characters."
        ),
        min_length=16,
    )
