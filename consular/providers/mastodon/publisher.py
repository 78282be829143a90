"""POST /api/v1/statuses with an Idempotency-Key, so that a post in doubt may be sent again and stands there once."""

import re
from typing import Any
from urllib.parse import urlencode, urlsplit

from consular.domain.ports import PostRequest, PostResult, SendOutcome
from consular.providers.addresses import check_base_url
from consular.providers.exchange import Route
from consular.providers.posts import header_value, judge_post, post_once

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}")


class MastodonPublisher:
    """domain.ports.Publisher for Mastodon. account is the name shown to officers, the server's when empty.

    character_limit is the server's own (500 unless it was changed).
    Raises ValueError, without the token, for a wrong address or token. The server folds posts with the same key only
    for an hour or so; after that a post in doubt is for an officer.
    """

    network = "mastodon"
    is_idempotent = True

    def __init__(
        self,
        base_url: str,
        access_token: str,
        account: str = "",
        *,
        is_exercise: bool = False,
        character_limit: int = 500,
        timeout_seconds: float = 20.0,
    ) -> None:
        self.account = account or urlsplit(base_url).netloc
        self.character_limit = character_limit
        self._url = check_base_url(base_url, is_exercise=is_exercise) + "/api/v1/statuses"
        self._authorisation = f"Authorization: Bearer {header_value(access_token)}"
        self._timeout_seconds = timeout_seconds
        self._only_local = is_exercise

    def publish(self, request: PostRequest) -> PostResult:
        """Post in public in the request's language; blocks at most timeout_seconds; a failed request never raises."""
        language = request.language.split("-")[0]
        fields = {"status": request.text, "visibility": "public"}
        if _LANGUAGE.fullmatch(language):
            fields["language"] = language.lower()
        try:
            body = urlencode(fields).encode()
            key = f"Idempotency-Key: {header_value(request.idempotency_key)}"
        except (UnicodeEncodeError, ValueError):
            return PostResult(SendOutcome.REFUSED, error="The text or its key has signs that cannot be sent.")
        return judge_post(post_once(self._route(key), body), _read_success, _read_error)

    def _route(self, idempotency_key: str) -> Route:
        return Route(
            url=self._url,
            headers=(self._authorisation, idempotency_key, "Accept: application/json"),
            connect_timeout_seconds=min(5.0, self._timeout_seconds),
            total_timeout_seconds=self._timeout_seconds,
            only_local=self._only_local,
        )


def _read_success(fields: dict[str, Any]) -> tuple[str, str | None] | None:
    post_id, link = fields.get("id"), fields.get("url") or fields.get("uri")
    if not isinstance(post_id, str) or not _ID.fullmatch(post_id):
        return None
    return post_id, link if _is_web_address(link) else None


def _is_web_address(link: object) -> bool:
    if not isinstance(link, str) or len(link) > 500 or not link.isprintable():
        return False
    try:
        parts = urlsplit(link)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.netloc)


def _read_error(fields: dict[str, Any]) -> tuple[object, object]:
    return fields.get("error"), None
