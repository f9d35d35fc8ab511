"""What a bench measured: rows with medians and spreads, ratios of one run, and the goals that they have."""

import dataclasses
import statistics

# The number of keys from which the goals for memory, files, start and lists apply.
GOAL_KEYS = 1_000_000


@dataclasses.dataclass
class Goal:
    """A limit for a row's median: of its value if the limit has a unit, else of its ratio to the baseline."""

    limit: float
    at_least: bool = False
    unit: str = ""

    def is_reached(self, value):
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self):
        return f"{'at least' if self.at_least else 'at most'} {number(self.limit)} {self.unit}".rstrip()


@dataclasses.dataclass
class Row:
    """One measured quantity: a value for each round, and its ratio to the baseline in the same round."""

    name: str
    values: list
    ratios: list = dataclasses.field(default_factory=list)
    goal: Goal = None

    def cells(self):
        reached = ""
        if self.goal:
            subject = self.values if self.goal.unit else self.ratios
            reached = "yes" if self.goal.is_reached(statistics.median(subject)) else "no"
        return [
            self.name, *median_and_spread(self.values), *median_and_spread(self.ratios),
            str(self.goal or ""), reached,
        ]


@dataclasses.dataclass
class Table:
    """Rows with one unit and one baseline."""

    title: str
    unit: str
    rows: list
    ratio_to: str = ""
    about: str = ""
    # Whether other programs on the machine make the figures meaningless, as they do to response times.
    needs_quiet: bool = False

    def text(self):
        """The table in Markdown, as it is printed and written."""
        head = ["", self.unit, "spread", f"x {self.ratio_to}", "spread", "goal", "reached"]
        lines = [head] + [row.cells() for row in self.rows]
        kept = [place for place in range(len(head)) if any(line[place] for line in lines[1:])]
        lines = [[line[place] for place in kept] for line in lines]
        widths = [max(len(line[place]) for line in lines) for place in range(len(kept))]
        lines.insert(1, ["-" * max(3, width) for width in widths])
        table = "\n".join(
            "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in lines
        )
        return f"### {self.title}\n\n" + (f"{self.about}\n\n" if self.about else "") + table + "\n"


def median_and_spread(values):
    """The median, and the lowest and highest value if there are several."""
    if not values:
        return ["", ""]
    spread = f"{number(min(values))} to {number(max(values))}" if len(values) > 1 else ""
    return [number(statistics.median(values)), spread]


def number(value):
    """Whole numbers as they are, others with at least three significant digits; commas between thousands."""
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def ratios(values, baseline):
    """The ratio of each round's value to the baseline of the same round."""
    return [value / base for value, base in zip(values, baseline)]
