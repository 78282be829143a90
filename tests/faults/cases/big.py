"""The big one: 6,000 recipients, workers killed all the time, two database crashes, 6 % gateway faults."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial

from tests.faults.cases.stores import crash
from tests.faults.desk import Alert
from tests.faults.play import Play
from tests.faults.posting import Stream
from tests.faults.proxy import Trouble
from tests.faults.story import Case
from tests.faults.world import SENDERS, WORKERS
from tests.waiting import eventually

KILLS = 32
_CRASH_AT = (KILLS // 3, 2 * KILLS // 3)
_AT_GATEWAY = {
    **{"429": 0.01, "500_before": 0.005, "500_after": 0.015, "503_before": 0.005},
    **{"reset_after": 0.005, "truncated_after": 0.005, "html_after": 0.0025, "hang_after": 0.0025},
}
_AT_PROXY = {Trouble.RESET_BEFORE: 0.005, Trouble.HANG_BODY: 0.0025, Trouble.TRUNCATED: 0.0025}
LEAST_ERRORS = 0.05
"""Of the tries; 6 % are asked for, and some are only marked when their sender dies."""
_TRIED = "select count(*) from message_attempts a join messages m on m.id = a.message_id where m.event_id = %s"
LONGEST_RESUMPTION = 60.0
_SENDERS_SHARE = 0.6
_VERIFY = "from consular.cli.main import main; main()"


def everything_at_once(play: Play) -> None:
    """Senders, readers of texts and receipts, and the clock die; the database crashes twice; the gateway errs."""
    play.simulator.faults(_AT_GATEWAY)
    play.simulator.network(lost_callback=0.1, doubled_callback=0.1)
    play.site.proxy.trouble(_AT_PROXY)
    alert = play.send("SD")
    play.wait_until_moving(alert)
    with Stream(play.site, rate=10.0) as stream:
        for number in range(KILLS):
            play.wait(play.stage.random.uniform(1.2, 2.2))
            _kill_somebody(play)
            if number in _CRASH_AT:
                crash(play)
                play.wait(1.0)
                play.site.servers.start_postgres()
        play.site.wait_ready()
        play.wait(1.0)
    play.taken = stream.taken
    killed_at = time.time()
    play.note(f"{play.gone(alert)} of {alert.people} had left when the last worker was killed")
    errors = _until_all_were_tried(play, alert)
    play.simulator.faults()
    play.site.proxy.trouble()
    tried = int(play.site.rows(_TRIED, alert.event_id)[0][0])
    play.note(
        f"{KILLS} workers killed, {len(_CRASH_AT)} database crashes, {errors} gateway faults in {tried} tries "
        f"({errors / tried:.1%}); the last of them {play.ended_at - killed_at:.0f} s after the last kill: "
        f"the time of recovery counts from it"
    )
    play.must(errors >= LEAST_ERRORS * tried, f"only {errors / tried:.1%} gateway faults: the case proves too little")
    play.verdict.injected += errors


def _until_all_were_tried(play: Play, alert: Alert) -> int:
    """Wait until nothing is queued any more, and note when the last gateway fault struck; how many there were."""
    errors = 0

    def is_through() -> bool:
        nonlocal errors
        struck = int(play.simulator.stats()["faults"]) + play.site.proxy.struck.total()
        if struck > errors:
            errors = struck
            play.fault_is_over()
        return play.states(alert).keys().isdisjoint({"queued", "claimed"})

    play.must(eventually(is_through, 180), "texts were still queued three minutes after the last kill")
    return errors


def verified_by_command(play: Play) -> None:
    """`consular verify --quiet`, given the gateway's log and the texts it had acknowledged, says so too."""
    folder = play.site.group.log_dir
    log, texts = folder / "gateway-log.jsonl", folder / "gateway-texts.txt"
    log.write_text("".join(json.dumps(row) + "\n" for row in play.simulator.log()))
    texts.write_text("\n".join([*play.simulator.acknowledged_texts(), *play.taken]))
    arguments = ["verify", "--quiet", "--gateway-log", str(log), "--gateway-texts", str(texts)]
    env = {**os.environ, **play.site.env}
    done = subprocess.run(
        [sys.executable, "-c", _VERIFY, *arguments], env=env, capture_output=True, text=True, check=False
    )
    broken = [line for line in done.stdout.splitlines() if line.startswith("✗")]
    play.must(
        done.returncode == 0, f"`consular verify` ended with {done.returncode}: {'; '.join(broken)}{done.stderr[-300:]}"
    )
    play.note(f"consular verify: {done.stdout.strip().splitlines()[-1] if done.stdout else 'said nothing'}")


def recovery(play: Play) -> None:
    """kill -9 of every sender at once: how long until texts leave again, and until what they held has left."""
    alert = play.send("TD")
    play.wait_until_moving(alert, 100)
    for name in SENDERS:
        play.kill(name, signal.SIGKILL)
    killed_at = time.monotonic()
    play.fault_is_over()
    held = play.site.rows(
        "select id, state from messages where event_id = %s and state in ('claimed', 'sending')", alert.event_id
    )
    play.wait(0.3)
    taken = int(play.simulator.stats()["accepted"])
    eventually(lambda: int(play.simulator.stats()["accepted"]) > taken, 120)
    resumed = time.monotonic() - killed_at
    play.must(resumed <= LONGEST_RESUMPTION, f"texts left again after {resumed:.0f} s only")
    claimed, doubtful = ([row[0] for row in held if row[1] == state] for state in ("claimed", "sending"))
    seconds = f"seconds from kill -9 of both senders (lease {play.site.settings.lease} s)"
    play.note(f"{resumed:.1f} {seconds} until texts left again")
    for what, ids, limit in (("claimed", claimed, LONGEST_RESUMPTION), ("in doubt", doubtful, 150.0)):
        eventually(partial(_is_settled, play, ids), 160)
        took = time.monotonic() - killed_at
        play.note(f"{took:.1f} {seconds} until the {len(ids)} that were {what} were settled (at most {limit:.0f})")
        play.must(took <= limit, f"the {len(ids)} rows {what} took {took:.0f} s")


def _is_settled(play: Play, ids: list[int]) -> bool:
    query = "select 1 from messages where id = any(%s) and state in ('queued', 'claimed', 'sending', 'unknown') limit 1"
    return not play.site.rows(query, ids)


def _kill_somebody(play: Play) -> None:
    """Mostly senders with texts on the way; a part that is down already is left alone and another one taken."""
    if play.stage.random.random() < _SENDERS_SHARE and play.strike_sender() is not None:
        return
    names = [name for name in WORKERS if play.site.group[name].exit_code is None]
    while not names:
        play.wait(0.2)
        names = [name for name in WORKERS if play.site.group[name].exit_code is None]
    play.kill(play.stage.random.choice(names), signal.SIGKILL)


CASES = [
    Case(
        "ALL",
        "32 kills, 2 crashes, 6 % gateway faults",
        "P1-P9",
        "0 duplicates beyond the declared, 0 lost, all settled in 150 s, every promise kept",
        everything_at_once,
        verified_by_command,
    ),
]
LAST = [Case("REC", "kill -9 of both senders", "P3-P6", "texts leave again within 60 s", recovery)]
