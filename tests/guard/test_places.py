"""Paths and URLs in arguments: what is written, what a lenient program makes of it, what passes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.guard.places.hosts import Open, UrlRule, all_public, judged, leads_to_metadata
from lockgate.guard.places.paths import inside
from lockgate.guard.places.rules import METADATA, PlaceRule, Places, Where
from tests.security.controls import holds
from tests.support import effort

INSIDE = [
    "/allow",
    "/allow/",
    "/allow/a.txt",
    "/allow/a/../b",
    "/allow/./a",
    "/allow//a",
    "/allow/a%20b",
    "/allow/a;b && c | d `e`.txt",
    "/allow/ünï/文件.txt",
    "file:///allow/a",
    "file://localhost/allow/a",
    "\\allow\\a",
]
OUTSIDE = [
    "",
    "/",
    "/etc/passwd",
    "/allow-evil/a",
    "/allowed",
    "/all",
    "/Allow/a",
    "/allow/../etc/passwd",
    "/allow/..",
    "/allow/a/../../etc/passwd",
    "/allow/%2e%2e/etc/passwd",
    "/allow/%2E%2E%2Fetc%2Fpasswd",
    "/allow/%252e%252e/etc/passwd",
    "/allow/%25252e%25252e/etc/passwd",
    "/allow/%" + "25" * 8 + "2e/a",
    "/allow/..\\..\\etc\\passwd",
    "\\allow\\..\\etc",
    "/allow/a\0/../../etc/passwd",
    "/allow/%00",
    "/allow/a\n",
    "/allow/\uff0e\uff0e/etc",
    "/allow/\u2025/etc",
    "/allow/..\uff0fetc",
    "//allow/a",
    "\\\\server\\allow",
    "~/a",
    "~root/a",
    "relative/a",
    "../allow/a",
    "file:///etc/passwd",
    "file://evil.example/allow/a",
    "file:%2f%2fevil/allow",
    "FILE:/etc/passwd",
    "C:\\allow\\a",
    "/allow/" + "a" * 40_000,
]


@pytest.mark.parametrize("path", INSIDE)
def test_a_path_in_a_folder_is_in_it_however_it_is_written(path: str) -> None:
    assert inside(path, ["/other", "/allow"])


@holds(32)
@pytest.mark.parametrize("path", OUTSIDE)
def test_a_path_that_may_lead_out_of_a_folder_is_not_in_it(path: str) -> None:
    assert not inside(path, ["/other", "/allow/"])


def test_what_a_relative_path_starts_from_has_to_be_known() -> None:
    assert inside("a/b", ["/srv/allow"], base="/srv/allow")
    assert inside("./a/../b", ["/srv/allow"], base="/srv/allow")
    assert not inside("../b", ["/srv/allow"], base="/srv/allow")
    assert not inside("a", ["/srv/allow"], base="/srv")
    assert inside("C:/data/a", ["C:\\data"])
    assert not inside("C:/data/../a", ["C:\\data"])


def test_links_are_followed_where_they_are(tmp_path: Path) -> None:
    allow, secret = tmp_path / "allow", tmp_path / "secret"
    (allow / "real").mkdir(parents=True)
    secret.mkdir()
    (allow / "out").symlink_to(secret)
    (allow / "in").symlink_to(allow / "real")
    (tmp_path / "alias").symlink_to(allow)
    folders = [str(allow)]
    real = os.path.realpath
    assert inside(f"{allow}/in/a", folders, real=real)
    assert inside(f"{allow}/new", folders, real=real)
    assert not inside(f"{allow}/out/a", folders, real=real)
    assert not inside(f"{allow}/out/../secret/a", folders, real=real)
    # `..` behind a link leads out, though it is written as if it did not.
    assert not inside(f"{allow}/out/../allow-evil", folders, real=real)
    assert inside(f"{tmp_path}/alias/real/a", [f"{tmp_path}/alias"], real=real)


@given(st.text(st.sampled_from("/.%25eEfF\\a~\0\uff0e"), max_size=24))
def test_no_way_of_writing_leads_out(text: str) -> None:
    if inside(f"/allow/{text}", ["/allow"]):
        assert os.path.normpath(f"/allow/{text}").startswith("/allow")


PUBLIC = [
    "https://example.com/",
    "http://example.com:8080/a?b=c;d#e",
    "https://sub.example.co.uk/path;x=1",
    "https://8.8.8.8/",
    "https://[2606:4700::1111]/",
    "https://xn--mnchen-3ya.de/",
    "https://münchen.de/",
    "https://example.com./",
    "https://example.com/?next=http://127.0.0.1/",
]
NOT_PUBLIC = [
    "http://localhost/",
    "http://LOCALHOST:80/",
    "http://localhost./",
    "http://a.localhost/",
    "http://intranet/",
    "http://printer.local/",
    "http://db.internal/",
    "http://nas.home.arpa/",
    "http://127.0.0.1/",
    "http://127.0.0.1./",
    "http://127.1/",
    "http://0x7f.0.0.1/",
    "http://0x7f000001/",
    "http://0177.0.0.1/",
    "http://2130706433/",
    "http://017700000001/",
    "http://0/",
    "http://0.0.0.0/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://198.18.0.1/",
    "http://192.0.2.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://168.63.129.16/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[::1]/",
    "http://[::]/",
    "http://[::127.0.0.1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[0:0:0:0:0:ffff:a9fe:a9fe]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b:1::a00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:c0a8:101::1]/",
    "http://[2001:0:7f00:1::]/",
    "http://[2606:4700::5efe:10.0.0.1]/",
    "http://[2606:4700::200:5efe:a00:1]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fc00::1]/",
    "http://[fd00:ec2::254]/",
    "http://[ff02::1]/",
    "http://[fec0::1]/",
    "http://user@example.com/",
    "http://127.0.0.1@example.com/",
    "http://example.com@127.0.0.1/",
    "http://example.com\\@127.0.0.1/",
    "http:\\\\127.0.0.1/",
    "http:/127.0.0.1/",
    "http:127.0.0.1",
    "//127.0.0.1/",
    "http://exam\tple.com/",
    "http://example.com\n.evil/",
    " http://example.com/",
    "http://①②⑦.⓪.⓪.①/",
    "http://127。0。0。1/",
    "http://%31%32%37.0.0.1/",
    "http://example.com:0/",
    "http://example.com:99999/",
    "http:///",
    "file:///etc/passwd",
    "gopher://example.com/",
    "ftp://example.com/",
    "dict://127.0.0.1:11211/",
    "javascript:alert(1)",
    "data:text/html,x",
    "jar:http://example.com!/",
    "ls; rm -rf /",
    "",
]


@pytest.mark.parametrize("url", PUBLIC)
def test_what_may_be_public_is_left_to_be_looked_up(url: str) -> None:
    said = judged(url, UrlRule())
    assert said is None or isinstance(said, Open), said


@holds(28)
@pytest.mark.parametrize("url", NOT_PUBLIC)
def test_what_is_not_public_is_refused_however_it_is_written(url: str) -> None:
    assert isinstance(judged(url, UrlRule()), str)


def test_every_address_of_a_name_has_to_be_public() -> None:
    assert all_public(["8.8.8.8", "2606:4700::1111"])
    assert not all_public(["8.8.8.8", "127.0.0.1"])
    assert not all_public(["8.8.8.8", "::ffff:10.0.0.1"])
    assert not all_public([])


def test_what_is_allowed_may_be_anywhere_and_nothing_else() -> None:
    rule = UrlRule(public=False, allow=("api.example.com", "*.docs.example", "10.1.2.3:8080"))
    for good in (
        "https://api.example.com/x",
        "https://API.example.com./x",
        "http://a.b.docs.example/",
        "http://10.1.2.3:8080/a",
    ):
        assert judged(good, rule) is None, good
    for bad in (
        "https://example.com/",
        "https://xapi.example.com/",
        "https://docs.example/",
        "https://evildocs.example/",
        "https://api.example.com.evil.test/",
        "https://api.example.com@evil.test/",
        "http://10.1.2.3/",
        "http://10.1.2.3:80801/",
    ):
        assert isinstance(judged(bad, rule), str), bad
    assert isinstance(judged("https://example.com/", UrlRule(allow=("10.0.0.1",))), Open)
    assert isinstance(judged("http://api.example.com/", UrlRule(("https",))), str)


MEANT = [
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.170.2/v2/credentials",
    "HTTP://169.254.169.254",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0xA9.0xFE.0xA9.0xFE/",
    "http://0251.0376.0251.0376/",
    "http://169.254.43518/",
    "http://169.16689662/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[::a9fe:a9fe]/",
    "http://[64:ff9b::169.254.169.254]/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[fd00:ec2::254]/",
    "http://[fe80::1%25eth0]/",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://METADATA.google.internal./",
    "http://100.100.100.200/",
    "http://168.63.129.16/",
    "http://user:pass@169.254.169.254/",
    "http://example.com@169.254.169.254/",
    "http://169.254.169.254@example.com/",
    "http://169.254.169.254:80/",
    "http://169.254.169.254./",
    "http:\\\\169.254.169.254\\",
    "http:/169.254.169.254/",
    "http:169.254.169.254",
    "//169.254.169.254/",
    "169.254.169.254/latest",
    "http://169.254.169.254%2f/",
    "http://%31%36%39.254.169.254/",
    "http://169。254。169。254/",
    "http://①⑥⑨.②⑤④.①⑥⑨.②⑤④/",
    "http://169.254\t.169.254/",
    " http://169.254.169.254/",
    "gopher://169.254.169.254:80/_GET",
    "http://example.com\\@169.254.169.254/",
]
NOT_MEANT = [
    "https://example.com/",
    "http://localhost:3000/",
    "http://127.0.0.1:8080/a",
    "http://10.0.0.1/",
    "file:///home/a",
    "mailto:ann@example.com",
    "https://example.com/?u=http://169.254.169.254/",
    "https://169-254-169-254.example.com/",
    "SELECT 1; DROP TABLE x; -- 169.254.169.254",
    "about:blank",
    "",
    "x" * 100_000,
    "http://" + "1." * 50_000,
    "http://[" * 10_000,
]


@pytest.mark.parametrize("url", MEANT)
def test_where_clouds_keep_credentials_is_found_in_every_reading(url: str) -> None:
    assert leads_to_metadata(url)


@pytest.mark.parametrize("url", NOT_MEANT, ids=lambda url: url[:40])
def test_ordinary_urls_are_not_taken_for_it(url: str) -> None:
    assert not leads_to_metadata(url)


@given(st.text(max_size=60), st.text(st.sampled_from("htp:/\\@[]%.0123xaf。①#?"), max_size=60))
def test_no_text_breaks_the_judges(some: str, url: str) -> None:
    for text in (some, url, f"http://{url}", f"http://{some}"):
        leads_to_metadata(text)
        judged(text, UrlRule())
        inside(text, ["/allow"])


def test_long_texts_are_judged_quickly() -> None:
    def look() -> None:
        for text in ("%25" * 50_000, "http://" + "a" * 500_000, "@" * 200_000, "/.." * 100_000):
            leads_to_metadata(text)
            judged(text, UrlRule())
            inside(text, ["/allow"])

    assert effort.seconds(look, 1.5) <= 1.5


SCHEMA: dict[str, Any] = {
    "properties": {
        "url": {"type": "string", "format": "uri"},
        "ref": {"type": "string", "format": "uri-reference"},
        "many": {"type": "array", "items": {"format": "uri"}},
        "maybe": {"anyOf": [{"type": "null"}, {"type": "string", "format": "uri"}]},
        "in": {"properties": {"deep": {"format": "url"}}},
        "text": {"type": "string"},
    }
}
META = "http://169.254.169.254/"


def found(places: Places, arguments: Any, tool: str = "get") -> list[str]:
    return [str(one) for one in places.judge(places.of(tool, SCHEMA), arguments)[0]]


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        ({"url": META}, "url"),
        ({"ref": META}, "ref"),
        ({"many": ["https://example.com", META]}, "many"),
        ({"maybe": META}, "maybe"),
        ({"in": {"deep": META}}, "in.deep"),
        ({"in": [{"deep": META}]}, "in.deep"),
    ],
)
def test_what_a_schema_calls_a_url_is_judged_as_one(arguments: Any, where: str) -> None:
    assert found(Places({}), arguments) == [f"`{where}` {METADATA}"]
    assert found(Places({}, "any"), arguments) == []


def test_other_texts_are_nobodys_urls() -> None:
    said = {"text": f"curl {META}; echo done", "maybe": None, "url": 3}
    assert found(Places({}), said) == []


def test_public_leaves_names_to_be_looked_up_and_relative_references_alone() -> None:
    places = Places({}, "public")
    assert places.looks_up
    said = {"url": "https://example.com/", "ref": "/a/b?c", "many": ["http://10.0.0.1/"]}
    problems, hosts = places.judge(places.of("get", SCHEMA), said)
    assert [one.place for one in problems] == ["many"]
    assert hosts == [Open("example.com", 443)]
    for reference in ("//10.0.0.1/", "\\\\10.0.0.1/", "http://10.0.0.1", "x:y"):
        assert found(places, {"ref": reference}), reference


def test_rules_count_before_what_a_schema_says() -> None:
    rule = PlaceRule(url=UrlRule(public=False, allow=("169.254.169.254",)))
    places = Places({"get*": {"url": rule, "path": PlaceRule(under=("/srv",))}})
    assert found(places, {"url": META}) == []
    assert found(places, {"url": META}, tool="put") == [f"`url` {METADATA}"]
    assert found(places, {"path": "/etc"}) == ["`path` must be a path in /srv"]
    assert found(places, {"path": ["/srv/a", "/srv/../etc"]})
    assert found(places, {"path": {"a": 1}}) == ["`path` must be a text"]
    assert found(places, {"path": 3}) == ["`path` must be a text"]
    assert found(places, {"path": None}) == []
    assert found(places, {"path": ["/srv/a"] * 5000})
    assert (
        found(Places({"*": {"path": PlaceRule(under=("/srv",))}}, "any", Where("/srv")), {}) == []
    )
