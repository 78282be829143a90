"""The server side of a connection: bytes in, requests to a handler, answers through the delay line."""

from asyncio import BaseTransport, Protocol, Transport
from collections.abc import Callable
from http import HTTPStatus
from typing import cast

from consular.drill.gateway.http1 import MAX_HEAD, BadRequest, Head, closing_response, parse_head
from consular.drill.gateway.timing import After, Answer, DelayLine

Handler = Callable[[Head, bytes], Answer | None]


class GatewayProtocol(Protocol):
    """Keep-alive and pipelined requests; answers keep their order.

    A handler that returns None leaves its client without an answer; nothing more is read from that connection.
    """

    __slots__ = ("_buffer", "_continued", "_handler", "_is_done", "_line", "_transport")

    def __init__(self, handler: Handler, line: DelayLine) -> None:
        self._handler = handler
        self._line = line
        self._buffer = b""
        self._is_done = False
        self._continued = False
        self._transport: Transport = cast(Transport, None)

    def connection_made(self, transport: BaseTransport) -> None:
        self._transport = cast(Transport, transport)

    def pause_writing(self) -> None:
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._transport.resume_reading()

    def eof_received(self) -> bool:
        """The client has said all it will: close once its answers are out. TLS has no half-closed connections."""
        self._finish(Answer(b"", After.CLOSE))
        return self._transport.get_extra_info("sslcontext") is None

    def data_received(self, data: bytes) -> None:
        if self._is_done:
            return
        data = self._buffer + data if self._buffer else data
        try:
            used = self._requests(data)
        except BadRequest as refusal:
            self._finish(Answer(closing_response(refusal.status), After.CLOSE))
            return
        self._buffer = data[used:] if used < len(data) else b""

    def _requests(self, data: bytes) -> int:
        """Handle every whole request in `data`; how many bytes that took."""
        start = 0
        while not self._is_done and start < len(data):
            end = data.find(b"\r\n\r\n", start)
            if end < 0:
                if len(data) - start > MAX_HEAD:
                    raise BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
                return start
            head = parse_head(data[start:end])
            body_start, body_end = end + 4, end + 4 + head.content_length
            if len(data) < body_end:
                self._continue(head)
                return start
            self._continued = False
            self._answer(head, data[body_start:body_end])
            start = body_end
        return start

    def _answer(self, head: Head, body: bytes) -> None:
        answer = self._handler(head, body)
        if answer is None:
            self._is_done = True
        elif answer.then is not After.KEEP:
            self._finish(answer)
        elif not head.is_keep_alive:
            self._finish(Answer(answer.data, After.CLOSE))
        else:
            self._line.put(self._transport, answer)

    def _finish(self, answer: Answer) -> None:
        self._is_done = True
        self._line.put(self._transport, answer)

    def _continue(self, head: Head) -> None:
        if head.expects_continue and not self._continued:
            self._continued = True
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
