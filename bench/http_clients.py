"""The gateway's client alone: messages per second and CPU per message, against a server that costs next to nothing.

python bench/http_clients.py [--messages 20000] [--at-once 1000] [--delay-ms 80]
"""

import argparse
import asyncio
import json
import multiprocessing
import socket
import sys
import time
from collections import deque
from typing import cast
from uuid import UUID, uuid4

from consular.domain.ports import SmsRequest
from consular.providers.twilio.gateway import TwilioGateway
from consular.providers.twilio.settings import TwilioSettings

ACCOUNT = "AC" + "1" * 32
TEXT = (
    "Consular alert for Libya: leave the city by the road to Ras Ajdir before 18:00. Reply 1 if you are safe, 2 if you "
    "need help. https://consular.example/s/AbCdEfGhIjKlMnOp Ref K7Q2XM"
)
CREATED = {
    "sid": "SM" + "0" * 32,
    "account_sid": ACCOUNT,
    "status": "queued",
    "to": "+218912345678",
    "from": "+15557122661",
    "body": TEXT,
    "date_created": "Sun, 20 Feb 2011 12:00:00 +0000",
    "direction": "outbound-api",
    "error_code": None,
    "num_segments": "2",
    "uri": f"/2010-04-01/Accounts/{ACCOUNT}/Messages/SM.json",
}
BODY = json.dumps(CREATED).encode()
ANSWER = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY


class LeanGateway(asyncio.Protocol):
    """Reads just enough of a request to know where it ends, and puts its answer into the queue of answers due."""

    def __init__(self, due: deque[tuple[float, asyncio.Transport]], delay_seconds: float) -> None:
        self._due = due
        self._delay = delay_seconds
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._data += data
        head_ends = self._data.find(b"\r\n\r\n")
        if head_ends < 0:
            return
        length_at = self._data.find(b"Content-Length: ") + 16
        length = int(self._data[length_at : self._data.find(b"\r", length_at)])
        if len(self._data) >= head_ends + 4 + length:
            self._data = b""
            self._due.append((time.monotonic() + self._delay, self._transport))


async def answer_when_due(listener: socket.socket, delay_seconds: float) -> None:
    due: deque[tuple[float, asyncio.Transport]] = deque()
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: LeanGateway(due, delay_seconds), sock=listener, backlog=4096)
    while True:
        now = time.monotonic()
        while due and due[0][0] <= now:
            due.popleft()[1].write(ANSWER)
        await asyncio.sleep(0.001)


def serve(listener: socket.socket, delay_seconds: float) -> None:
    if sys.platform != "win32":
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(answer_when_due(listener, delay_seconds))


def callback_url(attempt_id: UUID) -> str:
    return f"https://consular.example/webhooks/twilio/status/{attempt_id}?k=0123456789abcdef0123456789abcdef"


def measure(port: int, messages: int, at_once: int) -> dict[str, float]:
    settings = TwilioSettings(
        "exercise", f"http://127.0.0.1:{port}", ACCOUNT, "token", "+15557122661", is_exercise=True, concurrency=at_once
    )
    gateway = TwilioGateway(settings, callback_url)
    lease = time.monotonic() + 3600
    requests = [SmsRequest(uuid4(), f"+21891{number:07}", TEXT, 3600, lease) for number in range(messages)]
    waiting, outcomes = iter(requests), dict[str, int]()
    wall, cpu = time.perf_counter(), time.process_time()
    while sum(outcomes.values()) < messages:
        while gateway.in_flight < at_once and (request := next(waiting, None)):
            gateway.submit(request)
        for result in gateway.poll(1.0):
            outcomes[result.outcome] = outcomes.get(result.outcome, 0) + 1
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    gateway.close()
    assert outcomes == {"accepted": messages}, outcomes
    return {"messages_per_s": round(messages / wall), "cpu_us_per_message": round(cpu / messages * 1e6, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--at-once", type=int, default=1_000)
    parser.add_argument("--delay-ms", type=float, default=80)
    options = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    server = multiprocessing.Process(target=serve, args=(listener, options.delay_ms / 1000), daemon=True)
    server.start()
    runs = [measure(listener.getsockname()[1], options.messages, options.at_once) for _ in range(3)]
    server.terminate()
    median = sorted(runs, key=lambda run: run["messages_per_s"])[1]
    rate, cost = median["messages_per_s"], median["cpu_us_per_message"]
    print(f"{options.at_once} at once, {options.delay_ms:g} ms: {rate:,} messages/s, {cost} us of CPU each")
    print(json.dumps({"bench": "http_clients", **vars(options), **median}))


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    main()
