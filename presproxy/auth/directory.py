"""The users' file while the server runs: looked up in memory, read again when it changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import attrs
from twisted.logger import Logger

from presproxy.auth.users import NT, WHOLE, User, read_users
from presproxy.errors import ConfigurationMistakes
from presproxy.sip.authfields import Algorithm
from presproxy.sip.uri import AddressOfRecord, domain_of, user_of

_log = Logger()

#: Seconds between two looks at the file.
_LOOK = 1.0

#: What tells one state of the file from the next: it is replaced, not written into.
_State = tuple[int, int, int]

_OTHERS = 0o077

_Found = tuple[User, str]


@attrs.define(eq=False)
class Directory:
    """
    Who may be authenticated, by username and realm.

    ``seconds`` tells the time.  The file is looked at once a second at the most, and
    only when somebody is looked up; while it cannot be read, the users before it stay.
    """

    path: Path
    seconds: Callable[[], float]
    _users: dict[tuple[str, str], User] = attrs.field(init=False, factory=dict)
    #: What was asked for and found, as most requests are of the same few users.
    _found: dict[tuple[str, str, Algorithm], _Found] = attrs.field(
        init=False, factory=dict
    )
    _state: _State | None = attrs.field(init=False, default=None)
    _look_at: float = attrs.field(init=False, default=0.0)

    def open(self) -> None:
        """Read the file for the first time; raises `ConfigurationMistakes`, OSError."""
        self._state = _state_of(self.path)
        self._users = _by_name(read_users(self.path))
        self._look_at = self.seconds() + _LOOK
        _log.info("{path}: {users} users", path=self.path, users=len(self._users))
        if self.path.stat().st_mode & _OTHERS:
            _log.warn(
                "{path} can be read by others; its digests are as good as passwords",
                path=self.path,
            )

    def find(self, username: str, realm: str, algorithm: Algorithm) -> _Found | None:
        """
        Give a user and the digest of his name, realm and password.

        ``username`` is the user of his address, or all of it.
        """
        self._look_if_due()
        asked = (username, realm, algorithm)
        found = self._found.get(asked)
        if found is None:
            found = self._search(username, realm, algorithm.value)
            if found is not None:
                self._found[asked] = found
        return found

    def nt_hash(self, user: str, domain: str) -> _Found | None:
        """Give a user and the hash of his password alone, as NTLM wants it."""
        self._look_if_due()
        found = self._users.get((user, domain))
        digest = found and found.digest(NT)
        return (found, digest) if found and digest else None

    def user(self, aor: AddressOfRecord) -> User | None:
        """
        Give a user as the file has him now.

        It is another once his password is.
        """
        self._look_if_due()
        return self._users.get((user_of(aor) or "", domain_of(aor)))

    def _search(self, username: str, realm: str, name: str) -> _Found | None:
        user = self._users.get((username, realm))
        if user is None:
            username, _, domain = username.rpartition("@")
            user = self._users.get((username, realm)) if domain == realm else None
            name += WHOLE
        digest = user and user.digest(name)
        return (user, digest) if user and digest else None

    def __len__(self) -> int:
        return len(self._users)

    def without(self, name: str) -> int:
        """Count the users who have no digest of this name."""
        return sum(user.digest(name) is None for user in self._users.values())

    def _look_if_due(self) -> None:
        if self.seconds() >= self._look_at:
            self._look()

    def _look(self) -> None:
        self._look_at = self.seconds() + _LOOK
        try:
            state = _state_of(self.path)
            if state == self._state:
                return
            # Kept also if it cannot be read: once is enough to say so.
            self._state = state
            self._users = _by_name(read_users(self.path))
            self._found.clear()
        except FileNotFoundError:
            self._missing()
        except (ConfigurationMistakes, OSError) as error:
            _log.error("the users stay as they were: {why}", why=error)
        else:
            _log.info("{path}: {users} users", path=self.path, users=len(self._users))

    def _missing(self) -> None:
        if self._state is not None:
            _log.error("the users stay as they were: {path} is gone", path=self.path)
            self._state = None


def _state_of(path: Path) -> _State:
    found = os.stat(path)
    return found.st_mtime_ns, found.st_size, found.st_ino


def _by_name(users: list[User]) -> dict[tuple[str, str], User]:
    return {(user_of(user.aor) or "", domain_of(user.aor)): user for user in users}
