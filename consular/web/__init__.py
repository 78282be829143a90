"""The doors: pages for citizens, pages for officers, webhooks, health. One blueprint per audience."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask_compress import Compress
from flask_wtf.csrf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

if TYPE_CHECKING:
    from flask import Flask

    from config import Config

csrf = CSRFProtect()
compress = Compress()


def register_web(app: Flask, config: Config) -> None:
    """Blueprints, languages, CSRF protection, headers, error pages."""
    from consular.web import citizen, errors, guards, headers, health, languages, officer, webhooks

    app.config.update(
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,
        SESSION_COOKIE_NAME="consular",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=config.is_https,
        COMPRESS_ALGORITHM=["br", "gzip"],
        COMPRESS_STREAMS=False,
    )
    if config.trusted_proxies:
        count = config.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]
    csrf.init_app(app)
    compress.init_app(app)
    languages.register(app)
    headers.register(app)
    errors.register(app)
    guards.register(app)
    for blueprint in (citizen.blueprint, officer.blueprint, webhooks.blueprint, health.blueprint):
        app.register_blueprint(blueprint)
    for exempt in (citizen.blueprint, webhooks.blueprint):
        csrf.exempt(exempt)
