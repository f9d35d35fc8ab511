"""What a key needs: memory and disk after an import, and the time until the server is ready.

The bytes per key are the difference to an instance without keys, after a start on the imported data. Each key has a
name and two permissions. Import and start are measured with the commands that an operator uses. The start reads and
verifies the whole file. The keys are imported once, possibly in an earlier run with the same program. The goals apply
from 1,000,000 keys on.
"""

from .figures import GOAL_KEYS, Goal, Row, Table
from .keyhouse import Keyhouse, imported

RESIDENT_GOAL, FILE_GOAL = Goal(250, unit="bytes"), Goal(700, unit="bytes")
READY_SECONDS_A_MILLION = 2.5


def run(options):
    keys = options.keys
    made = imported(options, keys)
    empty, resident, ready = [], [], []
    for number in range(options.rounds):
        options.say(f"round {number + 1} of {options.rounds}")
        folder = options.folder / f"empty-{number}"
        folder.mkdir()
        with Keyhouse(options.binary, folder / "data", folder / "log") as keyhouse:
            empty.append(keyhouse.resident_bytes())
        with Keyhouse(options.binary, made.data, options.folder / "log") as keyhouse:
            resident.append(keyhouse.resident_bytes())
            ready.append(keyhouse.seconds_to_ready)
    added = [(whole - none) / keys for whole, none in zip(resident, empty)]
    resident_goal, file_goal, ready_goal = None, None, None
    if keys >= GOAL_KEYS:
        resident_goal, file_goal = RESIDENT_GOAL, FILE_GOAL
        ready_goal = Goal(READY_SECONDS_A_MILLION * keys / 1_000_000, unit="s")
    return [
        Table(f"Memory and disk with {keys:,} keys", "bytes", [
            Row("resident, per key", added, goal=resident_goal),
            Row("resident, without keys", empty),
            Row("files after the import, per key", [made.file_bytes / keys], goal=file_goal),
        ]),
        Table("Time", "s", [
            Row(f"start to readiness with {keys:,} keys", ready, goal=ready_goal),
            Row(f"import of {keys:,} keys", [made.seconds]),
        ]),
    ]
