"""Which hosts an adapter may speak to: real providers over TLS, an exercise only with a machine of our own."""

import ipaddress
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

_LOCAL_NETWORKS = tuple(
    ipaddress.ip_network(network)
    for network in ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)
_LOCAL_SUFFIXES = (".localhost", ".local", ".internal", ".lan", ".test")


@lru_cache(maxsize=1024)
def is_local_address(address: str) -> bool:
    """True for loopback and private addresses (RFC 1918, RFC 4193). Link-local is not: clouds keep secrets there."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return any(ip in network for network in _LOCAL_NETWORKS)


def is_local_host(host: str) -> bool:
    """True when the host as written can only mean this machine or the private network around it.

    A name is judged by its form (no dot, or a suffix reserved for private use); what it resolves to is checked again
    when the connection stands, before anything is written to it.
    """
    name = host.lower()
    if is_local_address(name):
        return True
    if not all(part and part.replace("-", "").isalnum() and part.isascii() for part in name.split(".")):
        return False
    is_plain_name = not name[0].isdigit() and "." not in name
    return is_plain_name or name.endswith(_LOCAL_SUFFIXES)


def check_base_url(url: str, *, is_exercise: bool = False) -> str:
    """The base URL without a trailing slash.

    Raises ValueError, in words for the operator, when it is not plain http(s)://host[:port][/path], when it is
    unencrypted to a public host, or when an exercise would leave the local network.
    """
    parts = _split(url)
    host = parts.hostname or ""
    if is_exercise and (host == "twilio.com" or host.endswith(".twilio.com")):
        raise ValueError("The exercise gateway must never be Twilio's own: an exercise would text real people.")
    if is_exercise and not is_local_host(host):
        raise ValueError(
            "The exercise gateway must be on this machine or in the private network (loopback or RFC 1918)."
        )
    if parts.scheme == "http" and not is_local_host(host):
        raise ValueError("The address of a public provider must begin with https://; http:// would show the password.")
    return url.rstrip("/")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(
            "The address of the provider cannot be read; it should look like https://host or https://host:port."
        ) from None
    is_plain = url.isascii() and url.isprintable() and not any(sign in url for sign in "@?#\\ ") and port != 0
    if parts.scheme not in {"http", "https"} or not parts.hostname or not is_plain:
        raise ValueError("The address of the provider must be http(s)://host[:port] without user, query or fragment.")
    return parts
