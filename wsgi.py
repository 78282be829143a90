"""The WSGI application that gunicorn serves."""

from consular.logs import configure_logs
from consular.startup import start

configure_logs()
app = start()
