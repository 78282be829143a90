"""What gateways call: check the signature or the key, store, commit, answer. Everything else happens in workers."""

from flask import Blueprint

blueprint = Blueprint("webhooks", __name__, url_prefix="/webhooks")

from consular.web.webhooks import http, twilio  # noqa: E402,F401
