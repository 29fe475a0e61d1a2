"""A program in place of a service: ready at once, it answers every request with what it saw.

Told `fail`, it ends before it serves.
"""

import http.server
import json
import os
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.read_body()
        seen = {"service": os.environ["PLAZO_SERVICE"], "path": self.path, "bytes": len(body), "pid": os.getpid()}
        reply = json.dumps({**seen, "headers": {name.lower(): value for name, value in self.headers.items()}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def read_body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = bytearray()
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        return body

    do_POST = do_GET  # noqa: N815 - the names http.server calls

    def log_message(self, *_args):
        """Say nothing."""


if __name__ == "__main__":
    if "fail" in sys.argv:
        sys.exit("no such table: tickets")
    host, port = os.environ["PLAZO_LISTEN"].split(":")
    http.server.ThreadingHTTPServer((host, int(port)), Handler).serve_forever()
