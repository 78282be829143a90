"""gunicorn's settings for both web processes of the Procfile; the address is given there."""

import os

worker_class = "gthread"
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = int(os.environ.get("WEB_THREADS", "32"))
timeout = 30
graceful_timeout = 20
keepalive = 5
backlog = 2048
max_requests = 50_000
max_requests_jitter = 5_000
limit_request_line = 8190
limit_request_fields = 60
preload_app = False
accesslog = None
errorlog = "-"
