#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the crafted captures of this folder, in both families; the same bytes every time.

    generate.py [--to DIR] [NAME...]   all, or those whose name has NAME in it
    generate.py --list                 the names

A fixture is a few lines in craft/*_scenes.py. What is expected of it stands in NAME.expect beside
the capture, is written by hand (or `rawspider verify --update`), and is not touched here."""

import argparse
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "craft"))

import chain_scenes  # noqa: E402
import ecn_mark_scenes  # noqa: E402
import ecn_scenes  # noqa: E402
import files  # noqa: E402
import meter_scenes  # noqa: E402
from scene import Scene  # noqa: E402

FOLDERS = {
    "ecn": ecn_scenes.FIXTURES + ecn_mark_scenes.FIXTURES,
    "chains": chain_scenes.FIXTURES,
    "meter": meter_scenes.FIXTURES,
}


def fixtures():
    """(folder, name, family, function, form, link) of each."""
    for folder, noted in FOLDERS.items():
        for name, function, form, link in noted:
            for family in (4, 6):
                yield folder, f"{name}_ipv{family}", family, function, form, link


def extension(form):
    return "pcapng" if form == "pcapng" else "pcap"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--to", default=HERE, metavar="DIR", help="write there (this folder)")
    parser.add_argument("--list", action="store_true", help="print the names")
    parser.add_argument("name", nargs="*")
    args = parser.parse_args()
    for folder, name, family, function, form, link in fixtures():
        if args.name and not any(part in name for part in args.name):
            continue
        path = os.path.join(folder, f"{name}.{extension(form)}")
        if args.list:
            print(path)
            continue
        scene = Scene(family)
        function(scene)
        os.makedirs(os.path.join(args.to, folder), exist_ok=True)
        with open(os.path.join(args.to, path), "wb") as file:
            file.write(files.capture(scene.packets, form, link))


if __name__ == "__main__":
    main()
