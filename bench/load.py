"""A load generator: publications prepared beforehand, sent at QoS 1 as fast as the broker acknowledges them."""

import multiprocessing
import select
import socket
import time
from collections.abc import Sequence
from typing import Any, Final

from ingest import mqtt_reader
from ingest.mqtt_reader import Kind, PacketReader
from telecare.settings import parse_mqtt_url

_WINDOW: Final = 1000  # publications under way on one connection
_CHUNK: Final = 1 << 18  # bytes
_PACKET_IDS: Final = 65_535
_TICK_S: Final = 0.005  # at a given rate, packets are sent this often


def publication(topic: str, payload: bytes, number: int) -> bytes:
    """A PUBLISH at QoS 1; `number` counts from 0 on its connection."""
    raw = topic.encode()
    body = len(raw).to_bytes(2) + raw + (number % _PACKET_IDS + 1).to_bytes(2) + b"\x00" + payload
    return b"\x32" + mqtt_reader._variable(len(body)) + body


def connect(url: str, client_id: str) -> tuple[socket.socket, PacketReader]:
    """A connection that the broker has accepted.

    Raises:
        ConnectionError: it has not.
    """
    parts = parse_mqtt_url(url)
    link = socket.create_connection((parts.host, parts.port), timeout=30)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link.sendall(
        mqtt_reader.connect(
            client_id, parts.username, parts.password, keepalive_s=0, session_s=0, receive_maximum=_PACKET_IDS
        )
    )
    reader = PacketReader(1)
    while not (answers := reader.feed(link.recv(_CHUNK))[1]):
        pass
    if mqtt_reader.refusal(answers[0]) is not None:
        raise ConnectionError("the broker refuses us")
    return link, reader


def send_all(
    url: str, client_id: str, packets: Sequence[bytes], begin: Any = None, per_s: float | None = None
) -> float:
    """Send all, and wait for every acknowledgement; seconds that it took.

    `begin` is waited for, once connected. `per_s` packets are offered a second; without it, as many as are
    acknowledged.

    Raises:
        TimeoutError: the broker acknowledges nothing for 30 s.
    """
    link, reader = connect(url, client_id)
    if begin is not None:
        begin.wait()
    begun = heard = time.perf_counter()
    sent = acknowledged = 0
    while acknowledged < len(packets):
        due = len(packets) if per_s is None else int((time.perf_counter() - begun) * per_s)
        room = min(acknowledged + _WINDOW, len(packets), due)
        if sent < room:
            link.sendall(b"".join(packets[sent:room]))
            sent = room
        # Several acknowledgements at a time, so that the window is filled in large pieces.
        if select.select([link], [], [], 30 if per_s is None else _TICK_S)[0]:
            acknowledged += sum(control.kind == Kind.PUBACK for control in reader.feed(link.recv(_CHUNK))[1])
            heard = time.perf_counter()
        elif time.perf_counter() - heard > 30 and acknowledged < sent:
            raise TimeoutError(f"{acknowledged} of {len(packets)} acknowledged, and nothing for 30 s")
        if per_s is not None:
            time.sleep(_TICK_S)
    link.sendall(mqtt_reader.DISCONNECT)
    link.close()
    return time.perf_counter() - begun


class Load:
    """Connections of their own processes, which begin together."""

    def __init__(
        self, url: str, name: str, by_connection: Sequence[Sequence[bytes]], per_s: float | None = None
    ) -> None:
        """`per_s` packets a second from all together; without it, as fast as they are acknowledged."""
        each = None if per_s is None else per_s / len(by_connection)
        context = multiprocessing.get_context("fork")
        self._begin = context.Event()
        self._workers = [
            context.Process(target=send_all, args=(url, f"{name}-{number}", packets, self._begin, each))
            for number, packets in enumerate(by_connection)
        ]
        for worker in self._workers:
            worker.start()

    def begin(self) -> None:
        """Send."""
        self._begin.set()

    @property
    def running(self) -> bool:
        """Whether acknowledgements are still waited for."""
        return any(worker.is_alive() for worker in self._workers)

    def kill(self) -> None:
        """End at once, whatever has been sent."""
        for worker in self._workers:
            worker.kill()
            worker.join()

    def end(self) -> None:
        """Wait for the processes.

        Raises:
            ChildProcessError: one of them failed.
        """
        for worker in self._workers:
            worker.join()
        if any(worker.exitcode for worker in self._workers):
            raise ChildProcessError("a connection of the load failed")
