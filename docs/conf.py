"""How the pages are built."""

from presproxy import __version__

project = "presproxy"
copyright = "2026, the presproxy authors"
release = version = __version__

extensions = ["sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"presproxy {release}"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
default_role = "literal"
