from __future__ import annotations

from zope.interface.verify import verifyObject

from presproxy.interfaces import IEventPackage, Material
from presproxy.model.publication import EntityTag, Publication
from presproxy.packages.presence import PresencePackage
from presproxy.sip.uri import AddressOfRecord

ALICE = AddressOfRecord("sip:alice@example.test")
PIDF = "application/pidf+xml"

HEAD = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b'<presence xmlns="urn:ietf:params:xml:ns:pidf"'
    b' xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"'
    b' xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid"'
    b' entity="sip:alice@example.test">'
)
NOBODY = (
    HEAD + b'<tuple id="nobody"><status><basic>closed</basic></status>'
    b"<contact>sip:alice@example.test</contact></tuple></presence>\n"
)


def published(
    body: bytes | str, package: PresencePackage | None = None, key: str = "k1"
) -> Publication:
    data = body.encode() if isinstance(body, str) else body
    package = package or PresencePackage()
    return Publication(
        key=key,
        presentity=ALICE,
        package="presence",
        entity_tag=EntityTag("e1"),
        content_type=PIDF,
        body=data,
        document=package.parse(PIDF, data),
        expires_at=3600.0,
        modified_at=0.0,
    )


def presence(content: str, entity: str = "sip:alice@example.test") -> str:
    return (
        f'<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="{entity}"'
        ' xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"'
        f' xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid">{content}</presence>'
    )


def composed(*bodies: bytes | str, package: PresencePackage | None = None) -> bytes:
    """Compose bodies, the latest first, and give what stands within the root."""
    package = package or PresencePackage()
    publications = [
        published(body, package, key=f"k{n}") for n, body in enumerate(bodies)
    ]
    state = package.compose(Material(ALICE, publications))
    data = package.render(state, PIDF).data
    assert data.startswith(HEAD)
    return data.removeprefix(HEAD).removesuffix(b"</presence>\n")


def test_it_provides_its_interface():
    verifyObject(IEventPackage, PresencePackage())


def test_nobody_at_home_is_a_closed_tuple():
    package = PresencePackage()

    body = package.render(package.compose(Material(ALICE)), PIDF)

    assert (body.content_type, body.data) == (PIDF, NOBODY)


def test_string_matchers_can_read_what_was_published_with_other_prefixes():
    body = """
<p:presence xmlns:p="urn:ietf:params:xml:ns:pidf" xmlns:r="urn:ietf:params:xml:ns:pidf:rpid"
  xmlns:d="urn:ietf:params:xml:ns:pidf:data-model" entity="pres:alice@example.test">
 <p:tuple id="a"><p:status><p:basic> open </p:basic></p:status></p:tuple>
 <d:person id="b"><r:activities><r:away></r:away></r:activities></d:person>
</p:presence>"""

    assert composed(body) == (
        b'<tuple id="a"><status><basic>open</basic></status>'
        b"<contact>sip:alice@example.test</contact></tuple>"
        b'<dm:person id="b"><rpid:activities><rpid:away/></rpid:activities></dm:person>'
    )
