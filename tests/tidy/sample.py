#!/usr/bin/env python3
"""Prints 60 sentences of this repository, chosen by a seed, for a reader without context.

    tests/tidy/sample.py SEED

20 comments, 20 errors or help texts, and 20 texts of the page in three languages. Rewrite each
sentence that needs a second reading, and repeat with another seed until a sample has none.
"""

import json
import random
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COUNT = 20


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    chosen = random.Random(sys.argv[1])
    for heading, texts in [("Comments", comments()), ("Errors and help", messages()), ("Page", page())]:
        print(f"\n{heading} ({len(texts)} in all)")
        for place, text in chosen.sample(texts, COUNT):
            print(f"- {text}\n    {place}")


def sources(*patterns):
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [(name, (ROOT / name).read_text()) for name in listed.stdout.split()]


def comments():
    """Sentences of comments in Rust and JavaScript."""
    found = []
    for name, text in sources("*.rs", "*.js"):
        block, first = [], 0
        for number, line in enumerate(text.splitlines() + [""], 1):
            match = re.match(r"\s*//[/!]?\s?(.*)", line)
            if match and match[1]:
                if not block:
                    first = number
                block.append(match[1])
                continue
            sentences = re.split(r"(?<=[.!?:]) (?=[A-Z`\[])", " ".join(block))
            found += [(f"{name}:{first}", it) for it in sentences if len(it.split()) > 3]
            block = []
    return found


def messages():
    """Texts of errors and log lines, and help texts of the command line."""
    found = []
    for name, text in sources("src/*.rs", "storage/*/src/*.rs"):
        text = re.split(r"#\[cfg\(test\)\]\s*(?:pub\S* )?mod tests", text)[0]
        for match in re.finditer(r'"((?:[^"\\\n]|\\.|\\\n)*)"', text):
            words = re.sub(r"\\\n\s*", "", match[1])
            if len(words.split()) > 3 and not words.startswith(("/", "{")):
                line = text.count("\n", 0, match.start()) + 1
                found.append((f"{name}:{line}", words))
        if name.startswith("src/cli/"):
            for number, line in enumerate(text.splitlines(), 1):
                if re.match(r"\s+/// \w", line):
                    found.append((f"{name}:{number}", line.strip()[4:]))
    return found


def page():
    """Texts of the page in English, French and Spanish."""
    found = []
    for name, text in sources("web/locales/*.json"):
        def walk(value, path):
            if isinstance(value, dict):
                for key, inner in value.items():
                    walk(inner, [*path, key])
            elif isinstance(value, list):
                for number, inner in enumerate(value):
                    walk(inner, [*path, str(number)])
            elif isinstance(value, str):
                found.append((f"{name} {'.'.join(path)}", value))
        walk(json.loads(text), [])
    return found


main()
