#!/usr/bin/env python3
"""Rules of the house that neither compiler nor formatter checks. Exits 1 and prints each breach.

Limits: line 100, file 800, function 70. Words: no protocol's name in broker, storage, runtime; no marks
of unfinished work. Seams: clock, random and sockets are asked for in their own places only; no lock in
the core. Coroutines: an await is a whole statement, a co_return or the start of a named variable, since
g++ 12 miscompiles others (tests/toolchain). `--self-test` proves that each rule finds its bad sample.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINE_MAX, FILE_MAX, FUNCTION_MAX = 100, 800, 70

PROTOCOLS = r"(?i)\b(amqp|rabbit\w*|kafka|sqs|activemq|openwire|stomp|redis|resp[23]|nats|jetstream)\b"
# (rule, pattern, folders it holds in, files it does not hold in)
PATTERNS = [
    ("protocol name in the core", PROTOCOLS, ("broker/", "storage/", "runtime/"), ()),
    ("lock in the core", r"std::(mutex|shared_mutex|lock_guard|unique_lock|scoped_lock)",
     ("broker/", "protocol/", "auth/"), ()),
    ("clock past its seam", r"(steady_clock|system_clock|high_resolution_clock)::now|\bgettimeofday\(",
     ("",), ("base/time.cpp", "bench/")),
    ("random past its seam", r"\brandom_device\b|\bgetrandom\(|\bs?rand\(\)",
     ("",), ("base/random.cpp", "net/", "bench/")),
    ("socket outside net", r"::(socket|accept4?|sendmsg|recv)\(|boost/asio",
     ("",), ("net/", "runtime/loop", "bench/", "server/")),
    ("mark of unfinished work", r"\b(TODO|FIXME|XXX|HACK)\b", ("",), ()),
    ("unsafe await", r"\b(if|while|switch|for)\b[^;]*\bco_await\b|\?[^;:]*co_await|(&&|\|\|)\s*co_await",
     ("",), ()),
]
FUNCTION_START = re.compile(r"^(?!\s*(namespace|class|struct|enum|union|extern|if|for|while|switch|else|do)\b)"
                            r".*\)[^;{}]*\{\s*$|^\s*[\w:~<>,&*\s]+\)\s*(const|noexcept|override)?.*\{\s*$")


def strip_strings(line):
    return re.sub(r'"(\\.|[^"\\])*"', '""', line)


def functions(lines):
    """(first line, length) of each function body: a brace opened behind a parameter list."""
    depth, start, start_depth = 0, None, 0
    for number, raw in enumerate(lines, 1):
        line = strip_strings(raw.split("//")[0])
        if start is None and FUNCTION_START.match(line):
            start, start_depth = number, depth
        depth += line.count("{") - line.count("}")
        if start is not None and depth <= start_depth:
            yield start, number - start + 1
            start = None


def check_file(path, text):
    lines = text.splitlines()
    generated = path.endswith("_gen.h")
    if len(lines) > FILE_MAX and not generated:
        yield f"{path}: {len(lines)} lines, at most {FILE_MAX}"
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_MAX and not generated:
            yield f"{path}:{number}: {len(line)} columns, at most {LINE_MAX}"
        for rule, pattern, inside, outside in PATTERNS:
            if (path.startswith(inside) and not path.startswith(outside)
                    and re.search(pattern, line)):
                yield f"{path}:{number}: {rule}"
    if path.endswith(".h") and "#pragma once" not in text:
        yield f"{path}: no #pragma once"
    if not generated:
        for start, length in functions(lines):
            if length > FUNCTION_MAX:
                yield f"{path}:{start}: a function of {length} lines, at most {FUNCTION_MAX}"


def self_test():
    body = "\n".join(["void f() {"] + ["  g();"] * 80 + ["}"])
    samples = [
        ("broker/a.cpp", "// as amqp does", "protocol name"),
        ("broker/a.cpp", "std::mutex m;", "lock"),
        ("storage/a.cpp", "auto t = std::chrono::steady_clock::now();", "clock"),
        ("broker/a.cpp", "std::random_device d;", "random"),
        ("sim/a.cpp", "#include <boost/asio.hpp>", "socket"),
        ("base/a.cpp", "// TO" + "DO: later", "unfinished"),
        ("net/a.cpp", "if (co_await f()) return;", "await"),
        ("base/a.cpp", "x" * 101, "columns"),
        ("base/a.h", "int x;", "pragma"),
        ("base/a.cpp", body, "function of"),
        ("base/a.cpp", "\n" * 801, "801 lines"),
    ]
    for path, text, word in samples:
        found = list(check_file(path, text))
        if not any(word in line for line in found):
            sys.exit(f"tidy: self test: '{word}' not found: {found}")
    if list(check_file("base/a.cpp", "int f() {\n  return 1;\n}\n")):
        sys.exit("tidy: self test: complaint about a good file")


def main():
    self_test()
    if "--self-test" in sys.argv:
        return
    sources = sorted(p for p in (ROOT / "src").rglob("*") if p.suffix in (".h", ".cpp"))
    bad = []
    for source in sources:
        bad += check_file(str(source.relative_to(ROOT / "src")), source.read_text())
    print("\n".join(bad + [f"tidy: {len(sources)} files, {len(bad)} breaches"]))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
