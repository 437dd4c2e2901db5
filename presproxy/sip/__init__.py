"""The language: SIP messages and their fields.  Pure: no Twisted, no clock, no sockets."""
