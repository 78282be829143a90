"""Pages for officers, all under /officer and behind a sign-in; consular/permissions.py says who may open which."""

from flask import Blueprint

blueprint = Blueprint("officer", __name__, url_prefix="/officer")

from consular.web.officer import (  # noqa: E402, F401
    accounts,
    alerts,
    board,
    canaries,
    capabilities,
    crises,
    held,
    home,
    operations,
    pages,
    people,
    readiness,
    requests,
    sessions,
)
