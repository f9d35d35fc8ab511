"""Backup and restore of a store: time, size and peak memory.

`cargo bench --bench backup` fills a store, writes a backup, verifies it and restores it, each in a process of its own.
It runs once in each round.
"""

import re

from .figures import Row, Table
from .process import Failed, run as run_program

STEPS = {
    "store": r"store +(?P<size>\d+) MiB",
    "backup": r"backup +(?P<time>[\d.]+)(?P<unit>m?s), (?P<size>\d+) MiB, peak (?P<peak>\d+) MiB",
    "verify": r"verify +(?P<time>[\d.]+)(?P<unit>m?s)",
    "restore": r"restore +(?P<time>[\d.]+)(?P<unit>m?s), (?P<size>\d+) MiB, peak (?P<peak>\d+) MiB",
}


def run(options):
    times, sizes, peaks = {}, {}, {}
    for number in range(options.rounds):
        options.say(f"round {number + 1} of {options.rounds}")
        output = run_program("cargo", "bench", "--locked", "--quiet", "--bench", "backup", "--", options.keys)
        for name, pattern in STEPS.items():
            found = re.search(pattern, output)
            if not found:
                raise Failed(f"benches/backup.rs printed no line for {name}:\n{output}")
            found = found.groupdict()
            if "time" in found:
                seconds = float(found["time"]) / (1000 if found["unit"] == "ms" else 1)
                times.setdefault(name, []).append(seconds)
            for kind, values in [("size", sizes), ("peak", peaks)]:
                if kind in found:
                    values.setdefault(name, []).append(int(found[kind]))
    title = f"of a store with {options.keys:,} keys"
    return [
        Table(f"Time {title}", "s", [Row(name, values) for name, values in times.items()]),
        Table(f"Size {title}", "MiB", [Row(name, values) for name, values in sizes.items()]),
        Table(f"Peak memory {title}", "MiB", [Row(name, values) for name, values in peaks.items()]),
    ]
