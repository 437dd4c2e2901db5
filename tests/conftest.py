from __future__ import annotations

from hypothesis import settings

# One profile for everybody: the same examples each time, and no deadline, since a busy
# machine is no failure.  ``--hypothesis-profile=long`` looks further, by hand.
settings.register_profile("presproxy", deadline=None, derandomize=True, database=None)
settings.register_profile("long", deadline=None, max_examples=5000)
settings.load_profile("presproxy")
