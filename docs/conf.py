"""How the pages are built."""

import sys
from pathlib import Path

from presproxy import __version__

sys.path.insert(0, str(Path(__file__).parent))

project = "presproxy"
copyright = "2026, the presproxy authors"
release = version = __version__

extensions = ["sphinx.ext.autodoc", "fromcode"]
exclude_patterns = ["_build", "examples", "fromcode"]
html_theme = "furo"
html_title = f"presproxy {release}"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
default_role = "literal"
