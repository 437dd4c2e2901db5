"""What a PBX orders a phone to do: fetch its settings, report, or start again."""

from __future__ import annotations

import attrs

from presproxy.server.front.front import Front
from presproxy.server.pbx import Pbxs
from presproxy.sip.flow import Flow
from presproxy.sip.message import Request

#: The events by which phones are known to take orders (Snom, Yealink, Aastra, Cisco).
EVENTS = frozenset(
    {
        "check-sync",
        "resync",
        "reboot",
        "reboot_now",
        "restart_now",
        "report",
        "aastra-xml",
    }
)


@attrs.frozen(eq=False)
class Orders:
    """
    Tells orders from other NOTIFYs: they restart phones, so not everybody may give them.

    PBXs may, and the servers behind.
    """

    pbxs: Pbxs
    front: Front | None = None

    def has(self, request: Request, flow: Flow) -> bool:
        """
        Say whether a request is an order, outside any dialog, of who may give it.

        Raises `MalformedField` for an Event that cannot be read.
        """
        if request.method != "NOTIFY" or request.has("route"):
            return False
        event = request.event
        if event is None or event.package not in EVENTS or request.to.tag is not None:
            return False
        if self.pbxs.have_sent(request, flow):
            return True
        return self.front is not None and self.front.is_near(flow)
