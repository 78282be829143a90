"""Texts out, receipts and replies back through Kannel 1.4 as Debian ships it, with its own fake SMS centre."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

import pytest

from consular.domain.delivery import MessageState
from consular.domain.ports import FailureReason, RefusalScope, SendOutcome
from consular.providers.http_gateway.calls import WebhookCall
from consular.providers.http_gateway.doorway import HttpDoorway, HttpReceipt, HttpText
from consular.providers.http_gateway.gateway import HttpGateway
from consular.providers.http_gateway.keys import inbound_url, receipt_url
from consular.providers.http_gateway.profile_files import ready_profile
from consular.providers.http_gateway.settings import HttpSettings
from tests.providers.conftest import FaultServer, Received
from tests.providers.http_gateway.kannel_boxes import PASSWORD, USERNAME, Kannel, need_kannel, whole
from tests.waiting import eventually

SECRET = b"a secret of thirty-two signs....."
ARABIC = "غادروا المدينة الآن 😀\nرد 1 = بخير. Ref K7Q2XM"
GSM = "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡AZÄÖÑÜ§¿azäöñüà^{}\\[~]|€"


@dataclass
class World:
    """Kannel, the server that plays our webhooks, and a gateway of each ready profile."""

    kannel: Kannel
    server: FaultServer
    settings: dict[str, HttpSettings]
    gateways: dict[str, HttpGateway]
    answers: list[int] = field(default_factory=list)

    @property
    def doorway(self) -> HttpDoorway:
        return HttpDoorway({one.name: one for one in self.settings.values()}, SECRET)

    def receipts(self, attempt_id: UUID) -> list[HttpReceipt]:
        return [
            self.doorway.receipt(one.path.split("/")[3], _call(one), attempt_id)
            for one in self.server.received
            if f"/receipt/{attempt_id}?" in one.path
        ]

    def states(self, attempt_id: UUID) -> set[MessageState | None]:
        return {receipt.state for receipt in self.receipts(attempt_id)}

    def texts(self) -> list[HttpText]:
        calls = [one for one in self.server.received if "/inbound?" in one.path]
        return [self.doorway.inbound("kannel", _call(one)) for one in calls]


def _call(request: Received) -> WebhookCall:
    return WebhookCall(request.path.partition("?")[2].encode("latin-1"))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    need_kannel()
    answers: list[int] = []
    text = "Content-Type: text/plain"
    server = FaultServer(lambda talk: talk.answer(answers.pop(0) if answers else 200, b"", text))
    blank = HttpSettings("kannel", ready_profile("kannel"), "http://127.0.0.1:9")
    kannel = Kannel(tmp_path_factory.mktemp("kannel"), inbound_url(server.url, SECRET, blank))
    secrets = {"username": USERNAME, "password": PASSWORD}
    settings = {
        name: HttpSettings(name, ready_profile(name), kannel.url, secrets, "13013", is_exercise=True)
        for name in ("kannel", "kannel-get")
    }
    kannel.start()
    gateways = {name: _gateway(one, server) for name, one in settings.items()}
    yield World(kannel, server, settings, gateways, answers)
    for gateway in gateways.values():
        gateway.close()
    kannel.stop_all()
    server.stop()


def _gateway(settings: HttpSettings, server: FaultServer) -> HttpGateway:
    return HttpGateway(settings, lambda attempt: receipt_url(server.url, SECRET, settings, attempt))


@pytest.fixture
def world(running: World) -> World:
    running.answers.clear()
    return running


@pytest.mark.parametrize("profile", ["kannel", "kannel-get"])
@pytest.mark.parametrize(
    ("body", "kind", "charset", "number"),
    [
        ("Stay indoors. 50% & 1+1 Ref K7Q2XM", "text", "utf-8", "+218911"),
        (ARABIC, "ucs-2", "utf-16-be", "+218912"),
    ],
    ids=["GSM-7", "Arabic with an emoji and a line break"],
)
def test_a_text_goes_out_whole_and_its_receipts_come_back(world, hand_over, profile, body, kind, charset, number):
    number += "1" if profile == "kannel" else "2"
    result = hand_over(world.gateways[profile], to=number, body=body)

    assert (result.outcome, result.http_status) == (SendOutcome.ACCEPTED, 202)
    assert result.provider_message_id == result.attempt_id.hex
    assert eventually(lambda: bool(world.kannel.handed_over(number)))
    (line,) = world.kannel.handed_over(number)
    assert (line.split(" ")[0], whole([line]).decode(charset)) == (kind, body)
    assert eventually(lambda: world.states(result.attempt_id) == {MessageState.SENT, MessageState.DELIVERED})
    assert {receipt.provider_message_id for receipt in world.receipts(result.attempt_id)} == {result.attempt_id.hex}


def test_a_long_arabic_text_arrives_whole_in_parts(world, hand_over):
    body = "غادروا المدينة " * 30
    result = hand_over(world.gateways["kannel"], to="+218913", body=body)
    assert result.outcome is SendOutcome.ACCEPTED
    assert eventually(lambda: len(world.kannel.handed_over("+218913")) == 7)
    lines = world.kannel.handed_over("+218913")
    assert whole(lines).decode("utf-16-be") == body
    assert all(line.startswith("udh ") for line in lines)
    assert eventually(lambda: MessageState.DELIVERED in world.states(result.attempt_id))


def test_the_signs_of_gsm_7_reach_the_centre_unchanged(world, hand_over):
    result = hand_over(world.gateways["kannel"], to="+218914", body=GSM)
    assert result.outcome is SendOutcome.ACCEPTED
    assert eventually(lambda: bool(world.kannel.handed_over("+218914")))
    assert whole(world.kannel.handed_over("+218914")).decode() == GSM


@pytest.mark.parametrize("profile", ["kannel", "kannel-get"])
def test_a_wrong_password_stops_the_line(world, hand_over, profile):
    secrets = {"username": USERNAME, "password": "wrong"}
    settings = HttpSettings("kannel", ready_profile(profile), world.kannel.url, secrets)
    gateway = _gateway(settings, world.server)
    result = hand_over(gateway, to="+218915")
    gateway.close()
    assert (result.outcome, result.http_status) == (SendOutcome.REFUSED, 403)
    assert (result.scope, result.failure_reason) == (RefusalScope.ACCOUNT, FailureReason.SENDER_REJECTED)
    assert world.kannel.handed_over("+218915") == []


@pytest.mark.parametrize("profile", ["kannel", "kannel-get"])
def test_a_prefix_without_a_route_is_a_countrys_refusal(world, hand_over, profile):
    result = hand_over(world.gateways[profile], to="+998901234567")
    assert (result.outcome, result.http_status) == (SendOutcome.REFUSED, 403)
    assert (result.scope, result.failure_reason) == (RefusalScope.COUNTRY, FailureReason.SENDER_REJECTED)


def test_without_any_sender_kannel_refuses_every_text(world, hand_over):
    secrets = {"username": USERNAME, "password": PASSWORD}
    gateway = _gateway(HttpSettings("kannel", ready_profile("kannel"), world.kannel.url, secrets), world.server)
    result = hand_over(gateway, to="+218921")
    gateway.close()
    assert (result.outcome, result.scope) == (SendOutcome.REFUSED, RefusalScope.ACCOUNT)


def test_what_kannel_finds_no_number_is_this_numbers_refusal(world, hand_over):
    result = hand_over(world.gateways["kannel"], to="letters")
    assert (result.outcome, result.scope) == (SendOutcome.REFUSED, RefusalScope.NUMBER)
    assert result.failure_reason is FailureReason.INVALID_NUMBER


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        ("218917000001 8888 text 1 safe  two spaces", "1 safe  two spaces"),
        ("+218917000002 8888 ucs2 %06%46%062%D8%3D%DE%00", "نز😀".replace("ز", "\u0632")),
    ],
    ids=["GSM-7", "Arabic with an emoji"],
)
def test_a_reply_comes_in(world, sent, body):
    before = len(world.texts())
    world.kannel.start_smsc(sent)
    assert eventually(lambda: len(world.texts()) > before)
    text = world.texts()[-1]
    assert text.sender == "+" + sent.split(" ")[0].removeprefix("+")
    assert text.body == body
    assert text.message_id


def test_a_reply_that_we_could_not_store_comes_again_with_the_same_id(world):
    before = len(world.texts())
    world.answers += [503]
    world.kannel.start_smsc("218917000003 8888 text 2 help")
    assert eventually(lambda: len(world.texts()) > before + 1)
    first, second = world.texts()[before:]
    assert (first.message_id, first.body) == (second.message_id, second.body) == (first.message_id, "2 help")
    assert world.kannel.handed_over("218917000003") == [], "nobody is texted about our trouble"


def test_without_a_connected_centre_kannel_keeps_the_text(world, hand_over):
    world.kannel.stop("fakesmsc")
    assert eventually(lambda: "(online" not in world.kannel.status())
    result = hand_over(world.gateways["kannel"], to="+218916")
    assert result.outcome is SendOutcome.ACCEPTED
    world.kannel.start_smsc()
    assert eventually(lambda: len(world.kannel.handed_over("+218916")) == 1)
    assert eventually(lambda: MessageState.DELIVERED in world.states(result.attempt_id))


@pytest.mark.parametrize("profile", ["kannel", "kannel-get"])
def test_a_stopped_smsbox_takes_nothing_and_says_so(world, hand_over, profile):
    world.kannel.stop("smsbox")
    number = f"+21891{8 if profile == 'kannel' else 9}"
    try:
        result = hand_over(world.gateways[profile], to=number)
    finally:
        world.kannel.start_smsbox()
    assert (result.outcome, result.http_status) == (SendOutcome.NOT_SENT, None)
    assert hand_over(world.gateways[profile], to=number).outcome is SendOutcome.ACCEPTED
    assert eventually(lambda: len(world.kannel.handed_over(number)) == 1)


def test_a_frozen_bearerbox_leaves_the_text_unknown_and_a_receipt_settles_it(world, hand_over):
    settings = HttpSettings(
        "kannel",
        ready_profile("kannel"),
        world.kannel.url,
        {"username": USERNAME, "password": PASSWORD},
        "13013",
        total_timeout_seconds=1.0,
    )
    gateway = _gateway(settings, world.server)
    world.kannel.send_signal("bearerbox", signal.SIGSTOP)
    try:
        result = hand_over(gateway, to="+218920")
    finally:
        world.kannel.send_signal("bearerbox", signal.SIGCONT)
        gateway.close()
    assert (result.outcome, result.provider_message_id) == (SendOutcome.UNKNOWN, None)
    assert eventually(lambda: MessageState.DELIVERED in world.states(result.attempt_id))
    assert len(world.kannel.handed_over("+218920")) == 1, "written once"


def test_a_text_that_kannel_took_survives_its_death(world, hand_over):
    world.kannel.stop("fakesmsc")
    assert eventually(lambda: "(online" not in world.kannel.status())
    assert hand_over(world.gateways["kannel"], to="+218922").outcome is SendOutcome.ACCEPTED
    for box in ("bearerbox", "smsbox"):
        world.kannel.stop(box)
    world.kannel.start()
    assert eventually(lambda: len(world.kannel.handed_over("+218922")) == 1)
