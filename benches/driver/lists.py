"""How long a page of the list of keys takes: each sort order, and search.

One client requests pages of 50 keys, one after the other on one connection, with a key that may read all keys.
The goals apply from 1,000,000 keys on.
"""

import http.client
import json
import statistics
import time

from .figures import GOAL_KEYS, Goal, Row, Table, ratios
from .keyhouse import Keyhouse, with_keys
from .process import Failed

PAGE = 50
REQUESTS = 15
SORTS = ["-created_at", "created_at", "name", "-name", "last_used", "-last_used", "expires_at", "-expires_at"]


def queries(keys, team):
    """The queries, with the number of keys on the page of each. No key is shared with the team."""
    pages = {f"sort={sort}": (f"limit={PAGE}&sort={sort}", PAGE) for sort in SORTS}
    return {
        "first page": (f"limit={PAGE}", PAGE),
        **pages,
        "search, every key matches": (f"limit={PAGE}&search=build", PAGE),
        "search, one key matches": (f"limit={PAGE}&search=bot%20{keys}", 1),
        "search by address, none": (f"limit={PAGE}&search=203.0.113.", 0),
        "search by id, none": (f"limit={PAGE}&search=key_0000000000", 0),
        "search, no key matches": (f"limit={PAGE}&search=nothing-has-this-name", 0),
        "keys of a team, none": (f"limit={PAGE}&team={team}", 0),
    }


def run(options):
    data = with_keys(options, options.keys)
    with Keyhouse(options.binary, data, options.folder / "log") as keyhouse:
        reader = keyhouse.create_key("keyhouse:keys:read", "keyhouse:teams:read", "keyhouse:teams:write")
        team = keyhouse.manage("POST", "/v1/teams", reader, {"name": "bench"})["id"]
        connection = http.client.HTTPConnection("127.0.0.1", keyhouse.port, timeout=120)
        # The first requests read the list from the store.
        first = {
            "first page": request(connection, reader, f"limit={PAGE}", PAGE),
            "first page in another order": request(connection, reader, f"limit={PAGE}&sort=name", PAGE),
        }
        everything = queries(options.keys, team)
        times = {name: [] for name in everything}
        for number in range(options.rounds):
            options.say(f"round {number + 1} of {options.rounds}")
            for name, (query, size) in everything.items():
                times[name].append(measure(connection, reader, query, size))
        connection.close()
    return [
        Table(f"Time of a page with {options.keys:,} keys", "ms", [
            Row(name, values, ratios(values, times["first page"]) if name != "first page" else [],
                goal(name) if options.keys >= GOAL_KEYS else None)
            for name, values in times.items()
        ], "first page"),
        Table("After the start, once", "ms", [Row(name, [milliseconds]) for name, milliseconds in first.items()]),
    ]


def goal(name):
    """The limit for one page of a query."""
    if name == "first page":
        return Goal(10, unit="ms")
    return Goal(50 if name.startswith("sort=") else 100, unit="ms")


def measure(connection, reader, query, size):
    """The median time of several requests, in milliseconds."""
    return statistics.median(request(connection, reader, query, size) for _ in range(REQUESTS))


def request(connection, reader, query, size):
    """The time of one request, in milliseconds."""
    begun = time.monotonic()
    connection.request("GET", f"/v1/keys?{query}", headers={"Authorization": f"Bearer {reader}"})
    answer = connection.getresponse()
    body = answer.read()
    seconds = time.monotonic() - begun
    page = json.loads(body)
    if answer.status != 200 or len(page["items"]) != size or page["total"] < size:
        raise Failed(f"/v1/keys?{query}: {answer.status}, expected {size} keys: {body[:300]}")
    return seconds * 1e3
