"""
What may be swapped, and what it promises.

How to read the methods: ``-> Awaitable[T]`` may wait and is called at most once per
request; a coroutine or a method returning a Deferred will do.  Any other return type
must not wait.  The exceptions named are answers; all others are failures, which the
server counts, logs with the plugin's name, and meets with the safe answer of the kind.
"""

from __future__ import annotations

from presproxy.interfaces.acl import IContactACL, IContactList
from presproxy.interfaces.aggregators import IAggregating, IAggregator
from presproxy.interfaces.auth import IAuthenticator
from presproxy.interfaces.books import ContactBook, ContainerBook
from presproxy.interfaces.house import IClock, IHouse, IPluggable, IStorage, Lease
from presproxy.interfaces.material import Account, Bound, Feed, Material, Watcher
from presproxy.interfaces.notifiers import INotifier, IRouteKeeper
from presproxy.interfaces.packages import (
    Bounds,
    IDeltaPackage,
    IEventPackage,
    IFollowingPackage,
    IPartialPackage,
    IPassedPackage,
    IPrivatePackage,
    ITailoredPackage,
)

__all__ = [
    "Account",
    "Bound",
    "Bounds",
    "ContactBook",
    "ContainerBook",
    "Feed",
    "IAggregating",
    "IAggregator",
    "IAuthenticator",
    "IClock",
    "IContactACL",
    "IContactList",
    "IDeltaPackage",
    "IEventPackage",
    "IFollowingPackage",
    "IHouse",
    "INotifier",
    "IPartialPackage",
    "IPassedPackage",
    "IPluggable",
    "IPrivatePackage",
    "IRouteKeeper",
    "IStorage",
    "ITailoredPackage",
    "Lease",
    "Material",
    "Watcher",
]
