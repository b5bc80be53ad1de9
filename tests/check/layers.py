#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers, proved from the includes: every #include of src/ against the table below.

    layers.py [--root DIR]     prints FILE:LINE of each breach; exit 1 if there is one
    layers.py --self-test      plants breaches in a copy made up for it, and must find each

Also: an include names its folder ("wire/view.h"); a private header (*_int.h) is included only inside
its folder; run/ names no plugin (it knows them through the registry only)."""
import argparse
import pathlib
import re
import sys
import tempfile

LIBC = "assert ctype errno float inttypes limits math stdarg stdbool stddef stdint stdio stdlib string strings"
PURE = "assert ctype float inttypes limits stdarg stdbool stddef stdint stdio string strings"
ALL_BELOW_RUN = "base wire craft tcpstate exchange observe plugins net io"


class Rule:
    """What a folder may include: `own` folders; <system> headers: names without .h, or a prefix with
    '*'; `files`: more <system> headers for one file, each with its reason here in a comment."""

    def __init__(self, own, system, files=None):
        self.own = set(own.split())
        self.system = system.split()
        self.files = {k: v.split() for k, v in (files or {}).items()}

    def allows_system(self, header, filename):
        name = header.removesuffix(".h")
        return any(name == a or (a.endswith("*") and name.startswith(a[:-1]))
                   for a in self.system + self.files.get(filename, []))


# POSIX and Linux headers that the folders with sockets and files may use.
HOST = LIBC + " fcntl getopt poll pthread signal time unistd dirent ifaddrs endian sys/* net/* netinet/* arpa/* linux/*"

RULES = {
    # base owns the slab (malloc) and the error text (errno).
    "base": Rule("", PURE + " stdlib errno"),
    # inet_pton and inet_ntop read and write text, they open nothing.
    "wire": Rule("base", PURE, {"addr.c": "arpa/inet"}),
    "craft": Rule("base wire", PURE + " stdlib libnet"),
    "tcpstate": Rule("base wire", PURE),
    # An adapter's one library goes into its own file's entry.
    "exchange": Rule("base wire", PURE),
    "observe": Rule("base wire", PURE + " stdlib"),
    "plugins": Rule("base wire craft tcpstate exchange observe", PURE),
    "net": Rule("base wire", HOST + " ev pcap pcap/* libmnl/* libtrace wandio", {"inject_ip.c": "libnet", "trace_file.c": "stdio_ext"}),
    "io": Rule("base wire", HOST + " jansson wandio", {"ipfix.c": "fixbuf/*", "ipfix_sink.c": "netdb"}),
    "run": Rule(ALL_BELOW_RUN, HOST),
    "cli": Rule("run io base", HOST),
}
# cli may include the plugin registry, and nothing else of that folder.
HEADERS = {("cli", "plugins/plugin.h")}

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')


def check_own(folder, target):
    if "/" not in target:
        return f'"{target}" is named without its folder'
    to = target.split("/")[0]
    if to not in RULES:
        return f'"{target}" is not in a folder of src/'
    if to != folder and target.endswith("_int.h"):
        return f'"{target}" is private to {to}/'
    if to == folder or to in RULES[folder].own or (folder, target) in HEADERS:
        return None
    return f'{folder}/ must not include {to}/ ("{target}")'


def check_line(folder, filename, line, plugins):
    found = INCLUDE.match(line)
    if found and found.group(1):
        return check_own(folder, found.group(1))
    if found and not RULES[folder].allows_system(found.group(2), filename):
        return f"{folder}/ must not include <{found.group(2)}>"
    if folder == "run":
        for name in plugins:
            if re.search(rf'\bplugin_{name}\b|"{name}"', line):
                return f"run/ must not name the plugin {name}"
    return None


def breaches(root):
    src = root / "src"
    plugins = [p.stem for p in sorted(src.glob("plugins/*.c"))]
    for path in sorted(src.rglob("*")):
        if path.suffix not in (".c", ".h", ".def"):
            continue
        parts = path.relative_to(src).parts
        where = path.relative_to(root)
        if len(parts) != 2 or parts[0] not in RULES:
            yield f"{where}:1: not in a folder of the table"
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            what = check_line(parts[0], parts[1], line, plugins)
            if what:
                yield f"{where}:{number}: {what}"


PLANTED = [  # file, text, whether it is a breach
    ("wire/a.c", '#include "base/err.h"\n#include <string.h>\n', False),
    ("wire/a.c", "#include <sys/socket.h>\n", True),
    ("wire/a.c", "#include <arpa/inet.h>\n", True),
    ("wire/addr.c", "#include <arpa/inet.h>\n", False),
    ("wire/a.c", "#include <stdlib.h>\n", True),
    ("base/a.c", '#include "wire/view.h"\n', True),
    ("tcpstate/a.c", '#include "craft/craft.h"\n', True),
    ("tcpstate/a.c", "#include <time.h>\n", True),
    ("craft/a.c", "#include <libnet.h>\n", False),
    ("observe/a.c", "#include <libnet.h>\n", True),
    ("observe/a.c", '#  include   "plugins/plugin.h"\n', True),
    ("plugins/a.c", '#include "observe/flow.h"\n', False),
    ("plugins/a.c", '#include "io/record.h"\n', True),
    ("plugins/a.c", '#include "wire/view_int.h"\n', True),
    ("plugins/a.c", "#include <stdlib.h>\n", True),
    ("net/a.c", '#include "tcpstate/tcp.h"\n', True),
    ("net/a.c", "#include <jansson.h>\n", True),
    ("io/a.c", "#include <jansson.h>\n", False),
    ("io/a.c", '#include "net/loop.h"\n', True),
    ("io/a.c", "#include <fixbuf/public.h>\n", True),
    ("io/ipfix.c", "#include <fixbuf/public.h>\n", False),
    ("run/a.c", '#include "io/text_int.h"\n', True),
    ("run/a.c", "#include <ev.h>\n", True),
    ("run/a.c", '#include "net/loop.h"\n#include "run/run_int.h"\n', False),
    ("run/a.c", "x = plugin_ecn.name;\n", True),
    ("run/a.c", 'if (strcmp(name, "ecn") == 0)\n', True),
    ("cli/a.c", '#include "plugins/plugin.h"\n#include "run/measure.h"\n', False),
    ("cli/a.c", '#include "net/loop.h"\n', True),
    ("cli/a.c", '#include "plugins/other.h"\n', True),
    ("cli/a.c", '#include "measure.h"\n', True),
    ("extra/a.c", "int x;\n", True),
]


def self_test():
    wrong = 0
    for name, text, is_breach in PLANTED:
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for path, content in (("plugins/ecn.c", ""), (name, text)):
                (root / "src" / path).parent.mkdir(parents=True, exist_ok=True)
                (root / "src" / path).write_text(content)
            found = list(breaches(root))
            if bool(found) != is_breach:
                wrong += 1
                print(f"self-test: {name}: {text!r}: expected {'a breach' if is_breach else 'none'}, got {found}")
    print(f"self-test: {len(PLANTED)} plants, {wrong} judged wrongly")
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2])
    parser.add_argument("--self-test", action="store_true")
    args = parser.parse_args()
    if args.self_test:
        return 1 if self_test() else 0
    found = list(breaches(args.root))
    for line in found:
        print(line)
    print(f"layers: {len(found)} breaches" if found else "layers: as the table says")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
