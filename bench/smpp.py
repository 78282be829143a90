"""How many texts one bind carries over loopback: gateway against a bare loop of the same PDUs, in the same run."""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import time
from collections.abc import Sequence
from multiprocessing import Process, Queue
from pathlib import Path
from uuid import UUID

sys.path.insert(0, str(Path(__file__).parent.parent))

from consular.domain.ports import SendOutcome, SmsRequest
from consular.providers.smpp.compose import compose
from consular.providers.smpp.gateway import SmppGateway
from consular.providers.smpp.received import SmppReceipt, SmppText
from consular.providers.smpp.settings import SmppSettings
from consular.providers.smpp.wire import Command, Framer, frame_of

TEXT = "Leave the city by the eastern road now. Reply 1 safe, 2 need help. https://x.example/s/abcdefgh Ref K7Q2XM"
ARABIC = (
    "غادروا المدينة الآن من الطريق الشرقي. أجب: 1 = بخير، 2 = أحتاج مساعدة. https://x.example/s/abcdefgh Ref K7Q2XM"
)


def serve(port_queue: Queue[int]) -> None:
    """An SMSC that takes everything at once."""
    listener = socket.create_server(("127.0.0.1", 0))
    port_queue.put(listener.getsockname()[1])
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        framer, taken = Framer(), 0
        while data := connection.recv(262_144):
            answers = []
            for pdu in framer.feed(data):
                if pdu.command == Command.SUBMIT_SM:
                    taken += 1
                    answers.append(frame_of(Command.SUBMIT_SM_RESP, pdu.sequence, b"%08X\0" % taken))
                else:
                    answers.append(frame_of(pdu.command | 0x80000000, pdu.sequence, b"smsc\0"))
            connection.sendall(b"".join(answers))


def through_gateway(port: int, body: str, count: int, window: int) -> float:
    """Texts a second through SmppGateway."""
    gateway = SmppGateway(settings(port, window), keep)
    requests = [SmsRequest(UUID(int=n), f"+21891{n:07d}", body, 3600, time.monotonic() + 600) for n in range(count)]
    while not gateway.is_bound:
        gateway.poll(0.01)
    began, left, done = time.perf_counter(), iter(requests), 0
    while done < count:
        while gateway.in_flight < window and (request := next(left, None)):
            gateway.submit(request)
        results = gateway.poll(0.05)
        assert all(result.outcome is SendOutcome.ACCEPTED for result in results)
        done += len(results)
    seconds = time.perf_counter() - began
    gateway.close()
    return count / seconds


def bare(port: int, body: str, count: int, window: int) -> float:
    """Texts a second when prepared PDUs are only written and counted back."""
    bodies = compose(SmsRequest(UUID(int=1), "+218910000001", body, 3600, 0.0), settings(port, window).source, 7)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        out = back = 0
        total = count * len(bodies)
        framer = Framer()
        began = time.perf_counter()
        while back < total:
            room = min(window - (out - back), total - out)
            frames = [frame_of(Command.SUBMIT_SM, n + 1, bodies[n % len(bodies)]) for n in range(out, out + room)]
            connection.sendall(b"".join(frames))
            out += room
            back += len(list(framer.feed(connection.recv(262_144))))
        seconds = time.perf_counter() - began
    return count / seconds


def settings(port: int, window: int) -> SmppSettings:
    """One bind to the SMSC of this benchmark."""
    return SmppSettings("exercise", "127.0.0.1", port, "consular", "secret", "+218910000000", window=window)


def keep(items: Sequence[SmppReceipt | SmppText]) -> None:
    """Nothing is delivered here."""


def main() -> int:
    """Print the table and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--window", type=int, default=100)
    options = parser.parse_args()
    ports: Queue[int] = Queue()
    server = Process(target=serve, args=(ports,), daemon=True)
    server.start()
    port = ports.get(timeout=10)
    figures: dict[str, float | int] = {"window": options.window, "count": options.count, "cores": os.cpu_count() or 0}
    print(f"{'texts a second':<28}{'gateway':>10}{'bare':>10}{'share':>8}")
    for name, body in (("gsm7, one part", TEXT), ("ucs2, two parts", ARABIC)):
        own = max(through_gateway(port, body, options.count, options.window) for _ in range(3))
        plain = max(bare(port, body, options.count, options.window) for _ in range(3))
        print(f"{name:<28}{own:>10,.0f}{plain:>10,.0f}{own / plain:>8.0%}")
        figures[name.partition(",")[0]] = round(own)
        figures[f"{name.partition(',')[0]}_bare"] = round(plain)
    print(json.dumps({"bench": "smpp", **figures}))
    server.terminate()
    return 0


if __name__ == "__main__":
    sys.exit(main())
