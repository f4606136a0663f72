"""A server on loopback that speaks as much of Amazon S3's REST protocol as a file store needs.

Objects with PUT, GET (also of a range), HEAD and DELETE, and uploads in parts. Every request must be signed
(Signature Version 4), and a body must be the one that was signed.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

ACCESS_KEY, SECRET_KEY, BUCKET = "AKIDLOOPBACK", "a-secret-of-the-tests", "models"


class LoopbackS3(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        self.calls: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: LoopbackS3

    def log_message(self, *_: object) -> None:
        """Silent."""

    def _asked(self) -> tuple[str, dict[str, list[str]], bytes]:
        address = urlsplit(self.path)
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        signed = self.headers.get("x-amz-content-sha256", "")
        credential = self.headers.get("Authorization", "")
        good = credential.startswith(f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/")
        if not good or signed not in (hashlib.sha256(body).hexdigest(), "UNSIGNED-PAYLOAD"):
            self._answer(403, b"<Error><Code>AccessDenied</Code></Error>")
            return "", {}, b""
        self.server.calls.append((self.command, address.path))
        key = unquote(address.path).removeprefix(f"/{BUCKET}/")
        return key, parse_qs(address.query, keep_blank_values=True), body

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_PUT(self) -> None:
        key, query, body = self._asked()
        if not key:
            return
        if "uploadId" in query:
            self.server.parts[query["uploadId"][0]][int(query["partNumber"][0])] = body
        else:
            self.server.objects[key] = body
        self._answer(200, ETag=f'"{hashlib.md5(body).hexdigest()}"')

    def do_POST(self) -> None:
        key, query, _ = self._asked()
        if not key:
            return
        if "uploads" in query:
            upload = f"upload-{len(self.server.parts)}"
            self.server.parts[upload] = {}
            kind = "InitiateMultipartUploadResult"
            self._answer(200, f"<{kind}><UploadId>{upload}</UploadId></{kind}>".encode())
            return
        parts = self.server.parts.pop(query["uploadId"][0])
        self.server.objects[key] = b"".join(parts[number] for number in sorted(parts))
        self._answer(200, b"<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>")

    def do_GET(self) -> None:
        key, _, _ = self._asked()
        if not key:
            return
        found = self.server.objects.get(key)
        if found is None:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            return
        asked = self.headers.get("Range", "")
        if asked.startswith("bytes="):
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, end = int(first), min(int(last or len(found)), len(found) - 1)
            told = f"bytes {start}-{end}/{len(found)}"
            self._answer(206, found[start : end + 1], Content_Range=told, ETag='"x"')
        else:
            self._answer(200, found, ETag='"x"')

    def do_HEAD(self) -> None:
        key, _, _ = self._asked()
        found = self.server.objects.get(key)
        if found is None:
            self._answer(404)
        else:
            self._answer(200, Content_Length=str(len(found)), ETag='"x"', Last_Modified=_LONG_AGO)

    def do_DELETE(self) -> None:
        key, _, _ = self._asked()
        self.server.objects.pop(key, None)
        self._answer(204)


_LONG_AGO = "Thu, 01 Jan 2026 00:00:00 GMT"


@contextmanager
def running_s3() -> Iterator[LoopbackS3]:
    server = LoopbackS3()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def s3() -> Iterator[LoopbackS3]:
    with running_s3() as server:
        yield server
