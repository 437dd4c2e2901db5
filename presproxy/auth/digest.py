"""
Digest (RFC 7616, RFC 8760, RFC 3261 §22) with the digests of a users' file.

In this order: is the answer right, may its nonce be used once more, is it meant for this
request.  So only whoever knows the password learns that his nonce was old, and a user
nobody knows gets the same answer for the same work as a wrong password.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import attrs
from zope.interface import implementer

from presproxy.auth.associations import Trusted
from presproxy.auth.attempts import Guesses
from presproxy.auth.directory import Directory
from presproxy.auth.nonces import Nonces
from presproxy.errors import CredentialsRejected, MalformedField
from presproxy.extend.maker import option
from presproxy.interfaces import IAuthenticator, IHouse
from presproxy.metrics import Counter
from presproxy.model.identity import Identity
from presproxy.sip.authfields import (
    Algorithm,
    Challenge,
    Credentials,
    ProxyChallenge,
    digest_response,
    parse_credentials,
)
from presproxy.sip.dialect import speaks_lync
from presproxy.sip.flow import Flow
from presproxy.sip.message import Request
from presproxy.sip.uri import URI, SipURI, parse_uri

#: What vouches for the identities proved here.
DIGEST = "digest"

#: RFC 3261 §22.2 has the first, §22.3 the second; which one is the server's choice.
_FIELDS = ("authorization", "proxy-authorization")

#: What SIPE puts into ``uri``, and into the digest.
_NULL_URI = "(null)"


def _are_each_once(
    plugin: DigestAuthenticator,
    field: attrs.Attribute[Sequence[Algorithm]],
    algorithms: Sequence[Algorithm],
) -> None:
    if not algorithms or len(set(algorithms)) < len(algorithms):
        raise ValueError("algorithms are to be one at least, and each once")


@implementer(IAuthenticator)
@attrs.define(eq=False)
class DigestAuthenticator:
    """Asks for a password that never goes over the wire."""

    users: str = option("The users' file, as `presproxy passwd` writes it.")
    # One, and MD5: baresip gives up on a challenge whose algorithm it does not know,
    # wherever it stands (libre's sip/auth.c), pjsip before 2.11 on the first of them.
    algorithms: tuple[Algorithm, ...] = option(
        "The algorithms to offer, the preferred first. Each is a challenge of its own, "
        "and many user agents fail on more than one. MD5 is taken only if it is offered, "
        "the others always.",
        default=(Algorithm.MD5,),
        validator=_are_each_once,
    )
    nonce_life: float = option(
        "Seconds until a user agent has to answer a new challenge.",
        default=300.0,
        validator=attrs.validators.gt(0),
    )
    nonces: int = option(
        "How many nonces are remembered, to take each of their counts once.",
        default=65536,
        validator=attrs.validators.ge(1),
    )
    without_qop: bool = option(
        "Take answers without qop (RFC 2069), as libpurple, Snom and Aastra give them. "
        "Such an answer can be sent again from the same address while its nonce lives.",
        default=True,
    )
    null_uri: bool = option(
        'Take uri="(null)" from everybody, and not from Lync clients alone: SIPE writes it '
        "whatever the request is for.",
        default=False,
    )
    life: float = option(
        "Seconds for which a Lync client that proved itself with REGISTER is believed on "
        "its connection. 0 asks for a proof of every request.",
        default=8 * 3600.0,
        validator=attrs.validators.ge(0),
    )
    failures: int = option(
        "Wrong passwords a minute after which a user is refused for a minute, from that "
        "address; after ten times as many, so are all users from there. 0 counts none.",
        default=20,
        validator=attrs.validators.ge(0),
    )
    _random: Callable[[int], bytes] = attrs.field(default=os.urandom, kw_only=True)
    _taken: Collection[Algorithm] = attrs.field(init=False)
    _nobody: dict[Algorithm, str] = attrs.field(init=False)
    _nonces: Nonces = attrs.field(init=False)
    _guesses: Guesses = attrs.field(init=False)
    _domains: Collection[str] = attrs.field(init=False, default=())
    _seconds: Callable[[], float] = attrs.field(init=False)
    _directory: Directory = attrs.field(init=False)
    _trusted: Trusted = attrs.field(init=False)
    _proved: Counter = attrs.field(init=False, factory=Counter)
    _wrong: Counter = attrs.field(init=False, factory=Counter)
    _stale: Counter = attrs.field(init=False, factory=Counter)

    def __attrs_post_init__(self) -> None:
        self._taken = {*self.algorithms, Algorithm.SHA_256, Algorithm.SHA_512_256}
        # As long as true ones; nobody knows what they are digests of.
        self._nobody = {
            Algorithm.MD5: self._random(16).hex(),
            Algorithm.SHA_256: self._random(32).hex(),
            Algorithm.SHA_512_256: self._random(32).hex(),
        }
        self._nonces = Nonces(self.nonce_life, self.nonces, self._random)
        self._guesses = Guesses(self.failures)

    async def start(self, house: IHouse) -> None:
        """Read the users; raises `ConfigurationMistakes` or OSError if they cannot be."""
        self._domains = frozenset(house.domains)
        self._seconds = house.reactor.seconds
        self._directory = Directory(Path(self.users), self._seconds)
        self._directory.open()
        self._trusted = Trusted(self.life, self._seconds, self._directory.user)
        self._count_in(house)

    def _count_in(self, house: IHouse) -> None:
        def counter(outcome: str) -> Counter:
            return house.metrics.counter(
                "digest_answers", "Answers to Digest challenges.", outcome=outcome
            )

        self._proved, self._wrong = counter("proved"), counter("wrong")
        self._stale = counter("stale")
        house.metrics.gauge(
            "digest_nonces",
            "Nonces whose counts are remembered.",
            lambda: len(self._nonces),
        )

    async def stop(self) -> None:
        """Trust nobody any more."""
        self._trusted.clear()

    # --- Challenging

    def challenge(self, request: Request, realm: str, stale: bool) -> Sequence[str]:
        nonce = self._nonces.make(self._seconds())
        as_asked = ProxyChallenge if _wants_a_proxy(request) else str
        return [
            as_asked(
                Challenge(
                    realm=realm,
                    nonce=nonce,
                    algorithm=algorithm,
                    qop=("auth",),
                    stale=stale,
                )
            )
            for algorithm in self.algorithms
        ]

    # --- Verifying

    async def authenticate(self, request: Request, flow: Flow) -> Identity | None:
        credentials = self._credentials(request)
        if credentials is None:
            known = self._trusted.believes(flow, request)
            return None if known is None else Identity(known, DIGEST)
        identity = self._prove(credentials, request.method, flow.peer[0])
        if not self._is_meant_for(credentials.uri, request):
            raise CredentialsRejected("the uri of the credentials is another request's")
        self._proved.value += 1
        if request.method == "REGISTER" and self.life and speaks_lync(request):
            self._trusted.trust(flow, request, identity.aor)
        return identity

    def _credentials(self, request: Request) -> Credentials | None:
        """
        Find the credentials for a realm of ours.

        There may be several, one per challenge (RFC 3261 §22.3); the first whose
        algorithm is taken is the only one looked at, so a request is one guess.
        """
        found, mistake = None, None
        for text in (*request.get_all(_FIELDS[0]), *request.get_all(_FIELDS[1])):
            try:
                credentials = parse_credentials(text)
            except MalformedField as error:
                mistake = error
                continue
            if credentials is None or credentials.realm.lower() not in self._domains:
                continue
            if _algorithm(credentials) in self._taken:
                return credentials
            found = credentials
        if found is not None:
            raise CredentialsRejected(f"{_algorithm(found).value} is not taken")
        if mistake is not None:
            raise CredentialsRejected(str(mistake)) from mistake
        return None

    def _prove(self, credentials: Credentials, method: str, host: str) -> Identity:
        """Verify the digest, then the nonce; raises unless both are good."""
        self._check_qop(credentials)
        now = self._seconds()
        user = (credentials.username, credentials.realm)
        self._guesses.check(host, user, now)
        identity = self._verify(credentials, method)
        if identity is None:
            self._guesses.fail(host, user, now)
            self._wrong.value += 1
            raise CredentialsRejected("unknown user or wrong password")
        if not self._nonces.use(credentials.nonce, _count(credentials), host, now):
            self._stale.value += 1
            raise CredentialsRejected("the nonce is no longer good", stale=True)
        return identity

    def _check_qop(self, credentials: Credentials) -> None:
        if credentials.qop is None:
            if not self.without_qop:
                raise CredentialsRejected("credentials without qop are not taken")
        elif credentials.qop.lower() != "auth":
            raise CredentialsRejected("the only qop taken is auth")
        elif credentials.nc is None or credentials.cnonce is None:
            raise CredentialsRejected("credentials with qop need nc and cnonce")

    def _verify(self, credentials: Credentials, method: str) -> Identity | None:
        """Give who it is if the response is right, in the same time if not."""
        algorithm = _algorithm(credentials)
        found = self._directory.find(credentials.username, credentials.realm, algorithm)
        secret = self._nobody[algorithm] if found is None else found[1]
        right = digest_response(
            algorithm,
            secret,
            credentials.nonce,
            method,
            credentials.uri,
            qop=credentials.qop,
            nc=credentials.nc_text,
            cnonce=credentials.cnonce,
        )
        given = credentials.response.lower().encode("utf-8", "replace")
        is_right = hmac.compare_digest(right.encode("ascii"), given)
        return Identity(found[0].aor, DIGEST) if is_right and found else None

    def _is_meant_for(self, uri: str, request: Request) -> bool:
        """
        Whether the credentials are for this request (RFC 3261 §22.4 item 5).

        Phones write the Request-URI with or without a port and parameters, and with the
        host as the user typed it.
        """
        if uri == request.uri:
            return True
        if uri == _NULL_URI:
            return self.null_uri or speaks_lync(request)
        try:
            return _resource(parse_uri(uri)) == _resource(request.request_uri)
        except MalformedField:
            return False


def _wants_a_proxy(request: Request) -> bool:
    """
    Whether a user agent knows what to do with 407, and not with 401.

    Lync clients know Digest from proxies alone.  libpurple answers three challenges by
    401 between two REGISTERs and then no more, nor does it tell of its sign-off; to a
    proxy it proves itself again and again, and unasked.
    """
    if speaks_lync(request):
        return True
    agent = request.user_agent or ""
    return request.method != "REGISTER" and agent.startswith("Purple/")


def _algorithm(credentials: Credentials) -> Algorithm:
    return credentials.algorithm or Algorithm.MD5


def _count(credentials: Credentials) -> int | None:
    """Give the nonce count; libpurple sends one without qop, which it does not count."""
    return None if credentials.qop is None else credentials.nc


def _resource(uri: URI) -> object:
    return (uri.user, uri.host) if isinstance(uri, SipURI) else uri
