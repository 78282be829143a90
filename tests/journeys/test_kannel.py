"""A real alert out through Debian's Kannel and back: receipts, replies, and a Kannel that is killed in the middle."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from consular.embedded import EmbeddedServers
from consular.loopback import http_ok
from tests.journeys import board, traces
from tests.journeys.kannel_mission import KannelMission, kannel_mission
from tests.journeys.practice import REAL, open_crisis, register, release, write_alert
from tests.providers.http_gateway.kannel_boxes import need_kannel
from tests.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PEOPLE = 36
PHONES = [f"+218917{number:06d}" for number in range(PEOPLE)]
SAFE, IN_NEED, LATE = PHONES[:3]
BEFORE_THE_KILL = 8
CONNECTIONS = 20


@pytest.fixture(scope="module")
def mission(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KannelMission]:
    need_kannel()
    with (
        EmbeddedServers.temporary(durable=False) as servers,
        kannel_mission(servers, tmp_path_factory.mktemp("kannel")) as running,
    ):
        yield running


def test_a_real_alert_goes_out_and_comes_back(mission: KannelMission) -> None:
    site = mission.site
    for number, phone in enumerate(PHONES):
        register(site, f"Quokka Singh {number}", phone, language="ar" if number % 3 == 0 else "en")
    author, approver = site.officer("amina"), site.officer("boris")
    crisis = open_crisis(author, "Libya by Kannel", "LY", **REAL)
    alert = write_alert(author, crisis, "Fighting in Tripoli", "LY")
    with traces.redis_overheard(site) as heard:
        release(approver, alert, typed_count=str(PEOPLE))
        assert eventually(lambda: len(set(mission.reached())) >= BEFORE_THE_KILL)
        kill_and_start_again(mission)
        settle_doubt(mission)
        assert eventually(lambda: states(mission) == {"delivered": PEOPLE}, 40), states(mission)
        everybody_was_texted_once(mission)
        viewer = site.officer("chen")
        board.wait_for(viewer, crisis, {"people": PEOPLE, "reached": PEOPLE, "silent": PEOPLE})

        mission.says(SAFE, "1")
        told = {"people": PEOPLE, "reached": PEOPLE, "safe": 1}
        board.wait_for(viewer, crisis, told | {"silent": PEOPLE - 1})
        mission.says(IN_NEED, "Please help us, wombat in the cellar")
        board.wait_for(viewer, crisis, told | {"needs_help": 1, "silent": PEOPLE - 2})
    assert len(board.requests_with(viewer, crisis, "wombat")) == 1
    everything_is_kept(mission)
    nothing_personal_is_left(mission, heard)


def test_what_we_cannot_store_comes_again(mission: KannelMission) -> None:
    """The database is away when a reply comes: Kannel is told so, keeps it and brings it again."""
    site = mission.site
    viewer = site.officer("chen")
    crisis = "/officer/crises/" + str(site.rows("select id from crises")[0][0])
    before, heard = board.figures(viewer, crisis), replies(mission)
    site.servers.stop_postgres()
    try:
        mission.says(LATE, "1")
        assert eventually(lambda: "request_failed" in (site.logs / "hooks.log").read_text())
    finally:
        site.servers.start_postgres()
    assert eventually(http_ok(f"{site.url}/readyz"))
    changed = {"safe": before["safe"] + 1, "silent": before["silent"] - 1}
    board.wait_for(viewer, crisis, before | changed, 40)
    assert replies(mission) == heard + 1
    everything_is_kept(mission)
    assert traces.in_logs(site, traces.Words(LATE[4:])) == []


def replies(mission: KannelMission) -> int:
    """How many texts from people are kept."""
    return int(mission.site.rows("select count(*) from inbound_messages")[0][0])


def kill_and_start_again(mission: KannelMission) -> None:
    """bearerbox dies at once, with what it had in memory; its supervisor starts it and its boxes again."""
    sent = len(mission.reached())
    mission.kannel.stop("bearerbox")
    assert len(set(mission.reached())) < PEOPLE, "it was killed in the middle"
    assert sent
    assert eventually(lambda: states(mission).get("queued", 0) > 0)
    for box in ("smsbox", "fakesmsc"):
        mission.kannel.stop(box)
    mission.kannel.start()


def settle_doubt(mission: KannelMission) -> None:
    """What bearerbox neither kept nor refused when it died stays unknown; three minutes of silence are made to pass."""
    assert eventually(lambda: states(mission).keys() <= {"delivered", "unknown"}, 40), states(mission)
    assert states(mission).get("unknown", 0) <= CONNECTIONS, "only what was on its way when it died"
    earlier = "sending_at = sending_at - interval '3 minutes', not_before = now()"
    mission.site.rows(f"update messages set {earlier} where state = 'unknown' returning 1")


def everybody_was_texted_once(mission: KannelMission) -> None:
    """As the SMS centre tells it; a second copy only where it is declared that there may be one."""
    assert set(mission.reached()) == set(PHONES)
    twice = 0
    for phone in PHONES:
        lines = mission.kannel.handed_over(phone)
        twice += len(set(lines)) != len(lines)
        assert "EXERCISE" not in mission.text_to(phone)
    declared = mission.site.rows("select count(*) from messages where possible_duplicate")[0][0]
    assert twice <= declared <= CONNECTIONS
    assert "ابقوا" in mission.text_to(PHONES[0])
    assert "Stay indoors" in mission.text_to(PHONES[1])


def states(mission: KannelMission) -> dict[str, int]:
    """The alert's texts by their state."""
    return dict(mission.site.rows("select state, count(*) from messages where event_id is not null group by 1"))


def everything_is_kept(mission: KannelMission) -> None:
    """Nothing lost, nothing twice, as the database tells it."""
    assert eventually(lambda: mission.site.rows("select 1 from receipt_events where processed_at is null") == [])
    verdict = mission.run("verify")
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr
    assert mission.site.rows("select distinct gateway from messages") == [("http",)]


def nothing_personal_is_left(mission: KannelMission, heard: list[bytes]) -> None:
    """Kannel calls us by GET, so numbers and texts are in addresses: in no log, no row and no wake-up."""
    words = traces.Words("wombat", "quokka", "8917000", "917000001")
    assert traces.in_rows(mission.site, words) == []
    assert traces.in_logs(mission.site, words) == []
    assert words.found_in(b"\n".join(heard)) == []
    assert words.found_in(mission.kannel.words("fakesmsc").encode()) != [], "the search finds what is there"
