"""What an operator's SMSC needs to be spoken to; wrong settings are refused at once."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from consular.providers.addresses import is_local_host
from consular.providers.smpp.pdus import Address, BindTransceiver

_PHONE = re.compile(r"\+[1-9][0-9]{5,14}")
_SHORT_CODE = re.compile(r"[0-9]{3,8}")
_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 +&_-]{1,11}")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:-]{0,252}[A-Za-z0-9])?")

INTERNATIONAL, NATIONAL, NETWORK_SPECIFIC, ALPHANUMERIC = 1, 2, 3, 5
ISDN = 1


@dataclass(frozen=True, slots=True)
class SmppSettings:
    """Settings of one bind. Raises ValueError, in words for the operator and without the secret, when one is wrong.

    sender: an E.164 number, a short code or up to 11 letters; its type of number follows from its form unless
    sender_ton and sender_npi say otherwise. window: submit_sm unanswered at once, as agreed with the operator.
    home_code: calling code (218) by which senders written without it are completed; empty: they are international.
    default_is_latin_1: what texts with data_coding 0 that come from phones are written in; sending is always GSM.
    is_protected_line: the line runs through a VPN, so that the host may be a public address. is_exercise: only a host
    of our own. Times in seconds. patience_seconds: so long a text may wait for a place in the window, a pause of the
    SMSC's or the bind; one not begun by then comes back, for a stop may have come meanwhile. part_hold_seconds must
    stay below the time the SMSC waits for deliver_sm_resp.
    """

    name: str
    host: str
    port: int
    system_id: str
    password: str = field(repr=False)
    sender: str
    system_type: str = ""
    service_type: str = ""
    address_range: str = ""
    sender_ton: int | None = None
    sender_npi: int | None = None
    home_code: str = ""
    window: int = 10
    default_is_latin_1: bool = False
    is_protected_line: bool = False
    is_exercise: bool = False
    connect_timeout_seconds: float = 10.0
    answer_timeout_seconds: float = 15.0
    enquire_seconds: float = 30.0
    lease_margin_seconds: float = 1.0
    patience_seconds: float = 4.0
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 30.0
    refused_wait_seconds: float = 60.0
    part_hold_seconds: float = 4.0
    early_hold_seconds: float = 2.0

    def __post_init__(self) -> None:
        _require(_HOST.fullmatch(self.host), "The host of the SMSC is missing or unreadable.")
        _require(1 <= self.port <= 65_535, "The port of the SMSC must be between 1 and 65535.")
        is_local = is_local_host(self.host)
        _require(
            is_local or not self.is_exercise,
            "The exercise gateway must be on this machine or in the private network (loopback or RFC 1918).",
        )
        _require(
            is_local or self.is_protected_line,
            "SMPP does not hide what it carries: reach a public SMSC through a VPN and say so, or through stunnel.",
        )
        _require(
            any(form.fullmatch(self.sender) for form in (_PHONE, _SHORT_CODE, _NAME)),
            "The sender must be +number, a short code, or up to 11 letters.",
        )
        _require(re.fullmatch(r"[0-9]{0,3}", self.home_code), "The home code must be digits such as 218.")
        _require(1 <= self.window <= 10_000, "The window must be between 1 and 10,000.")
        for octet in (self.sender_ton, self.sender_npi):
            _require(octet is None or 0 <= octet <= 255, "TON and NPI must be between 0 and 255.")
        times = (self.connect_timeout_seconds, self.answer_timeout_seconds, self.enquire_seconds)
        waits = (
            self.first_wait_seconds,
            self.longest_wait_seconds,
            self.refused_wait_seconds,
            self.patience_seconds,
        )
        holds = (self.part_hold_seconds, self.early_hold_seconds, self.lease_margin_seconds)
        _require(all(0 < s <= 600 for s in times + waits), "Each time must be above 0 and at most 600 seconds.")
        _require(all(0 <= s <= 60 for s in holds), "Holds and margin must be between 0 and 60 seconds.")
        _require(self.system_id, "The system id is missing.")
        try:
            self.bind().encode()
            self.source.encode()
        except ValueError:
            raise ValueError("System id (15), password (8) or system type (12) is too long or unreadable.") from None
        _require(len(self.service_type) <= 5 and self.service_type.isascii(), "The service type has at most 5 letters.")

    def bind(self) -> BindTransceiver:
        """What we introduce ourselves with."""
        return BindTransceiver(self.system_id, self.password, self.system_type, address_range=self.address_range)

    @property
    def source(self) -> Address:
        """Our address on every text."""
        ton, npi = self._source_type()
        ton = ton if self.sender_ton is None else self.sender_ton
        npi = npi if self.sender_npi is None else self.sender_npi
        return Address(ton, npi, self.sender.removeprefix("+"))

    def _source_type(self) -> tuple[int, int]:
        if _PHONE.fullmatch(self.sender):
            return INTERNATIONAL, ISDN
        return (NETWORK_SPECIFIC, 0) if _SHORT_CODE.fullmatch(self.sender) else (ALPHANUMERIC, 0)


def _require(is_right: object, message: str) -> None:
    if not is_right:
        raise ValueError(message)
