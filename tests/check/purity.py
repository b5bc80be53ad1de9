#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Purity, proved from the objects: what the folders without input and output call.

    purity.py BUILD_OBJ_DIR    prints OBJECT: SYMBOL of each breach; exit 1 if there is one
    purity.py --self-test      compiles planted breaches, and must find each

Every undefined symbol (nm -u) of an object must be defined in its own folder or in one that it may
include, or be in the allow-list: so no clock, no random source, no socket, no file can be called,
whatever header declared it."""
import argparse
import fnmatch
import os
import pathlib
import subprocess
import sys
import tempfile

# Bytes and text in memory, and our own mistakes. No strdup, no memalign: they allocate.
ANYWHERE = """memcpy memmove memset memcmp bcmp memchr memrchr memmem strlen strnlen strcmp strncmp strcasecmp
    strncasecmp strchr strrchr strstr strspn strcspn strpbrk strcpy strncpy strtol strtoul strtoull snprintf
    vsnprintf __assert_fail abort __ctype_b_loc __ctype_tolower_loc __ctype_toupper_loc"""
# What compilers put in: stack protector, fortified twins, sanitizers, coverage, fuzzers, switch tables.
COMPILER = """__stack_chk_fail __mem*_chk __str*_chk __snprintf_chk __vsnprintf_chk __asan_* __ubsan_*
    __lsan_* __sanitizer_* __gcov_* __llvm_* __sancov_* __tls_get_addr _GLOBAL_OFFSET_TABLE_"""

USES = {  # folder: folders whose symbols it may use, besides its own
    "base": "",
    "wire": "base",
    "craft": "base wire",
    "tcpstate": "base wire",
    "exchange": "base wire",
    "observe": "base wire",
    "plugins": "base wire craft tcpstate exchange observe",
}
FOLDERS = {  # libraries
    # Building in memory; not libnet_write (sends), libnet_name2addr* (asks DNS), libnet_get_prand.
    "craft": "libnet_init libnet_destroy libnet_geterror libnet_clear_packet libnet_pblock_* libnet_build_*",
}
FILES = {  # one file's own, with the reason
    "base/slab": "malloc free",  # the only allocator of what strangers make us hold
    "base/err": "strerror",  # the reason of a failed system call, for people
    "wire/addr": "inet_pton inet_ntop",  # text to address and back; nothing is opened
    "craft/craft": "calloc free",  # one context a run
    "observe/table": "calloc free",  # one table a run
    "observe/evaluate": "calloc free",  # the resolved rows of one plugin, at load
}


def symbols(path, *options):
    out = subprocess.run(["nm", "-P", *options, str(path)], check=True, capture_output=True, text=True).stdout
    return [line.split()[0] for line in out.splitlines() if line.strip() and not line.endswith(":")]


def is_allowed(symbol, folder, stem):
    wanted = " ".join([ANYWHERE, COMPILER, FOLDERS.get(folder, ""), FILES.get(f"{folder}/{stem}", "")])
    return any(fnmatch.fnmatchcase(symbol, pattern) for pattern in wanted.split())


def breaches(objects):
    defined = {}
    for folder in USES:
        defined[folder] = set()
        for path in sorted((objects / folder).glob("*.o")):
            defined[folder].update(symbols(path, "--defined-only", "--extern-only"))
    for folder, uses in USES.items():
        known = set().union(defined[folder], *(defined[u] for u in uses.split()))
        for path in sorted((objects / folder).glob("*.o")):
            for symbol in sorted(set(symbols(path, "--undefined-only")) - known):
                if not is_allowed(symbol, folder, path.stem):
                    yield f"{folder}/{path.name}: {symbol}"


PLANTED = [  # object, C text, symbol that must be found (None: none)
    ("tcpstate/a", "#include <string.h>\nint f(const char *s) { return (int)strlen(s); }", None),
    ("tcpstate/a", "#include <time.h>\nlong f(void) { return (long)time(0); }", "time"),
    ("tcpstate/a", "#include <time.h>\nint f(struct timespec *t) { return clock_gettime(0, t); }", "clock_gettime"),
    ("observe/a", "#include <stdlib.h>\nint f(void) { return rand(); }", "rand"),
    ("observe/a", "#include <stdlib.h>\nvoid *f(void) { return malloc(9); }", "malloc"),
    ("observe/a", '#include <stdio.h>\nvoid f(void) { printf("%d", 1); }', "printf"),
    ("exchange/a", "#include <unistd.h>\nlong f(char *b) { return read(0, b, 1); }", "read"),
    ("exchange/a", "#include <string.h>\nchar *f(int e) { return strerror(e); }", "strerror"),
    ("wire/a", "#include <sys/socket.h>\nint f(void) { return socket(1, 1, 1); }", "socket"),
    ("tcpstate/a", "int craft_planted(void);\nint f(void) { return craft_planted(); }", "craft_planted"),
    ("plugins/a", "int craft_planted(void);\nint f(void) { return craft_planted(); }", None),
    ("craft/a", "int libnet_build_x(void);\nint f(void) { return libnet_build_x(); }", None),
    ("craft/a", "int libnet_write(void);\nint f(void) { return libnet_write(); }", "libnet_write"),
    ("wire/a", "int libnet_build_x(void);\nint f(void) { return libnet_build_x(); }", "libnet_build_x"),
    ("observe/a", "#include <string.h>\nchar *f(char *s) { return strdup(s); }", "strdup"),
]


def self_test():
    wrong = 0
    for name, text, symbol in PLANTED:
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for target, content in (("craft/other", "int craft_planted(void) { return 1; }"), (name, text)):
                path = root / f"{target}.o"
                path.parent.mkdir(exist_ok=True)
                subprocess.run([os.environ.get("CC", "cc"), "-w", "-O1", "-fno-builtin", "-c", "-x", "c", "-o", str(path), "-"],
                               input=content, text=True, check=True)
            found = list(breaches(root))
            if found != ([f"{name}.o: {symbol}"] if symbol else []):
                wrong += 1
                print(f"self-test: {name}: expected {symbol}, got {found}")
    print(f"self-test: {len(PLANTED)} plants, {wrong} judged wrongly")
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("objects", nargs="?", type=pathlib.Path)
    parser.add_argument("--self-test", action="store_true")
    args = parser.parse_args()
    if args.self_test:
        return 1 if self_test() else 0
    if args.objects is None:
        parser.error("name the folder of objects")
    missing = [f for f in USES if f != "plugins" and not list((args.objects / f).glob("*.o"))]
    if missing:
        print(f"purity: no objects of {', '.join(missing)} in {args.objects}: build first")
        return 1
    found = list(breaches(args.objects))
    for line in found:
        print(f"{line}: neither of the folders that it may use, nor in the allow-list")
    print(f"purity: {len(found)} breaches" if found else "purity: nothing but what is listed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
