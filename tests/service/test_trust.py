"""Whom the server believes where it calls by TLS is read at a start, and kept."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from presproxy.config.values import TransportOptions
from presproxy.service import build
from presproxy.testing.certificates import Authority
from presproxy.transport.certificates import UnusableCertificate
from presproxy.transport.where import Where


@pytest.fixture
def authority(tmp_path):
    return Authority.make(tmp_path)


@pytest.fixture
def shown(authority, tmp_path):
    return authority.certify(tmp_path / "server.pem", "localhost")


@pytest.fixture(params=["authorities", "certificate"])
def broken(request, authority, shown):
    """The file that is no good after a while."""
    return authority.path if request.param == "authorities" else shown


@pytest.fixture
def plan(make_plan, authority, shown):
    place = Where("tls", 0, "127.0.0.1", str(shown), str(shown))
    return make_plan(
        listen=(place,), transport=TransportOptions(authorities=str(authority.path))
    )


def test_what_cannot_be_used_is_told_at_a_start(plan, broken):
    broken.write_text("nobody")

    with pytest.raises(UnusableCertificate, match="holds no certificate in PEM"):
        build(plan, Clock())


def test_a_renewal_that_fails_leaves_the_old_in_use_before_its_first_use(plan, broken):
    server = build(plan, Clock())
    broken.write_text("nobody")

    with capturedLogs() as logged:
        server.renew()

    assert "believed on" in "".join(each.get("log_format", "") for each in logged)
    assert server.connections.trust.towards("localhost").clientConnectionForTLS(None)
