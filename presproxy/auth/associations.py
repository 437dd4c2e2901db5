"""The security associations of all connections, and those whom we trust without one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from presproxy.auth.perflow import PerFlow
from presproxy.auth.sipae import Association, Signer, Terms
from presproxy.errors import CredentialsRejected, MalformedField, SignInRefused
from presproxy.interfaces import IClock
from presproxy.sip.flow import Flow
from presproxy.sip.message import Request
from presproxy.sip.uri import AddressOfRecord, domain_of, user_of

#: Gives what stands for a user's secret, which is another once he has another.
Secret = Callable[[AddressOfRecord], object]


def _is_kept_elsewhere(user: AddressOfRecord) -> object:
    """Of somebody whose secret is not here nothing can be said."""
    return None


#: How many wrong signatures end a connection.  Chosen: one is answered by a challenge, as
#: it should be, but SIPE then signs the request as before, for as often as it is asked.
_WRONG_AT_MOST = 3


@attrs.define(eq=False)
class Associations:
    """
    One association for each connection, at most.

    The server answers whatever is asked on a connection by the association that it has,
    so there is one user on it.  Each holds for ``life`` seconds, and no longer than the
    ``secret`` of its user is the same.
    """

    life: float
    clock: IClock
    random: Callable[[int], bytes]
    secret: Secret = _is_kept_elsewhere
    _held: PerFlow[Association] = attrs.field(init=False, factory=PerFlow)
    _wrong: PerFlow[int] = attrs.field(init=False, factory=PerFlow)

    def __len__(self) -> int:
        return len(self._held)

    def name(self) -> str:
        """Make a name for one; nobody can guess it."""
        return self.random(4).hex().upper()

    def make(
        self, opaque: str, user: AddressOfRecord, terms: Terms, signer: Signer
    ) -> Association:
        """Make one, which does not hold yet."""
        until = self.clock.seconds() + self.life
        secret = self.secret(user)
        return Association(opaque, user, terms, signer, until, self.random, secret)

    def hold(self, flow: Flow, association: Association) -> None:
        """Let it hold from now on; all that goes out on the connection is signed."""
        self._held.put(flow, association)
        self._wrong.pop(flow)
        flow.seal_with(association)

    def check(
        self, flow: Flow, given: Mapping[str, str], request: Request
    ) -> AddressOfRecord:
        """
        Say whose request it is, by its signature.

        Raises `CredentialsRejected`; then the association holds no more.  Where that
        happens again and again, raises `SignInRefused` and ends the connection, so that
        the user agent begins anew.
        """
        try:
            return self._checked(flow, given, request)
        except CredentialsRejected as rejected:
            self.drop(flow)
            wrong = (self._wrong.get(flow) or 0) + 1
            self._wrong.put(flow, wrong)
            if wrong < _WRONG_AT_MOST:
                raise
            # The answer is to be on its way before.
            self.clock.callLater(0, flow.end)
            raise SignInRefused(f"{rejected}; connect and sign in again") from rejected

    def _checked(
        self, flow: Flow, given: Mapping[str, str], request: Request
    ) -> AddressOfRecord:
        association = self._held.get(flow)
        if association is None or association.opaque != given.get("opaque"):
            raise CredentialsRejected("no such security association")
        if self.clock.seconds() >= association.until:
            raise CredentialsRejected("the security association is too old")
        if self.secret(association.user) != association.secret:
            raise CredentialsRejected("the user's secret is another now")
        association.check(given, request)
        return association.user

    def drop(self, flow: Flow) -> None:
        """Let the association of a connection hold no more."""
        if self._held.pop(flow) is not None:
            flow.seal_with(None)

    def clear(self) -> None:
        """Let none hold any more."""
        self._held.clear()
        self._wrong.clear()


@attrs.frozen
class _Proved:
    user: AddressOfRecord
    secret: object = attrs.field(repr=False)
    until: float


@attrs.define(eq=False)
class Trusted:
    """
    Who proved himself on which connection, to whom more is believed there.

    What does not sign is asked for a proof with REGISTER, and its other requests are
    believed for ``life`` seconds, as long as the ``secret`` of the user is the same: to
    ask for each would take two round trips, or four.
    Only who is connected to us himself is believed, as a proxy brings others' requests.
    """

    life: float
    seconds: Callable[[], float]
    secret: Secret
    _proved: PerFlow[_Proved] = attrs.field(init=False, factory=PerFlow)

    def __len__(self) -> int:
        return len(self._proved)

    def trust(self, flow: Flow, request: Request, user: AddressOfRecord) -> None:
        """Believe a user on this connection from now on, and no other any more."""
        if flow.reliable and request.has_one_via:
            until = self.seconds() + self.life
            self._proved.put(flow, _Proved(user, self.secret(user), until))

    def believes(self, flow: Flow, request: Request) -> AddressOfRecord | None:
        """Give who sent a request that has no proof of its own."""
        proved = self._proved.get(flow)
        if proved is None or request.method == "REGISTER" or not request.has_one_via:
            return None
        is_old = self.seconds() >= proved.until
        if is_old or self.secret(proved.user) != proved.secret:
            self._proved.pop(flow)
            return None
        return proved.user if _is_from(request, proved.user) else None

    def clear(self) -> None:
        """Believe nobody."""
        self._proved.clear()


def _is_from(request: Request, user: AddressOfRecord) -> bool:
    """Whether a user speaks as himself, with whatever port he writes."""
    try:
        claimed = request.from_.aor
    except MalformedField:
        return False
    return user_of(claimed) == user_of(user) and domain_of(claimed) == domain_of(user)
