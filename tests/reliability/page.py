"""The page docs/reliability.md: ``python -m tests.reliability.page`` tries all faults and prints it."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from typing import TYPE_CHECKING

from stratuslab.client.opennebula import waiting
from stratuslab.client.transport import retry, settlement
from tests.reliability import test_fault_matrix as stratuslab
from tests.reliability import test_opennebula_faults as opennebula

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["HEADING", "KINDS", "OPENNEBULA", "STRATUSLAB"]

HEADING = """\
# Reliability

What the driver tells you when something goes wrong, for each operation: how many faults were tried, and how
they ended. The last column counts what was lost, doubled or falsely reported. It is 0 in each row.

This page is what `python -m tests.reliability.page` prints. After each fault, what the driver told its caller
is compared with what is in the cloud. A creation whose answer is lost is looked for by its token, and is
returned if it is there. Where the driver cannot find out what happened, it says so:

* "an error that says what may be, with a token" is an `UnsettledError`. Its token finds the node or volume if
  it appears: see [exactly once](how-to/exactly-once.md).
* "an error that says what may be" is the error of an action, such as a shutdown or a deletion, that may have
  been carried out.

A few cases depend on time-outs, so some figures differ by one or two between runs.
The last column does not.
"""
STRATUSLAB = """
## StratusLab 14.06

Every operation is tried under every fault of the [sandbox](sandbox.md), once, and for as long as the
operation lasts:

* the connection is cut before the request, after its effect, or at 20 places of the answer;
* the answer comes after the time-out;
* an HTTP status of 4xx, 5xx or a redirect, before or after the effect;
* garbage, or a wrong media type;
* OpenNebula's errors and XML-RPC's faults.

Then under pairs of faults. The first one is a cut connection, a status, a redirect or garbage. The second one
meets the repetition of that request; after a creation and an attachment it meets the look for what was made.

"""
OPENNEBULA = """
## OpenNebula 6.10

Each operation of this table is tried under faults of the request that changes the cloud, and of the requests
that look at the outcome: the connection is cut, the answer is late, an HTTP status, garbage, OpenNebula's
errors and XML-RPC's faults, with and without the effect. The driver behind OpenNebula fails too, after
OpenNebula has accepted the order.

"""
KINDS = (
    "as without the fault",
    "an error, and nothing was done",
    "an error that says what may be",
    "an error that says what may be, with a token",
)


def table(heads: list[str], rows: Iterable[tuple[str, list[int], Counter[str]]]) -> Iterator[str]:
    """Yield the lines of a table: for each operation how much was tried, and how it ended."""
    yield line(["operation", *heads, *KINDS, "lost, doubled or falsely reported"])
    yield f"|---|{'---|' * (len(heads) + len(KINDS) + 1)}\n"
    tried_in_all = [0] * len(heads)
    ends: Counter[str] = Counter()
    for name, tried, counts in rows:
        tried_in_all = [before + more for before, more in zip(tried_in_all, tried, strict=True)]
        ends += counts
        yield line([name, *tried, *(counts[kind] for kind in KINDS), 0])
    yield line(["**all**", *tried_in_all, *(ends[kind] for kind in KINDS), 0])


def line(cells: list[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |\n"


def stratuslab_rows() -> Iterator[tuple[str, list[int], Counter[str]]]:
    for name, operation in stratuslab.OPERATIONS.items():
        faults, pairs = list(stratuslab.rules(operation)), list(stratuslab.pairs(operation))
        yield name, [len(faults), len(pairs)], checked(stratuslab.outcomes, name, len(faults) + len(pairs))


def opennebula_rows() -> Iterator[tuple[str, list[int], Counter[str]]]:
    for name, operation in opennebula.OPERATIONS.items():
        faults = opennebula.rules(operation)
        yield name, [len(faults)], checked(opennebula.outcomes, name, len(faults))


def checked(outcomes: Callable[[str], Counter[str]], name: str, total: int) -> Counter[str]:
    """Return how the tries of an operation ended; a wrong report raises AssertionError on the way."""
    counts = outcomes(name)
    assert counts.total() == total
    return counts


def page() -> Iterator[str]:
    yield HEADING + STRATUSLAB
    yield from table(["faults tried", "pairs tried"], stratuslab_rows())
    yield OPENNEBULA
    yield from table(["faults tried"], opennebula_rows())


def main() -> None:
    retry._FIRST_PAUSE, settlement._FIRST_PAUSE = 0.001, 0.01
    waiting._FIRST_PAUSE, waiting._LONGEST_PAUSE = 0.005, 0.02
    logging.disable()
    for part in page():
        sys.stdout.write(part)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
