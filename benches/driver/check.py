"""A check in process, beside its floor: the digest of the text and one lookup in a plain hash map.

`cargo bench --bench check` times blocks of checks and blocks of the floor alternately, and reports the median of 21
ratios. It runs once in each round. It does not use Criterion, which times one function for seconds and then the next:
where a machine's speed drifts within seconds, the ratio of such times means nothing. Criterion does not measure memory
either.
"""

from .figures import Goal, Row, Table, ratios
from .process import Failed, run as run_program

COLUMNS = ["floor", "check", "ratio", "bytes", "counted", "busy", "by two"]
CHECK_GOAL, COUNTED_GOAL, TWO_THREADS_GOAL = Goal(1.25), Goal(1.45), Goal(1.20)


def run(options):
    found = {}
    for number in range(options.rounds):
        options.say(f"round {number + 1} of {options.rounds}")
        for keys, figures in measure().items():
            for column, value in figures.items():
                found.setdefault(column, {}).setdefault(f"{keys:,} keys", []).append(value)
    rows = []
    for keys, values in found["check"].items():
        floors = found["floor"][keys]
        rows.append(Row(f"floor, {keys}", floors))
        rows.append(Row(f"check, {keys}", values, found["ratio"][keys], CHECK_GOAL))
        counted = found["counted"][keys]
        rows.append(Row(f"check with counting, {keys}", counted, ratios(counted, floors), COUNTED_GOAL))
    busy = []
    for keys, alone in found["busy"].items():
        both = found["by two"][keys]
        busy.append(Row(f"one thread, {keys}", alone))
        busy.append(Row(f"two threads at once, {keys}", both, ratios(both, alone), TWO_THREADS_GOAL))
    return [
        Table("Time of a check", "ns", rows, "floor"),
        Table("Counting a call of one busy key", "ns", busy, "one thread"),
        Table("Memory of the index", "bytes per key", [
            Row(keys, values) for keys, values in found["bytes"].items() if keys != "1,000 keys"
        ]),
    ]


def measure():
    """The figures of one run, by number of keys and column."""
    found = {}
    for line in run_program("cargo", "bench", "--locked", "--quiet", "--bench", "check").splitlines():
        words = line.split()
        if len(words) == len(COLUMNS) + 1 and all(word.replace(".", "").isdigit() for word in words):
            found[int(words[0])] = dict(zip(COLUMNS, map(float, words[1:])))
    if not found:
        raise Failed("benches/check.rs printed no line with figures")
    return found
