"""Pages for consular officers, all under /officer and behind a sign-in; consular/permissions.py says who may open which."""

from flask import Blueprint

blueprint = Blueprint("officer", __name__, url_prefix="/officer")
