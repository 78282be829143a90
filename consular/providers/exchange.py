"""One HTTP exchange over libcurl: the settings all requests share, the guard that writes it once, what came back."""

import time
from dataclasses import dataclass, field
from io import BytesIO

import certifi
import pycurl

from consular.providers.addresses import is_local_address

MAX_ANSWER_BYTES = 64 * 1024
IDLE_CONNECTION_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known after one exchange.

    is_written: False only when it is certain that no byte of the request left us. status: the HTTP status of a
    complete answer, else None. transport_error: libcurl's code when there was no complete answer.
    retry_after_seconds: from the Retry-After header (seconds or date), None without one.
    """

    is_written: bool
    status: int | None = None
    body: bytes = field(default=b"", repr=False)
    retry_after_seconds: float | None = None
    transport_error: int | None = None
    latency_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Route:
    """Where and how requests go. headers are complete lines and may hold a password, so they are not shown.

    ca_file: certificates to trust instead of Mozilla's list, for a server with an authority of its own.
    """

    url: str = field(repr=False)
    headers: tuple[str, ...] = field(repr=False)
    connect_timeout_seconds: float
    total_timeout_seconds: float
    only_local: bool = False
    max_answer_bytes: int = MAX_ANSWER_BYTES
    ca_file: str = ""


class WriteGuard:
    """Lets libcurl write a request once: in time, to an allowed address, not into a dead connection.

    libcurl repeats a request by itself, POST included, when a kept connection closes without an answer (up to five
    times). The server may have acted on the first. libcurl asks this guard each time the connection stands and
    nothing of the request is written yet, so refusing the second time is what keeps a person from being texted twice.
    """

    __slots__ = ("_dead_ports", "_only_local", "_write_before", "is_written")

    def __init__(self, only_local: bool, dead_ports: set[int] | None = None) -> None:
        self._only_local = only_local
        self._dead_ports = dead_ports if dead_ports is not None else set()
        self._write_before = 0.0
        self.is_written = False

    def arm(self, write_before: float) -> None:
        """Allow one write until time.monotonic() reaches write_before."""
        self._write_before = write_before
        self.is_written = False

    def __call__(self, remote_address: str, _local_address: str, _remote_port: int, local_port: int) -> int:
        if self.is_written or time.monotonic() >= self._write_before:
            return int(pycurl.PREREQFUNC_ABORT)
        if local_port in self._dead_ports:
            self._dead_ports.discard(local_port)
            return int(pycurl.PREREQFUNC_ABORT)
        if self._only_local and not is_local_address(remote_address):
            return int(pycurl.PREREQFUNC_ABORT)
        self.is_written = True
        return int(pycurl.PREREQFUNC_OK)


class Exchange:
    """A reusable easy handle with its guard and the buffer of its answer. Not for use by two threads at once."""

    __slots__ = ("_body", "_guard", "_started_at", "_total_timeout", "curl")

    def __init__(self, route: Route, dead_ports: set[int] | None = None) -> None:
        self.curl = pycurl.Curl()
        self._body = BytesIO()
        self._guard = WriteGuard(route.only_local, dead_ports)
        self._started_at = 0.0
        self._total_timeout = route.total_timeout_seconds
        _configure(self.curl, route)
        self.curl.setopt(pycurl.WRITEFUNCTION, self._body.write)
        self.curl.setopt(pycurl.PREREQFUNCTION, self._guard)

    def prepare(self, form: bytes | None) -> None:
        """Make ready for one request: a POST of the given body, or a GET when None. The total time counts from now."""
        if form is None:
            self.curl.setopt(pycurl.HTTPGET, 1)
        else:
            self.curl.setopt(pycurl.POSTFIELDS, form)
        self._body.seek(0)
        self._body.truncate()
        self._started_at = time.monotonic()
        self._guard.arm(self._started_at + self._total_timeout)

    def answer(self, transport_error: int | None) -> Answer:
        """What became of the request; transport_error is libcurl's code, None when the answer is complete."""
        latency = time.monotonic() - self._started_at
        if transport_error is not None:
            return Answer(self._guard.is_written, transport_error=transport_error, latency_seconds=latency)
        status = self.curl.getinfo(pycurl.RESPONSE_CODE)
        wait = self.curl.getinfo(pycurl.RETRY_AFTER) if status >= 400 else 0
        return Answer(
            self._guard.is_written, status, self._body.getvalue(), float(wait) if wait else None, None, latency
        )

    def run(self, form: bytes | None) -> Answer:
        """Prepare, perform, return what came of it; blocks at most the route's total timeout, never raises for it."""
        self.prepare(form)
        try:
            self.curl.perform()
        except pycurl.error as error:
            return self.answer(int(error.args[0]))
        return self.answer(None)


def _configure(curl: pycurl.Curl, route: Route) -> None:
    options = {
        pycurl.URL: route.url,
        pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
        pycurl.FOLLOWLOCATION: 0,
        pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
        pycurl.HTTPHEADER: [*route.headers, "Expect:", "User-Agent: consular"],
        pycurl.NETRC: pycurl.NETRC_IGNORED,
        pycurl.PROXY: "",
        pycurl.CAINFO: route.ca_file or certifi.where(),
        pycurl.SSLVERSION: pycurl.SSLVERSION_TLSv1_2,
        pycurl.NOSIGNAL: 1,
        pycurl.CONNECTTIMEOUT_MS: max(1, round(route.connect_timeout_seconds * 1000)),
        pycurl.TIMEOUT_MS: max(1, round(route.total_timeout_seconds * 1000)),
        pycurl.MAXFILESIZE: route.max_answer_bytes,
        pycurl.MAXAGE_CONN: IDLE_CONNECTION_SECONDS,
    }
    for option, value in options.items():
        curl.setopt(option, value)
