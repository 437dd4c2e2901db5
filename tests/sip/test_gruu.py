"""The URIs that lead to one endpoint."""

from __future__ import annotations

import pytest

from presproxy.sip.gruu import endpoint_named, endpoint_of
from presproxy.sip.uri import parse_uri

EPID = "CF4L2AMcWg2NmvFJquaVSgAA"


@pytest.mark.parametrize(
    "instance",
    [
        '"<urn:uuid:085e0bd8-031c-5a0d-8d9a-f149aae6954a>"',
        "<urn:uuid:085e0bd8-031c-5a0d-8d9a-f149aae6954a>",
        "<URN:UUID:085E0BD8-031C-5A0D-8D9A-F149AAE6954A>",
    ],
)
def test_an_instance_names_its_endpoint(instance):
    assert endpoint_named(instance) == EPID


@pytest.mark.parametrize("instance", ["", "<urn:uuid:1-2>", "<urn:gsma:imei:1>"])
def test_what_is_no_uuid_names_none(instance):
    assert endpoint_named(instance) is None


@pytest.mark.parametrize(
    ("uri", "endpoint"),
    [
        (f"sip:a@x;opaque=user:epid:{EPID};gruu", EPID),
        (f"sip:a@x;gruu;opaque=user%3Aepid%3A{EPID}", EPID),
        (f"sip:a@x;opaque=user:epid:{EPID}", None),
        ("sip:a@x;opaque=app:conf;gruu", None),
        ("sip:a@x;gruu", None),
        ("sip:a@x", None),
    ],
)
def test_a_uri_may_name_an_endpoint(uri, endpoint):
    assert endpoint_of(parse_uri(uri)) == endpoint
