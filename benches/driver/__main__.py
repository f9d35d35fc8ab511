"""Runs benches, prints their tables, and writes docs/benchmarks.md if asked to."""

import argparse
import importlib
import os
import pathlib
import signal
import sys
import tempfile

from . import page
from .figures import GOAL_KEYS
from .process import Failed

BENCHES = ["check", "http", "proxies", "changes", "memory", "lists", "peers", "backup"]
ROUNDS_MIN = 5
KEYS = 100_000
STOP_SIGNALS = [signal.SIGHUP, signal.SIGINT, signal.SIGTERM]


def main():
    options = read_arguments()
    for number in STOP_SIGNALS:
        # nohup ignores SIGHUP.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stop)
    sections, failed = {}, []
    for name in options.names:
        print(f"\n== {name}", flush=True)
        load = os.getloadavg()[0]
        bench = importlib.import_module(f".{name}", __package__)
        try:
            with tempfile.TemporaryDirectory(dir=options.work) as folder:
                options.folder = pathlib.Path(folder)
                tables = bench.run(options)
        except Failed as failure:
            print(f"./bench: {name}: {failure}", file=sys.stderr)
            failed.append(name)
            continue
        for table in tables:
            print("\n" + table.text(), end="", flush=True)
        load = max(load, os.getloadavg()[0])
        about = bench.__doc__.partition("\n\n")[2].strip()
        sections[name] = page.section(name, about, tables, options.rounds, load)
    if options.write:
        page.write(pathlib.Path("docs/benchmarks.md"), sections, BENCHES)
    if failed:
        sys.exit(f"./bench: failed: {' '.join(failed)}")


def stop(number, _frame):
    """Ends the started programs, then this one. A second signal does not interrupt that."""
    for each in STOP_SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


def read_arguments():
    parser = argparse.ArgumentParser(prog="./bench", add_help=False)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--keys", type=int)
    parser.add_argument("--rounds", type=int, default=ROUNDS_MIN)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--binary", type=pathlib.Path, required=True)
    parser.add_argument("--load", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    options = parser.parse_args()
    if options.write and options.rounds < ROUNDS_MIN:
        parser.error(f"--write needs at least {ROUNDS_MIN} rounds")
    options.names = options.names or BENCHES
    options.keys = options.keys or (GOAL_KEYS if options.all else KEYS)
    options.say = lambda text: print(f"   {text}", file=sys.stderr, flush=True)
    return options


main()
