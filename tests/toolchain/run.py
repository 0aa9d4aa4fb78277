#!/usr/bin/env python3
"""Judges the compiler by its coroutines: compiles and runs each program here under ASan and UBSan.

good_*.cpp are the forms the code uses: they must pass. bad_*.cpp are forms that g++ 12 miscompiles: what they
do is only reported, so that a change of compiler shows when the rule (docs/ARCHITECTURE.md) can go.
The last line is `N passed, N failed`.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
COMPILER = os.environ.get("CXX", "g++")


def works(source, program):
    flags = ["-std=c++23", "-O1", "-g1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    compiled = subprocess.run([COMPILER, *flags, str(source), "-o", program], capture_output=True, check=False)
    if compiled.returncode:
        return False
    try:
        return subprocess.run([program], capture_output=True, timeout=20, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def main():
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for source in sorted(HERE.glob("*.cpp")):
            good = works(source, os.path.join(folder, source.stem))
            if source.stem.startswith("good_"):
                passed, failed = passed + good, failed + (not good)
                print(f"{'ok' if good else 'FAILED':8}{source.stem}")
            else:
                print(f"{'(works)' if good else '(broken)':9}{source.stem}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
