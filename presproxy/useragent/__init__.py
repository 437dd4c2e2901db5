"""
A small user agent (RFC 3261 §8) for the command line, the demo and tests.

It speaks to one server over a real socket, holds what it has registered, published and
subscribed to, and answers challenges.
"""

from presproxy.useragent.agent import UserAgent
from presproxy.useragent.errors import BadAnswer, NoAnswer, Refused, SubscriptionEnded
from presproxy.useragent.login import Account
from presproxy.useragent.publication import Content, HeldPublication
from presproxy.useragent.registration import HeldRegistration
from presproxy.useragent.states import STATES, Presence, presence_in
from presproxy.useragent.subscription import HeldSubscription, Notification
from presproxy.useragent.wire import Server

__all__ = [
    "STATES",
    "Account",
    "BadAnswer",
    "Content",
    "HeldPublication",
    "HeldRegistration",
    "HeldSubscription",
    "NoAnswer",
    "Notification",
    "Presence",
    "Refused",
    "Server",
    "SubscriptionEnded",
    "UserAgent",
    "presence_in",
]
