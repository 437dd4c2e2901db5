from __future__ import annotations

import pytest

from presproxy.documents import winfo
from presproxy.errors import MalformedDocument
from presproxy.interfaces import IEventPackage, Material, Watcher
from presproxy.packages.winfo import WinfoPackage
from presproxy.sip.uri import AddressOfRecord
from presproxy.testing.contracts.package import EventPackageContract

ALICE = AddressOfRecord("sip:alice@example.test")
BOB = AddressOfRecord("sip:bob@example.test")
EVE = AddressOfRecord("sip:eve@example.test")

BOBS = Watcher("w2", BOB, "active", "approved", since=100.0, expires_at=700.0)
EVES = Watcher("w1", EVE, "pending", "subscribe", since=200.0, expires_at=900.0)


class TestWinfoPackage(EventPackageContract):
    def make(self) -> IEventPackage:
        return WinfoPackage()


class TestWinfoPackageOfAnother(EventPackageContract):
    def make(self) -> IEventPackage:
        return WinfoPackage(package="dialog")


def shown(*watchers: Watcher, version: int = 0) -> bytes:
    package = WinfoPackage()
    state = package.compose(Material(ALICE, watchers=watchers))
    return package.render(state, winfo.CONTENT_TYPE).numbered(version)


def test_watchers_are_told_in_the_order_of_their_arrival():
    assert shown(EVES, BOBS, version=7).decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<watcherinfo xmlns="urn:ietf:params:xml:ns:watcherinfo" version="7" state="full">'
        '<watcher-list resource="sip:alice@example.test" package="presence">'
        '<watcher id="w2" status="active" event="approved">sip:bob@example.test</watcher>'
        '<watcher id="w1" status="pending" event="subscribe">sip:eve@example.test</watcher>'
        "</watcher-list></watcherinfo>\n"
    )


def test_without_watchers_the_list_is_empty():
    information = winfo.read(shown())

    assert information.lists == (winfo.WatcherList(ALICE, "presence"),)


def test_a_refresh_is_no_change():
    package = WinfoPackage()
    refreshed = Watcher("w2", BOB, "active", "approved", 100.0, expires_at=1300.0)

    assert package.compose(Material(ALICE, watchers=[refreshed])) == package.compose(
        Material(ALICE, watchers=[BOBS])
    )


def test_the_package_that_is_watched_is_named():
    package = WinfoPackage(package="dialog")
    body = package.render(package.neutral(ALICE), winfo.CONTENT_TYPE)

    assert package.name == "dialog.winfo"
    assert winfo.read(body.numbered(1)).lists[0].package == "dialog"


def test_nobody_publishes_watchers():
    with pytest.raises(MalformedDocument, match="not published"):
        WinfoPackage().parse("application/watcherinfo+xml", shown())
