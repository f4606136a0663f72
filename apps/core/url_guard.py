"""Which addresses a URL that a person typed may point to: a provider's base URL, a webhook.

Such a URL is typed by a person and called by a worker, so it could be aimed at what only the worker
can reach. Loopback and private networks are allowed on purpose (a self-hosted vLLM lives there).
Link-local addresses are refused: no model server is found there, but clouds answer with credentials.

`check_base_url` and `check_webhook_url` run when it is saved; `check_address` runs on the address that
a connection is really opened to (see `guarded_transport`), so a name that resolves differently the
second time gains nothing.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

MAX_URL_LENGTH = 500

#: Names under which clouds serve instance metadata, with any trailing dot removed.
METADATA_HOSTS = frozenset(
    {
        "metadata",
        "metadata.google.internal",
        "metadata.goog",
        "instance-data",
        "instance-data.ec2.internal",
        "metadata.azure.internal",
        "metadata.platformequinix.com",
        "metadata.tencentyun.com",
    }
)
#: Metadata services outside the link-local ranges: EC2 over IPv6, Alibaba Cloud, Oracle's classic
#: address, Azure's wire server.
METADATA_ADDRESSES = frozenset(
    ip_address(text) for text in ("fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16")
)
_LINK_LOCAL_V4 = ip_network("169.254.0.0/16")
_LINK_LOCAL_V6 = ip_network("fe80::/10")
_NAT64 = ip_network("64:ff9b::/96")
_NAT64_LOCAL = ip_network("64:ff9b:1::/48")
_SIX_TO_FOUR = ip_network("2002::/16")
_V4_COMPATIBLE = ip_network("::/96")
_HOST_RE = re.compile(r"^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$")


class ForbiddenAddress(ValueError):
    """The URL or the address behind it may not be called; the text says why and what to use."""


def check_base_url(url: str) -> str:
    """The URL without its trailing slash, when it may be used as a provider's base URL.

    Looks at the text only; names are resolved and checked again when a connection is made.
    Raises ForbiddenAddress.
    """
    parts = _checked_parts(url, "base URL")
    if parts.query or parts.fragment:
        raise ForbiddenAddress(
            "The base URL must end with its path, for example https://host/v1 (no ? or #)."
        )
    return url.rstrip("/")


def check_webhook_url(url: str) -> str:
    """The URL as it is, when it may be called as a webhook. As `check_base_url`, but it may have a query."""
    parts = _checked_parts(url, "URL")
    if parts.fragment:
        raise ForbiddenAddress("The URL must have no part after #: it would not be sent.")
    return url


def _checked_parts(url: str, called: str) -> SplitResult:
    if len(url) > MAX_URL_LENGTH:
        raise ForbiddenAddress(f"The {called} is longer than {MAX_URL_LENGTH} characters.")
    if any(ord(character) <= 32 or ord(character) == 127 for character in url) or "\\" in url:
        raise ForbiddenAddress(f"The {called} holds a space, a backslash or a control character.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ForbiddenAddress(f"The {called} cannot be read: {error}.") from None
    if parts.scheme not in ("http", "https"):
        raise ForbiddenAddress(f"The {called} must begin with http:// or https://.")
    if "@" in parts.netloc:
        raise ForbiddenAddress(
            f"Put the key into its own field: the {called} must not hold a user or password."
        )
    if port == 0:
        raise ForbiddenAddress(f"The {called} names port 0.")
    check_host(parts.hostname or "")
    return parts


def check_host(host: str) -> None:
    """Refuse a host name or an address in any of its spellings. Raises ForbiddenAddress."""
    name = host.rstrip(".").lower()
    if not name:
        raise ForbiddenAddress("The URL names no host.")
    if name in METADATA_HOSTS:
        raise ForbiddenAddress(f"{host} is a cloud metadata service and may not be called.")
    address = literal_address(name)
    if address is not None:
        check_address(address)
        return
    try:
        ascii_name = name.encode("idna").decode("ascii") if not name.isascii() else name
    except UnicodeError:
        raise ForbiddenAddress(f"{host} is not a host name.") from None
    if ascii_name != name:
        check_host(ascii_name)  # full-width digits and dots fold to plain ones
    elif not _HOST_RE.match(name) or len(name) > 253:
        raise ForbiddenAddress(f"{host} is not a host name.")


def check_address(address: IPv4Address | IPv6Address) -> None:
    """Refuse a link-local or metadata address, and IPv6 forms that carry one. Raises ForbiddenAddress."""
    for candidate in _with_embedded(address):
        if candidate in METADATA_ADDRESSES or _is_link_local(candidate):
            raise ForbiddenAddress(
                f"{address} is a link-local or cloud metadata address and may not be called."
            )
        if candidate.is_multicast or candidate.is_unspecified or str(candidate) == "255.255.255.255":
            raise ForbiddenAddress(f"{address} is not the address of one server.")


def _is_link_local(address: IPv4Address | IPv6Address) -> bool:
    return address in (_LINK_LOCAL_V4 if address.version == 4 else _LINK_LOCAL_V6)


def _with_embedded(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """The address itself, without its zone, and any IPv4 address inside it."""
    if isinstance(address, IPv4Address):
        return [address]
    plain = IPv6Address(int(address))
    found: list[IPv4Address | IPv6Address] = [plain]
    low = IPv4Address(int(plain) & 0xFFFFFFFF)
    if plain.ipv4_mapped is not None or plain in _NAT64 or plain in _NAT64_LOCAL:
        found.append(low)
    elif plain in _SIX_TO_FOUR and plain.sixtofour is not None:
        found.append(plain.sixtofour)
    elif plain in _V4_COMPATIBLE and int(plain) > 0xFFFF:
        found.append(low)
    return found


def literal_address(host: str) -> IPv4Address | IPv6Address | None:
    """The address that the text spells, or None when it is a name.

    Accepts what the C library's inet_aton accepts (one to four parts; decimal, octal 0…, hex 0x…),
    since resolvers do.
    """
    try:
        return ip_address(host.strip("[]").partition("%")[0] if ":" in host else host)
    except ValueError:
        pass
    parts = host.split(".")
    if len(parts) > 4 or not all(re.fullmatch(r"0x[0-9a-f]*|[0-9]+", part) for part in parts):
        return None
    numbers = [_c_integer(part) for part in parts]
    if any(number is None for number in numbers):
        raise ForbiddenAddress(f"{host} is not an address.")
    return _joined([number for number in numbers if number is not None], host)


def _c_integer(text: str) -> int | None:
    try:
        if text.startswith("0x"):
            return int(text[2:] or "0", 16)
        return int(text, 8) if len(text) > 1 and text.startswith("0") else int(text)
    except ValueError:
        return None


def _joined(numbers: list[int], host: str) -> IPv4Address:
    *leading, last = numbers
    if any(number > 255 for number in leading) or last >= 256 ** (4 - len(leading)):
        raise ForbiddenAddress(f"{host} is not an address.")
    value = last
    for index, number in enumerate(leading):
        value += number << (8 * (3 - index))
    return IPv4Address(value)
