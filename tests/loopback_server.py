"""The HTTP server under the loopback fixtures: a thread a connection, and room for many that come at once."""

from __future__ import annotations

from http.server import ThreadingHTTPServer


class LoopbackServer(ThreadingHTTPServer):
    """Room for a burst of connections, as a provider has; http.server lets five wait, and resets more."""

    request_queue_size = 256
    daemon_threads = True
