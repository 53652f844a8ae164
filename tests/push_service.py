"""A browsers' push service on loopback, by HTTPS as the real ones, and the browsers that it knows.

It can take a message, refuse it, know the browser no more, fail, hang, or send us elsewhere.

Its host is let in as any other is, by the setting `push_hosts`; its certificate by the variable that `requests` reads.
"""

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from alerts.channels import vapid
from telecare.deploy import certificates

Behaviour = Literal["accept", "gone", "unknown", "refuse", "forbidden", "busy", "error", "hang", "elsewhere"]
STATUS = {
    "accept": 201, "gone": 410, "unknown": 404, "refuse": 400, "forbidden": 403, "busy": 429, "error": 503,
    "elsewhere": 307,
}  # fmt: skip
VAPID_KEY, VAPID_PUBLIC_KEY = vapid.new_pair()


def base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@dataclass
class Browser:
    """A browser that has subscribed: it alone can read what is sent to it."""

    service: "PushService"
    path: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    secret: bytes = b"0123456789abcdef"

    @property
    def endpoint(self) -> str:
        return f"{self.service.url}/{self.path}"

    @property
    def keys(self) -> dict[str, str]:
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {"p256dh": base64url(point), "auth": base64url(self.secret)}

    def read(self, raw: bytes) -> dict[str, Any]:
        """What was encrypted for it (RFC 8291)."""
        plain = http_ece.decrypt(raw, private_key=self.key, auth_secret=self.secret, version="aes128gcm")
        found: dict[str, Any] = json.loads(plain)
        return found

    def received(self) -> list[dict[str, Any]]:
        """Every message that its push service has for it."""
        return [self.read(raw) for path, _, raw in self.service.taken if path == self.path]


class PushService:
    """What it was given, and how it behaves: change `behaviour`, or that of one browser's path, at any time."""

    def __init__(self) -> None:
        self.behaviour: Behaviour = "accept"
        self.of: dict[str, Behaviour] = {}  # by path
        self.asked: list[str] = []  # paths, in order
        self.taken: list[tuple[str, dict[str, str], bytes]] = []  # path, headers, what was encrypted
        self.url = ""
        self._browsers: dict[str, Browser] = {}
        self._ended = threading.Event()

    def browser(self, path: str = "jo") -> Browser:
        """The browser with this address, always the same."""
        return self._browsers.setdefault(path, Browser(self, path))

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of a service that may use it."""
        return {
            "push_providers": "webpush", "vapid_key": VAPID_KEY, "vapid_contact": "mailto:office@example.org",
            "push_hosts": self.url.removeprefix("https://"),
        }  # fmt: skip


def _handler(service: PushService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw, path = self.rfile.read(int(self.headers.get("Content-Length", 0))), self.path.lstrip("/")
            service.asked.append(path)
            behaviour = service.of.get(path, service.behaviour)
            if behaviour == "hang":
                service._ended.wait(30)
                self.close_connection = True
                return
            if behaviour == "accept":
                service.taken.append((path, {name.lower(): value for name, value in self.headers.items()}, raw))
            self.send_response(STATUS[behaviour])
            if behaviour == "elsewhere":
                self.send_header("Location", f"{service.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


@contextmanager
def push_service(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PushService]:
    """One that listens; `folder` is an empty one for its certificate."""
    made = certificates.make(folder, "localhost", datetime.now(UTC))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(made.ca))
    service = PushService()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(service))
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    service.url = f"https://localhost:{server.server_address[1]}"
    try:
        yield service
    finally:
        service._ended.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
