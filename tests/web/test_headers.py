"""What every answer says to browsers, and that nothing is fetched from elsewhere."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from flask.testing import FlaskClient

import consular
from config import Config
from consular import create_app

ROOT = Path(consular.__file__).parent
ADDRESSES = ["/", "/nowhere", "/s/forged", "/officer/sign-in", "/static/consular.css", "/webhooks/nowhere"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_answer_is_guarded(client: FlaskClient, address: str) -> None:
    headers = client.get(address).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "Strict-Transport-Security" not in headers


@pytest.mark.parametrize("address", ["/nowhere", "/s/forged"])
def test_pages_are_not_stored(client: FlaskClient, address: str) -> None:
    assert client.get(address).headers["Cache-Control"] == "no-store"


def test_https_is_remembered_only_where_there_is_https(https_config: Config) -> None:
    headers = create_app(https_config, testing=True).test_client().get("/").headers
    assert headers["Strict-Transport-Security"].startswith("max-age=31536000")


def test_static_files_are_kept_and_small(client: FlaskClient) -> None:
    found = re.search(r'<link rel="stylesheet" href="([^"]*)"', client.get("/").text)
    assert found is not None
    style = client.get(unescape(found[1]), headers={"Accept-Encoding": "gzip"})
    assert "immutable" in style.headers["Cache-Control"]
    assert style.headers["Content-Encoding"] == "gzip"
    assert len(style.data) < 5_000
    assert (ROOT / "static" / "consular.css").stat().st_size < 12_000


def test_the_stylesheet_knows_no_left_and_right() -> None:
    style = (ROOT / "static" / "consular.css").read_text("utf-8")
    physical = re.findall(
        r"(?:margin|padding|border)-(?:left|right|top|bottom)|text-align: (?:left|right)|[{;]\s*(?:left|right):", style
    )
    assert physical == []


def test_no_template_needs_what_the_policy_forbids() -> None:
    for template in (ROOT / "templates").rglob("*.html"):
        text = template.read_text("utf-8")
        assert not re.search(r"\sstyle=|\son\w+=\"|<style|<script(?![^>]*\ssrc=)|(?:src|href)=\"https?:", text), (
            template
        )
