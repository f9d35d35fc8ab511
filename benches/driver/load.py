"""Load on one server: at full speed with wrk, and at a constant rate with load.rs.

Both verify each response's status. wrk sends the next request of a connection after the last response, so it shows
what a request costs, but not how long requests wait at a given rate.
"""

import dataclasses
import http.client
import json
import subprocess

from .process import Failed, run

# wrk's own summary counts a status from 400 on as refused.
SCRIPT = """
local texts = {{}}
for line in io.lines("{texts}") do texts[#texts + 1] = line end
local header, template, body = "{header}", {template}, {body}
local requests, at = {{}}, 0

init = function()
    for place, text in ipairs(texts) do
        local headers = {headers}
        if header ~= "" then headers[header] = text end
        requests[place] = wrk.format("{method}", "{path}", headers, template and body:gsub("KEY", text) or body)
    end
end

request = function()
    at = at % #requests + 1
    return requests[at]
end

done = function(summary)
    local errors = summary.errors
    io.write(string.format("@ %d %d %d %d %d %d %d\\n", summary.requests, summary.duration, errors.status,
        errors.connect, errors.read, errors.write, errors.timeout))
end
"""


@dataclasses.dataclass
class Request:
    """A request that differs only in the key that it carries: in a header, or in place of KEY in the body."""

    path: str
    texts: list
    header: str = "X-Api-Key"
    headers: dict = dataclasses.field(default_factory=dict)
    method: str = "GET"
    body: str = None

    def head_and_body(self, text, host):
        """The bytes of the request with one key."""
        body = (self.body or "").replace("KEY", text)
        lines = [f"{self.method} {self.path} HTTP/1.1"]
        lines += [] if "Host" in self.headers else [f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        lines += [f"{self.header}: {text}"] if self.header else []
        lines += [f"Content-Length: {len(body)}"] if body else []
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    def ask(self, port, text=None):
        """Sends the request once, and returns the status, the headers and the body of the response."""
        text = self.texts[0] if text is None else text
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        headers = {**self.headers, **({self.header: text} if self.header else {})}
        try:
            connection.request(self.method, self.path, (self.body or "").replace("KEY", text) or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()


@dataclasses.dataclass
class Count:
    """What a load measured."""

    requests: int
    refused: int
    seconds: float


def at_full_speed(port, request, folder, seconds, connections=64):
    """wrk with one thread: each connection sends its next request after the response to the last."""
    texts, script = folder / "texts.txt", folder / "request.lua"
    texts.write_text("\n".join(request.texts) + "\n")
    script.write_text(SCRIPT.format(
        texts=texts, header=request.header or "", method=request.method, path=request.path,
        headers="{" + ", ".join(f"[{json.dumps(n)}] = {json.dumps(v)}" for n, v in request.headers.items()) + "}",
        template="true" if request.body and "KEY" in request.body else "false",
        body=f"[==[{request.body}]==]" if request.body else "nil",
    ))
    address = f"http://127.0.0.1:{port}"
    output = run("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", script, address)
    line = next(line for line in output.splitlines() if line.startswith("@ "))
    requests, microseconds, refused, *broken = map(int, line.split()[1:])
    if any(broken):
        raise Failed(f"connect, read, write, timeout errors of {address}{request.path}: {broken}")
    return Count(requests, refused, microseconds / 1e6)


@dataclasses.dataclass
class Waits:
    """Response times at a constant rate, in microseconds from the moment at which a request was due."""

    requests: int
    seconds: float
    p50: float
    p99: float
    p999: float


class ConstantRate:
    """A running load at a constant rate."""

    def __init__(self, tool, port, request, expected, folder, rate, seconds, connections=64):
        self.what = f"{request.path} at {rate}/s"
        orders = folder / f"orders-{port}-{rate}"
        with open(orders, "wb") as file:
            for place, text in enumerate(request.texts):
                sent = request.head_and_body(text, f"127.0.0.1:{port}")
                file.write(b"%d %d\n" % (len(sent), expected[place % len(expected)]) + sent)
        words = [tool, f"127.0.0.1:{port}", rate, seconds, connections, orders]
        self.process = subprocess.Popen(
            list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def result(self):
        """Waits for the end of the load."""
        output, errors = self.process.communicate()
        if self.process.returncode:
            raise Failed(f"{self.what}: {errors.strip()}")
        requests, seconds, p50, p99, p999 = output.split()
        return Waits(int(requests), float(seconds), float(p50), float(p99), float(p999))


def at_constant_rate(*arguments, **options):
    """Requests that are due at fixed moments, whether or not earlier ones have been answered."""
    return ConstantRate(*arguments, **options).result()
