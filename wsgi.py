"""The WSGI application that gunicorn serves."""

from config import Config
from consular import create_app
from consular.logs import configure_logs

configure_logs()
app = create_app(Config.from_env())
