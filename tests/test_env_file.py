"""One `.env` gives the same values by every way the documents name, or is refused with the line that would not."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import honcho.environ
import pytest
from click.testing import CliRunner

from config import Config, ConfigError
from consular.cli.main import commands
from consular.env_file import EnvFileError, parse, with_env_file
from tests.conftest import ROOT

AWKWARD = {
    "MISSION_NAME": "Embassy of Exampleland",
    "TWILIO_AUTH_TOKEN": 'p$a${HOME}ss&word;#1!*?(){}[]<>|~^`x`"y"',
    "SMPP_PASSWORD": " blanks at both ends ",
    "MISSION_PHONE": "+390612345678",
    "TELEGRAM_CHANNEL": "@exampleland",
    "DATABASE_URL": "postgresql://user:p%40ss@db.example:5432/consular?sslmode=require&target=primary",
    "MASTODON_ACCOUNT": "l'Ambassade d'Exampleland, où l'on attend",
    "HTTP_GATEWAY_SECRET_PASSWORD": "كلمة سر #1",
    "CANARY_PHONES": "+218911234567,+390612345679",
    "SECRET_KEY": "k" * 40 + "==",
    "METRICS_TOKEN": "",
}
PROCESS = "import json, os; print(json.dumps(dict(os.environ)))"


def written(values: dict[str, str]) -> str:
    """As .env.example says: plain, or in single quotes, or in double quotes where there is an apostrophe."""
    lines = ["# comment = 'never read'", ""]
    for name, value in values.items():
        quote = '"' if "'" in value else "" if re.fullmatch(r"[\w@+,:/.%=-]*", value, re.ASCII) else "'"
        lines.append(f"{name}={quote}{value}{quote}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / ".env").write_text(written(AWKWARD), "utf-8")
    (tmp_path / "Procfile").write_text(f"show: exec {sys.executable} -c '{PROCESS}'\n")
    return tmp_path


def told(output: str) -> dict[str, str]:
    """The awkward values as a process saw them; nothing set is the same as empty."""
    seen = json.loads(output[output.index("{") : output.rindex("}") + 1])
    return {name: seen.get(name, "") for name in AWKWARD}


def run(folder: Path, *command: str) -> str:
    env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=True).stdout


def test_every_way_of_the_documents_gives_the_same_values(folder: Path) -> None:
    content, program = (folder / ".env").read_text("utf-8"), str(Path(sys.executable).parent / "honcho")
    ways = {
        "consular": parse(content),
        "honcho start": told(run(folder, program, "--no-prefix", "--no-colour", "start", "show")),
        "honcho run": told(run(folder, program, "run", sys.executable, "-c", PROCESS)),
        "shell": told(run(folder, "sh", "-c", f"set -a; . ./.env; exec {sys.executable} -c '{PROCESS}'")),
    }
    assert ways == dict.fromkeys(ways, AWKWARD)


def test_settings_are_found_in_the_working_directory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert with_env_file({"LANG": "C", "MISSION_PHONE": "+15005550001"}) == {
        **AWKWARD,
        "LANG": "C",
        "MISSION_PHONE": "+15005550001",
    }


def test_an_environment_that_is_whole_is_not_mixed_with_a_file(folder, monkeypatch) -> None:
    """A drill in the folder of a real installation must never see its gateways."""
    monkeypatch.chdir(folder)
    whole = {"DATABASE_URL": "postgresql://localhost/drill"}
    assert with_env_file(whole) == whole


def test_whoever_exported_one_address_learns_why_the_rest_is_missing(folder, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.delenv("CONSULAR_ENV_FILE")
    monkeypatch.setenv("DATABASE_URL", "postgresql://localhost/x")
    monkeypatch.delenv("SECRET_KEY", raising=False)
    with pytest.raises(ConfigError, match=r"\.env was not read, because DATABASE_URL is set .*`unset DATABASE_URL`"):
        Config.from_env()


def test_another_file_or_none_may_be_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "other").write_text("MISSION_NAME='Elsewhere'\n")
    assert with_env_file({"CONSULAR_ENV_FILE": "other"})["MISSION_NAME"] == "Elsewhere"
    assert with_env_file({"CONSULAR_ENV_FILE": ""}) == {"CONSULAR_ENV_FILE": ""}
    with pytest.raises(EnvFileError, match="missing, which CONSULAR_ENV_FILE names, is not there"):
        with_env_file({"CONSULAR_ENV_FILE": "missing"})


def test_without_a_file_the_environment_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert with_env_file({"SECRET_KEY": "x"}) == {"SECRET_KEY": "x"}


def test_tests_read_no_file_of_whoever_runs_them() -> None:
    assert os.environ["CONSULAR_ENV_FILE"] == ""


@pytest.mark.parametrize(
    ("line", "cure"),
    [
        ("A=Embassy of Exampleland", "A is read differently by different programs: put ' around the value"),
        ("A=secret#1", "put ' around the value, and comments on their own line"),
        ("A=plain # comment", "comments on their own line"),
        ("A=$HOME", "put ' around"),
        ("A=x&y", "put ' around"),
        ("A=d'Ivoire", 'put " around'),
        ('A="$5"', "put ' around"),
        ("A='d'Ivoire'", 'put " around'),
        ("A='a\\b'", "choose another value"),
        ("A='it''s $5'", "choose another value"),
        ("A='open", "put"),
        ("A = x", "line 1: write NAME='value'"),
        ("export A=x", "line 1: write NAME='value'"),
        ("A", "line 1: write NAME='value'"),
        ("A=x\r", "Unix line ends"),
    ],
)
def test_what_programs_read_differently_is_refused_with_its_cure(line: str, cure: str) -> None:
    with pytest.raises(EnvFileError) as refused:
        parse(line + "\nB=fine\n")
    assert cure in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_a_refused_line_is_told_without_its_value() -> None:
    with pytest.raises(EnvFileError) as refused:
        parse("# first\nTWILIO_AUTH_TOKEN=hush$hush\nSMPP_PASSWORD='x\\y'\n")
    lines = str(refused.value).splitlines()
    assert [line.partition(": ")[0] for line in lines] == [".env, line 2", ".env, line 3"]
    assert "hush" not in str(refused.value)


def test_the_operator_is_told_by_check_config(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".env").write_text("MISSION_NAME=Embassy of Exampleland\n")
    monkeypatch.chdir(folder)
    runner = CliRunner(env={"CONSULAR_ENV_FILE": ".env", "DATABASE_URL": ""})
    result = runner.invoke(commands, ["check-config"])
    assert result.exit_code == 1
    assert result.output.startswith("✗ .env, line 1: MISSION_NAME is read differently")


def test_the_example_can_be_read_alike_also_where_its_comments_are_taken_away() -> None:
    example = (ROOT / ".env.example").read_text("utf-8")
    whole = re.sub(r"^#(?=[A-Z_]+=)", "", example, flags=re.MULTILINE)
    assert whole.count("\n") == example.count("\n")
    values = parse(whole)
    assert len(values) > 50
    filled = {name: value for name, value in values.items() if value}
    assert {name: value for name, value in honcho.environ.parse(whole).items() if value} == filled
    assert values["MISSION_NAME"] == "Embassy of Exampleland"
