"""The shared machinery of exchanges for requests that differ in address and headers, not in the body alone."""

from typing import TypeVar

import pycurl

from consular.providers.exchange import Answer, Exchange
from consular.providers.exchanges import Exchanges
from consular.providers.http_gateway.request_maker import Made

Tag = TypeVar("Tag")


class MadeExchanges(Exchanges[Tag]):
    """Exchanges of whole requests to one host: each written at most once, and back from poll() exactly once."""

    def start_made(self, tag: Tag, made: Made) -> None:
        """Begin one request: a POST when it has a body, else a GET."""
        exchange = self._idle.pop() if self._idle else Exchange(self._route, self._kept.dead_ports)
        exchange.curl.setopt(pycurl.URL, made.url)
        exchange.curl.setopt(pycurl.HTTPHEADER, [*made.headers, "Expect:", "User-Agent: consular"])
        exchange.prepare(made.body)
        try:
            self._multi.add_handle(exchange.curl)
        except pycurl.error as error:
            self._failed_to_start.append((tag, Answer(is_written=False, transport_error=int(error.args[0]))))
            return
        self._running[exchange.curl] = (tag, exchange)
