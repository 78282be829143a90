"""`consular gateway-urls`: the addresses that an operator behind the HTTP gateway needs to reach us."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from config import Config
    from consular.providers.http_gateway.profile import InboundRules, ReceiptRules

_WARNING = """\
Whoever has such an address can send us texts as anybody, for our key is in it. Give it to the operator alone, by a way
that nobody else reads. When it became known: count up HTTP_GATEWAY_KEY_VERSION, restart, give out the new one."""
_NOT_HTTPS = "WEBHOOK_BASE_URL is not https: whoever is on the way reads key and texts. Fine on this machine alone."


@click.command("gateway-urls")
def gateway_urls() -> None:
    """Print the addresses to give to the operator behind the HTTP gateway. They hold a key: keep them secret."""
    from config import Config
    from consular.providers.http_gateway.keys import inbound_url, receipts_url
    from consular.providers.registry import http_settings

    config = Config.from_env()
    if config.http_gateway is None:
        raise click.ClickException("The http gateway is not configured: set HTTP_GATEWAY_PROFILE and the others.")
    try:
        settings = http_settings(config.http_gateway)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    base, secret = config.webhook_base_url, config.secret_key.encode()
    click.echo("Texts from people:")
    for line in _inbound(inbound_url(base, secret, settings), settings.profile.inbound):
        click.echo(f"  {line}")
    click.echo("Receipts:")
    for line in _receipts(receipts_url(base, secret, settings), settings.profile.receipts):
        click.echo(f"  {line}")
    click.echo(_warnings(config))


def _inbound(url: str, rules: InboundRules | None) -> Iterator[str]:
    if rules is None:
        yield "none: the profile has no [inbound], so nobody can answer by text."
        return
    yield url
    yield _fields(rules.id, rules.time, rules.sender, rules.to, rules.text, rules.charset)


def _receipts(url: str, rules: ReceiptRules | None) -> Iterator[str]:
    if rules is None:
        yield "none: the profile has no [receipts], so no text will ever count as delivered."
    elif rules.id is None:
        yield "nothing to give: every text carries an address of its own ({callback} in the profile)."
    else:
        yield "Every text carries an address of its own where the profile sends {callback}. One address for all:"
        yield url
        yield _fields(rules.id, rules.status, rules.detail)


def _fields(*names: str | None) -> str:
    return f"The operator adds the fields {', '.join(name for name in names if name)}."


def _warnings(config: Config) -> str:
    return _WARNING if config.webhook_base_url.startswith("https://") else f"{_WARNING}\n{_NOT_HTTPS}"
