#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Would truth.py find a wrong verdict? Plants each fault of faults.txt in a copy of the tree,
builds it and runs truth on it: it must turn red for each, and must not for the tree as it is."""

import concurrent.futures
import os
import shutil
import subprocess
import sys
from typing import NamedTuple

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.normpath(os.path.join(HERE, "..", ".."))
COPIES = os.path.join(TOP, "build-truth")
# Without loss, so that details can be judged; ten targets of each class are enough, and most of the
# time is spent waiting.
TRUTH = ["--count", "350", "--loss", "0", "--details", "--rate", "5000", "--window", "1000"]
TRUTH += ["--timeout", "4", "--confirm-delay", "0.2"]


class Fault(NamedTuple):
    name: str
    file: str
    script: str


def faults():
    with open(os.path.join(HERE, "faults.txt"), encoding="utf-8") as file:
        lines = [line.strip() for line in file]
    return [Fault(*line.split(None, 2)) for line in lines if line and not line.startswith("#")]


def plant(fault):
    """The program with the fault in it, or None, and a sentence."""
    copy = os.path.join(COPIES, fault.name)
    shutil.rmtree(copy, ignore_errors=True)
    os.makedirs(os.path.join(copy, "build"))
    # With what is built already, so that only what the fault touches is compiled.
    for part in ("Makefile", "src", "build/obj", "build/gen"):
        subprocess.run(["cp", "-a", os.path.join(TOP, part), os.path.join(copy, part)], check=True)
    path = os.path.join(copy, "src", fault.file)
    with open(path, "rb") as file:
        before = file.read()
    subprocess.run(["sed", "-i", fault.script, path], check=True)
    with open(path, "rb") as file:
        if file.read() == before:
            return None, f"{fault.file} has changed, the fault cannot be planted"
    make = ["make", "--no-print-directory", "-C", copy, "all"]
    built = subprocess.run(make, capture_output=True, text=True, check=False)
    if built.returncode:
        return None, "it does not compile:\n" + built.stderr
    return os.path.join(copy, "build", "rawspider"), ""


def truth(name, program):
    """Its exit code, and its last line."""
    log = os.path.join(COPIES, f"{name}.log")
    wrong = os.path.join(COPIES, f"{name}.ndjson")
    argv = [os.path.join(HERE, "truth.py"), *TRUTH, "--program", program, "--wrong", wrong]
    with open(log, "w", encoding="utf-8") as out:
        code = subprocess.run(argv, stdout=out, stderr=out, check=False).returncode
    with open(log, encoding="utf-8") as file:
        last = (file.read().splitlines() or ["nothing"])[-1]
    return code, last.removeprefix("truth: ")


def prove(fault):
    """A line of the report, and whether it is good."""
    program, problem = plant(fault)
    if not program:
        return f"truth-prove {fault.name}: {problem}", False
    code, last = truth(fault.name, program)
    shutil.rmtree(os.path.join(COPIES, fault.name))
    # A program that dies or stops early would be red, too, but prove nothing.
    if code == 1 and "rawspider ended with" not in last and "without a record" not in last:
        return f"truth-prove {fault.name}: {last}: was found", True
    return f"truth-prove {fault.name}: NOT found ({code}: {last})", False


def control():
    code, last = truth("control", os.path.join(TOP, "build", "rawspider"))
    if code:
        return f"truth-prove control: the tree as it is: {last}", False
    return "truth-prove control: not red for the tree as it is, was found", True


def main():
    os.makedirs(COPIES, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(11) as pool:
        waiting = [pool.submit(control)] + [pool.submit(prove, fault) for fault in faults()]
        good = True
        for one in concurrent.futures.as_completed(waiting):
            line, is_good = one.result()
            print(line, flush=True)
            good = good and is_good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
