"""Every alarm has its page for 3 a.m., and every command on it exists and is written as it must be."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from urllib.parse import urlsplit

import click
import pytest
from sqlalchemy import text

from consular.cli.main import commands
from consular.domain.alarms import ALARMS
from consular.domain.gateways import GATEWAYS, SMPP
from tests.conftest import ROOT

FOLDER = ROOT / "docs" / "runbooks"
PAGES = {path.stem: path.read_text("utf-8") for path in FOLDER.glob("*.md")}
QUEUES_AND_CLOCK = re.compile(r"^([a-z-]+): ", re.MULTILINE)


def blocks(page: str) -> Iterator[list[str]]:
    for found in re.finditer(r"```sh\n(.*?)```", page, re.DOTALL):
        for line in found[1].strip().split("\n"):
            yield shlex.split(line, comments=True)


COMMANDS = [(name, words) for name, page in sorted(PAGES.items()) for words in blocks(page)]


def test_every_alarm_has_its_page_and_every_page_its_alarm():
    assert set(PAGES) - {"README"} == set(ALARMS)


@pytest.mark.parametrize("name", ALARMS)
def test_a_page_tells_symptom_check_and_command_in_this_order(name):
    lines = PAGES[name].splitlines()
    headings = [line for line in lines if line.startswith("#")]
    assert headings == [f"# {ALARMS[name].title}", "## Symptom", "## Check", "## Command"]
    assert "```sh" in PAGES[name].partition("## Check")[2].partition("## Command")[0]
    assert "```sh" in PAGES[name].partition("## Command")[2]


@pytest.mark.parametrize(("page", "words"), COMMANDS, ids=[f"{page}: {words[0]}" for page, words in COMMANDS])
def test_every_command_exists(page, words, app):
    program, *arguments = words
    checks[program](arguments, app)


def consular(arguments: list[str], app: object) -> None:
    words, context = arguments, click.Context(commands)
    found: click.Command | None = commands
    while isinstance(found, click.Group):
        group, name = found, words[0] if words else ""
        found = group.get_command(context, name)
        assert found is not None, f"no such command: {name or 'a part is missing'} of {arguments}"
        context, words = click.Context(found, info_name=name, parent=context), words[1:]
    assert found is not None
    found.make_context(found.name, words, parent=context.parent)


@pytest.mark.parametrize(
    "line",
    [
        "restored relaese --yes",
        "restored",
        "restored release --no-questions",
        "canary send LY LY",
        "drain --gateway pigeon",
        "gaps --hours many",
    ],
)
def test_a_command_that_does_not_exist_is_noticed(line):
    with pytest.raises((AssertionError, click.UsageError)):
        consular(shlex.split(line), None)


def honcho(arguments: list[str], app: object) -> None:
    action, *names = arguments
    if action == "run":
        assert names == ["bash"]
        return
    assert action == "start"
    assert names
    assert set(names) <= set(QUEUES_AND_CLOCK.findall((ROOT / "Procfile").read_text("utf-8")))


def psql(arguments: list[str], app) -> None:
    from consular.extensions import db

    url, option, statement = arguments
    assert (url, option) == ("$DATABASE_URL", "-c")
    db.session.execute(text("explain " + statement.replace(":", r"\:")))


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_the_page_about_waiting_texts_helps_with_every_gateway(gateway):
    words = [command for name, command in COMMANDS if name == "messages_waiting"]
    process = re.search(
        rf"^worker-{gateway}: .* -m (workers\.\w+)", (ROOT / "Procfile").read_text("utf-8"), re.MULTILINE
    )
    assert process is not None
    assert ["pgrep", "-fa", process[1]] in words
    if gateway == SMPP:
        assert [".venv/bin/honcho", "start", "worker-smpp"] in words, "drain sends nothing there"


def pgrep(arguments: list[str], app: object) -> None:
    module, *queue = arguments[-1].split()
    assert importlib.util.find_spec(module) is not None
    assert arguments[0] in ("-f", "-fa")
    if queue:
        assert f"worker-{queue[0]}" in QUEUES_AND_CLOCK.findall((ROOT / "Procfile").read_text("utf-8"))


def curl(arguments: list[str], app) -> None:
    adapter = app.url_map.bind("127.0.0.1")
    assert adapter.match(urlsplit(arguments[-1]).path)


def redis_cli(arguments: list[str], app: object) -> None:
    assert arguments[:2] == ["-u", "$REDIS_URL"]
    assert arguments[2] in ("ping", "info")


checks = {
    ".venv/bin/consular": consular,
    ".venv/bin/honcho": honcho,
    "psql": psql,
    "pgrep": pgrep,
    "curl": curl,
    "redis-cli": redis_cli,
}
