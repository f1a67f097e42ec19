"""A local server of files that can misbehave."""

from __future__ import annotations

import http.server
import threading
from contextlib import contextmanager


@contextmanager
def serving(content: bytes, *faults: str):
    """The address of a server that gives `content`, after one fault for each of the first requests.

    Faults are "truncated", "corrupt", "404", "html" and "dies"; the last one holds for all later requests if it ends
    with "!". Yields the address and the list of requests.
    """
    requests: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            fault = faults[min(len(requests), len(faults) - 1)] if faults else ""
            if len(requests) >= len(faults) and not fault.endswith("!"):
                fault = ""
            requests.append(self.path)
            self.answer(fault.rstrip("!"))

        def answer(self, fault):
            if fault == "404":
                self.send_error(404)
                return
            body = {
                "corrupt": bytes([content[0] ^ 1]) + content[1:],
                "html": b"<html>log in first</html>",
                "truncated": content[:-7],
            }.get(fault, content)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if fault == "dies" else body)
            if fault == "dies":
                self.wfile.flush()
                self.connection.close()

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        server.server_close()
