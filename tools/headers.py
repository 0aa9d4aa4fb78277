#!/usr/bin/env python3
"""Compiles every header under src/ alone, so that none leans on what its users happen to include.

Headers whose .cpp file includes them first are compiled alone by every build and are left out here.
Exits 1 and prints the compiler's first complaint about each header that does not stand alone.
"""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
SRC = ROOT / "src"
FLAGS = ["-std=c++23", "-fsyntax-only", "-I", str(SRC), "-x", "c++"]
INCLUDE = re.compile(r'^#include [<"]([^>"]+)[>"]', re.M)


def proved_by_its_source(header):
    """True when the source of the same name (or its test) begins with this header."""
    for ending in (".cpp", "_test.cpp"):
        source = header.with_name(header.stem + ending)
        if source.exists():
            first = INCLUDE.search(source.read_text())
            if first and first.group(1) == str(header.relative_to(SRC)):
                return True
    return False


def complaint(header):
    done = subprocess.run([os.environ.get("CXX", "g++"), *FLAGS, str(header)], capture_output=True,
                          text=True, check=False)
    errors = [line for line in done.stderr.splitlines() if "error" in line]
    return None if done.returncode == 0 else (errors or ["does not compile"])[0]


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        sample = pathlib.Path(folder) / "sample.h"
        sample.write_text("#pragma once\nstd::string missing_include();\n")
        if complaint(sample) is None:
            sys.exit("headers: self test: a header that leans on others passed")


def main():
    self_test()
    if "--self-test" in sys.argv:
        return
    headers = [h for h in sorted(SRC.rglob("*.h")) if not proved_by_its_source(h)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        bad = [f"{h.relative_to(ROOT)}: {why}" for h, why in zip(headers, pool.map(complaint, headers)) if why]
    print("\n".join(bad + [f"headers: {len(headers)} compiled alone, {len(bad)} wrong"]))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
