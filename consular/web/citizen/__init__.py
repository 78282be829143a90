"""Pages for citizens: no account, no JavaScript, any phone. Forms carry a signed form key instead of a cookie."""

from flask import Blueprint

blueprint = Blueprint("citizen", __name__)
