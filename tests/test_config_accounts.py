"""Settings of the public accounts: all of an account or none of it."""

import pytest

from config import Config, ConfigError

BASE = {
    "DATABASE_URL": "postgresql://localhost/consular",
    "SECRET_KEY": "s" * 32,
    "CONSULAR_KEYS": "keys",
}
MASTODON = {"MASTODON_URL": "https://social.example/", "MASTODON_TOKEN": "secret-1"}
TELEGRAM = {"TELEGRAM_TOKEN": "1:secret-2", "TELEGRAM_CHANNEL": "@mission"}


def named(prefix, values):
    return {prefix + name: value for name, value in values.items()}


def test_accounts_are_read_and_secrets_not_shown():
    practice = {"TELEGRAM_URL": "http://127.0.0.1:9001", "MASTODON_ACCOUNT": "@practice"}
    config = Config.from_env(BASE | MASTODON | TELEGRAM | named("EXERCISE_", MASTODON | TELEGRAM | practice))
    assert (config.mastodon_url, config.mastodon_token, config.mastodon_account) == (
        "https://social.example",
        "secret-1",
        None,
    )
    assert (config.telegram_url, config.telegram_channel) == ("https://api.telegram.org", "@mission")
    assert (config.exercise_telegram_url, config.exercise_mastodon_account) == ("http://127.0.0.1:9001", "@practice")
    assert "secret-" not in repr(config)


def test_no_account_is_fine():
    config = Config.from_env(BASE)
    assert (config.mastodon_url, config.telegram_token, config.exercise_telegram_url) == (None, None, None)


@pytest.mark.parametrize(
    ("prefix", "values", "missing"),
    [
        ("", {"MASTODON_URL": "https://social.example"}, ["MASTODON_TOKEN"]),
        ("", {"MASTODON_TOKEN": "x"}, ["MASTODON_URL"]),
        ("", {"TELEGRAM_TOKEN": "x"}, ["TELEGRAM_CHANNEL"]),
        ("", {"TELEGRAM_CHANNEL": "@x"}, ["TELEGRAM_TOKEN"]),
        ("EXERCISE_", TELEGRAM, ["EXERCISE_TELEGRAM_URL"]),
        ("EXERCISE_", {"TELEGRAM_TOKEN": "x"}, ["EXERCISE_TELEGRAM_CHANNEL", "EXERCISE_TELEGRAM_URL"]),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list | dict) else value or "actual",
)
def test_half_an_account_is_named(prefix, values, missing):
    with pytest.raises(ConfigError) as caught:
        Config.from_env(BASE | named(prefix, values))
    assert str(caught.value).startswith(" and ".join(missing) + " must be set, too")
