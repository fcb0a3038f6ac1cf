"""The suite's client scenarios of authorization, through the gateway's upstream half.

A client whose person can be sent to a page calls a tool; a browser that follows redirects logs in.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.test_client_suite import CLIENT
from tests.support import conformance

pytestmark = pytest.mark.conformance

# Scenario by revision, with how many different checks succeed when all goes well.
SCENARIOS = {
    "2025-11-25": {
        "auth/metadata-var1": 15,
        "auth/metadata-var2": 15,
        "auth/metadata-var3": 15,
        "auth/basic-cimd": 10,
        "auth/scope-from-www-authenticate": 11,
        "auth/scope-from-scopes-supported": 11,
        "auth/scope-omitted-when-undefined": 11,
        "auth/scope-step-up": 12,
        "auth/scope-retry-limit": 10,
        "auth/token-endpoint-auth-basic": 16,
        "auth/token-endpoint-auth-post": 16,
        "auth/token-endpoint-auth-none": 16,
        "auth/pre-registration": 10,
        "auth/metadata-default": 15,
    },
    "2026-07-28": {
        "auth/metadata-var1": 16,
        "auth/metadata-var2": 16,
        "auth/metadata-var3": 16,
        "auth/basic-cimd": 10,
        "auth/scope-from-www-authenticate": 12,
        "auth/scope-from-scopes-supported": 12,
        "auth/scope-omitted-when-undefined": 12,
        "auth/scope-step-up": 14,
        "auth/scope-retry-limit": 11,
        "auth/token-endpoint-auth-basic": 17,
        "auth/token-endpoint-auth-post": 17,
        "auth/token-endpoint-auth-none": 17,
        "auth/pre-registration": 10,
        "auth/metadata-default": 16,
        "auth/resource-mismatch": 2,
        "auth/offline-access-scope": 13,
        "auth/offline-access-not-supported": 12,
        "auth/iss-supported": 12,
        "auth/iss-not-advertised": 12,
        "auth/iss-supported-missing": 8,
        "auth/iss-wrong-issuer": 8,
        "auth/iss-unexpected": 8,
        "auth/iss-normalized": 8,
        "auth/metadata-issuer-mismatch": 3,
        "auth/authorization-server-migration": 14,
    },
}
# Of extensions, which the suite does not score.
EXTENSIONS = {
    "2025-11-25": {
        "auth/client-credentials-basic": 5,
        "auth/client-credentials-jwt": 5,
        "auth/dpop": 12,
        "auth/dpop-nonce": 14,
        "auth/enterprise-managed-authorization": 6,
        "auth/wif-jwt-bearer": 5,
    },
    "2026-07-28": {
        "auth/client-credentials-basic": 5,
        "auth/client-credentials-jwt": 5,
        "auth/dpop": 13,
        "auth/dpop-nonce": 15,
        "auth/enterprise-managed-authorization": 6,
        "auth/wif-jwt-bearer": 5,
    },
}
CELLS = [
    (revision, name)
    for revision in conformance.REVISIONS
    for name in {**SCENARIOS[revision], **EXTENSIONS[revision]}
]


@pytest.mark.parametrize("revision", conformance.REVISIONS)
def test_no_scenario_of_authorization_is_left_out(revision: str) -> None:
    required = conformance.required(revision, "client")

    assert {name for name in required if name.startswith("auth/")} == set(SCENARIOS[revision])


@pytest.mark.parametrize(("revision", "name"), CELLS)
def test_scenario(revision: str, name: str, tmp_path: Path) -> None:
    more = ["--force"] if name in EXTENSIONS[revision] else []
    outcome = conformance.run_client(CLIENT, name, revision, tmp_path, *more)

    trouble = outcome.trouble([name])
    assert not trouble, "\n".join([*trouble, "", outcome.output])
    assert outcome.kinds(name) == {**SCENARIOS[revision], **EXTENSIONS[revision]}[name]
