"""A driver at work for ten minutes: threads, open files and memory must not grow.

`python -m benchmarks.soak [--minutes 10]`; Linux, because that is where the figures come from.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver

_SAMPLES = 10
_MAY_GROW_MIB = 8


def figures() -> tuple[int, int, float]:
    """Return threads, open files and resident MiB of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return (
        threading.active_count(),
        len(list(Path("/proc/self/fd").iterdir())),
        pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
    )


def work(driver: StratusLabNodeDriver, end: float) -> int:
    """Do a bit of everything until a time; return how often."""
    rounds = 0
    image, size = driver.list_images()[0], driver.list_sizes()[0]
    while time.monotonic() < end:
        node = driver.create_node("soak", size, image)
        volume = driver.create_volume(1, "soak")
        driver.wait_until_running([node], wait_period=0.01)
        driver.attach_volume(node, volume)
        driver.detach_volume(driver.ex_get_volume(volume.id))
        driver.destroy_volume(volume)
        driver.list_nodes()
        driver.destroy_node(node)
        rounds += 1
    return rounds


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    options = parser.parse_args()
    command = [
        sys.executable,
        "-m",
        "stratuslab.sandbox",
        "serve",
        "--boot-seconds",
        "0",
        "--locations",
        "a,b,c",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        config = json.loads(service.stdout.readline())["config"]
        driver = StratusLabNodeDriver(stratuslab_user_config=config)
        print("| minutes | rounds | threads | open files | resident MiB |\n|---|---|---|---|---|")
        samples = []
        start = time.monotonic()
        for sample in range(1, _SAMPLES + 1):
            rounds = work(driver, start + sample * options.minutes * 60 / _SAMPLES)
            samples.append(figures())
            threads, files, mib = samples[-1]
            minutes = sample * options.minutes / _SAMPLES
            print(f"| {minutes:.1f} | {rounds} | {threads} | {files} | {mib:.1f} |", flush=True)
        service.terminate()
    # What is loaded when first used is there after the first sample.
    first, last = samples[0], samples[-1]
    grown = last[0] > first[0] or last[1] > first[1] or last[2] > first[2] + _MAY_GROW_MIB
    return int(grown)


if __name__ == "__main__":
    sys.exit(main())
