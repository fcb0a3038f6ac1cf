"""What of a failure a client may see: everything but the secrets of the configuration.

Must not know: what counts as a secret. A server's error goes out word for word, and a careless
server quotes the credential it was given; so configured secrets are taken out of every failure,
whoever wrote it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from lockgate.core.message import Failure

Mask = Callable[[str], str]

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode


def shown(failure: Failure, mask: Mask) -> Failure:
    """The failure with `mask` applied to every text in it that clients get."""
    message = mask(failure.message)
    remedy = None if failure.remedy is None else mask(failure.remedy)
    data = _masked(failure.data, mask)
    if message == failure.message and remedy == failure.remedy and data is failure.data:
        return failure
    return failure.replace(message=message, remedy=remedy, data=data)


def _masked(data: Any, mask: Mask) -> Any:
    """The data without secrets; the very same object when it holds none."""
    if data is None:
        return None
    try:
        written = _encode(data).decode()
    except (TypeError, ValueError):
        return None
    clean = mask(written)
    if clean == written:
        return data
    try:
        return _decode(clean)
    except msgspec.MsgspecError:
        # A secret stood where no text does, such as in a number: nothing of it is shown.
        return None
