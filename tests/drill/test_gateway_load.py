"""The practice gateway must never be what a benchmark measures."""

import socket
import threading

from tests.drill.test_gateway_http import post

TEXTS = 4_000


def test_a_text_costs_the_lean_gateway_little_processor_time(start):
    gateway = start("--profile", "lean", "--latency-ms", "80")
    before = gateway.stats()["cpu_seconds"]
    texts = b"".join([post(f"2189112{number:05d}") for number in range(TEXTS - 1)])
    texts += post("218921234567", "Connection: close\r\n")
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as connection:
        sender = threading.Thread(target=connection.sendall, args=(texts,))
        sender.start()
        answers = b"".join(iter(lambda: connection.recv(1 << 20), b""))
        sender.join()
    assert answers.count(b"HTTP/1.1 201 Created\r\n") == TEXTS
    stats = gateway.stats()
    assert stats["accepted"] == TEXTS
    assert (stats["cpu_seconds"] - before) / TEXTS < 150e-6
