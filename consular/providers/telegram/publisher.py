"""sendMessage to a channel. The Bot API has no idempotency key: a post in doubt is never sent again by itself."""

import json
import re
from typing import Any

from consular.domain.ports import PostRequest, PostResult, SendOutcome
from consular.providers.addresses import check_base_url
from consular.providers.exchange import Route
from consular.providers.posts import judge_post, post_once

_TOKEN = re.compile(r"[A-Za-z0-9:_-]{1,100}")
_CHANNEL = re.compile(r"@[A-Za-z][A-Za-z0-9_]{3,31}|-[0-9]{5,20}")


class TelegramPublisher:
    """domain.ports.Publisher for a Telegram channel: "@name" when public, the number Telegram gives when private.

    The token is part of the address, so no error of this object holds an address. Raises ValueError, without the token,
    for wrong settings. A private channel has no permalink.
    """

    network = "telegram"
    is_idempotent = False
    character_limit = 4096

    def __init__(
        self,
        base_url: str,
        bot_token: str,
        channel: str,
        *,
        is_exercise: bool = False,
        timeout_seconds: float = 20.0,
    ) -> None:
        if not _TOKEN.fullmatch(bot_token):
            raise ValueError("The bot token is missing or has signs that no token has.")
        if not _CHANNEL.fullmatch(channel):
            raise ValueError("The Telegram channel must be @name, or the number of a private channel (-100...).")
        self.account = channel
        address = check_base_url(base_url, is_exercise=is_exercise)
        self._route = Route(
            url=f"{address}/bot{bot_token}/sendMessage",
            headers=("Content-Type: application/json", "Accept: application/json"),
            connect_timeout_seconds=min(5.0, timeout_seconds),
            total_timeout_seconds=timeout_seconds,
            only_local=is_exercise,
        )

    def publish(self, request: PostRequest) -> PostResult:
        """Post the text as plain text; blocks at most timeout_seconds and never raises for a failed request."""
        try:
            message = {"chat_id": self.account, "text": request.text}
            body = json.dumps(message, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return PostResult(SendOutcome.REFUSED, error="The text has signs that cannot be sent.")
        return judge_post(post_once(self._route, body), self._read_success, _read_error)

    def _read_success(self, fields: dict[str, Any]) -> tuple[str, str | None] | None:
        result = fields.get("result")
        message_id = result.get("message_id") if isinstance(result, dict) else None
        if fields.get("ok") is not True or isinstance(message_id, bool) or not isinstance(message_id, int):
            return None
        is_public = self.account.startswith("@")
        return str(message_id), f"https://t.me/{self.account[1:]}/{message_id}" if is_public else None


def _read_error(fields: dict[str, Any]) -> tuple[object, object]:
    parameters = fields.get("parameters")
    wait = parameters.get("retry_after") if isinstance(parameters, dict) else None
    return fields.get("description"), wait
