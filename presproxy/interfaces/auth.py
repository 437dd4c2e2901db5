"""Authenticators: who sent a request."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from presproxy.interfaces.house import IPluggable
from presproxy.model.identity import Identity
from presproxy.sip.flow import Flow
from presproxy.sip.message import Request


class IAuthenticator(IPluggable):
    """
    Says who sent a request.

    The configured ones are asked in order, once per request, until one knows.
    """

    def authenticate(request: Request, flow: Flow) -> Awaitable[Identity | None]:
        """
        Name the sender, or answer None for "not mine": the request carries no
        credentials of this scheme, or came on a flow not trusted here.

        Raises `CredentialsRejected` (challenged anew; ``stale`` if only the nonce was
        old), `AuthenticationContinues` (one more leg, its challenge inside) or
        `AccessDenied`.  Anything else, or too long a wait, refuses the request.
        """

    def challenge(request: Request, realm: str, stale: bool) -> Sequence[str]:
        """
        Give the values of WWW-Authenticate to send, the preferred first; none is allowed.

        One which is a `ProxyChallenge` is sent as Proxy-Authenticate; the status is that
        of the first of all, 401 or 407.  Called when nobody knew the sender and the
        request needs one.
        """
