"""A user agent that speaks Lync's dialect: what it publishes, and whom it watches."""

from presproxy.useragent.lync.endpoint import LyncEndpoint
from presproxy.useragent.lync.seen import Contact
from presproxy.useragent.lync.subscription import LyncSubscription

__all__ = ["Contact", "LyncEndpoint", "LyncSubscription"]
