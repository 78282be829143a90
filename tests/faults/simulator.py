"""What a fault run asks the practice gateway: faults on and off, and what it saw."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import requests


class Simulator:
    """The practice gateway's own door, past the proxy."""

    def __init__(self, gateway_url: str, account: str, token: str) -> None:
        self._gateway_url = gateway_url
        self._url = f"{gateway_url}/_sim"
        self._login = account, token

    def faults(self, shares: Mapping[str, float] | None = None) -> None:
        """From now on this share of the create requests meets each fault; none without an argument."""
        self._post("faults", dict(shares or {}))

    def network(self, **values: float) -> None:
        """How receipts come from now on (names of drill.gateway.profiles.Network); as at the start without any."""
        self._post("network", values)

    def listing(self, **values: Any) -> None:
        """How the list of texts behaves from now on: lag_seconds (None: for ever), is_failing."""
        self._post("list", values)

    def stats(self) -> dict[str, Any]:
        """Counts so far."""
        answer: dict[str, Any] = self._get("stats").json()
        return answer

    def log(self) -> list[dict[str, Any]]:
        """Every accepted text."""
        return _lines(self._get("log"))

    def bodies(self) -> dict[str, str]:
        """What every listed text says, by its id: read as any client reads the list."""
        found: dict[str, str] = {}
        page: str | None = f"/2010-04-01/Accounts/{self._login[0]}/Messages.json?PageSize=1000"
        while page:
            answer = requests.get(self._gateway_url + page, auth=self._login, timeout=60)
            answer.raise_for_status()
            listed = answer.json()
            found |= {message["sid"]: message["body"] for message in listed["messages"]}
            page = listed["next_page_uri"]
        return found

    def acknowledged_texts(self) -> list[str]:
        """The ids of the texts from people whose webhooks were answered with 2xx."""
        return [row["sid"] for row in _lines(self._get("answers")) if row["acked_at"] and row["sid"]]

    def _get(self, what: str) -> requests.Response:
        answer = requests.get(f"{self._url}/{what}", timeout=60)
        answer.raise_for_status()
        return answer

    def _post(self, what: str, values: Mapping[str, Any]) -> None:
        requests.post(f"{self._url}/{what}", json=values, timeout=30).raise_for_status()


def _lines(answer: requests.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.text.splitlines()]
