"""The stateless era toward servers, as bytes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.message import Call, ClientFacts
from lockgate.core.raw import Raw
from lockgate.wire.modern_out import (
    InvalidResult,
    canonical,
    progress_token,
    read_result,
    request_params,
    subscription_id,
    supported_versions,
)
from lockgate.wire.revisions import (
    META_CLIENT_CAPABILITIES,
    META_CLIENT_INFO,
    META_LOG_LEVEL,
    META_SUBSCRIPTION_ID,
    META_VERSION,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(), json_values, max_size=5)
spaced = st.sampled_from(["", " ", "\n", "  \t"])


def make(params: Any, **more: Any) -> Call:
    client = ClientFacts(
        era="modern",
        protocol_version="2026-07-28",
        info=more.pop("info", Raw(b"{}")),
        capabilities=Raw(b'{"roots":{}}'),
        log_level=more.pop("log_level", None),
    )
    return Call(method="tools/call", client=client, params=params, **more)


@given(objects, objects, spaced, spaced)
def test_params_pass_and_the_envelope_is_ours(
    params: dict[str, Any], meta: dict[str, Any], before: str, after: str
) -> None:
    envelope = {META_VERSION: "evil", META_CLIENT_CAPABILITIES: {"all": 1}, "progressToken": "x"}
    ours = {*envelope, META_CLIENT_INFO, META_LOG_LEVEL}
    theirs = {key: value for key, value in meta.items() if key not in ours}
    params.pop("_meta", None)
    for sent_meta in (None, {**theirs, **envelope}):
        whole = params if sent_meta is None else {**params, "_meta": sent_meta}
        data = (before + json.dumps(whole, ensure_ascii=False) + after).encode()
        written = json.loads(request_params(make(Raw(data)), 7))
        stamped = written.pop("_meta")
        assert written == params
        assert stamped.pop(META_VERSION) == "2026-07-28"
        assert stamped.pop(META_CLIENT_CAPABILITIES) == {"roots": {}}
        assert stamped == ({} if sent_meta is None else theirs)


def test_every_envelope_member_is_written_once() -> None:
    call = make(Raw(b'{"a":1}'), info=Raw(b'{"name":"n"}'), log_level="debug", wants_progress=True)
    data = request_params(call, 42)
    assert data.count(b"progressToken") == 1
    assert json.loads(data) == {
        "a": 1,
        "_meta": {
            META_VERSION: "2026-07-28",
            META_CLIENT_INFO: {"name": "n"},
            META_CLIENT_CAPABILITIES: {"roots": {}},
            META_LOG_LEVEL: "debug",
            "progressToken": 42,
        },
    }


def test_a_meta_that_is_no_object_is_replaced() -> None:
    assert json.loads(request_params(make(Raw(b'{"_meta":[1]}')), 1))["_meta"][META_VERSION]


PAD = {"pad": "x" * 5000}


@pytest.mark.parametrize("pad", [{}, PAD])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("kind", ["complete", "input_required", "task"])
def test_the_kind_is_found_in_small_and_large_results(
    kind: str, first: bool, pad: dict[str, str]
) -> None:
    head = {"resultType": kind}
    for separators in ((",", ":"), (", ", ": ")):
        data = json.dumps({**head, **pad} if first else {**pad, **head}, separators=separators)
        result = read_result(data.encode())
        assert result.kind == kind
        assert result.raw.encode() == data.encode()


@pytest.mark.parametrize("pad", [{}, PAD])
def test_what_no_revision_allows_is_invalid(pad: dict[str, str]) -> None:
    for value in ("surprise", 1, None, ["complete"], {"a": 1}):
        with pytest.raises(InvalidResult):
            read_result(json.dumps({**pad, "resultType": value}).encode())
    for data in (b"[]", b'"x"', b"null", b"1"):
        with pytest.raises(InvalidResult):
            read_result(data)


def test_a_key_spelled_with_escapes_is_still_that_key() -> None:
    data = b'{"result\\u0054ype":"task","pad":"' + b"x" * 5000 + b'"}'
    assert read_result(data).kind == "task"


def test_a_nested_result_type_is_data() -> None:
    inner = json.dumps({**PAD, "structuredContent": {"resultType": "task"}}).encode()
    assert read_result(inner).kind == "complete"
    twice = b'{"resultType":"complete","a":{"resultType":"complete"},"p":"' + b"x" * 5000 + b'"}'
    assert read_result(twice).kind == "complete"


def test_the_last_result_type_counts_wherever_it_stands() -> None:
    end = ',"resultType":"complete"}'
    for data, kind in (
        ('{"resultType":"task"' + end, "complete"),
        ('{"a":{"b":1' + end + "}", "complete"),
        ('{"resultType":"task","a":{"b":1' + end + "}", "task"),
        (json.dumps({"resultType": "task", "a": "x" + end}), "task"),
        ('{"resultType":"task","a":[{"b":1' + end + "]}", "task"),
    ):
        assert json.loads(data).get("resultType", "complete") == kind
        assert read_result(data.encode()).kind == kind


@given(objects)
def test_without_a_result_type_any_object_is_complete(members: dict[str, Any]) -> None:
    members.pop("resultType", None)
    assert read_result(json.dumps({**members, **PAD}).encode()).kind == "complete"


def test_notifications_lose_what_ties_them_to_our_requests() -> None:
    progress = Raw.of({"progressToken": 3, "progress": 1, "x": [1]})
    assert progress_token(progress) == 3
    assert dict(canonical("notifications/progress", progress).params) == {"progress": 1, "x": [1]}
    tagged = Raw.of({"uri": "u", "_meta": {META_SUBSCRIPTION_ID: 5, "k": 1}})
    assert subscription_id(tagged) == 5
    assert dict(canonical("notifications/x", tagged).params) == {"uri": "u", "_meta": {"k": 1}}
    bare = Raw.of({"_meta": {META_SUBSCRIPTION_ID: "s"}})
    assert subscription_id(bare) == "s"
    assert dict(canonical("notifications/x", bare).params) == {}
    plain = Raw(b'{ "n": 1.0 }')
    assert canonical("notifications/x", plain).params is plain
    for odd in (Raw.of({"_meta": 1}), Raw.of({"_meta": {META_SUBSCRIPTION_ID: []}}), Raw(b"{}")):
        assert subscription_id(odd) is None
    assert progress_token(Raw.of({"progressToken": [1]})) is None


def test_versions_named_in_an_error() -> None:
    assert supported_versions({"supported": ["a", "b"], "requested": "c"}) == ("a", "b")
    for odd in (None, 1, "x", {"supported": 1}, {"supported": [1]}, []):
        assert supported_versions(odd) == ()
