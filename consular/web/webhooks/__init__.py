"""What gateways call: check the signature, store, commit, answer. Everything else happens in workers."""

from flask import Blueprint

blueprint = Blueprint("webhooks", __name__, url_prefix="/webhooks")

from consular.web.webhooks import twilio  # noqa: E402,F401
