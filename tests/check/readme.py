#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The README against the program: readme.py build/rawspider prints what it leaves out; exit 1 then.

Every option of the commands that have some, every command, and every condition of every plugin (by its last word) has
to be named, and the CI's command has to be the README's."""
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]


def main():
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    words = set(re.findall(r"[\w-]+", readme))

    def ask(*args):
        done = subprocess.run([sys.argv[1], *args], capture_output=True, text=True, check=True)
        return done.stdout

    missing = []
    for name in ("measure", "classify", "observe", "verify"):
        for line in ask(name, "--help").splitlines():
            option = re.match(r"  (?:-(\w), *|    |)--([\w-]+)", line)
            if option and option[2] != "help" and not {f"-{option[1]}", f"--{option[2]}"} & words:
                missing.append(f"option --{option[2]} of {name}")
    for line in ask("--help").splitlines():
        command = re.match(r"  (\w+) {2,}", line)
        if command and command[1] not in words:
            missing.append(f"command {command[1]}")
    for plugin in re.findall(r"^(\w+)", ask("plugins"), re.MULTILINE):
        for name in re.findall(r"^  (?:base|detail) +(\S+)", ask("plugins", plugin), re.MULTILINE):
            if not set(re.findall(r"\w+", name.removesuffix(":VALUE"))) <= words:
                missing.append(f"condition {name}")
    command = re.search(r"/\.\./(tests/\S+)\"", (TOP / ".ci/run").read_text(encoding="utf-8"))
    if not command or not re.search(rf"^    {command[1]}\s", readme, re.MULTILINE):
        missing.append("the command of .ci/run")
    for text in missing:
        print(f"README.md does not name {text}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
