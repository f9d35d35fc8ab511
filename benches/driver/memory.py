"""What a key needs: memory and disk after an import, and the time until the server is ready.

The bytes per key are the difference to an instance without keys, after a start on the imported data. Import and start
are measured with the commands that an operator uses. The start reads and verifies the whole file.
"""

from .figures import Row, Table
from .keyhouse import Keyhouse, imported


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
    return [
        Table(f"Memory and disk with {keys:,} keys", "bytes", [
            Row("resident, per key", added),
            Row("resident, without keys", empty),
            Row("files after the import, per key", [made.file_bytes / keys]),
        ]),
        Table("Time", "s", [
            Row(f"start to readiness with {keys:,} keys", ready),
            Row(f"import of {keys:,} keys", [made.seconds]),
        ]),
    ]
