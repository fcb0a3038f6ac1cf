"""The document that says what an endpoint is and who issues tokens for it (RFC 9728).

Must not know: HTTP servers, other endpoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from lockgate.identity.settings import ALGORITHMS, EndpointSettings

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"


def metadata_url(resource: str) -> str:
    """Where the document of a resource is: its path behind the well-known one (section 3.1)."""
    parts = urlsplit(resource)
    return f"{parts.scheme}://{parts.netloc}{WELL_KNOWN}{parts.path.rstrip('/')}"


def document(settings: EndpointSettings, issuers: Sequence[str], name: str = "Lockgate") -> bytes:
    """The document, as JSON."""
    said: dict[str, Any] = {
        "resource": settings.resource,
        "authorization_servers": list(dict.fromkeys(issuers)),
        "bearer_methods_supported": ["header"],
        "resource_name": name,
    }
    scopes = [one for one in settings.supported or settings.scopes if one != "offline_access"]
    if scopes:
        said["scopes_supported"] = scopes
    if settings.certificates:
        said["tls_client_certificate_bound_access_tokens"] = True
    if settings.dpop != "off":
        said["dpop_signing_alg_values_supported"] = list(ALGORITHMS)
        said["dpop_bound_access_tokens_required"] = settings.dpop == "require"
    return msgspec.json.encode(said)
