"""What comes from PBXs, built together."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from presproxy.config import Configuration
from presproxy.events.compositor import Compositor
from presproxy.events.resource import Resources
from presproxy.interfaces import IEventPackage
from presproxy.packages.messages import NAME, MessagesPackage
from presproxy.server.domains import Domains
from presproxy.server.journal import Journal
from presproxy.server.notify import Mailboxes


def build_mailboxes(
    served: Mapping[str, IEventPackage],
    resources: Resources,
    compositor: Compositor,
    journal: Journal,
    domains: Domains,
    configuration: Configuration,
    now: Callable[[], float],
) -> Mailboxes | None:
    """Build what takes a PBX's word of mailboxes, where these are served."""
    package = served.get(NAME)
    if not isinstance(package, MessagesPackage):
        return None
    return Mailboxes(
        package,
        resources.guard(NAME),
        compositor,
        journal,
        domains,
        configuration.domains[0],
        configuration.limits.body,
        now,
    )
