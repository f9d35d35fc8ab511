"""A Keyhouse under measurement: its data, its keys and its management API.

Keys are imported by their BLAKE3 digest and have Keyhouse's own form, so a check treats them as keys that Keyhouse
created. Their texts are drawn from a fixed seed: no key here protects anything.
"""

import dataclasses
import hashlib
import http.client
import json
import pathlib
import random
import re
import shutil
import time
import zlib

import blake3

from .process import Failed, Program, run

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
EMAIL, PASSWORD = "owner@example.com", "a bench needs no secret 17"
SEED = 4_711
# What each imported key grants.
PERMISSIONS = ["diagrams:read", "diagrams:write"]
# Number of lines in one file of an import: the command reads at most 256 MiB.
IMPORT_LINES_MAX = 500_000
ENVIRONMENT = {"KEYHOUSE_CHANGE_RATE": "off"}


def key_texts(count, seed=SEED):
    """The same texts in every run, each a key of Keyhouse with its checksum."""
    drawn = random.Random(seed)
    for _ in range(count):
        text = "kh_live_" + "".join(drawn.choices(BASE62, k=43))
        checksum, digits = zlib.crc32(text.encode()), ""
        for _ in range(6):
            checksum, digit = divmod(checksum, 62)
            digits = BASE62[digit] + digits
        yield text + digits


class Keyhouse(Program):
    """`keyhouse serve` on a data directory."""

    def __init__(self, binary, data, log, arguments=()):
        self.binary, self.data = binary, pathlib.Path(data)
        password = pathlib.Path(log).with_suffix(".password")
        password.touch(mode=0o600)
        password.write_text(PASSWORD + "\n")
        command = [binary, "serve", "--data", data, "--listen", "127.0.0.1:0"]
        command += ["--admin-email", EMAIL, "--admin-password-file", password, *arguments]
        begun = time.monotonic()
        super().__init__(command, log, environment=ENVIRONMENT)
        pattern = re.compile(r"listening on http://127\.0\.0\.1:(\d+)")
        found = self.wait_until(lambda: pattern.search(self.log.read_text()), "`listening on`")
        self.port = int(found.group(1))
        self.wait_until(self.is_ready, "readiness")
        self.seconds_to_ready = time.monotonic() - begun

    def is_ready(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def command(self, *words):
        """Runs a command of the program on this instance, and returns what it prints."""
        return run(self.binary, *words, "--data", self.data, env={**ENVIRONMENT, "PATH": "/usr/bin:/bin"})

    def create_key(self, *permissions):
        """The text of a new service key."""
        words = [word for permission in permissions for word in ("--permission", permission)]
        return self.command("key", "create", "--name", "bench", *words).strip()

    def manage(self, method, path, key, body=None):
        """Calls the management API and returns the decoded body of a successful response."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status >= 300:
            raise Failed(f"{method} {path}: {answer.status} {text}")
        return json.loads(text) if text else None

    def import_keys(self, count, folder):
        """Imports the first `count` texts with the command `import`. Returns the seconds that it took."""
        texts, seconds, number = key_texts(count), 0.0, 0
        while number < count:
            file = folder / "import.jsonl"
            lines = min(IMPORT_LINES_MAX, count - number)
            with open(file, "w", encoding="ascii") as output:
                for number in range(number + 1, number + lines + 1):
                    text = next(texts)
                    line = {
                        "algorithm": "blake3", "digest": blake3.blake3(text.encode()).hexdigest(), "hint": text[:12],
                        "name": f"build bot {number}", "permissions": PERMISSIONS,
                    }
                    output.write(json.dumps(line) + "\n")
            begun = time.monotonic()
            self.command("import", file)
            seconds += time.monotonic() - begun
            file.unlink()
        return seconds


@dataclasses.dataclass
class Imported:
    """A data directory after an import: how long the import took, and the size of its files then."""

    data: pathlib.Path
    seconds: float
    file_bytes: int


def imported(options, count):
    """A data directory with `count` imported keys, kept for the next run with the same binary.

    A bench that sends checks takes a copy (`with_keys`), because uses are stored too.
    """
    content = pathlib.Path(options.binary).read_bytes()
    kept = options.work / "data" / f"{count}-{hashlib.sha256(content).hexdigest()[:16]}"
    complete = kept / "complete.json"
    if not complete.exists():
        for other in kept.parent.glob(f"{count}-*"):
            shutil.rmtree(other)
        kept.mkdir(parents=True)
        options.say(f"importing {count:,} keys")
        with Keyhouse(options.binary, kept / "data", kept / "log") as keyhouse:
            seconds = keyhouse.import_keys(count, kept)
        files = [path.stat().st_blocks * 512 for path in (kept / "data").rglob("*") if path.is_file()]
        complete.write_text(json.dumps({"seconds": seconds, "file_bytes": sum(files)}))
    return Imported(kept / "data", **json.loads(complete.read_text()))


def with_keys(options, count):
    """A copy of that data directory, for one run."""
    copy = options.folder / f"data-{count}"
    shutil.copytree(imported(options, count).data, copy)
    return copy
