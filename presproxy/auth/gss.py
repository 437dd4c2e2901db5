"""
Accepting Kerberos tickets by GSS-API (RFC 4121), with the extra ``kerberos``.

All that knows the library is here.  It reads files, so `Acceptor.accept` is for a thread;
what is signed later needs none.
"""

from __future__ import annotations

import attrs
import gssapi
from gssapi.raw import GSSError

from presproxy.errors import ConfigurationMistakes, CredentialsRejected


@attrs.frozen(eq=False)
class GssSigner:
    """The context that a ticket made; it signs by tokens of its own (RFC 2743 §2.3)."""

    _context: gssapi.SecurityContext

    def sign(self, text: bytes) -> bytes:
        """Sign what the server says."""
        signature: bytes = self._context.get_signature(text)
        return signature

    def is_signed(self, text: bytes, signature: bytes) -> bool:
        """Whether the client signed this text so."""
        try:
            self._context.verify_signature(text, signature)
        except GSSError:
            return False
        return True


class Acceptor:
    """
    What reads the tickets for one principal of ours.

    ``target`` is the principal with or without its realm, ``keytab`` a file, and None
    for that of the host.  Raises `ConfigurationMistakes` if the key is not there.
    """

    def __init__(self, target: str, keytab: str | None) -> None:
        store: dict[str | bytes, str | bytes] | None = None
        if keytab:
            store = {"keytab": keytab}
        try:
            name = gssapi.Name(target, gssapi.NameType.kerberos_principal)
            self._credentials = gssapi.Credentials(
                usage="accept", name=name, mechs=[gssapi.MechType.kerberos], store=store
            )
        except GSSError as error:
            raise ConfigurationMistakes(
                [
                    f"no key for {target} in {keytab or 'the keytab of this host'}: "
                    f"{_words(error)}"
                ]
            ) from error

    def accept(self, token: bytes) -> tuple[str, GssSigner]:
        """
        Give the principal whose ticket it is, and what signs from then on.

        Raises `CredentialsRejected`.
        """
        context = gssapi.SecurityContext(creds=self._credentials, usage="accept")
        try:
            context.step(token)
            if not context.complete:
                raise CredentialsRejected("the ticket needs another leg")
            return str(context.initiator_name), GssSigner(context)
        except GSSError as error:
            raise CredentialsRejected(
                f"the ticket is not good: {_words(error)}"
            ) from error


def _words(error: GSSError) -> str:
    return " ".join(str(error).split())
