"""Load on one server: at full speed with wrk, and at a constant rate with load.rs.

wrk counts the responses that refuse; load.rs compares each response's status with the expected one. wrk sends the next
request of a connection after the last response, so it shows what a request costs, but not how long requests wait at a
given rate.
"""

import dataclasses
import http.client
import subprocess

from .process import Failed, end, run

# Time after a load in which wrk has to end.
END_SECONDS_MAX = 60
# wrk counts a status from 400 on as an error.
SCRIPT = """
local file, requests, at = io.open("{orders}", "rb"), {{}}, 0
for line in file:lines() do
    requests[#requests + 1] = file:read(tonumber(line:match("^%d+")))
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
    # The files that `orders` has written. A copy of the request gets its own.
    files: dict = dataclasses.field(default_factory=dict, init=False)

    def bytes_with(self, text, port):
        """The bytes of the request with one key, which is in the middle of the head.

        wrk keeps its requests as strings of LuaJIT, whose hash reads four bytes in the middle, at the ends and at the
        first quarter. Thousands of requests that differ elsewhere have one hash, and wrk needs minutes to start.
        """
        body = (self.body or "").replace("KEY", text)
        lines = [f"{self.method} {self.path} HTTP/1.1"]
        lines += [] if "Host" in self.headers else [f"Host: 127.0.0.1:{port}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        lines += [f"Content-Length: {len(body)}"] if body else []
        if self.header:
            before = [sum(map(len, lines[:place])) for place in range(1, len(lines) + 1)]
            middle = min(before, key=lambda length: abs(2 * length - before[-1]))
            lines.insert(before.index(middle) + 1, f"{self.header}: {text}")
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    def orders(self, folder, port, statuses=(0,)):
        """The file with all requests that both tools send in turn: their lengths, expected statuses and bytes."""
        file = self.files.get((port, *statuses))
        if not file:
            file = folder / f"orders-{id(self)}-{port}-{statuses[0]}"
            with open(file, "wb") as output:
                for place, text in enumerate(self.texts):
                    sent = self.bytes_with(text, port)
                    output.write(b"%d %d\n" % (len(sent), statuses[place % len(statuses)]) + sent)
            self.files[(port, *statuses)] = file
        return file

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
    script = folder / "request.lua"
    script.write_text(SCRIPT.format(orders=request.orders(folder, port)))
    address = f"http://127.0.0.1:{port}"
    words = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", script, address]
    output = run("wrk", *words, timeout=seconds + END_SECONDS_MAX)
    line = next(line for line in output.splitlines() if line.startswith("@ "))
    requests, microseconds, refused, *broken = map(int, line.split()[1:])
    if any(broken):
        raise Failed(f"connect, read, write, timeout errors of {address}{request.path}: {broken}")
    return Count(requests, refused, microseconds / 1e6)


def cpu_at_full_speed(servers, port, request, options):
    """What `at_full_speed` measured, and the CPU microseconds of all `servers` per request."""
    before = sum(server.cpu_seconds() for server in servers)
    count = at_full_speed(port, request, options.folder, options.seconds)
    used = sum(server.cpu_seconds() for server in servers) - before
    return count, used / count.requests * 1e6


@dataclasses.dataclass
class Waits:
    """Response times at a constant rate, in microseconds from the moment at which a request was due."""

    requests: int
    seconds: float
    p50: float
    p99: float
    p999: float


class ConstantRate:
    """A running load at a constant rate. Leaving the `with` block ends it."""

    def __init__(self, tool, port, request, expected, folder, rate, seconds, connections=64):
        self.what = f"{request.path} at {rate}/s"
        orders = request.orders(folder, port, expected)
        words = [tool, f"127.0.0.1:{port}", rate, seconds, connections, orders]
        self.process = subprocess.Popen(
            list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)

    def result(self):
        """Waits for the end of the load."""
        output, errors = self.process.communicate()
        if self.process.returncode:
            raise Failed(f"{self.what}: {errors.strip()}")
        requests, seconds, p50, p99, p999 = output.split()
        return Waits(int(requests), float(seconds), float(p50), float(p99), float(p999))


def at_constant_rate(*arguments, **options):
    """Requests that are due at fixed moments, whether or not earlier ones have been answered."""
    with ConstantRate(*arguments, **options) as running:
        return running.result()
