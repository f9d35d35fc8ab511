"""Clouds on loopback: moto with the account of examples/diagrams/tests/moto, and a server that plays Azure.

Prints one line of JSON with the address of each when both are ready, and ends when its input ends. Azure's server answers
for every subscription, with the resources of examples/diagrams/tests/clouds/azure/rows.json.
"""

import http.server
import json
import pathlib
import subprocess
import sys
import threading

from moto.server import ThreadedMotoServer

TESTS = pathlib.Path(__file__).resolve().parents[3] / "examples/diagrams/tests"
ROWS = (TESTS / "clouds/azure/rows.json").read_text()
SUBSCRIPTION, LOCATION = "33333333-3333-4333-8333-333333333333", "westeurope"
TOKEN = "a-token"


class Azure(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path.endswith("/oauth2/v2.0/token"):
            self.answer(200, {"token_type": "Bearer", "expires_in": 3600, "access_token": TOKEN})
        elif self.headers["Authorization"] != f"Bearer {TOKEN}":
            self.answer(401, {"error": {"code": "InvalidAuthenticationToken", "message": "no token"}})
        else:
            [subscription] = json.loads(body)["subscriptions"]
            rows = ROWS.replace(SUBSCRIPTION, subscription).replace(LOCATION, "eastus")
            self.answer(200, {"data": json.loads(rows)})

    def answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *arguments):
        pass


aws = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
aws.start()
aws_url = "http://{}:{}".format(*aws.get_host_and_port())
subprocess.run([sys.executable, TESTS / "moto/account.py", aws_url], check=True, stdin=subprocess.DEVNULL)

azure = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Azure)
threading.Thread(target=azure.serve_forever, daemon=True).start()
azure_url = "http://{}:{}".format(*azure.server_address)

print(json.dumps({"aws": aws_url, "azure": azure_url}), flush=True)
sys.stdin.read()
