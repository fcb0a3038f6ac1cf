"""Names toward clients: short enough, in the alphabet, deterministic, and never taken apart."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.names import alias_uri, nearest, spell, split_alias

any_name = st.text(min_size=1, max_size=150)


@given(any_name, any_name)
def test_prefixed_names_suit_model_apis(server: str, name: str) -> None:
    spelled = spell(server, name, "prefix")
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", spelled)
    assert spelled == spell(server, name, "prefix")


@given(any_name, any_name)
def test_bare_names_are_the_servers_own(server: str, name: str) -> None:
    assert spell(server, name, "bare") == name


def test_long_names_stay_apart() -> None:
    stem = "a" * 100
    spelled = {spell("server", f"{stem}{i}", "prefix") for i in range(50)}
    assert len(spelled) == 50


def test_ordinary_names_stay_readable() -> None:
    assert spell("git", "git_status", "prefix") == "git__git_status"
    assert spell("My Files", "read.file", "prefix") == "My_Files__read_file"


@given(st.sampled_from(["git", "My Files", "a__b"]), st.text(max_size=60))
def test_an_alias_leads_back(server: str, uri: str) -> None:
    assert split_alias(alias_uri(server, uri), ["git", "My Files", "a__b"]) == (server, uri)


def test_other_uris_are_no_alias() -> None:
    for uri in ("file:///a", "lockgate://", "lockgate://git", "lockgate://unknown/file:///a"):
        assert split_alias(uri, ["git"]) is None


def test_nearest() -> None:
    assert nearest("git_staus", ["git_status", "git_log"]) == "git_status"
    assert nearest("zzz", ["git_status"]) is None
