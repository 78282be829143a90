"""Who may read how the service is doing without signing in: our own machines."""

from __future__ import annotations

import hmac
import ipaddress

from flask import current_app, request

_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")


def is_internal() -> bool:
    """Whether the request comes straight from a loopback or private address, or carries METRICS_TOKEN.

    A request that a proxy passed on is internal only when we know the proxy (TRUSTED_PROXIES) and it names a private
    address: else all the world would look like the proxy's own machine.
    """
    config = current_app.config["CONSULAR"]
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if config.metrics_token and hmac.compare_digest(token.encode(), config.metrics_token.encode()):
        return True
    if not config.trusted_proxies and any(name in request.headers for name in _FORWARDED):
        return False
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return False
    return address.is_loopback or address.is_private
