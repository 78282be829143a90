"""Officers' races, keys and migrations while texts leave (F21, F23, F25)."""

from __future__ import annotations

import re
import shutil
import threading
from pathlib import Path
from uuid import UUID

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.script import ScriptDirectory

from consular.domain.delivery import message_number
from consular.drill.pages import PageError
from consular.drill.world import ROOT
from consular.security.fields import generate_keys
from tests.faults.desk import TEXT, sign_in
from tests.faults.play import Play
from tests.faults.posting import Stream
from tests.faults.story import Case
from tests.faults.world import SENDERS
from tests.waiting import eventually

CHANGED = TEXT.replace("Stay", "Do not stay")
_REVISION = '''"""What an additive migration does, for a fault run."""

from alembic import op

revision, down_revision = "faults", "{head}"
branch_labels = depends_on = None


def upgrade():
    op.execute("set lock_timeout = '3s'")
    op.execute("alter table messages add column faults_note text")
    op.execute("create table faults_notes (id bigint primary key, note text not null)")


def downgrade():
    op.execute("set lock_timeout = '3s'")
    op.execute("drop table faults_notes")
    op.execute("alter table messages drop column faults_note")
'''


def stop_at_once(play: Play) -> None:
    """Stop is pressed in the middle, by one of two at the same moment; the author tries to change the text."""
    alert = play.write()
    play.release(alert)
    play.wait_until_moving(alert)
    alert.leaves = False
    threads = [threading.Thread(target=_quietly, args=(play, one)) for one in (_stop, _edit)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    play.verdict.injected = 2
    play.fault_is_over()
    eventually(lambda: "queued" not in play.states(alert) and "claimed" not in play.states(alert), 20)
    states = play.states(alert)
    play.must(states.get("cancelled", 0) > 0, f"nothing was stopped: {states}")
    play.note(f"stopped in the middle: {states}")
    _read_what_left(play)


def approved_is_sent(play: Play) -> None:
    """What was approved is what is on the phones: no text of this alert has other words."""
    query = "select count(*), count(distinct content_hash) from alert_events where alert_id = %s"
    row = play.site.rows(query, play.alerts[0].path.rsplit("/", 1)[1])[0]
    play.must(row == (1, 1), f"{row[0]} events with {row[1]} contents came of one approval")


def _read_what_left(play: Play) -> None:
    """Now, while the gateway lists everything that it took; later cases take its list away."""
    ours = {int(row[0]) for row in play.site.rows("select id from messages where event_id = %s", *_event(play))}
    bodies = play.simulator.bodies()
    taken = [one["sid"] for one in play.stage.log() if one["attempt"] and _number(one["attempt"]) in ours]
    sent = [bodies[sid] for sid in taken if sid in bodies]
    play.must(len(sent) > len(taken) / 2, f"only {len(sent)} of {len(taken)} texts stand in the gateway's list")
    wordings = {_without_what_is_personal(body) for body in sent}
    play.must(bool(sent), "no text left before the stop: the case proves nothing")
    play.must(len(wordings) == 1, f"{len(sent)} texts of one alert have {len(wordings)} wordings")
    strange = sum(1 for body in sent if TEXT not in body or CHANGED in body)
    play.must(strange == 0, f"{strange} of {len(sent)} texts do not say what was approved")
    play.note(f"{len(sent)} texts at the gateway read: all say what was approved")


def _event(play: Play) -> tuple[object]:
    return (play.alerts[0].event_id,)


def _number(attempt: str) -> int:
    return message_number(UUID(attempt))


def _without_what_is_personal(body: str) -> str:
    """A text without its link and its reference, which differ from person to person."""
    return re.sub(r"\bRef [A-Z0-9]+", "Ref", re.sub(r"https?://\S+", "link", body))


def migrate(play: Play) -> None:
    """An additive migration, its way back, and once more, while texts leave and come in."""
    settings = _with_one_more(play)
    alert = play.send()
    play.wait_until_moving(alert)
    with Stream(play.site, first_phone=9_800_000) as stream:
        for step in (command.upgrade, command.downgrade, command.upgrade, command.downgrade):
            step(settings, "faults" if step is command.upgrade else "-1")
            play.verdict.injected += 1
            play.wait(1.0)
    play.fault_is_over()
    play.taken = stream.taken
    refused = [one for one in stream.posted if not one.is_taken]
    play.must(len(refused) <= len(stream.posted) // 10, f"{len(refused)} of {len(stream.posted)} webhooks were refused")


def wrong_keys(play: Play) -> None:
    """Senders with a wrong key, and with none: they refuse to start and nothing leaves."""
    for name in SENDERS:
        play.site.stop(name)
    alert = play.send()
    for keys in (generate_keys(), None):
        program = play.site.program("sender-9", {"CONSULAR_KEYS": keys})
        child = play.site.group.start(program)
        code = child.popen.wait(60)
        play.verdict.injected += 1
        said = child.log.read_text("utf-8")
        play.must(code not in (0, None) and "key" in said.lower(), f"it ended with {code} and said {said[-200:]!r}")
        play.must("Traceback" not in said, "it ended with a traceback, not a sentence")
        play.site.group.stop_child("sender-9")
    play.must(play.states(alert) == {"queued": alert.people}, f"the rows are {play.states(alert)}, not queued")
    for name in SENDERS:
        play.site.start(name)
    play.fault_is_over()


def _stop(play: Play) -> None:
    play.stage.desk.stop(play.alerts[0])


def _edit(play: Play) -> None:
    author = sign_in(play.site.url, "amina")
    author.open(f"{play.alerts[0].path}/edit")
    author.send(author.form("/edit"), text_en=CHANGED)


def _quietly(play: Play, act: object) -> None:
    try:
        act(play)  # type: ignore[operator]
    except PageError as error:
        play.must(act is _edit, f"Stop was not possible: {error}")


def _with_one_more(play: Play) -> AlembicConfig:
    """The migrations of the product, and one that only adds."""
    folder = Path(play.site.group.log_dir) / "migrations"
    shutil.copytree(ROOT / "migrations", folder, ignore=shutil.ignore_patterns("__pycache__"))
    settings = AlembicConfig()
    settings.set_main_option("script_location", str(folder))
    settings.attributes["database_url"] = play.site.env["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:")
    head = ScriptDirectory.from_config(settings).get_current_head()
    (folder / "versions" / "faults.py").write_text(_REVISION.format(head=head))
    return settings


CASES = [
    Case(
        "F21", "stop and edit while texts leave", "P1-P6", "no text 5 s after the stop", stop_at_once, approved_is_sent
    ),
    Case("F23", "migration while texts leave", "P13", "nothing lost, nothing twice", migrate),
    Case("F25", "wrong and missing keys", "all", "refuses to start; nothing leaves", wrong_keys),
]
