"""docs/benchmarks.md: one section for each bench, with the machine, the date and the commit of its run.

A run replaces only the sections of its own benches.
"""

import datetime
import os
import pathlib
import re

from .process import run

INTRODUCTION = """# Benchmarks

<!-- `./bench --write` replaces the sections of the benches that it runs. -->

`./bench` measures Keyhouse beside other servers on one machine, and `./bench --write` writes this page. Machines
differ, and one machine changes its speed within minutes: quote the ratios, each of which is of one run. `./bench NAME`
runs one bench; [CONTRIBUTING.md](../CONTRIBUTING.md#benchmarks) has the details.

Each value is the median of all rounds, with the lowest and the highest. In each round every server is measured once,
in turn, on the same number of connections. CPU time is that of the server and its children, from `/proc`. A bench
fails if a server refuses another number of requests than expected. Servers and clients share the machine's cores and
use its loopback interface. A goal is the project's limit for a median.

Each section names the commit that it measured. That commit can be older than this page.
"""

BUSY = """Other programs used the machine during this run. Times include waits for them, and tables that need a quiet
machine are left out."""


def machine():
    """The processor, the memory and the system of this machine."""
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text()).group(1))
    system = re.search(r'PRETTY_NAME="(.*)"', pathlib.Path("/etc/os-release").read_text())
    model = cpu.group(1) if cpu else os.uname().machine
    return (f"{os.cpu_count()} cores of {model}, {memory / 2**20:.0f} GiB, {system.group(1)}, "
            f"Linux {os.uname().release.split('-')[0]}")


def section(name, about, tables, rounds, load):
    """The section of one bench. `load` is the highest load average before and after the bench."""
    commit = run("git", "rev-parse", "--short=12", "HEAD").strip()
    changed = " with changes" if run("git", "status", "--porcelain", "-uno").strip() else ""
    date = datetime.datetime.now(datetime.timezone.utc).date()
    measured = f"{date}, commit {commit}{changed}, {rounds} rounds, load average {load:.0f}. {machine()}."
    # A bench itself keeps three threads busy at most.
    if load > 2 * os.cpu_count():
        tables = [table for table in tables if not table.needs_quiet]
        measured += f"\n\n{BUSY}"
    return f"## {name}\n\n{about}\n\n{measured}\n\n" + "\n".join(table.text() for table in tables)


def write(page, sections, order):
    """Replaces sections of the page, by name."""
    old = page.read_text() if page.exists() else ""
    kept = {part.partition("\n")[0]: "## " + part.rstrip() + "\n" for part in old.split("\n## ")[1:]}
    kept.update(sections)
    page.write_text("\n".join([INTRODUCTION, *(kept[name] for name in order if name in kept)]))
