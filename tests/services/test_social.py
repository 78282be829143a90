"""Public posts: one for each account and language, once, to the right accounts, whatever the network answers."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text

from consular.clock import utc_now
from consular.domain.cap import AlertStatus
from consular.domain.ports import SendOutcome
from consular.domain.social import post_length
from consular.errors import ConflictError, NotFoundError
from consular.extensions import db
from consular.models.alerts import AlertEvent
from consular.models.audit import AuditEntry
from consular.models.social import PostState
from consular.providers.registry import Adapters
from consular.queries import social as queries
from consular.queries import sweeping
from consular.services import social
from consular.services.social import Outlets, state_after, wait_before_retry
from consular.services.transactions import unit_of_work
from tests.social_world import LINK, TEXTS, accounts, approved, drain, only_post, pass_time, posts

NETWORKS = ("mastodon", "telegram")


def good(talk, number=None):
    """What both networks say when they took a post."""
    number = number or talk.number
    link = f"https://social.example/@ada/{number}"
    return talk.answer(
        200, json.dumps({"id": str(number), "url": link, "ok": True, "result": {"message_id": number}}).encode()
    )


def account_on(config, network, server):
    return accounts(config, **{network: server.url})


def is_due():
    with unit_of_work():
        return sweeping.pending()["social"]


def officer():
    return db.session.scalars(select(AlertEvent.approved_by)).first()


@pytest.mark.usefixtures("committing")
class TestQueueing:
    def test_one_post_for_each_account_and_language_with_headline_text_and_link(self, config):
        both = accounts(config, "https://social.example", "https://api.telegram.org")
        rows = posts(approved(both, TEXTS))
        assert [(row.network, row.account, row.language) for row in rows] == [
            ("mastodon", "@ada", "ar"),
            ("mastodon", "@ada", "en"),
            ("telegram", "@mission", "ar"),
            ("telegram", "@mission", "en"),
        ]
        for row in rows:
            words = TEXTS[row.language]
            assert row.text == f"{words['headline']}\n\n{words['text']}\n\n{LINK}"
            assert (row.state, row.tries, row.permalink) == (PostState.QUEUED, 0, None)

    def test_queueing_twice_adds_nothing(self, config):
        one = accounts(config, "https://social.example")
        event_id = approved(one, TEXTS)
        with unit_of_work() as session:
            event = session.get_one(AlertEvent, event_id)
            assert social.queue_posts(session, event, utc_now(), Outlets(Adapters(one).publishers, LINK)) == 0
        assert len(posts(event_id)) == 2

    @pytest.mark.parametrize("has_outlets", [True, False], ids=["no account", "no outlets"])
    def test_without_accounts_nothing_is_queued(self, config, has_outlets):
        event_id = approved(config)
        with unit_of_work() as session:
            outlets = Outlets(Adapters(config).publishers, LINK) if has_outlets else None
            assert social.queue_posts(session, session.get_one(AlertEvent, event_id), utc_now(), outlets) == 0

    def test_text_is_cut_to_what_each_network_takes(self, config):
        long = {"en": {"headline": "Fighting in Tripoli", "text": "Stay inside and wait for news. " * 60}}
        rows = posts(approved(accounts(config, "https://social.example", "https://api.telegram.org"), long))
        lengths = {row.network: post_length(row.text, row.network) for row in rows}
        assert 450 < lengths["mastodon"] <= 500 < lengths["telegram"]
        assert all(row.text.endswith(LINK) for row in rows)

    def test_headline_no_network_takes_is_a_visible_failure_and_stops_nobody(self, config, serve):
        server = serve(good)
        one = accounts(config, server.url, server.url)
        event_id = approved(one, {"en": {"headline": "x" * 600, "text": "Stay inside."}})
        drain(one)
        failed, published = posts(event_id)
        assert (failed.network, failed.state, failed.tries) == ("mastodon", PostState.FAILED, 0)
        assert failed.error == "Nothing was posted: headline and link alone are longer than the network allows."
        assert published.state is PostState.PUBLISHED
        with pytest.raises(ConflictError, match="shorter headline"):
            social.retry(failed.id, officer(), utc_now())


@pytest.mark.usefixtures("committing")
class TestWhoIsPostedTo:
    @pytest.mark.parametrize("status", AlertStatus)
    def test_exercise_and_actual_never_meet(self, config, serve, status):
        real, practice = serve(good), serve(good)
        both = accounts(accounts(config, real.url, real.url), practice.url, practice.url, "exercise_")
        event_id = approved(both, TEXTS, status)
        drain(both)
        used, unused = (practice, real) if status is AlertStatus.EXERCISE else (real, practice)
        assert (len(used.received), unused.received) == (4, [])
        assert {row.state for row in posts(event_id)} == {PostState.PUBLISHED}
        assert all(("EXERCISE" in row.text) is (status is AlertStatus.EXERCISE) for row in posts(event_id)[1::2])

    @pytest.mark.parametrize("network", NETWORKS)
    def test_exercise_with_only_a_real_account_is_posted_nowhere(self, config, serve, network):
        real = serve(good)
        one = account_on(config, network, real)
        assert posts(approved(one, status=AlertStatus.EXERCISE)) == []
        assert (drain(one), real.received) == (0, [])

    @pytest.mark.parametrize("status", AlertStatus)
    def test_row_of_one_kind_is_not_posted_by_the_other_kinds_account(self, config, serve, status):
        server = serve(good)
        prefixes = ("exercise_", "") if status is AlertStatus.EXERCISE else ("", "exercise_")
        made, present = (accounts(config, server.url, prefix=prefix) for prefix in prefixes)
        event_id = approved(made, status=status)
        drain(present)
        assert (only_post(event_id).state, server.received) == (PostState.FAILED, [])
        assert "not set up" in only_post(event_id).error

    def test_practice_account_outside_the_private_network_is_left_out(self, config):
        wrong = accounts(config, "https://mastodon.social", prefix="exercise_")
        assert Adapters(wrong).publishers(is_exercise=True) == []

    def test_real_alerts_go_before_exercises(self, config, serve):
        real, practice = serve(good), serve(lambda talk: order.append("practice") or good(talk))
        order: list[str] = []
        real.behaviour = lambda talk: order.append("real") or good(talk)
        both = accounts(accounts(config, real.url), practice.url, prefix="exercise_")
        approved(both, TEXTS, AlertStatus.EXERCISE, utc_now() - timedelta(minutes=5))
        approved(both, TEXTS, AlertStatus.ACTUAL)
        drain(both)
        assert order == ["real"] * 2 + ["practice"] * 2


@pytest.mark.usefixtures("committing")
class TestOutcomes:
    @pytest.mark.parametrize("network", NETWORKS)
    def test_accepted_is_published_with_its_permalink(self, config, serve, network):
        one = account_on(config, network, serve(lambda talk: good(talk, 77)))
        event_id = approved(one)
        assert (drain(one), drain(one)) == (1, 0)
        row = only_post(event_id)
        links = {"mastodon": "https://social.example/@ada/77", "telegram": "https://t.me/mission/77"}
        assert (row.state, row.permalink, row.provider_post_id) == (PostState.PUBLISHED, links[network], "77")
        assert (row.error, row.lease_until, row.tries) == (None, None, 1)
        assert abs(row.published_at - utc_now()) < timedelta(seconds=20)

    @pytest.mark.parametrize("network", NETWORKS)
    def test_throttled_account_rests_as_long_as_it_asked_with_all_its_posts(self, config, serve, network):
        server = serve(lambda talk: talk.answer(429, b"{}", "Retry-After: 60"))
        one = account_on(config, network, server)
        event_id = approved(one, TEXTS)
        assert (drain(one), drain(one), len(server.received)) == (1, 0, 1)
        assert [row.state for row in posts(event_id)] == [PostState.QUEUED] * 2
        assert all(row.not_before > utc_now() + timedelta(seconds=50) for row in posts(event_id))
        assert not is_due()
        server.behaviour = good
        pass_time(3)
        assert is_due()
        assert drain(one) == 2
        assert {row.state for row in posts(event_id)} == {PostState.PUBLISHED}

    def test_account_in_trouble_does_not_hold_up_the_others(self, config, serve):
        bad, fine = serve(lambda talk: talk.answer(503)), serve(good)
        both = accounts(config, bad.url, fine.url)
        approved(both, TEXTS)
        drain(both)
        assert (len(bad.received), len(fine.received)) == (1, 2)

    def test_trouble_of_a_practice_account_does_not_hold_up_the_real_one_of_the_same_name(self, config, serve):
        bad, fine = serve(lambda talk: talk.answer(429, b"{}", "Retry-After: 60")), serve(good)
        both = accounts(accounts(config, fine.url), bad.url, prefix="exercise_")
        approved(both, status=AlertStatus.EXERCISE)
        drain(both)
        event_id = approved(both)
        drain(both)
        assert only_post(event_id).state is PostState.PUBLISHED

    @pytest.mark.parametrize("network", NETWORKS)
    def test_network_that_cannot_be_reached_is_tried_again(self, config, closed_port, serve, network):
        event_id = approved(accounts(config, **{network: f"http://127.0.0.1:{closed_port}"}))
        drain(accounts(config, **{network: f"http://127.0.0.1:{closed_port}"}))
        row = only_post(event_id)
        assert (row.state, row.error) == (PostState.QUEUED, "The network could not be reached.")
        pass_time(1)
        drain(account_on(config, network, serve(good)))
        assert only_post(event_id).state is PostState.PUBLISHED

    @pytest.mark.parametrize("network", NETWORKS)
    def test_refused_is_failed_in_words_for_the_officer_and_never_repeated(self, config, serve, network):
        server = serve(lambda talk: talk.answer(422, b'{"error": "Too rude", "description": "Too rude"}'))
        one = account_on(config, network, server)
        event_id = approved(one)
        drain(one)
        pass_time(600)
        assert (is_due(), drain(one), len(server.received)) == (False, 0, 1)
        row = only_post(event_id)
        assert (row.state, row.error) == (PostState.FAILED, "The network refused the post: Too rude")

    def test_doubt_on_mastodon_is_settled_by_the_same_key(self, config, serve):
        server = serve(lambda talk: good(talk) if talk.number > 2 else talk.answer(500))
        one = accounts(config, server.url)
        event_id = approved(one)
        for _ in range(2):
            drain(one)
            assert only_post(event_id).state is PostState.UNKNOWN
            assert not is_due()
            assert drain(one) == 0
            pass_time(2)
        drain(one)
        assert only_post(event_id).state is PostState.PUBLISHED
        assert {request.headers["idempotency-key"] for request in server.received} == {str(only_post(event_id).id)}
        assert len(server.received) == 3

    def test_doubt_on_mastodon_is_an_officers_once_the_network_may_have_forgotten_the_key(self, config, serve):
        server = serve(lambda talk: talk.answer(500))
        one = accounts(config, server.url)
        event_id = approved(one)
        drain(one)
        pass_time(51)
        assert is_due()
        assert (drain(one), len(server.received)) == (0, 1)
        assert (only_post(event_id).state, is_due()) == (PostState.UNKNOWN, False)

    def test_doubt_on_telegram_waits_for_an_officer_and_wakes_nobody(self, config, serve):
        server = serve(lambda talk: talk.reset())
        one = accounts(config, telegram=server.url)
        event_id = approved(one)
        drain(one)
        pass_time(600)
        assert (is_due(), drain(one), len(server.received)) == (False, 0, 1)
        row = only_post(event_id)
        assert (row.state, row.error) == (PostState.UNKNOWN, "The network did not answer; the post may be there.")

    @pytest.mark.parametrize("answer", [401, 429, 500])
    def test_what_was_in_doubt_stays_in_doubt_until_accepted(self, config, serve, answer):
        server = serve(lambda talk: talk.answer(500 if talk.number == 1 else answer))
        one = accounts(config, server.url)
        event_id = approved(one)
        drain(one)
        pass_time(2)
        drain(one)
        assert (only_post(event_id).state, only_post(event_id).tries) == (PostState.UNKNOWN, 2)
        pass_time(10)
        assert is_due() is (answer != 401)


@pytest.mark.usefixtures("committing")
class TestStoppingAndLateness:
    def test_stopped_before_posting_is_posted_nowhere(self, config, serve):
        server = serve(good)
        one = accounts(config, server.url, server.url)
        event_id = approved(one, TEXTS)
        stop(event_id, cancels=True)
        assert (drain(one), server.received) == (0, [])
        assert {row.state for row in posts(event_id)} == {PostState.CANCELLED}

    def test_stop_is_heeded_even_where_rows_were_left_queued(self, config, serve):
        server = serve(good)
        one = accounts(config, server.url)
        event_id = approved(one)
        stop(event_id, cancels=False)
        assert (drain(one), server.received) == (0, [])
        assert only_post(event_id).state is PostState.CANCELLED
        assert not is_due()

    def test_stop_while_the_network_says_wait_cancels(self, config, serve):
        engine = db.engine

        def stop_here(talk):
            with engine.begin() as connection:
                connection.execute(text("update alert_events set stopped_at = now()"))
            return talk.answer(429, b"{}")

        one = accounts(config, serve(stop_here).url)
        event_id = approved(one)
        drain(one)
        assert only_post(event_id).state is PostState.CANCELLED

    def test_alert_that_is_over_is_not_posted_any_more(self, config, serve):
        server = serve(good)
        one = accounts(config, server.url)
        event_id = approved(one, now=utc_now() - timedelta(hours=7))
        assert (drain(one), server.received) == (0, [])
        assert only_post(event_id).error == "The alert was over before it could be posted."

    def test_doubt_about_a_stopped_alert_is_not_settled_by_posting(self, config, serve):
        server = serve(lambda talk: talk.answer(500))
        one = accounts(config, server.url)
        event_id = approved(one)
        drain(one)
        stop(event_id, cancels=True)
        pass_time(2)
        assert (drain(one), len(server.received)) == (0, 1)
        assert (only_post(event_id).state, is_due()) == (PostState.UNKNOWN, False)


@pytest.mark.usefixtures("committing")
class TestDeathsAndRaces:
    def test_lapsed_lease_on_mastodon_is_posted_again(self, config, serve):
        server = serve(good)
        one = accounts(config, server.url)
        event_id = approved(one)
        claim()
        assert (is_due(), drain(one), only_post(event_id).state) == (False, 0, PostState.SENDING)
        pass_time(2)
        assert is_due()
        drain(one)
        assert (only_post(event_id).state, only_post(event_id).tries) == (PostState.PUBLISHED, 2)

    def test_lapsed_lease_on_telegram_waits_for_an_officer(self, config, serve):
        server = serve(good)
        one = accounts(config, telegram=server.url)
        event_id = approved(one)
        claim()
        pass_time(2)
        assert (drain(one), server.received) == (0, [])
        assert only_post(event_id).state is PostState.UNKNOWN
        assert "may be there" in only_post(event_id).error
        assert not is_due()

    @pytest.mark.parametrize("meanwhile", ["lapsed", "retried"])
    def test_late_word_of_success_counts(self, config, meanwhile):
        one = accounts(config, telegram="http://127.0.0.1:9")
        event_id = approved(one)
        claimed = claim()
        pass_time(2)
        drain(one)
        if meanwhile == "retried":
            social.retry(claimed.id, officer(), utc_now())
        with unit_of_work() as session:
            values = {"wait": 0.0, "provider_post_id": "7", "permalink": None, "error": None}
            assert queries.record(session, claimed, "published", **values) == "published"
        assert only_post(event_id).provider_post_id == "7"

    def test_word_of_an_older_try_changes_nothing(self, config):
        one = accounts(config, "http://127.0.0.1:9")
        event_id = approved(one)
        older = claim()
        pass_time(2)
        with unit_of_work() as session:
            queries.settle_overdue(session, ["mastodon"])
        newer = claim()
        assert newer.before == "unknown"
        with unit_of_work() as session:
            values = {"wait": 0.0, "provider_post_id": None, "permalink": None, "error": None}
            assert queries.record(session, older, "queued", **values) is None
        assert only_post(event_id).attempt_id == newer.attempt_id

    @pytest.mark.parametrize(
        ("network", "minutes_ago", "change"),
        [
            ("telegram", 0, "update social_posts set state = 'unknown'"),
            ("mastodon", 51, "update social_posts set state = 'unknown'"),
            ("mastodon", 0, "update alert_events set stopped_at = now()"),
            ("mastodon", 0, "update alert_events set expires_at = now()"),
            ("mastodon", 0, "update social_posts set not_before = now() + interval '1 minute'"),
        ],
        ids=["doubt without keys", "doubt after the key", "stopped", "over", "not yet due"],
    )
    def test_what_must_not_be_posted_is_not_given_out_even_before_it_is_settled(
        self, config, network, minutes_ago, change
    ):
        approved(accounts(config, **{network: "https://social.example"}))
        pass_time(minutes_ago)
        with unit_of_work() as session:
            session.execute(text(change))
        assert claim() is None

    def test_worker_that_was_held_up_before_it_began_posts_nothing(self, config, serve):
        server = serve(good)
        one = accounts(config, server.url)
        event_id = approved(one)
        assert social.drain(Adapters(one).publishers, 20, lambda: False, lease_seconds=0) == 1
        assert (server.received, only_post(event_id).state) == ([], PostState.QUEUED)

    def test_two_drains_at_once_post_everything_once(self, config, serve, application):
        server = serve(good)
        one = accounts(config, server.url, server.url)
        events = [approved(one, TEXTS) for _ in range(4)]
        start, done = threading.Barrier(3), []

        def work():
            with application.app_context():
                start.wait()
                done.append(drain(one))

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (sum(done), len(server.received)) == (16, 16)
        assert {row.state for event_id in events for row in posts(event_id)} == {PostState.PUBLISHED}
        keys = [request.headers.get("idempotency-key") for request in server.received]
        assert len({key for key in keys if key}) == 8

    def test_no_connection_is_held_while_a_network_is_spoken_to(self, config, serve):
        held = []
        server = serve(lambda talk: held.append(db_engine.pool.checkedout()) or good(talk))
        one, db_engine = accounts(config, server.url, server.url), db.engine
        approved(one, TEXTS)
        db.session.remove()
        drain(one)
        assert held == [0] * 4

    def test_stops_when_told(self, config, serve):
        server = serve(good)
        one = accounts(config, server.url)
        approved(one, TEXTS)
        done = social.drain(Adapters(one).publishers, 20, lambda: bool(server.received))
        assert (done, len(server.received), is_due()) == (1, 1, True)


@pytest.mark.usefixtures("committing")
class TestOfficers:
    @pytest.mark.parametrize("network", NETWORKS)
    @pytest.mark.parametrize("answer", [422, 500])
    def test_retry_posts_again_with_the_same_key_and_is_on_record(self, config, serve, network, answer):
        server = serve(lambda talk: talk.answer(answer) if talk.number == 1 else good(talk))
        one = account_on(config, network, server)
        event_id = approved(one)
        drain(one)
        before, now = only_post(event_id), utc_now()
        social.retry(before.id, officer(), now)
        assert is_due()
        drain(one)
        after = only_post(event_id)
        assert (after.state, after.error, after.tries) == (PostState.PUBLISHED, None, 2)
        assert len({request.headers.get("idempotency-key") for request in server.received}) == 1
        (entry,) = db.session.scalars(select(AuditEntry).where(AuditEntry.subject_id == str(after.id)))
        assert (entry.action, entry.officer_id, entry.at) == ("social_post_retried", officer(), now)
        assert entry.detail["before"] == ("failed" if answer == 422 else "unknown")

    def test_confirmed_post_counts_as_published(self, config, serve):
        one = accounts(config, telegram=serve(lambda talk: talk.answer(500)).url)
        event_id = approved(one)
        drain(one)
        social.confirm(only_post(event_id).id, officer(), utc_now())
        row = only_post(event_id)
        assert (row.state, row.error, row.published_at is not None) == (PostState.PUBLISHED, None, True)
        assert db.session.scalars(select(AuditEntry.action)).all() == ["social_post_confirmed"]

    @pytest.mark.parametrize("act", [social.retry, social.confirm])
    @pytest.mark.parametrize("state", sorted(set(PostState) - {PostState.FAILED, PostState.UNKNOWN}))
    def test_only_failed_and_unknown_posts_can_be_decided(self, config, act, state):
        event_id = approved(accounts(config, "https://social.example"))
        with unit_of_work() as session:
            session.execute(text("update social_posts set state = :state"), {"state": state.value})
        with pytest.raises(ConflictError, match="nothing to decide"):
            act(only_post(event_id).id, officer(), utc_now())
        assert db.session.scalars(select(AuditEntry)).all() == []

    def test_failed_post_cannot_be_confirmed(self, config, serve):
        one = accounts(config, serve(lambda talk: talk.answer(422)).url)
        event_id = approved(one)
        drain(one)
        with pytest.raises(ConflictError, match="refused"):
            social.confirm(only_post(event_id).id, officer(), utc_now())

    @pytest.mark.parametrize("end", ["stopped", "over"])
    def test_nothing_is_retried_for_an_alert_that_ended(self, config, serve, end):
        one = accounts(config, serve(lambda talk: talk.answer(422)).url)
        event_id = approved(one)
        drain(one)
        now = utc_now()
        if end == "stopped":
            stop(event_id, cancels=True)
        else:
            now += timedelta(hours=6)
        with pytest.raises(ConflictError, match="stopped or is over"):
            social.retry(only_post(event_id).id, officer(), now)
        assert only_post(event_id).state is PostState.FAILED

    def test_unknown_id(self):
        with pytest.raises(NotFoundError):
            social.retry(uuid4(), uuid4(), datetime(2026, 1, 1, tzinfo=UTC))


OUTCOMES = [
    (PostState.QUEUED, SendOutcome.ACCEPTED, PostState.PUBLISHED),
    (PostState.QUEUED, SendOutcome.NOT_SENT, PostState.QUEUED),
    (PostState.QUEUED, SendOutcome.REFUSED, PostState.FAILED),
    (PostState.QUEUED, SendOutcome.UNKNOWN, PostState.UNKNOWN),
    (PostState.UNKNOWN, SendOutcome.ACCEPTED, PostState.PUBLISHED),
    (PostState.UNKNOWN, SendOutcome.NOT_SENT, PostState.UNKNOWN),
    (PostState.UNKNOWN, SendOutcome.REFUSED, PostState.UNKNOWN),
    (PostState.UNKNOWN, SendOutcome.UNKNOWN, PostState.UNKNOWN),
]


@pytest.mark.parametrize(("before", "outcome", "after"), OUTCOMES, ids=lambda value: value.value)
def test_state_after(before, outcome, after):
    assert state_after(before, outcome) is after


@given(st.integers(1, 30_000), st.floats(0, 1), st.none() | st.floats(0, 120))
def test_wait_is_never_shorter_than_asked_nor_for_ever(tries, jitter, asked):
    assert (asked or 0) <= wait_before_retry(tries, jitter, asked) <= (asked or 0) + 300


def test_wait_grows():
    assert [wait_before_retry(tries, 1.0, None) for tries in (1, 2, 3, 7, 9)] == [5, 10, 20, 300, 300]


def stop(event_id, *, cancels):
    with unit_of_work() as session:
        session.get_one(AlertEvent, event_id).stopped_at = utc_now()
        session.flush()
        if cancels:
            social.cancel_unsent(session, event_id, utc_now())


def claim():
    """A worker that claims a post and is never heard of again."""
    with unit_of_work() as session:
        return queries.claim(session, ["mastodon"], 60)
