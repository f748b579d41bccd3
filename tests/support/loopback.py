"""A real HTTP server on loopback that holds one file, serves it by ranges, and breaks off where a test wants it."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENT = bytes(range(256)) * 9000
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
MD5 = "md5:" + hashlib.md5(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Every path is the one file; a request in a proxy's form is answered too.

    asked: path and headers of each request. ranges: whether they are known. etag: empty for a server without one.
    statuses: answers before the file is given. cuts: bytes of each answer before the connection ends; -1 all.
    part_bytes: the longest part that a 206 gives. shift: added to where a 206 begins. ending: awaited before the end.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, Message]] = []
        self.content = CONTENT
        self.ranges = True
        self.etag = '"first"'
        self.statuses: list[int] = []
        self.cuts: list[int] = []
        self.part_bytes = len(CONTENT)
        self.shift = 0
        self.delay_s = 0.0
        self.ending = threading.Event()
        self.ending.set()

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def url(self) -> str:
        return f"{self.root}/tiny.onnx"

    def header(self, name: str) -> list[str | None]:
        """What each request so far said in one header."""
        return [headers.get(name) for _, headers in self.asked]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        server.asked.append((self.path, self.headers))
        time.sleep(server.delay_s)
        if server.statuses:
            self.send_error(server.statuses.pop(0))
            return
        start = self.wanted_start()
        if start is not None and start >= len(server.content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(server.content)}")
            self.end_headers()
            return
        body = server.content[start or 0 :]
        if start is None:
            self.send_response(200)
        else:
            body = body[: server.part_bytes]
            first = start + server.shift
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{first + len(body) - 1}/{len(server.content)}")
        self.send_header("Content-Length", str(len(body)))
        if server.etag:
            self.send_header("ETag", server.etag)
        self.end_headers()
        cut = server.cuts.pop(0) if server.cuts else -1
        self.wfile.write(body if cut < 0 else body[:cut])
        server.ending.wait(30)

    def do_CONNECT(self) -> None:
        """A proxy that is asked for a tunnel, and refuses."""
        self.server.asked.append((self.path, self.headers))
        self.send_error(403)

    def wanted_start(self) -> int | None:
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        changed = self.headers.get("If-Range", self.server.etag) != self.server.etag
        return int(wanted[1]) if wanted and self.server.ranges and not changed else None

    def log_message(self, *_: object) -> None: ...
