"""`consular replies`: how a text would be read."""

from __future__ import annotations

import sys

import click


@click.group()
def replies() -> None:
    """Understand replies."""


@replies.command()
def classify() -> None:
    """Read JSON lines {"id", "text", "language"} on standard input; write id, kind, count, matched as tab-separated
    lines."""
    from consular.cli.reply_stream import classify_stream

    classify_stream(sys.stdin, sys.stdout)
