"""
The composition root: builds everything, starts and stops it in order.

The only room that knows everybody.  `build` makes the house from a plan, top to bottom;
nothing is opened before `PresenceServer.start`.
"""

from presproxy.service.build import build
from presproxy.service.server import PresenceServer
from presproxy.service.twistd import make_service

__all__ = ["PresenceServer", "build", "make_service"]
