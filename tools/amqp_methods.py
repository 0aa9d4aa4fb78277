#!/usr/bin/env python3
"""Makes src/protocol/amqp/methods_gen.h of src/protocol/amqp/schema/methods.txt, which explains its own form.

  amqp_methods.py           writes the header
  amqp_methods.py --check   fails when the committed header is not what would be written
"""

import argparse
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TABLE = os.path.join(ROOT, "src/protocol/amqp/schema/methods.txt")
HEADER = os.path.join(ROOT, "src/protocol/amqp/methods_gen.h")

MEMBER = {"octet": "std::uint8_t", "short": "std::uint16_t", "long": "std::uint32_t",
          "longlong": "std::uint64_t", "shortstr": "std::string_view", "longstr": "Bytes", "table": "Bytes",
          "bit": "bool"}
DEFAULT = {"shortstr": "{}", "longstr": "{}", "table": "{}", "bit": " = false"}
SIZED = {"shortstr": "schema::text<std::uint8_t>", "longstr": "schema::raw<std::uint32_t>",
         "table": "schema::raw<std::uint32_t>"}

HEAD = """\
// protocol/amqp/methods_gen.h: the methods of AMQP 0-9-1 as the schema walker (wire/schema.h) wants them.
// Made by tools/amqp_methods.py of schema/methods.txt: change that file, not this one.
// clang-format off
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <tuple>

#include "wire/schema.h"

namespace wharf::amqp {

// Class id in the upper half, method id in the lower, as both stand at the front of a method frame.
using MethodId = std::uint32_t;

constexpr std::uint16_t class_of(MethodId id) { return static_cast<std::uint16_t>(id >> 16); }
constexpr std::uint16_t method_of(MethodId id) { return static_cast<std::uint16_t>(id & 0xffff); }
"""

TAIL = """\
// Calls visit.operator()<M>() for the method of that id; false when there is none.
template <class Visit>
bool visit_method(MethodId id, Visit&& visit) {
  switch (id) {
%s
    default: return false;
  }
}

// How the specification writes it: "queue.declare"; empty when unknown.
inline std::string_view method_name(MethodId id) {
  std::string_view name;
  visit_method(id, [&]<class M>() { name = M::name; });
  return name;
}

}  // namespace wharf::amqp
"""


def read_table(path):
    """Yields (class name, class id, method name, method id, has content, [(field, type)])."""
    group = None
    with open(path, encoding="ascii") as file:
        for number, line in enumerate(file, 1):
            words = line.split("#")[0].split()
            if not words:
                continue
            if words[0] == "class":
                group = (words[1], int(words[2]))
                continue
            split = words.index(":")
            fields = [tuple(word.split(":")) for word in words[split + 1:]]
            unknown = [kind for _, kind in fields if kind not in MEMBER]
            if unknown or group is None:
                raise SystemExit(f"{path}:{number}: what is {unknown}?")
            yield (*group, words[1], int(words[0]), "content" in words[2:split], fields)


def struct_name(group, method):
    return "".join(part.capitalize() for part in [group, *method.split("-")])


def field_list(fields):
    out, run = [], []
    for name, kind in [*fields, (None, None)]:
        if kind == "bit":
            run.append(f"&M::{name}")
            continue
        if run:
            out.append(f"schema::bits({', '.join(run)})")
            run = []
        if kind in SIZED:
            out.append(f"{SIZED[kind]}(&M::{name})")
        elif kind:
            out.append(f"&M::{name}")
    return out


def wrapped(before, parts, after, indent):
    """One line when it fits in 100 columns, else filled lines."""
    line = before + ", ".join(parts) + after
    if len(line) <= 100:
        return line
    lines, current = [before], " " * indent
    for index, part in enumerate(parts):
        piece = part + (after if index == len(parts) - 1 else ",")
        if len(current) + 1 + len(piece) > 100:
            lines.append(current)
            current = " " * indent
        current += piece if current.isspace() else " " + piece
    return "\n".join([*lines, current])


def struct(group, group_id, method, method_id, content, fields):
    name = struct_name(group, method)
    out = [f"struct {name} {{",
           f"  static constexpr MethodId id = {group_id} << 16 | {method_id};",
           f'  static constexpr std::string_view name = "{group}.{method}";',
           f"  static constexpr bool has_content = {'true' if content else 'false'};"]
    out += [f"  {MEMBER[kind]} {field}{DEFAULT.get(kind, ' = 0')};" for field, kind in fields]
    names = [f'"{field}"' for field, _ in fields]
    array = f"  static constexpr std::array<std::string_view, {len(fields)}> field_names = {{"
    out.append(wrapped(array, names, "};", 6))
    out.append("  static constexpr auto fields() {")
    if fields:
        out.append(f"    using M = {name};")
    out.append(wrapped("    return std::tuple(", field_list(fields), ");", 8) if fields else
               "    return std::tuple<>();")
    out += ["  }", "};"]
    return "\n".join(out)


def header():
    methods = list(read_table(TABLE))
    cases = "\n".join(
        f"    case {name}::id: visit.template operator()<{name}>(); return true;"
        for name in (struct_name(method[0], method[2]) for method in methods))
    return "\n\n".join([HEAD.rstrip("\n"), *(struct(*method) for method in methods), TAIL % cases])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    text = header()
    if not args.check:
        with open(HEADER, "w", encoding="ascii") as file:
            file.write(text)
        return
    with open(HEADER, encoding="ascii") as file:
        if file.read() != text:
            sys.exit(f"{HEADER} is not what {TABLE} says; run tools/amqp_methods.py")


if __name__ == "__main__":
    main()
