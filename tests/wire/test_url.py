from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.wire.url import BadUrl, Url


@pytest.mark.parametrize(
    ("text", "host", "port", "target", "host_header"),
    [
        ("http://example.com", "example.com", 80, b"/", b"example.com"),
        ("HTTPS://Example.COM/Mcp", "example.com", 443, b"/Mcp", b"example.com"),
        ("http://example.com:8080/a?b=c#d", "example.com", 8080, b"/a?b=c", b"example.com:8080"),
        ("https://example.com:443/", "example.com", 443, b"/", b"example.com"),
        ("http://example.com?x=1", "example.com", 80, b"/?x=1", b"example.com"),
        ("http://127.0.0.1:9/mcp", "127.0.0.1", 9, b"/mcp", b"127.0.0.1:9"),
        ("http://[::1]:9/", "::1", 9, b"/", b"[::1]:9"),
        ("http://[0:0::1]/", "::1", 80, b"/", b"[::1]"),
        ("http://my_host/x%2Fy", "my_host", 80, b"/x%2Fy", b"my_host"),
        ("http://example.com./", "example.com.", 80, b"/", b"example.com."),
        ("https://bücher.example/ä", "xn--bcher-kva.example", 443, b"/%C3%A4", None),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443, b"/", None),
    ],
)
def test_parts(text: str, host: str, port: int, target: bytes, host_header: bytes | None) -> None:
    url = Url.parse(text)
    assert (url.host, url.port, url.target) == (host, port, target)
    assert url.host_header == (host_header or host.encode())
    assert url.origin == (url.scheme, host, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com",
        "/mcp",
        "//example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http:///x",
        "http://",
        "http://user@example.com/",
        "http://user:secret@example.com/",
        "http://@example.com/",
        "http://example.com:0/",
        "http://example.com:/",
        "http://example.com:65536/",
        "http://example.com:8o/",
        "http://example.com:-1/",
        "http://exam\nple.com/",
        "http://example.com/\r\nX: y",
        "http://example.com/\ta",
        "http://example.com/a b",
        " http://example.com/",
        "http://example.com/\x00",
        "http://example.com/\x7f",
        "http://example.com/\x85",
        "http://example.com\\@evil.test/",
        "http://127.1/",
        "http://0177.0.0.1/",
        "http://0x7f.0.0.1/",
        "http://0x7f000001/",
        "http://2130706433/",
        "http://127.0.0.1./",
        "http://1.2.3.4.5/",
        "http://[::1/",
        "http://[::1%25eth0]/",
        "http://[fe80::1%eth0]/",
        "http://[v1.x]/",
        "http://exa%6dple.com/",
        "http://a..b/",
        "http://.a/",
        "http://-a.example/",
        "http://a-.example/",
        "http://" + "a" * 64 + ".example/",
        "http://" + "a." * 127 + "example/",
        "http://faß.example/",
        "http://\uff45xample.com/",
        "http://\uff11\uff12\uff17.0.0.1/",
        "http://xn--a/",
        "http://xn--.example/",
        "http://exa\u200bmple.com/",
        "http://example。com/",
        "http://a" + "/" * 9000,
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(BadUrl) as caught:
        Url.parse(text)
    assert "secret" not in str(caught.value)


def test_shown_without_path_and_query() -> None:
    url = Url.parse("https://example.com/secret?key=secret")
    assert "secret" not in repr(url)
    assert url.shown == "https://example.com:443"


@given(st.one_of(st.text(max_size=60), st.text(max_size=60).map(lambda rest: "http://" + rest)))
def test_any_text_is_a_url_or_refused(text: str) -> None:
    try:
        url = Url.parse(text)
    except BadUrl:
        return
    for written in (url.target, url.host_header):
        assert written.isascii()
        assert not any(byte <= 32 or byte == 127 for byte in written)
    assert url.target.startswith(b"/")
    assert 0 < url.port < 65536
    assert Url.parse(f"{url.shown}{url.target.decode()}") == url
