"""A run of the driver that is small enough for tests."""

from __future__ import annotations

import json
import subprocess

import pytest

from bench.driver import build


@pytest.fixture(scope="session")
def driver():
    return build()


@pytest.fixture
def play(driver):
    """Run the driver against a server of a few lines; give what it counted."""

    def play(server, scenario, *arguments):
        command = [
            *(driver, "--server", f"127.0.0.1:{server.port}"),
            *("-p", "2", "-w", "6", "-f", "2", "-n", "20", "-W", "0"),
            *("--drain", "0.1", "--timeout", "0.5", *arguments, scenario),
        ]
        with server:
            ended = subprocess.run(command, capture_output=True, check=True, timeout=60)
        return json.loads(ended.stdout)

    return play
