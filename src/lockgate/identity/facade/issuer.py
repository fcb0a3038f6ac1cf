"""The facade as one more issuer whose tokens endpoints accept.

Must not know: how tokens are issued.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lockgate.identity.facade.settings import FacadeSettings
from lockgate.identity.facade.signing import ALGORITHM
from lockgate.identity.jwks import KnownKeys
from lockgate.identity.settings import IssuerSettings
from lockgate.identity.tokens import Issuer


def own_issuer(settings: FacadeSettings, jwks: Mapping[str, Any]) -> Issuer:
    """What the facade's tokens are judged by: our own keys, our own type, our own clock."""
    told = IssuerSettings(
        issuer=settings.issuer,
        algorithms=(ALGORITHM,),
        types=frozenset({"at+jwt"}),
        leeway=0.0,
    )
    return Issuer(told, KnownKeys(jwks))
