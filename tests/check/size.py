#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long our files and functions are.

    size.py [--root DIR]   a row a folder, the longest of each, and what is over the bound; exit 1 if so
    size.py --self-test    plants long ones, and must find each

Bounds: 500 lines a file, 100 a function, median of functions 20. A file or function may be longer
with a reason in LONGER. Functions are found by the format: `{` and `}` alone at the line's start."""
import argparse
import pathlib
import re
import statistics
import sys
import tempfile

FILE_LINES, FUNCTION_LINES, FUNCTION_MEDIAN = 500, 100, 20
LONGER = {  # "src/folder/file.c" or "src/folder/file.c:function": reason
}
NAME = re.compile(r"([A-Za-z_]\w*)\(")


def signature(lines, brace):
    """First line and name of the function whose body opens at index `brace`; None for data."""
    start = brace
    while start > 0 and lines[start - 1].strip() and not re.search(r"[;}]\s*$|^#|\*/\s*$", lines[start - 1]):
        start -= 1
    text = " ".join(lines[start:brace])
    found = None if "=" in text.split("(")[0] else NAME.search(text)
    return (start, found.group(1)) if found else None


def functions(text):
    """(name, lines) of each function, its signature included."""
    lines = text.splitlines()
    brace = None
    for i, line in enumerate(lines):
        if line == "{":
            brace = i
        elif line == "}" and brace is not None:
            found = signature(lines, brace)
            if found:
                yield found[1], i - found[0] + 1
            brace = None


def measure(root):
    """Rows (path, lines, [(function, lines)]) of src/."""
    for path in sorted((root / "src").rglob("*.[ch]")):
        text = path.read_text(errors="replace")
        yield str(path.relative_to(root)), len(text.splitlines()), list(functions(text))


def judge(rows):
    for path, lines, found in rows:
        if lines > FILE_LINES and path not in LONGER:
            yield f"{path}: {lines} lines, over {FILE_LINES}"
        for name, n in found:
            if n > FUNCTION_LINES and f"{path}:{name}" not in LONGER:
                yield f"{path}:{name}: {n} lines, over {FUNCTION_LINES}"
    every = [n for _, _, found in rows for _, n in found]
    if every and statistics.median(every) > FUNCTION_MEDIAN:
        yield f"median of functions {statistics.median(every)} lines, over {FUNCTION_MEDIAN}"


def print_table(rows):
    print(f"{'folder':<10}{'files':>6}{'lines':>7}{'longest file':>30}{'functions':>11}{'median':>8}{'p90':>5}  longest function")
    folders = sorted({path.split("/")[1] for path, _, _ in rows})
    for folder in folders + ["all"]:
        mine = [r for r in rows if folder in ("all", r[0].split("/")[1])]
        every = sorted((n, name) for _, _, found in mine for name, n in found)
        sizes = [n for n, _ in every] or [0]
        top = max(mine, key=lambda r: r[1])
        print(f"{folder:<10}{len(mine):>6}{sum(r[1] for r in mine):>7}"
              f"{pathlib.Path(top[0]).name + ' ' + str(top[1]):>30}{len(every):>11}"
              f"{statistics.median(sizes):>8g}{sizes[int(0.9 * (len(sizes) - 1))]:>5}"
              f"  {every[-1][1] + ' ' + str(every[-1][0]) if every else '-'}")


def self_test():
    body = "    x++;\n"
    plants = [
        ("int f(int x)\n{\n" + body * 97 + "}\n", 0),
        ("int f(int x)\n{\n" + body * 98 + "}\n", 1),
        ("static enum kind\nlong_name(struct a *b,\n          int x)\n{\n" + body * 96 + "}\n", 1),
        ("/* a */\nint f(void)\n{\n" + body * 97 + "}\n", 0),
        ("static const int table[] =\n{\n" + "    1,\n" * 200 + "};\n", 0),
        ("int x;\n" * 500, 0),
        ("int x;\n" * 501, 1),
    ]
    wrong = 0
    for text, expected in plants:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "src" / "base" / "a.c"
            path.parent.mkdir(parents=True)
            # short functions beside it, in a file of their own, so that the median stays low
            (path.parent / "b.c").write_text("int g(void)\n{\n    return 1;\n}\n\n" * 3)
            path.write_text(text)
            found = list(judge(list(measure(pathlib.Path(folder)))))
            if len(found) != expected:
                wrong += 1
                print(f"self-test: {text[:60]!r}...: expected {expected}, got {found}")
    print(f"self-test: {len(plants)} plants, {wrong} judged wrongly")
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2])
    parser.add_argument("--self-test", action="store_true")
    args = parser.parse_args()
    if args.self_test:
        return 1 if self_test() else 0
    rows = list(measure(args.root))
    print_table(rows)
    for key, reason in LONGER.items():
        print(f"allowed: {key}: {reason}")
    found = list(judge(rows))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
