"""Programs that a bench starts: their addresses, CPU time and memory, and their end.

CPU time is that of a program and all its children, from /proc. Programs are ended by their process ids.
"""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import time

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
START_SECONDS_MAX = 300
END_SECONDS_MAX = 60
LOG_LINES_SHOWN = 20


class Failed(Exception):
    """What stops a bench: a program that does not start, or an answer that is not the expected one."""


def free_port():
    """A port of 127.0.0.1 that no program uses now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def run(*command, timeout=None, **options):
    """Runs a program to its end and returns its standard output. `timeout` is in seconds."""
    words = list(map(str, command))
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True, **options) as process:
        try:
            output, errors = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise Failed(f"{' '.join(words)} did not end within {timeout} s") from None
        finally:
            end(process)
    if process.returncode:
        raise Failed(f"{command[0]} ended with {process.returncode}:\n{output[-2000:]}{errors[-2000:]}")
    return output


def end(process):
    """Ends a program with SIGTERM, or with SIGKILL if that takes too long, and kills the children that remain."""
    if process.poll() is not None:
        return
    children = {pid: stat_fields(pid)[19:20] for pid in descendants(process.pid)}
    process.terminate()
    try:
        process.wait(END_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid, start_time in children.items():
        # Another process may have the id by now, but not the start time.
        if start_time and stat_fields(pid)[19:20] == start_time:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class Program:
    """A running program, with its log in a file. Leaving the `with` block ends it."""

    def __init__(self, command, log, port=None, environment=None, folder=None):
        self.log = pathlib.Path(log)
        self.port = port
        variables = {"PATH": os.environ["PATH"], "HOME": str(self.log.parent), **(environment or {})}
        with open(log, "wb") as output:
            self.process = subprocess.Popen(
                list(map(str, command)), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env=variables, cwd=folder,
            )
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)

    def wait_until(self, is_ready, what):
        """Waits until `is_ready` returns a true value, and returns that value. Ends the program if that fails."""
        until = time.monotonic() + START_SECONDS_MAX
        try:
            while time.monotonic() < until and self.process.poll() is None:
                found = is_ready()
                if found:
                    return found
                time.sleep(0.01)
            lines = self.log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
            raise Failed(f"{self.process.args[0]}: {what} did not happen:\n" + "\n".join(lines))
        except BaseException:
            # The program has no `with` block yet that would end it.
            end(self.process)
            raise

    def wait_for_port(self):
        self.wait_until(lambda: accepts(self.port), f"a connection to port {self.port}")
        return self

    def cpu_seconds(self):
        """CPU time of the program and its children so far."""
        ticks = 0
        for pid in [self.pid, *descendants(self.pid)]:
            fields = stat_fields(pid)
            ticks += int(fields[11]) + int(fields[12]) if fields else 0
        return ticks / TICKS_A_SECOND

    def resident_bytes(self):
        """Memory of the program itself that is in RAM."""
        return int(pathlib.Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * PAGE_BYTES


def accepts(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def stat_fields(pid):
    """The fields of /proc/PID/stat after the program's name: state, parent, ..."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def descendants(pid):
    """The children of a process, and theirs."""
    parents = {}
    for name in os.listdir("/proc"):
        fields = stat_fields(name) if name.isdigit() else []
        if fields:
            parents.setdefault(int(fields[1]), []).append(int(name))
    found, next_ones = [], [pid]
    while next_ones:
        children = parents.get(next_ones.pop(), [])
        found += children
        next_ones += children
    return found
