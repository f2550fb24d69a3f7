"""Measures all cases, prints one table and writes the figures as JSON."""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cases import all_cases

if TYPE_CHECKING:
    from benchmarks.measuring import Result

_FEWEST_ROUNDS = 5


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="interleaved runs of each case (default: 7)")
    parser.add_argument("--json", type=Path, default=Path("benchmark-results.json"), metavar="FILE")
    options = parser.parse_args()
    if options.rounds < _FEWEST_ROUNDS:
        parser.error(f"--rounds: a median wants at least {_FEWEST_ROUNDS}")
    print("| case | what | ratio | at most |\n|---|---|---|---|")
    results: list[Result] = []
    for result in all_cases(options.rounds):
        results.append(result)
        over = "" if result.ratio <= result.limit else " **over**"
        print(f"| {result.case} | {result.what} | {result.ratio:.2f}{over} | {result.limit:g} |", flush=True)
    figures = {
        "python": platform.python_version(),
        "libcloud": version("apache-libcloud"),
        "rounds": options.rounds,
        "results": [dataclasses.asdict(result) for result in results],
    }
    options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return int(any(result.ratio > result.limit for result in results))


if __name__ == "__main__":
    sys.exit(main())
