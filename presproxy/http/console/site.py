"""
The page's files: read and compressed once, and served under the hash of all of them.

A file under its hash never changes and may be kept; the page itself, the same for every
view, is asked for anew each time.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import attrs

from presproxy.http.answers import Wrong

#: What the page may load and do: nothing that is not from here, and no script in it.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)

_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Vary": "Accept-Encoding",
}

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}

_INDEX = "index.html"

#: What stands for the hash in the page.
_PLACE = b"HASH"


@attrs.frozen
class File:
    """One file, as it is and compressed."""

    content_type: str
    data: bytes
    compressed: bytes


@attrs.frozen
class Static:
    """The files by their paths, and the hash over all of them."""

    hash: str
    files: Mapping[str, File]

    def page(self, request: Any) -> bytes:
        """Give the page."""
        request.setHeader("Cache-Control", "no-cache")
        return _given(request, self.files[_INDEX])

    def file(self, request: Any, hash: str, path: str) -> bytes:
        """Give a file; raises `Wrong` where there is none, or it was another then."""
        found = self.files.get(path)
        if found is None or path == _INDEX or hash != self.hash:
            raise Wrong(404, "path", f"there is no file {path[:80]!r} of this version")
        request.setHeader("Cache-Control", "public, max-age=31536000, immutable")
        return _given(request, found)


def read_static() -> Static:
    """Read the files that come with this package."""
    root = files("presproxy.http.console") / "static"
    read = {path: each.read_bytes() for path, each in sorted(_walk(root, ""))}
    digest = hashlib.sha256()
    for path, data in read.items():
        digest.update(b"%b\0%d\0%b" % (path.encode(), len(data), data))
    name = digest.hexdigest()[:16]
    read[_INDEX] = read[_INDEX].replace(_PLACE, name.encode())
    return Static(name, {path: _file(path, data) for path, data in read.items()})


def _walk(folder: Traversable, path: str) -> Iterator[tuple[str, Traversable]]:
    for each in folder.iterdir():
        if each.is_dir():
            yield from _walk(each, f"{path}{each.name}/")
        elif each.name.rpartition(".")[2] in _TYPES:
            yield path + each.name, each


def _file(path: str, data: bytes) -> File:
    content_type = _TYPES[path.rpartition(".")[2]]
    return File(content_type, data, gzip.compress(data, 9, mtime=0))


def _given(request: Any, file: File) -> bytes:
    for name, value in _HEADERS.items():
        request.setHeader(name, value)
    request.setHeader("Content-Type", file.content_type)
    accepted = request.getHeader("accept-encoding") or ""
    if "gzip" not in accepted:
        return file.data
    request.setHeader("Content-Encoding", "gzip")
    return file.compressed
