"""What changes cost: creations, imports, revocations, and changes beside checks.

Every change is durable before its response. Creations are requests to `POST /v1/keys` on so many connections. An import
is the command `keyhouse import` beside a running server. A revocation counts the requests with the revoked key that
were sent after the response to the revocation and passed nonetheless. The rate limit on changes is off.
"""

import contextlib
import http.client
import json
import threading
import time

from . import load
from .figures import Goal, Row, Table, ratios
from .http import FORWARD_AUTH, HEADERS
from .keyhouse import Keyhouse
from .process import Failed

CLIENTS = 32
IMPORTED = 20_000
REVOCATIONS = 40
CHECKERS = 4
CHECKS_A_SECOND = 50_000
CHANGES_A_SECOND = 50
CLIENTS_GOAL = Goal(20, at_least=True)
IMPORT_GOAL = Goal(30_000, at_least=True, unit="keys/s")
CHANGE_GOAL = Goal(5, unit="ms")
PERMISSIONS = ["keyhouse:keys:create", "keyhouse:keys:manage", "keyhouse:keys:read"]


def run(options):
    with contextlib.ExitStack() as stack:
        keyhouse = stack.enter_context(
            Keyhouse(options.binary, options.folder / "data", options.folder / "keyhouse.log")
        )
        manager = keyhouse.create_key(*PERMISSIONS)
        create = load.Request(
            "/v1/keys", [manager], header="", method="POST", body=json.dumps({"name": "bot"}),
            headers={"Authorization": f"Bearer {manager}", "Content-Type": "application/json"},
        )
        return [
            creations(options, keyhouse, create),
            imports(options),
            revocations(options, keyhouse, manager),
            *beside_checks(options, keyhouse, create),
        ]


def creations(options, keyhouse, create):
    speeds = {1: [], CLIENTS: []}
    for number in range(options.rounds):
        options.say(f"creations, round {number + 1} of {options.rounds}")
        for clients, values in speeds.items():
            count = load.at_full_speed(keyhouse.port, create, options.folder, options.seconds, clients)
            if count.refused:
                raise Failed(f"{count.refused} of {count.requests} creations were refused")
            values.append(count.requests / count.seconds)
    return Table("Durable creations per second", "1/s", [
        Row("1 client", speeds[1]),
        Row(f"{CLIENTS} clients", speeds[CLIENTS], ratios(speeds[CLIENTS], speeds[1]), CLIENTS_GOAL),
    ], "one client")


def imports(options):
    speeds = []
    for number in range(options.rounds):
        options.say(f"import, round {number + 1} of {options.rounds}")
        folder = options.folder / f"import-{number}"
        folder.mkdir()
        with Keyhouse(options.binary, folder / "data", folder / "log") as keyhouse:
            speeds.append(IMPORTED / keyhouse.import_keys(IMPORTED, folder))
    return Table(f"Imported keys per second, of {IMPORTED:,} into an empty store", "1/s", [
        Row("import", speeds, goal=IMPORT_GOAL),
    ])


class Checker(threading.Thread):
    """Checks one key without a pause, and notes when each request was sent and whether it passed."""

    def __init__(self, port, key):
        super().__init__(daemon=True)
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.headers = {**HEADERS, "X-Api-Key": key}
        self.passed, self.refused = [], 0
        self.has_begun, self.is_over = threading.Event(), threading.Event()

    def run(self):
        while not self.is_over.is_set():
            sent = time.monotonic()
            self.connection.request("GET", FORWARD_AUTH, headers=self.headers)
            answer = self.connection.getresponse()
            answer.read()
            if answer.status == 200:
                self.passed.append(sent)
                self.has_begun.set()
            else:
                self.refused += 1
        self.connection.close()


def revocations(options, keyhouse, manager):
    options.say(f"{REVOCATIONS} revocations")
    late, refused = 0, 0
    for _ in range(REVOCATIONS):
        made = keyhouse.manage("POST", "/v1/keys", manager, {"name": "revoked soon"})
        checkers = [Checker(keyhouse.port, made["secret"]) for _ in range(CHECKERS)]
        try:
            for checker in checkers:
                checker.start()
            for checker in checkers:
                if not checker.has_begun.wait(timeout=30):
                    raise Failed("a new key did not pass")
            keyhouse.manage("POST", f"/v1/keys/{made['key']['id']}/revoke", manager, {})
            revoked = time.monotonic()
            # Each checker sends several more requests within this time.
            time.sleep(0.05)
        finally:
            for checker in checkers:
                checker.is_over.set()
        for checker in checkers:
            checker.join()
        if not all(checker.refused for checker in checkers):
            raise Failed("a checker's key was not refused after its revocation")
        late += sum(sent > revoked for checker in checkers for sent in checker.passed)
        refused += sum(checker.refused for checker in checkers)
    return Table("Requests that passed after their key's revocation", "requests", [
        Row(f"{REVOCATIONS} revocations, {refused:,} refused requests", [late], goal=Goal(0, unit="requests")),
    ])


def beside_checks(options, keyhouse, create):
    """The time of a change with and without a load of checks, and the checks that were answered meanwhile."""
    check = load.Request(FORWARD_AUTH, [keyhouse.create_key()], headers=HEADERS)
    alone, beside, answered = ([], []), ([], []), []
    seconds = max(options.seconds, 4)

    def measure_changes(times):
        waits = load.at_constant_rate(
            options.load, keyhouse.port, create, [201], options.folder, CHANGES_A_SECOND, seconds, 8
        )
        times[0].append(waits.p50 / 1e3)
        times[1].append(waits.p99 / 1e3)

    for number in range(options.rounds):
        options.say(f"changes beside checks, round {number + 1} of {options.rounds}")
        measure_changes(alone)
        with load.ConstantRate(
            options.load, keyhouse.port, check, [200], options.folder, CHECKS_A_SECOND, seconds + 1
        ) as checks:
            measure_changes(beside)
            done = checks.result()
        answered.append(done.requests / done.seconds)
    rows = []
    for name, place, goal in [("median", 0, None), ("99th percentile", 1, CHANGE_GOAL)]:
        rows.append(Row(f"{name}, no checks", alone[place]))
        rows.append(Row(f"{name}, beside checks", beside[place], ratios(beside[place], alone[place]), goal))
    about = f"{CHANGES_A_SECOND} creations per second beside {CHECKS_A_SECOND:,} checks per second that are due."
    return [
        Table("Time of a change", "ms", rows, "no checks", about, needs_quiet=True),
        Table("Checks answered meanwhile", "1/s", [Row("forward-auth, valid", answered)], needs_quiet=True),
    ]
