"""The citizens behind the practice gateway: who answers what, by which way, how often."""

from collections import Counter

from twilio.request_validator import RequestValidator

from consular.drill.behaviour import AnswerPath, Intent, SecondText, behaviour
from consular.drill.gateway.links import AnswerForm
from consular.drill.numbers import Network, is_libyan, mobile
from consular.drill.scenario import load
from tests.drill.conftest import ACCOUNT_SID, SENDER, TOKEN

RATES = load("libya-2011").rates
PHONES = [mobile(network, 0, index, 7) for index in range(4_000) for network in (Network.LIBYAN, Network.INDIAN)]


def who(limit: int = 3, **wanted: object) -> list[str]:
    """Phones of people who hear the text and behave in a certain way."""
    found = []
    for phone in PHONES:
        holder = behaviour(phone, 7, RATES)
        if holder.is_heard and all(getattr(holder, name) == value for name, value in wanted.items()):
            found.append(phone)
    return found[:limit]


def quiet_start(start):
    return start("--fault", "500_after=0")


def test_a_reply_is_a_signed_form_with_twilios_fields(start, receiver):
    gateway = quiet_start(start)
    (phone,) = who(1, path=AnswerPath.OWN_PHONE, intent=Intent.SAFE, second=SecondText.NONE, is_webhook_doubled=False)
    gateway.alert(phone)
    gateway.settle()
    (reply,) = receiver.at("/inbound")
    assert (reply.fields["From"], reply.fields["To"], reply.fields["AccountSid"]) == (phone, SENDER, ACCOUNT_SID)
    assert reply.fields["MessageSid"] == reply.fields["SmsSid"] == reply.fields["SmsMessageSid"]
    assert {"NumMedia", "NumSegments", "SmsStatus", "ApiVersion", "FromCountry", "ToCity"} <= set(reply.fields)
    assert RequestValidator(TOKEN).validate(receiver.url + reply.path, reply.fields, reply.signature)
    (listed,) = gateway.sdk().messages.list(from_=phone)
    assert (listed.direction, listed.sid, listed.body) == ("inbound", reply.fields["MessageSid"], reply.fields["Body"])
    assert gateway.sdk().messages.list(to=SENDER)[0].sid == listed.sid


def test_replies_depend_on_seed_and_phone_not_on_order(start, receiver):
    phones = PHONES[:150]
    runs: list[Counter[tuple[str, str]]] = []
    for order, seed in ((phones, "7"), (phones[::-1], "7"), (phones, "8")):
        gateway = start("--fault", "500_after=0", "--seed", seed, "--speed", "20000")
        receiver.requests.clear()
        for phone in order:
            gateway.alert(phone)
        gateway.settle(40)
        runs.append(Counter((request.fields["From"], request.fields["Body"]) for request in receiver.at("/inbound")))
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
    assert sum(runs[0].values()) > 50


def test_what_people_meant_is_on_record(start):
    gateway = quiet_start(start)
    phones = PHONES[:60]
    for phone in phones:
        gateway.alert(phone)
    gateway.settle(40)
    expected = {row["to"]: row for row in gateway.rows("expected")}
    for phone, row in expected.items():
        holder = behaviour(phone, 7, RATES)
        assert (row["meant"], row["count"], row["path"]) == (holder.meant.value, holder.count, holder.path.value)
    said = {row["about"]: row["kind"] for row in gateway.rows("answers")}
    meant = {phone: row["meant"] for phone, row in expected.items() if row["meant"] != "no_answer"}
    assert said == meant
    assert gateway.rows(f"expected?to=%2B{phones[0][1:]}")[0]["to"] == phones[0]
    assert all(row["acked_at"] >= row["sent_at"] for row in gateway.rows("answers") if row["path"] != "link")


def test_only_the_first_text_with_the_same_reference_is_answered(start, receiver):
    gateway = quiet_start(start)
    (phone,) = who(1, path=AnswerPath.OWN_PHONE, intent=Intent.SAFE, second=SecondText.NONE, is_webhook_doubled=False)
    gateway.alert(phone)
    gateway.alert(phone)
    gateway.create(phone, "Thank you, we have your answer. Ref K7Q2XM")
    gateway.create(phone, f"An officer will read it. {receiver.url}/s/K7Q2XM-{phone[1:]} Ref OTHER77")
    gateway.settle()
    assert len(receiver.at("/inbound")) == 1
    gateway.alert(phone, "SECOND2")
    gateway.settle()
    assert len(receiver.at("/inbound")) == 2


def test_a_stranger_who_lent_a_phone_never_answers(start, receiver):
    gateway = start("--profile", "perfect")
    gateway.alert("+218961234567")
    gateway.settle()
    assert receiver.requests[0].path.startswith("/status/")
    assert receiver.at("/inbound") == []


