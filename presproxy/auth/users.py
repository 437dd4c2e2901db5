"""
The users' file: one line a user, with digests and never a password.

A line is ``user@domain:NAME=DIGEST,NAME=DIGEST``.  ``MD5``, ``SHA-256`` and
``SHA-512-256`` are the digests of ``user:domain:password`` (RFC 8760 §2.1), the same with
an ``@`` behind it those of ``user@domain:domain:password``, as some user agents give
their whole address for a username.  ``NT`` is what NTLM has in place of a password, which
has no user in it.  Names nobody here knows are kept.  Empty lines and
those which begin with ``#`` are passed over.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import attrs

from presproxy.auth.ntlmkeys import nt_hash
from presproxy.errors import ConfigurationMistakes, MalformedField
from presproxy.sip.authfields import Algorithm, ha1
from presproxy.sip.uri import AddressOfRecord, address_of_record, domain_of, user_of

#: What follows an algorithm's name where the username was the whole address.
WHOLE = "@"

#: The name of what NTLM wants to know.
NT = "NT"

_HEADING = """\
# Users, as "presproxy passwd" writes them: one line each, never a password.
# user@domain:ALGORITHM=H(user:domain:password),ALGORITHM@=H(user@domain:domain:password)
# and NT=H(password), for Lync.
"""

_KNOWN = "(?:MD5@?|NT)=[0-9A-Fa-f]{32}|(?:SHA-256|SHA-512-256)@?=[0-9A-Fa-f]{64}"
_OTHER = "(?!MD5@?=|NT=|SHA-256@?=|SHA-512-256@?=)[A-Za-z0-9@+_.-]+=[0-9A-Fa-f]+"
_digests = re.compile(f"(?:{_KNOWN}|{_OTHER})(?:,(?:{_KNOWN}|{_OTHER}))*").fullmatch
#: No password, port, parameter or header; the address itself is read by who reads them.
_name_of_user = re.compile(
    r"[^\x00-\x20\x7f@:]+@(?:\[[^\x00-\x20\x7f@\[\]]+\]|[^\x00-\x20\x7f@:;?\[\]]+)"
).fullmatch
#: Names which are addresses of record as they stand, such as those we wrote: reading
#: them any further takes a third of the time of reading the file.
_canonical = re.compile(
    r"[A-Za-z0-9\-_.!~*'()&=+$,;?/]+@[a-z0-9_][a-z0-9_.\-]*"
).fullmatch


@attrs.frozen
class User:
    """
    One line of the file.

    ``digests`` is what follows the colon: it is looked into when the user is asked for,
    which most users of a large file never are.
    """

    aor: AddressOfRecord
    digests: str = attrs.field(repr=False)

    def digest(self, name: str) -> str | None:
        """Give one digest by its name, in lower case."""
        for each in self.digests.split(","):
            found, _, digest = each.partition("=")
            if found == name:
                return digest.lower()
        return None


def read_users(path: str | Path) -> list[User]:
    """
    Read the whole file, in its order.

    Raises `ConfigurationMistakes`, which names each line that is wrong.
    """
    return parse_users(_read(Path(path)), str(path))


def parse_users(text: str, where: str = "users") -> list[User]:
    """Read the text of a users' file; ``where`` begins every mistake."""
    users: dict[AddressOfRecord, User] = {}
    mistakes = []
    for number, line in enumerate(text.split("\n"), 1):
        try:
            user = _parse_line(line)
        except MalformedField as error:
            mistakes.append(f"{where}:{number}: {error.why}")
            continue
        if user is None:
            continue
        if user.aor in users:
            mistakes.append(f"{where}:{number}: {_name(user.aor)} is there twice")
        users[user.aor] = user
    if mistakes:
        raise ConfigurationMistakes(mistakes)
    return list(users.values())


def user_address(name: str) -> AddressOfRecord:
    """
    Read a user's name, ``user@domain``; raises `MalformedField`.

    The domain is the realm of its digests, so it has no port.
    """
    name = name.removeprefix("sip:")
    if _canonical(name):
        return AddressOfRecord(f"sip:{name}")
    try:
        if _name_of_user(name):
            return address_of_record(name)
    except MalformedField:
        pass
    raise MalformedField("user", f"{name[:60]!r} is not user@domain")


def write_users(path: str | Path, passwords: Mapping[str, str]) -> None:
    """
    Add users, or replace those who are there, by their passwords.

    The file is made if there is none.  All of them are written or, if anything raises,
    none: `MalformedField` for a name or a password that cannot be one,
    `ConfigurationMistakes` for a file that cannot be read, OSError for what the system
    refuses.
    """
    lines = {}
    for name, password in passwords.items():
        aor = user_address(name)
        lines[aor] = f"{_name(aor)}:{digests_of(aor, _fit(password))}"

    def change(text: str) -> str:
        kept = [
            line if aor is None else lines.pop(aor, line) for aor, line in _lines(text)
        ]
        return _text([*kept, *lines.values()])

    _rewrite(Path(path), change)


def digests_of(aor: AddressOfRecord, password: str) -> str:
    """Write what a user's line says of his password."""
    user, domain = user_of(aor) or "", domain_of(aor)
    digests = [
        f"{algorithm.value}{mark}={ha1(algorithm, username, domain, password)}"
        for mark, username in (("", user), (WHOLE, f"{user}@{domain}"))
        for algorithm in Algorithm
    ]
    return ",".join([*digests, f"{NT}={nt_hash(password).hex()}"])


def _name(aor: AddressOfRecord) -> str:
    return aor.removeprefix("sip:")


def _parse_line(line: str) -> User | None:
    line = line.strip()
    if not line or line.startswith("#"):
        return None
    # From the right: an IPv6 domain has colons.
    name, colon, digests = line.rpartition(":")
    if not colon:
        raise MalformedField("user", "no colon after user@domain")
    if not _digests(digests):
        raise MalformedField("user", "after the colon stand NAME=DIGEST, with commas")
    return User(user_address(name), digests)


def _fit(password: str) -> str:
    if not password:
        raise MalformedField("password", "it is empty")
    try:
        password.encode("utf-8")
    except UnicodeEncodeError as error:
        raise MalformedField("password", "it is not text in UTF-8") from error
    return password


def _lines(text: str) -> Iterator[tuple[AddressOfRecord | None, str]]:
    """Give each line of a file that can be read, and whose it is."""
    parse_users(text)
    for line in text.removesuffix("\n").split("\n"):
        user = _parse_line(line)
        yield (None if user is None else user.aor), line


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


# --- The file


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationMistakes([f"{path}: not text in UTF-8"]) from error


def _rewrite(path: Path, change: Callable[[str], str]) -> None:
    """
    Replace the file at once, or leave it as it is.

    Whoever reads it meanwhile has the old one or the new one; whoever else rewrites it
    waits.
    """
    path = path.resolve()
    with _alone_in(path.parent) as folder:
        try:
            text, before = _read(path), path.stat()
        except FileNotFoundError:
            text, before = _HEADING, None
        _replace(path, change(text), before)
        os.fsync(folder)


@contextmanager
def _alone_in(folder: Path) -> Iterator[int]:
    """Lock a folder against others who do the same."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _replace(path: Path, text: str, before: os.stat_result | None) -> None:
    # Made by mkstemp with mode 0600: digests are as good as passwords.
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            if before is not None:
                _keep_rights(file.fileno(), before)
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _keep_rights(descriptor: int, before: os.stat_result) -> None:
    """Leave owner and mode as they were: root may write what the server only reads."""
    now = os.fstat(descriptor)
    if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
