"""An origin is written as browsers send it, or refused with a sentence."""

import pytest

pytest.importorskip("fastapi")

from voilearn.service.origins import origin_of


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://example.org", "https://example.org"),
        ("https://example.org/", "https://example.org"),
        (" https://example.org ", "https://example.org"),
        ("HTTPS://Example.ORG", "https://example.org"),
        ("https://example.org:443", "https://example.org"),
        ("http://example.org:80/", "http://example.org"),
        ("http://example.org:443", "http://example.org:443"),
        ("https://example.org:8443", "https://example.org:8443"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://my_host", "http://my_host"),
        ("http://127.0.0.1:5500", "http://127.0.0.1:5500"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("http://[0:0:0:0:0:0:0:1]", "http://[::1]"),
        ("https://xn--br-via.example", "https://xn--br-via.example"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("chrome-extension://abcdefgh", "chrome-extension://abcdefgh"),
        ("*", "*"),
        (" * ", "*"),
        ("null", "null"),
    ],
)
def test_an_origin_is_put_as_browsers_send_it(written: str, sent: str) -> None:
    assert origin_of(written) == sent


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "not an origin"),
        (" ", "not an origin"),
        ("example.org", "looks like https://example.org"),
        ("//example.org", "not an origin"),
        ("localhost:3000", "not an origin"),
        ("https:example.org", "not an origin"),
        ("https://", "not an origin"),
        ("file://", "not an origin"),
        ("https://example.org:0", "not an origin"),
        ("https://example.org:99999", "not an origin"),
        ("https://example.org:http", "not an origin"),
        ("http://[::1", "not an origin"),
        ("https://example.org/app", "no path: https://example.org"),
        ("https://example.org?x", "no path"),
        ("https://example.org/#x", "no path"),
        ("https://me:secret@example.org", "no login"),
        ("https://*.example.org", "name each origin"),
        ("https://a.example,https://b.example", "once for each"),
        ("https://a.example https://b.example", "once for each"),
        ("https://bär.example", "location.origin"),
        ("https://example.org.", "check its spelling"),
        ("https://a..b", "check its spelling"),
        ("https://127.1", "check its spelling"),
        ("https://1.2.3.999", "check its spelling"),
        ('https://"example"', "check its spelling"),
    ],
)
def test_what_no_browser_sends_is_refused_with_a_sentence(written: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"^\S") as caught:
        origin_of(written)
    assert said in str(caught.value)


def test_what_is_refused_is_repeated_only_as_it_can_be_shown() -> None:
    with pytest.raises(ValueError, match=r"\?\[31m") as caught:
        origin_of("example\x1b[31m" + "x" * 1000)
    assert len(str(caught.value)) < 300