def test_replies_go_to_the_number_behind_a_messaging_service(start, receiver):
    gateway = start("--profile", "perfect", "--sender", "+15005550099")
    form = {
        "To": "+218911234567",
        "MessagingServiceSid": "MG" + "1" * 32,
        "Body": f"Safe? {receiver.url}/s/x Ref ABCDE",
    }
    form["StatusCallback"] = f"{receiver.url}/status/1"
    gateway.session.post(gateway.messages_url, data=form, auth=(ACCOUNT_SID, TOKEN), timeout=10)
    gateway.settle()
    assert receiver.at("/inbound")[0].fields["To"] == "+15005550099"
    assert {request.fields["From"] for request in receiver.at("/status/")} == {"+15005550099"}
    assert len(gateway.sdk().messages.list(to="+15005550099")) == 1


def test_second_texts_and_corrections(start, receiver):
    gateway = quiet_start(start)
    (repeats,) = who(1, second=SecondText.REPEAT)
    (corrects,) = who(1, second=SecondText.CORRECTION)
    for phone in (repeats, corrects):
        gateway.alert(phone)
    gateway.settle()
    kinds = {phone: [] for phone in (repeats, corrects)}
    for row in gateway.rows("answers"):
        kinds[row["about"]].append(row["kind"])
    assert kinds[corrects] == ["safe", "needs_help"]
    assert len(kinds[repeats]) == 2
    assert len(set(kinds[repeats])) == 1


def test_a_webhook_delivered_twice_keeps_its_sid(start, receiver):
    gateway = quiet_start(start)
    (phone,) = who(1, is_webhook_doubled=True, path=AnswerPath.OWN_PHONE, intent=Intent.SAFE, second=SecondText.NONE)
    gateway.alert(phone)
    stats = gateway.settle()
    first, second = receiver.at("/inbound")
    assert first.pairs == second.pairs
    assert (stats["inbound_doubled"], stats["replies_sent"], stats["replies_acked"]) == (1, 1, 1)


def test_many_people_share_one_borrowed_phone_and_others_use_a_strangers(start, receiver):
    gateway = quiet_start(start)
    borrowers, others = who(5, path=AnswerPath.BORROWED_PHONE), who(5, path=AnswerPath.OTHER_PHONE)
    for phone in borrowers + others:
        gateway.alert(phone)
    gateway.settle()
    senders = {row["about"]: row["from"] for row in gateway.rows("answers")}
    assert len({senders[phone] for phone in borrowers}) == 1
    assert len({senders[phone] for phone in others}) == 5
    assert not set(senders.values()) & set(PHONES)
    bodies = [request.fields["Body"] for request in receiver.at("/inbound")]
    assert 0 < sum("K7Q2XM" in body for body in bodies) < len(bodies)


def test_the_link_is_used_as_a_browser_would(start, receiver):
    gateway = quiet_start(start)
    (phone,) = who(1, path=AnswerPath.LINK, intent=Intent.NEEDS_HELP)
    gateway.alert(phone)
    stats = gateway.settle()
    page, answer = receiver.at("/s/")
    assert (page.method, page.path) == ("GET", f"/s/K7Q2XM-{phone[1:]}")
    assert (answer.method, answer.path) == ("POST", f"/s/K7Q2XM-{phone[1:]}?step=2")
    assert (answer.fields["csrf"], answer.fields["answer"], answer.cookie) == ("a&b", "needs_help", "session=s1")
    assert "wrong" not in answer.fields
    assert (stats["links_opened"], stats["links_answered"], stats["replies_acked"]) == (1, 1, 1)
    assert receiver.at("/inbound") == []


def test_a_page_without_a_form_counts_as_failed(start, receiver):
    gateway = quiet_start(start)
    (phone,) = who(1, path=AnswerPath.LINK)
    receiver.answers["/s/"] = [410]
    gateway.alert(phone)
    stats = gateway.settle()
    assert (stats["links_answered"], stats["links_failed"]) == (0, 1)


def test_stop_comes_as_a_text_and_closes_the_number(start, receiver):
    gateway = quiet_start(start)
    (phone,) = who(1, intent=Intent.OPT_OUT)
    gateway.alert(phone)
    gateway.settle()
    assert receiver.at("/inbound")[0].fields["Body"].strip().upper() == "STOP"
    assert gateway.create(phone).json()["code"] == 21610


def test_eastern_cut_silences_eastern_phones_only():
    scenario = load("libya-2011")
    cut = scenario.rates_with_east_cut()
    east = [mobile(Network.LIBYAN, 6, index, 7) for index in range(300)]
    assert not any(behaviour(phone, 7, cut).is_heard for phone in east)
    assert any(behaviour(phone, 7, scenario.rates).is_heard for phone in east)
    assert all(behaviour(phone, 7, cut) == behaviour(phone, 7, scenario.rates) for phone in PHONES[:300])


def test_the_cut_of_the_internet_shows_in_how_people_answer():
    paths = Counter((is_libyan(phone), behaviour(phone, 7, RATES).path) for phone in PHONES)
    assert paths[False, AnswerPath.LINK] > 5 * paths[True, AnswerPath.LINK] > 0


def test_form_reader_takes_the_first_form_that_posts():
    form = AnswerForm(
        "<form><input type=hidden name=a value=1></form><form METHOD=POST action='/go'><input type='HIDDEN' "
        "name=b value='&quot;2'><input name=c value=3></form><input type=hidden name=d value=4>"
    )
    assert (form.action, form.hidden) == ("/go", {"b": '"2'})
