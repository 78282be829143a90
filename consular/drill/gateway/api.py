"""Twilio's Messages resource: create, fetch, list (Twilio REST API 2010-04-01)."""

import base64
import re
from urllib.parse import unquote_plus

from consular.drill.gateway.faults import FaultSource
from consular.drill.gateway.http1 import Head, form_fields, response
from consular.drill.gateway.listing import Listing
from consular.drill.gateway.network import PhoneNetwork
from consular.drill.gateway.people import People
from consular.drill.gateway.rendering import Renderer, error
from consular.drill.gateway.timing import Answer
from consular.drill.gateway.world import API_VERSION, World

MAX_BODY_CHARACTERS = 1600
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_FORM = b"application/x-www-form-urlencoded"


class MessagesApi:
    """Answers every request under /2010-04-01; None means that no answer is given."""

    def __init__(
        self,
        world: World,
        auth_token: str,
        network: PhoneNetwork,
        people: People,
        faults: FaultSource,
        list_lag_seconds: float,
    ) -> None:
        sid = world.account_sid
        self._authorization = b"Basic " + base64.b64encode(f"{sid}:{auth_token}".encode())
        self._renderer = Renderer(sid)
        self._create_path = f"/{API_VERSION}/Accounts/{sid}/Messages.json"
        self._message_path = re.compile(rf"/{API_VERSION}/Accounts/{sid}/Messages/(SM[0-9a-f]{{32}})\.json")
        self._store = world.store
        self._clock = world.clock
        self._is_lean = world.rates is None
        self._network = network
        self._people = people
        self._faults = faults
        self.listing = Listing(world.store, self._renderer, list_lag_seconds)
        self.refused = 0

    def answer(self, head: Head, body: bytes) -> Answer | None:
        """The answer to one request."""
        if head.authorization != self._authorization:
            return Answer(error(401, 20003, 'WWW-Authenticate: Basic realm="Twilio API"\r\n'))
        if head.path == self._create_path:
            if head.method == "POST":
                return self._create(head, body)
            if head.method == "GET":
                return Answer(self.listing.page(form_fields(head.query), self._clock()))
            return Answer(response(405, b"{}", headers="Allow: GET, POST\r\n"))
        match = self._message_path.fullmatch(head.path)
        if match is not None and head.method == "GET":
            return Answer(self._fetch(match[1]))
        return Answer(error(404, 20404))

    def _fetch(self, sid: str) -> bytes:
        number = self._store.number(sid)
        if number is None or not self.listing.is_visible(number, self._clock()):
            return error(404, 20404)
        return self.listing.single(number)

    def _create(self, head: Head, body: bytes) -> Answer | None:
        if not head.content_type.startswith(_FORM):
            return self._refuse(21604)
        fields = dict([pair.split(b"=", 1) for pair in body.split(b"&") if b"=" in pair])
        to = _decode(fields.get(b"To", b""))
        refusal = self._problem(to, fields)
        if refusal:
            return self._refuse(refusal)
        fault = self._faults.strike(to, len(self._store.numbers(to))) if self._faults.is_active else None
        if fault is not None and not fault.is_accepted:
            return self._faults.answer(fault, b"")
        code = self._number_problem(to)
        if code:
            return self._refuse(code)
        now = self._clock()
        number = self._store.add_outgoing(to, body, fields[b"Body"], now)
        self._network.accepted(number)
        created = self._renderer.created(
            self._store.sid(number),
            to,
            _decode(fields.get(b"From", b"")),
            _decode(fields.get(b"MessagingServiceSid", b"")),
            None if self._is_lean else _decode(fields[b"Body"]),
            now,
        )
        return Answer(created) if fault is None else self._faults.answer(fault, created)

    def _problem(self, to: str, fields: dict[bytes, bytes]) -> int:
        """Twilio's code for a request that is wrong in itself, 0 for none."""
        if not to:
            return 21604
        if _E164.fullmatch(to) is None:
            return 21211
        text = fields.get(b"Body", b"")
        if not text:
            return 21602
        if b"From" not in fields and b"MessagingServiceSid" not in fields:
            return 21603
        if len(text) > MAX_BODY_CHARACTERS and len(_decode(text)) > MAX_BODY_CHARACTERS:
            return 21617
        return 0

    def _number_problem(self, to: str) -> int:
        return 21610 if to in self._people.opted_out else self._network.refusal(to)

    def _refuse(self, code: int) -> Answer:
        self.refused += 1
        return Answer(error(400, code))


def _decode(raw: bytes) -> str:
    """One form-encoded value; bytes that are not UTF-8 become U+FFFD."""
    return unquote_plus(raw.decode("ascii", "replace"))
