"""The parts of messages of the stateless era (2026-07-28) that are read, as data.

Must not know: how they are read, or what is done with them.
"""

from __future__ import annotations

import msgspec

from lockgate.wire.revisions import META_SUBSCRIPTION_ID


class Head(msgspec.Struct):
    """What a result says of its kind."""

    resultType: str = "complete"  # noqa: N815 - the wire's own spelling


class Dress(msgspec.Struct, gc=False):
    """What a result says of its kind, of how long it may be kept, and of who said it."""

    resultType: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET  # noqa: N815 - the wire's spelling
    ttlMs: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET  # noqa: N815 - the wire's spelling
    cacheScope: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET  # noqa: N815 - the wire's spelling
    meta: msgspec.Raw | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="_meta")


class Listed(msgspec.Struct):
    """What the list of a server's tools says about how one is called."""

    name: str
    inputSchema: msgspec.Raw = msgspec.Raw(b"null")  # noqa: N815 - the wire's own spelling


class Progress(msgspec.Struct):
    """What a progress notification is about."""

    progressToken: int | str | None = None  # noqa: N815 - the wire's own spelling


class Cancelled(msgspec.Struct):
    """What a cancellation is about."""

    requestId: int | str | None = None  # noqa: N815 - the wire's own spelling


class Meta(msgspec.Struct):
    """The part of `_meta` that ties a notification to a subscription."""

    subscription: int | str | None = msgspec.field(default=None, name=META_SUBSCRIPTION_ID)


class Tagged(msgspec.Struct):
    """A notification that may belong to a subscription."""

    meta: Meta | None = msgspec.field(default=None, name="_meta")


class Discovery(msgspec.Struct, rename="camel"):
    """What `server/discover` said, as far as the gateway itself reads it."""

    supported_versions: tuple[str, ...] = ()
    capabilities: msgspec.Raw = msgspec.Raw(b"{}")


class Unsupported(msgspec.Struct):
    """The data of an unsupported protocol version error."""

    supported: tuple[str, ...] = ()
