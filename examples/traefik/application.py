"""A stand-in for the application: answers with the identity that reached it. Replace it by yours."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SHOWN = [
    "X-Keyhouse-Key",
    "X-Keyhouse-Key-Name",
    "X-Keyhouse-User",
    "X-Keyhouse-Email",
    "X-Keyhouse-Organization",
    "X-Keyhouse-Role",
    "X-Keyhouse-Teams",
    "X-Keyhouse-Permissions",
    "X-Keyhouse-Plan",
    "X-Keyhouse-Environment",
    "Authorization",
    "X-Api-Key",
    "MC-Api-Key",
]


class Application(BaseHTTPRequestHandler):
    def do_GET(self):
        body = "".join(f"{name}: {self.headers.get(name, '')}\n" for name in SHOWN).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("127.0.0.1", 8081), Application).serve_forever()
