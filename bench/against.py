"""What the comparisons in this folder share: turns between servers, medians, how figures are printed."""

import os
import platform
import statistics
import subprocess
import sys


def machine(folder):
    kind = subprocess.run(["findmnt", "-no", "FSTYPE,SOURCE", "-T", folder], stdout=subprocess.PIPE, text=True,
                          check=False).stdout.strip()
    return {"kernel": platform.release(), "processors": os.cpu_count(), "file_system": kind,
            "load_before": os.getloadavg()[0]}


def in_turn(running, rounds, run, what):
    """{name: [result of each round]} of run(server) for {name: server}, the servers taking turns at going first."""
    results = {name: [] for name in running}
    for number_of_round in range(rounds):
        order = list(running) if number_of_round % 2 == 0 else list(running)[::-1]
        for name in order:
            print(f"{what}, round {number_of_round + 1} of {rounds}: {name}", file=sys.stderr, flush=True)
            results[name].append(run(running[name]))
    return results


def look_up(result, path):
    for key in path:
        result = result.get(key) if isinstance(result, dict) else None
    return result


def median_of(results, path, scale=1):
    values = [value * scale for value in (look_up(result, path) for result in results) if value is not None]
    return statistics.median(values) if values else None


def number(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}" if value < 10 else f"{value:.1f}"
