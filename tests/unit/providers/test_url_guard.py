"""Which base URLs may be saved, in every spelling of an address."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from apps.core.url_guard import ForbiddenAddress, check_address, check_base_url, literal_address


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1",
        "http://127.0.0.1:8000/v1",
        "http://localhost:11434/v1",
        "http://[::1]:8000/v1",
        "http://10.1.2.3/v1",
        "http://192.168.0.7:8000/v1",
        "http://[fd12:3456::1]/v1",
        "http://vllm/v1",
        "http://my_host.internal:8000",
        "https://xn--bcher-kva.example/v1",
        "https://bücher.example/v1",
    ],
)
def test_public_private_and_loopback_hosts_are_allowed(url: str) -> None:
    assert check_base_url(url) == url


def test_a_trailing_slash_is_taken_off() -> None:
    assert check_base_url("https://host/v1/") == "https://host/v1"


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.0.1",
        "169.254.169.254.",
        "2852039166",  # decimal
        "0xa9fea9fe",  # hexadecimal
        "0xA9.0xFE.0xA9.0xFE",
        "0251.0376.0251.0376",  # octal
        "169.0xfe.43518",  # mixed, three parts
        "169.16689662",
        "１６９.２５４.１６９.２５４",  # full-width digits
        "169。254。169。254",  # ideographic full stops
        "[fe80::1]",
        "[fe80::1%25eth0]",
        "[febf::1]",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[::169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",  # NAT64
        "[2002:a9fe:a9fe::1]",  # 6to4
        "[fd00:ec2::254]",
        "100.100.100.200",
        "168.63.129.16",
        "metadata.google.internal",
        "METADATA.google.internal.",
        "metadata.goog",
        "0.0.0.0",
        "[::]",
        "224.0.0.1",
        "255.255.255.255",
    ],
)
def test_link_local_and_metadata_addresses_are_refused(host: str) -> None:
    with pytest.raises(ForbiddenAddress):
        check_base_url(f"http://{host}/v1")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "must begin with http"),
        ("api.openai.com/v1", "must begin with http"),
        ("ftp://host/v1", "must begin with http"),
        ("file:///etc/passwd", "must begin with http"),
        ("http://", "names no host"),
        ("http:///v1", "names no host"),
        ("http://user:secret@host/v1", "must not hold a user or password"),
        ("http://host/v1?key=1", "no ? or #"),
        ("http://host/v1#x", "no ? or #"),
        ("http://host:99999/v1", "cannot be read"),
        ("http://host:0/v1", "port 0"),
        ("http://[::1/v1", "cannot be read"),
        ("http://ho st/v1", "a space"),
        ("http://host\\@169.254.169.254/", "a backslash"),
        ("http://host\n.example/v1", "control character"),
        ("http://256.256.256.256/", "not an address"),
        ("http://1.2.3.4.5.6/-/" + "a" * 500, "longer than 500"),
        ("http://-bad-.example/", "not a host name"),
    ],
)
def test_what_is_no_base_url_says_why(url: str, words: str) -> None:
    with pytest.raises(ForbiddenAddress, match=words.replace("?", r"\?")):
        check_base_url(url)


def test_the_message_says_what_is_wrong() -> None:
    with pytest.raises(ForbiddenAddress, match="link-local or cloud metadata address"):
        check_address(ip_address("169.254.169.254"))


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.1", "127.0.0.1"), ("0x7f000001", "127.0.0.1"), ("010.0.0.1", "8.0.0.1"), ("host", None)],
)
def test_addresses_are_read_as_the_c_library_reads_them(text: str, address: str | None) -> None:
    assert literal_address(text) == (ip_address(address) if address else None)
