"""`consular readiness`: who could be reached now, by which gateway, who not and why, and what proves it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from consular.cli.context import application

if TYPE_CHECKING:
    from consular.domain.readiness import CountryReadiness, Phones, Proof, PublicAccount


@click.command()
@click.argument("country", required=False)
@click.option("--json", "as_json", is_flag=True, help="The same facts as JSON.")
@click.option(
    "--max-age",
    type=click.IntRange(1, 24 * 365),
    default=36,
    show_default=True,
    help="Hours after which a proof counts no more.",
)
def readiness(country: str | None, as_json: bool, max_age: int) -> None:
    """Who could be reached now in COUNTRY (two letters, such as LY), or in every country with people, worst first.

    Public posts are told too: whether an account is set up, and when the last one went out or failed. They reach nobody
    in particular, so nobody counts as reached by them.

    Exit status 1 when nobody can be reached in a country with people, or nothing proves that texts get there.
    """
    from consular.clock import utc_now
    from consular.domain.readiness import Standing, worst_first
    from consular.services import readiness as service

    now, age = utc_now(), timedelta(hours=max_age)
    code = _code(country) if country else None
    with application() as app:
        service.refresh(now)
        counted = service.look(service.Means.of(app.config["CONSULAR"]), now, code)
        accounts = service.public_accounts(app.extensions["consular"].publishers)
    found = worst_first(counted.countries, now, age)
    if as_json:
        click.echo(json.dumps([_facts(one, accounts, now, age) for one in found], default=_plain, indent=2))
    else:
        lines = _country(found[0], now, age) if code else _table(found, now, age)
        click.echo("\n".join(lines))
        click.echo("\n".join(_public(accounts, now)))
        click.echo(f"\nPeople counted at {counted.counted_at:%H:%M} UTC; paths as they are now.")
    bad = (Standing.NOBODY_REACHABLE, Standing.UNPROVEN)
    sys.exit(1 if any(one.people and one.standing(now, age) in bad for one in found) else 0)


def _code(country: str) -> str:
    from consular.locales import country_names

    code = country.strip().upper()
    if code not in country_names("en"):
        raise click.ClickException(f"{country} is no country's code of two letters, such as LY.")
    return code


def _table(found: list[CountryReadiness], now: datetime, age: timedelta) -> Iterator[str]:
    from consular.domain.readiness_words import STANDINGS

    if not found:
        yield "Nobody on record stays anywhere now."
        return
    yield f"{'':32}{'people':>10}{'reachable':>11}{'proven':>9}  standing"
    for one in found:
        name, standing = f"{one.country} {_name(one.country)}"[:31], STANDINGS[one.standing(now, age)][0]
        yield f"{name:32}{one.people:>10,}{one.reachable:>11,}{one.proven(now, age):>9,}  {standing}"


def _country(one: CountryReadiness, now: datetime, age: timedelta) -> Iterator[str]:
    from consular.domain.readiness_words import STANDINGS, gaps

    standing = STANDINGS[one.standing(now, age)][0] if one.people else "Nobody on record there now"
    yield f"{_name(one.country)}: {standing}"
    if one.people:
        yield f"{one.people:,} people on record there now, {one.reachable:,} could be reached now,"
        yield f"{one.proven(now, age):,} of them by a path proven in the last {age.total_seconds() / 3600:.0f} hours."
    for phones in one.phones:
        yield from _phones(phones, now)
    found = gaps(one, _name, now, age)
    if found:
        yield "\nWhat to do"
    for gap in found:
        yield f"- {gap.people:,} people: {gap.why}.\n  {gap.act}"


def _public(accounts: Sequence[PublicAccount], now: datetime) -> Iterator[str]:
    yield "\nPublic posts: for whoever reads them. They reach nobody in particular and count for nobody above."
    if not accounts:
        yield "  No public account is set up: alerts are posted nowhere."
    for one in accounts:
        yield f"  {one.network} {one.account}"
        yield f"    last post: {_moment(one.published_at, now)}"
        yield f"    last failure: {_moment(one.failed_at, now)}{f': {one.failure}' if one.failure else ''}"
        if one.waiting:
            yield f"    waiting: {one.waiting}"


def _phones(phones: Phones, now: datetime) -> Iterator[str]:
    from consular.domain.readiness_words import used_as, whose

    numbers = whose(phones.country, _name)
    yield f"\n{numbers[0].upper()}{numbers[1:]}: {phones.people:,} people"
    for path in phones.paths:
        yield f"  {path.gateway}: {used_as(path, phones)}"
        for words, at in _proofs(path.proof):
            yield f"    {words}: {at}" if isinstance(at, str) else f"    {words}: {_moment(at, now)}"
        if path.test is not None:
            yield f"    last test text: {path.test.result}, {_moment(path.test.at, now)}"


def _proofs(proof: Proof) -> Iterator[tuple[str, datetime | str | None]]:
    yield "took a text", proof.accepted_at
    yield "reported delivery", proof.delivered_at if proof.receipts_believable else "its receipts cannot be believed"
    yield "brought a reply", proof.heard_at


def _moment(at: datetime | None, now: datetime) -> str:
    from consular.domain.readiness_words import age

    return f"{at:%Y-%m-%d %H:%M} UTC ({age(at, now)} ago)" if at is not None else "never"


def _facts(one: CountryReadiness, accounts: Sequence[PublicAccount], now: datetime, age: timedelta) -> dict[str, Any]:
    from consular.domain.readiness_words import gaps

    return {
        **asdict(one),
        "name": _name(one.country),
        "standing": one.standing(now, age).name.lower(),
        "people": one.people,
        "reachable": one.reachable,
        "waiting": one.waiting,
        "no_gateway": one.no_gateway,
        "proven": one.proven(now, age),
        "public_posts": [asdict(account) for account in accounts],
        "gaps": [asdict(gap) for gap in gaps(one, _name, now, age)],
    }


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError


def _name(code: str) -> str:
    from consular.locales import country_names

    return country_names("en").get(code, code)
