"""Makes ``twistd presproxy`` known to twistd."""

from twisted.application.service import ServiceMaker

presproxy = ServiceMaker(
    "presproxy",
    "presproxy.tap",
    "A presence server for SIP.",
    "presproxy",
)
