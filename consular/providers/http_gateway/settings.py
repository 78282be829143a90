"""What one HTTP gateway needs beside its profile: where it is, who we are there, how much at once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from consular.providers.addresses import check_base_url
from consular.providers.http_gateway.profile import HttpProfile
from consular.providers.http_gateway.templates import parse

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_SECRET = re.compile(r"[^\x00-\x1f\x7f]{1,500}")
_SENDER = re.compile(r"(?:\+?[0-9]{3,15}|(?=.*[A-Za-z])[A-Za-z0-9 +&_.-]{1,11})?")


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Settings of one gateway. Raises ValueError, in words for the operator and without a secret, when one is wrong.

    name: ours, as in messages.gateway. url: instead of the profile's. secrets: by the name that the profile writes
    {secret.<name>}. sender: number, short code or up to 11 letters; empty where the operator knows it. is_exercise:
    only a host of our own is allowed. key_version: counted up to make the keys in our webhooks' addresses new. Times
    in seconds; total_timeout covers connecting, writing and reading of one text.
    """

    name: str
    profile: HttpProfile
    url: str = field(default="", repr=False)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    sender: str = ""
    is_exercise: bool = False
    concurrency: int = 20
    connect_timeout_seconds: float = 5.0
    total_timeout_seconds: float = 15.0
    lease_margin_seconds: float = 1.0
    ca_file: str = ""
    key_version: int = 1

    def __post_init__(self) -> None:
        _require(_NAME.fullmatch(self.name), "A gateway's name is small letters, digits, - and _.")
        are_signs = all(map(_SECRET.fullmatch, self.secrets.values()))
        _require(are_signs, "A secret of the gateway is empty or has signs that no secret has.")
        address = self.url or self.profile.url
        _require(address, "The gateway has no address: set it, or write url in its profile.")
        quoted = {name: quote(secret, safe="") for name, secret in self.secrets.items()}
        whole = parse(address, quoted)
        _require(not whole.places, "Only {secret.<name>} may be in the gateway's address.")
        check_base_url(whole.pieces[0], is_exercise=self.is_exercise)
        object.__setattr__(self, "url", whole.pieces[0])
        _require(_SENDER.fullmatch(self.sender), "The sender must be a number, a short code, or up to 11 letters.")
        _require(1 <= self.concurrency <= 10_000, "The number of requests at once must be between 1 and 10,000.")
        times = (self.connect_timeout_seconds, self.total_timeout_seconds)
        are_times = all(0 < seconds <= 600 for seconds in times)
        _require(are_times, "Each time limit must be above 0 and at most 600 seconds.")
        _require(self.key_version >= 1, "The version of the webhook keys counts from 1.")


def _require(is_right: object, message: str) -> None:
    if not is_right:
        raise ValueError(message)
