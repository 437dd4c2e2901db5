"""
Every command and every piece of configuration in the pages works as it stands there.

The blocks of a page are run in their order in a shell, beside a server of the page's own.
What is different from what a reader does:

- ``PRESPROXY_SERVER`` and ``PRESPROXY_API`` say where that server is, by UDP or TCP, and the ports 5060
  and 8080 in a URL are replaced by its own.
- ``make run`` and ``twistd -n`` start no second server: of the latter the configuration is
  checked.
- ``/etc/presproxy``, ``/var/lib/presproxy`` and ``/opt/presproxy/bin`` are folders of the
  test.
- A command that runs until it is interrupted goes on beside the others; ``^C`` in its
  output is where it is interrupted.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from presproxy.testing.certificates import Authority
from presproxy.testing.instance import Instance, wait_for

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

#: The domain that a page's server serves, where its commands need another than this.
DOMAINS = {"tutorial/first-presence": "localhost", "reference/http": "localhost"}

#: What the reader of a page has already: files, and a publication.
FILES = {
    "guides/users": {
        "many-users.txt": "carol@example.org:a:b\ndave@example.org:secret\n"
    },
    "guides/run": {"presproxy.toml": 'storage = "memory"\n'},
}
PUBLISHED = {"reference/http": "bob@localhost"}

#: Blocks in other languages than these two are looked at by other tests of this folder,
#: or are no more than output.
LANGUAGES = ("console", "toml")

#: What a command types when it is asked.
TYPED = "secret\nsecret\n"

PATIENCE = 60.0


@attrs.frozen
class Block:
    """One block of a page, with the line of its directive and its caption, if any."""

    language: str
    line: int
    text: str
    caption: str = ""


@attrs.frozen
class Command:
    """A command and what is printed under it."""

    text: str
    output: list[str]


def pages() -> list[str]:
    found = (path.relative_to(DOCS) for path in DOCS.rglob("*.rst"))
    return sorted(
        str(path.with_suffix("")) for path in found if path.parts[0] != "_build"
    )


def blocks(page: str) -> list[Block]:
    """Give all code blocks of a page, and its comments about the server."""
    lines = (DOCS / f"{page}.rst").read_text().splitlines()
    found = []
    for number, line in enumerate(lines):
        if line == ".. server killed and started":
            found.append(Block("restart", number + 1, ""))
        match = re.fullmatch(r"\.\. code-block:: (\S+)", line)
        if match is not None:
            text = _indented(lines[number + 1 :])
            caption = re.match(r":caption: (.+)\n\n", text)
            if caption is None:
                found.append(Block(match[1], number + 1, text))
            else:
                inside = text[caption.end() :]
                found.append(Block(match[1], number + 1, inside, caption[1]))
    return found


def _indented(lines: list[str]) -> str:
    inside = []
    for line in lines:
        if line and not line.startswith("   "):
            break
        inside.append(line[3:])
    return "\n".join(inside).strip("\n")


def commands(text: str) -> Iterator[Command]:
    """Cut a session at its prompts; a backslash continues a command."""
    command: list[str] = []
    output: list[str] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            if command:
                yield Command("\n".join(command), output)
            command, output = [line[2:]], []
        elif command[-1].endswith("\\") and not output:
            command.append(line)
        else:
            output.append(line)
    yield Command("\n".join(command), output)


def is_as_shown(printed: str, shown: list[str]) -> bool:
    """
    Compare what was printed with what a page shows of it.

    ``…`` stands for anything; a time of the day is another each time.
    """
    patterns = []
    for line in shown:
        pattern = re.escape(line).replace("…", r"[\s\S]*")
        patterns.append(re.sub(r"\d\d:\d\d:\d\d", r"\\d\\d:\\d\\d:\\d\\d", pattern))
    printed = "\n".join(line.rstrip() for line in printed.splitlines())
    return re.fullmatch("\n".join(patterns), printed) is not None


def marked(page: str) -> object:
    """Give a page with the programs it needs that not every host has."""
    text = "\n".join(b.text for b in blocks(page) if b.language == "console")
    needs = [tool for tool in ("curl", "openssl", "sqlite3") if f"$ {tool} " in text]
    return pytest.param(page, marks=pytest.mark.needs(*needs))


PAGES = [
    marked(page)
    for page in pages()
    if any(block.language in LANGUAGES for block in blocks(page))
]


@pytest.fixture
def folder(tmp_path):
    """A folder with the programs a page names."""
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, script in PROGRAMS.items():
        (programs / name).write_text(
            f"#!/bin/sh\n{script.format(python=sys.executable)}"
        )
        (programs / name).chmod(0o755)
    for name in ("etc", "var"):
        (tmp_path / name).mkdir()
    (tmp_path / "etc" / "users").touch()
    authority = Authority.make(tmp_path)
    certificate = authority.certify(tmp_path / "etc" / "chain.pem", "sip.example.org")
    for name in ("authority.pem", "users-ca.pem"):
        (tmp_path / "etc" / name).write_bytes(authority.path.read_bytes())
    (tmp_path / "etc" / "key.pem").write_bytes(certificate.read_bytes())
    dropins = tmp_path / "dropins" / "presproxy" / "plugins"
    dropins.mkdir(parents=True)
    (dropins / "for_the_pages.py").write_text(DROPIN)
    return tmp_path


DROPIN = """
from colleagues import maker as colleagues
from presproxy_example.makers import *
"""

PROGRAMS = {
    "presproxy": 'exec {python} -c "from presproxy.cli import main; main()" "$@"\n',
    "twistd": """
