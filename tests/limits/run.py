#!/usr/bin/env python3
"""Limits: the broker under floods, idlers, garbage, clients that do not keep up, many queues and a long backlog. Each
case prints its figures beside their hard limits.

  run.py --binary build/release/wharf [--full] [--only flood,backlog]

Without --full the sizes are small (the whole run takes about a minute), with it they are those that Wharf promises.
The last line is `N passed, M failed`; the exit code is 1 if any failed.
"""

import argparse
import os
import sys
import time
import traceback

from rig import CASES, Rig  # first: it says where the others find their client

# pylint: disable=unused-import,wrong-import-order
import connections  # noqa: F401
import frames  # noqa: F401
import clients  # noqa: F401
import backlog  # noqa: F401


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, help="the wharf program, a release build")
    parser.add_argument("--full", action="store_true", help="the sizes that are promised; takes about ten minutes")
    parser.add_argument("--only", help="names of cases, separated by commas")
    parser.add_argument("--port", type=int, default=0, help="the first port to use; else any that is free")
    parser.add_argument("--folder", help="where data is put while the run lasts")
    args = parser.parse_args()
    names = [function.__name__ for function in CASES]
    if not os.access(args.binary, os.X_OK):
        parser.error(f"{args.binary} cannot be run")
    args.only = args.only.split(",") if args.only else names
    unknown = set(args.only) - set(names)
    if unknown:
        parser.error(f"no case {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    return args


def run(function, rig):
    print(f"-- {function.__name__}: {function.__doc__.splitlines()[0]}", flush=True)
    rig.broken, began = [], time.monotonic()
    try:
        function(rig)
    except Exception as problem:  # pylint: disable=broad-exception-caught
        traceback.print_exc()
        rig.fail(repr(problem))
    verdict = f"FAIL {function.__name__}: {'; '.join(rig.broken)}" if rig.broken else f"ok {function.__name__}"
    print(f"{verdict} ({time.monotonic() - began:.1f} s)", flush=True)
    return not rig.broken


def main():
    args = parse()
    rig = Rig(args.binary, args.full, args.port, args.folder)
    try:
        results = [run(function, rig) for function in CASES if function.__name__ in args.only]
    finally:
        rig.close()
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
