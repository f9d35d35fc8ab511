"""What a request costs: checks of Keyhouse beside nginx and HAProxy that only answer.

nginx returns 200 without deciding anything, and HAProxy looks the key up in a map of 100,000 keys. All servers get the
same headers, those that the nginx example sends with a check, on the same number of connections; only /v1/verify gets
a POST with a body. nginx has one worker, with which it needs the least CPU time per request; HAProxy and Keyhouse have
a thread for each core.
"""

import contextlib
import dataclasses
import json

from . import load
from .figures import Goal, Row, Table, ratios
from .keyhouse import Keyhouse, key_texts, with_keys
from .process import Failed, Program, free_port

MAP_KEYS = 100_000
# Number of distinct keys that the mixed load presents, of all that Keyhouse has. Every tenth key is unknown.
PRESENTED_MAX = 200_000
UNKNOWN_EVERY = 10
RATE = 10_000
# What the nginx example sends with a check.
HEADERS = {
    "User-Agent": "curl/8.5.0",
    "X-Forwarded-Method": "GET",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "api.example.com",
    "X-Forwarded-Uri": "/orders/7",
    "X-Forwarded-For": "192.0.2.7",
}
FORWARD_AUTH = "/v1/forward-auth/default"
# For every check of Keyhouse.
CPU_GOAL, WAIT_GOAL = Goal(1.40), Goal(1.50)
NGINX = """daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    server {{
        listen 127.0.0.1:{port};
        {listen}
        location / {{ return {status}; }}
    }}
}}
"""
HAPROXY = """global
    maxconn 4000
defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 2s
frontend checks
    bind 127.0.0.1:{port}
    http-request return status 200 if {{ req.hdr(x-api-key),map_str({folder}/keys.map) -m found }}
    http-request return status 401
"""


@dataclasses.dataclass
class Target:
    """A request to one server, with the status that each of its keys expects, in turn."""

    name: str
    server: Program
    request: load.Request
    statuses: list = dataclasses.field(default_factory=lambda: [200])
    # What a response with status 200 contains, in lower case, in a header or in its body, if its server decides.
    proof: str = ""
    goal_applies: bool = True

    def verify(self):
        """Compares one response for each expected status."""
        for text, status in zip(self.request.texts, self.statuses):
            answered, headers, body = self.request.ask(self.server.port, text)
            if answered != status or status == 200 and self.proof not in f"{headers}{body}".lower():
                raise Failed(f"{self.name}: {answered} instead of {status}, or no {self.proof!r}:\n{headers}{body}")

    def measure(self, options):
        """CPU microseconds per request, and requests per second, at full speed."""
        count, cpu = load.cpu_at_full_speed([self.server], self.server.port, self.request, options)
        refused = sum(status > 399 for status in self.statuses) / len(self.statuses) * count.requests
        # A load ends in the middle of the texts, with a request on each connection.
        if abs(count.refused - refused) > (64 if 0 < refused < count.requests else 0):
            raise Failed(f"{self.name}: {count.refused} of {count.requests} were refused, expected {refused:.0f}")
        return cpu, count.requests / count.seconds


def start_nginx(folder, status, listen=""):
    """nginx that always answers `status`, on a port and on what the line `listen` adds."""
    port = free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(NGINX.format(port=port, folder=folder, status=status, listen=listen))
    command = ["nginx", "-e", "stderr", "-p", folder, "-c", configuration]
    return Program(command, folder / "nginx.log", port).wait_for_port()


def start_haproxy(folder):
    port = free_port()
    with open(folder / "keys.map", "w", encoding="ascii") as file:
        file.writelines(f"{text} 1\n" for text in key_texts(MAP_KEYS))
    configuration = folder / "haproxy.cfg"
    configuration.write_text(HAPROXY.format(port=port, folder=folder))
    return Program(["haproxy", "-f", configuration], folder / "haproxy.log", port).wait_for_port()


