# SPDX-License-Identifier: GPL-3.0-or-later
"""Options and programs of the tests of the virtual Internet."""

import os

import pytest

import net


def pytest_addoption(parser):
    parser.addoption(
        "--targets", type=int, default=20, help="of each box, in lab and virtual Internet (20)"
    )


@pytest.fixture(scope="session", autouse=True)
def programs():
    """RAWSPIDER names another one than that of `make`."""
    program = os.environ.get("RAWSPIDER", os.path.join(net.TOP, "build", "rawspider"))
    for path, target in ((program, "all"), (net.VINTERNET, "vinternet")):
        if not os.access(path, os.X_OK):
            pytest.exit(f"{path} is missing: make {target}", 1)
    return program