case "$1" in
-n) while [ "$1" != presproxy ]; do shift; done; shift; exec presproxy check "$@";;
*) exec {python} -c "from twisted.scripts.twistd import run; run()" "$@";;
esac
""",
    "make": 'echo; echo "x listening on udp:127.0.0.1:5060"\n'
    'echo "x listening on tcp:127.0.0.1:5060"; echo; echo "x presproxy is ready"\n',
}


@pytest.fixture
def server(request, folder):
    """The page's server."""
    page = request.node.callspec.params["page"]
    state = folder / "server"
    state.mkdir()
    instance = Instance(state, domain=DOMAINS.get(page, "example.org"))
    instance.start()
    yield instance
    assert instance.stop() == 0
    assert instance.troubles() == []


@attrs.define(eq=False)
class Session:
    """A reader's terminals: one after the other, and those left running."""

    folder: Path
    server: Instance
    running: list[tuple[subprocess.Popen[str], Path, list[str]]] = attrs.field(
        factory=list
    )

    def run(self, command: Command) -> None:
        """Run a command as far as the page goes with it."""
        if is_endless(command.text):
            self._begin(command)
            return
        done = subprocess.run(
            self._shell(command.text),
            input=TYPED,
            timeout=PATIENCE,
            text=True,
            capture_output=True,
            start_new_session=True,
            **self._surroundings(),
        )
        assert done.returncode == 0, f"{command.text}\n{done.stdout}{done.stderr}"
        if command.output and "Password:" not in command.output:
            assert is_as_shown(done.stdout, command.output), done.stdout

    def goes_on(self, lines: list[str]) -> None:
        """Expect more of the command that was begun first."""
        self.running[0][2].extend(lines)
        self._wait_for(*self.running[0])

    def restart(self) -> None:
        """Kill the server, and start it again."""
        self.server.kill()
        self.server.start()

    def end(self) -> None:
        """End what still runs."""
        for process, _, _ in self.running:
            if process.poll() is None:
                process.kill()
            process.wait()

    def _begin(self, command: Command) -> None:
        log = self.folder / f"terminal-{len(self.running)}"
        with log.open("w") as output:
            process = subprocess.Popen(
                self._shell(f"exec {command.text}"),
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                **self._surroundings(),
            )
        shown = [line for line in command.output if line != "^C"]
        self.running.append((process, log, shown))
        self._wait_for(process, log, shown)
        if shown != command.output:
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == 0, log.read_text()

    def _wait_for(
        self, process: subprocess.Popen[str], log: Path, shown: list[str]
    ) -> None:
        seen = wait_for(lambda: is_as_shown(log.read_text(), shown), PATIENCE)
        assert seen, f"{process.args}\n{log.read_text()}"

    def _shell(self, text: str) -> list[str]:
        host, port = self.server.http
        text = text.replace("127.0.0.1:8080", f"{host}:{port}")
        text = text.replace("/etc/presproxy", str(self.folder / "etc"))
        if " --lync " in text:
            text = "PRESPROXY_SERVER={}:{}; ".format(*self.server.tcp) + text
        return ["bash", "-euc", text]

    def _surroundings(self) -> dict[str, object]:
        path = [str(self.folder / "dropins"), str(DOCS / "examples")]
        path += [str(ROOT / "etc" / "example-plugin" / "src"), *filter(None, sys.path)]
        programs = self.folder / ".venv" / "bin"
        return {
            "cwd": self.folder,
            "env": {
                **os.environ,
                "PATH": f"{programs}:{os.environ['PATH']}",
                "PYTHONPATH": ":".join(path),
                "PYTHONIOENCODING": "utf-8",
                "PRESPROXY_SERVER": "{}:{}".format(*self.server.udp),
                "PRESPROXY_API": "http://{}:{}".format(*self.server.http),
            },
        }


def is_endless(command: str) -> bool:
    """Say whether a command runs until somebody interrupts it."""
    return any(word in command for word in (" watch ", " --hold", "publish --lync"))


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_shows_works(page, folder, server):
    for name, text in FILES.get(page, {}).items():
        (folder / name).write_text(text)
    session = Session(folder, server)
    try:
        if page in PUBLISHED:
            session.run(Command(f"presproxy publish {PUBLISHED[page]} available", []))
        for block in blocks(page):
            show(session, block)
    finally:
        session.end()


def show(session: Session, block: Block) -> None:
    if block.language == "restart":
        session.restart()
    elif block.language == "console":
        for command in commands(block.text):
            session.run(command)
    elif block.language == "text" and session.running:
        session.goes_on(block.text.splitlines())
    elif block.language == "toml":
        text = block.text.replace("/etc/presproxy", str(session.folder / "etc"))
        name = block.caption or "shown.toml"
        (session.folder / name).write_text(text)
        session.run(Command(f"presproxy check --config {name}", []))


def test_what_systemd_is_told_to_start_can_be_started(folder):
    units = [b.text for b in blocks("guides/run") if b.language == "ini"]
    (text,) = (unit for unit in units if "ExecStart=" in unit)
    start = re.search(r"^ExecStart=(.*)$", text, re.MULTILINE)
    assert start is not None
    program, *arguments = shlex.split(start[1])

    (folder / "etc" / "presproxy.toml").write_text('storage = "memory"\n')
    session = Session(folder, Instance(folder, http=("127.0.0.1", 8080)))
    session.run(Command(shlex.join([Path(program).name, *arguments]), []))


def test_every_block_has_a_language_that_is_known():
    known = {*LANGUAGES, "text", "ini", "xml", "yaml", "python", "restart"}
    found = {block.language for page in pages() for block in blocks(page)}

    assert found <= known