def mixed(keys):
    """Texts spread over all keys, every tenth of them unknown, and the status that each expects."""
    step = max(1, keys // PRESENTED_MAX)
    known = [text for number, text in enumerate(key_texts(keys)) if number % step == 0]
    unknown = list(key_texts(len(known) // UNKNOWN_EVERY + 1, seed=1))
    for number in range(0, len(known), UNKNOWN_EVERY):
        known[number] = unknown[number // UNKNOWN_EVERY]
    whole = len(known) - len(known) % UNKNOWN_EVERY
    return known[:whole], [401] + [200] * (UNKNOWN_EVERY - 1)


def targets(nginx, haproxy, keyhouse, keys):
    """Everything that is measured. The first is the baseline."""
    first = next(key_texts(1))
    unknown = next(key_texts(1, seed=1))
    several, statuses = mixed(keys)
    identity = "x-keyhouse-key: key_"
    caller = keyhouse.create_key("keyhouse:keys:verify")
    check = load.Request(FORWARD_AUTH, [first], headers=HEADERS)
    with_path = {**HEADERS, "Host": "api.example.com"}
    verify = load.Request(
        "/v1/verify", [first], header="", method="POST", body=json.dumps({"key": "KEY"}),
        headers={"Authorization": f"Bearer {caller}", "Content-Type": "application/json"},
    )
    return [
        Target("nginx `return 200`", nginx, check, goal_applies=False),
        Target("HAProxy, map of 100,000 keys", haproxy, check, goal_applies=False),
        Target("/healthz", keyhouse, dataclasses.replace(check, path="/healthz"), goal_applies=False),
        Target("forward-auth, valid", keyhouse, check, proof=identity),
        Target("forward-auth, refused", keyhouse, dataclasses.replace(check, texts=[unknown]), [401]),
        Target(f"forward-auth, {keys:,} keys, 1 of 10 refused", keyhouse,
               dataclasses.replace(check, texts=several), statuses, identity),
        Target("ext-authz, valid", keyhouse,
               dataclasses.replace(check, path="/v1/ext-authz/default/orders/7", headers=with_path), proof=identity),
        Target("/v1/verify, valid", keyhouse, verify, proof='"valid":true'),
    ]


def run(options):
    keys = options.keys
    data = with_keys(options, keys)
    with contextlib.ExitStack() as stack:
        nginx = stack.enter_context(start_nginx(options.folder, 200))
        haproxy = stack.enter_context(start_haproxy(options.folder))
        keyhouse = stack.enter_context(Keyhouse(options.binary, data, options.folder / "keyhouse.log"))
        everything = targets(nginx, haproxy, keyhouse, keys)
        for target in everything:
            target.verify()
        cpu, speed = {target.name: [] for target in everything}, {target.name: [] for target in everything}
        for number in range(options.rounds):
            options.say(f"round {number + 1} of {options.rounds}")
            for target in everything:
                used, rate = target.measure(options)
                cpu[target.name].append(used)
                speed[target.name].append(rate)
        waits = constant_rate(options, [everything[at] for at in (0, 1, 3, 5)])
    base = everything[0].name
    with_goal = {target.name for target in everything if target.goal_applies}
    about = f"64 connections, {options.seconds} s a round, {keys:,} keys."
    return [
        Table("CPU of the server per request", "us", [
            Row(name, values, ratios(values, cpu[base]) if name != base else [],
                CPU_GOAL if name in with_goal else None)
            for name, values in cpu.items()
        ], "nginx", about),
        Table("Requests per second, with the client on the same cores", "1/s", [
            Row(name, values) for name, values in speed.items()
        ]),
        Table(f"99th percentile of the response time at {RATE:,} requests per second", "us", [
            Row(name, values, ratios(values, waits[base]) if name != base else [],
                WAIT_GOAL if name in with_goal else None)
            for name, values in waits.items()
        ], "nginx", "Times count from the moment at which a request was due, whether or not earlier responses had "
                    "arrived. The client polls its connections on one core.", needs_quiet=True),
    ]


def constant_rate(options, some):
    waits = {target.name: [] for target in some}
    for number in range(options.rounds):
        options.say(f"constant rate, round {number + 1} of {options.rounds}")
        for target in some:
            measured = load.at_constant_rate(
                options.load, target.server.port, target.request, target.statuses, options.folder, RATE,
                options.seconds,
            )
            waits[target.name].append(measured.p99)
    return waits
