"""What a state handed to a client is bound to: who may come back with it, and with which request.

Must not know: what the state stands for, or how it is sealed.
"""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from typing import Final

import msgspec

from lockgate.core.message import Call
from lockgate.wire.handshake_out import ABANDON

_REPEATED: Final = ("_meta", "inputResponses", "requestState", ABANDON)
_sorted = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder().decode


def bound_to(call: Call) -> str:
    """Who may continue the call, and with which request: the same one, however it is written.

    `_meta` may differ from attempt to attempt (trace context does), so it is left out.
    """
    same = call.params.without(*_REPEATED).encode()
    with suppress(msgspec.MsgspecError):  # with a number nobody can read it has one spelling
        same = _sorted(_decode(same))
    target = f"{call.target.server}\0{call.target.name}" if call.target else ""
    parts = (call.principal.id, call.affinity or "", call.method, target, sha256(same).hexdigest())
    return "\0".join(parts)
