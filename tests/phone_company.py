"""A telephone company on loopback: GOV.UK Notify's addresses as its client uses them, and a gateway for our JSON.

It can take a message, refuse it, fail, hang, or take it and never say another word.
"""

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

Behaviour = Literal["accept", "refuse", "busy", "error", "hang", "nonsense", "deaf", "mute"]
KEY = f"test-{uuid.UUID(int=1)}-{uuid.UUID(int=2)}"  # an API key as Notify makes them
STATUS = {"accept": 201, "refuse": 400, "busy": 429, "error": 500, "nonsense": 200}


class PhoneCompany:
    """What it was given, and how it behaves; change `notify` or `gateway` at any time."""

    def __init__(self) -> None:
        self.notify: Behaviour = "accept"
        self.gateway: Behaviour = "accept"
        self.asked: list[str] = []  # the ways that were tried, in order: sms, email, gateway
        self.taken: list[dict[str, Any]] = []  # what it has taken: {"id", "via", "headers", "raw", **document}
        self.url = ""
        self._ended = threading.Event()

    def behave(self, via: str) -> Behaviour:
        return self.gateway if via == "gateway" else self.notify

    def take(self, via: str, raw: bytes, headers: dict[str, str]) -> str:
        given = str(uuid.uuid4())
        document = json.loads(raw)
        self.taken.append({"given": given, "via": via, "raw": raw, "headers": headers, "document": document})
        return given

    def texts(self) -> list[str]:
        """What its customers read or heard."""
        return [one["document"].get("body") or one["document"]["personalisation"]["message"] for one in self.taken]


def _handler(company: PhoneCompany) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            via = urlsplit(self.path).path.rsplit("/", 1)[-1]
            company.asked.append(via)
            behaviour = company.behave(via)
            if behaviour == "hang":
                company._ended.wait(30)
                self.close_connection = True
                return
            if behaviour in ("accept", "deaf", "mute"):
                given = company.take(via, raw, dict(self.headers))
                if behaviour == "mute":  # it has it, and does not say so
                    company._ended.wait(30)
                    self.close_connection = True
                    return
                if behaviour == "deaf":  # it has it, and the line breaks before it can say so
                    self.close_connection = True
                    return
                self._answer(201, json.dumps({"id": given}).encode())
            elif behaviour == "nonsense":
                self._answer(200, b"<html>welcome</html>")
            else:
                error = {"errors": [{"error": "Error", "message": "no"}], "status_code": STATUS[behaviour]}
                self._answer(STATUS[behaviour], json.dumps(error).encode())

        def do_GET(self) -> None:
            wanted = parse_qs(urlsplit(self.path).query).get("reference", [""])[0]
            found = [
                {"id": one["given"], "status": "sending"}
                for one in company.taken
                if one["document"].get("reference") == wanted
            ]
            self._answer(200, json.dumps({"notifications": found, "links": {}}).encode())

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


@contextmanager
def phone_company() -> Iterator[PhoneCompany]:
    """One that listens."""
    company = PhoneCompany()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(company))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    company.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield company
    finally:
        company._ended.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
