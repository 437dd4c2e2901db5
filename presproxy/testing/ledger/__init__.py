"""
User agents who ask as fast as they are answered, and keep a ledger of what they were told.

After a server was killed and has come back, they compare: what was answered 200 is there,
what was not answered is there whole or not at all, and nothing else is.  For the server,
and for every storage that calls itself durable.
"""

from presproxy.testing.ledger.crowd import Crowd

__all__ = ["Crowd"]
