"""A Kerberos of its own for a test: a realm, its key distribution centre, and users."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from presproxy.testing.instance import wait_for

_KRB5 = """\
[libdefaults]
  default_realm = {realm}
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
  udp_preference_limit = 1
[realms]
  {realm} = {{
    kdc = 127.0.0.1:{port}
  }}
"""
_KDC = """\
[kdcdefaults]
  kdc_listen = 127.0.0.1:{port}
  kdc_tcp_listen = 127.0.0.1:{port}
[realms]
  {realm} = {{
    database_name = {folder}/principal
    key_stash_file = {folder}/stash
    acl_file = {folder}/acl
  }}
[logging]
  kdc = FILE:{folder}/kdc.log
"""


#: Seconds for it to start; it takes a tenth of one.
_PATIENCE = 20.0


@attrs.define(eq=False)
class Kdc:
    """
    A realm whose files are all in ``folder``.

    Its programs are Debian's krb5-kdc and krb5-admin-server.  ``environment`` is what a
    process has to have in order to see it.
    """

    folder: Path
    realm: str = "EXAMPLE.TEST"
    port: int = attrs.field(init=False)
    _process: subprocess.Popen[bytes] | None = attrs.field(init=False, default=None)

    @property
    def environment(self) -> Mapping[str, str]:
        """What is to be set."""
        return {
            "KRB5_CONFIG": str(self.folder / "krb5.conf"),
            "KRB5_KDC_PROFILE": str(self.folder / "kdc.conf"),
            "KRB5RCACHEDIR": str(self.folder),
            "KRB5CCNAME": f"FILE:{self.folder}/tickets",
            "KRB5_KTNAME": f"FILE:{self.folder}/keytab",
        }

    def start(self, users: Mapping[str, str]) -> None:
        """Make the realm with these users and their passwords, and serve it."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        for name, text in (("krb5.conf", _KRB5), ("kdc.conf", _KDC)):
            filled = text.format(realm=self.realm, port=self.port, folder=self.folder)
            (self.folder / name).write_text(filled)
        self._run("kdb5_util", "create", "-s", "-P", "master")
        for user, password in users.items():
            self._admin(f"add_principal -pw {password} {user}")
        self._process = subprocess.Popen(
            [_program("krb5kdc"), "-n"],
            env={**os.environ, **self.environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if not wait_for(self._answers, _PATIENCE):
            raise TimeoutError("the key distribution centre does not answer")

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def keytab(self, *principals: str) -> Path:
        """Make principals, and put their keys into the one file, which is the host's."""
        path = self.folder / "keytab"
        for each in principals:
            self._admin(f"add_principal -randkey {each}")
            self._admin(f"ktadd -k {path} {each}")
        return path

    def _admin(self, query: str) -> None:
        self._run("kadmin.local", "-q", query)

    def _run(self, program: str, *words: str) -> None:
        command: Sequence[str] = [_program(program), *words]
        subprocess.run(
            command,
            env={**os.environ, **self.environment},
            check=True,
            capture_output=True,
            timeout=60,
        )

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


def _program(name: str) -> str:
    """Find a program, also where Debian keeps those of servers."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        raise FileNotFoundError(name)
    return found
