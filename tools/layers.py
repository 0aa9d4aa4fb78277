#!/usr/bin/env python3
"""Holds every #include under src/ against the house block of docs/ARCHITECTURE.md.

A folder may include itself and what its line names: a folder, a folder with all below it, or one header
of a folder. Exits 1 and prints each include that goes elsewhere. `--self-test` proves that a bad include
is found.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#include "([^"]+)"', re.M)


def read_house(text):
    """The block's lines as {folder: set of names}, `all` for no limit."""
    block = re.search(r"```house\n(.*?)```", text, re.S)
    if not block:
        sys.exit("layers: docs/ARCHITECTURE.md has no house block")
    house = {}
    for line in block.group(1).splitlines():
        uses = line.split("uses:")[1].split()
        house[line.split()[0]] = set() if uses == ["nothing"] else set(uses)
    return house


def folder_of(path, house):
    """The longest folder of the house that `path` (below src/) lies in."""
    parts = path.split("/")[:-1]
    for length in range(len(parts), 0, -1):
        if "/".join(parts[:length]) in house:
            return "/".join(parts[:length])
    return None


def allowed(folder, included, house):
    uses = house[folder]
    target = folder_of(included, house)
    if target is None:
        return False
    return (target == folder or "all" in uses or target in uses or included in uses
            or target.split("/")[0] in uses)


def check(files, house):
    """`files` yields (path below src, text); returns the complaints."""
    bad = []
    for path, text in files:
        folder = folder_of(path, house)
        if folder is None:
            bad.append(f"src/{path}: its folder is not in the house block")
            continue
        for included in INCLUDE.findall(text):
            if not allowed(folder, included, house):
                bad.append(f"src/{path}: {folder} may not include {included}")
    return bad


def self_test(house):
    samples = {
        "storage/x.cpp": ('#include "broker/api.h"\n', 1),
        "protocol/amqp/x.cpp": ('#include "broker/queue.h"\n#include "broker/api.h"\n', 1),
        "broker/x.cpp": ('#include "storage/store.h"\n#include "broker/queue.h"\n', 0),
        "nowhere/x.cpp": ("", 1),
    }
    for path, (text, complaints) in samples.items():
        found = check([(path, text)], house)
        if len(found) != complaints:
            sys.exit(f"layers: self test of {path}: {found}")


def main():
    house = read_house((ROOT / "docs/ARCHITECTURE.md").read_text())
    self_test(house)
    if "--self-test" in sys.argv:
        return
    sources = sorted(p for p in (ROOT / "src").rglob("*") if p.suffix in (".h", ".cpp"))
    bad = check(((str(p.relative_to(ROOT / "src")), p.read_text()) for p in sources), house)
    print("\n".join(bad + [f"layers: {len(sources)} files, {len(bad)} wrong includes"]))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
