"""Pages for citizens: no account, no JavaScript, any phone. Forms carry a signed form key instead of a cookie."""

from flask import Blueprint

from consular.security import form_keys

blueprint = Blueprint("citizen", __name__)
blueprint.record(lambda state: form_keys.configure(state.app.config["SECRET_KEY"]))

from consular.web.citizen import answers, registration  # noqa: E402,F401
