"""What each kind of plugin promises, as tests to subclass."""

import pytest

# Else a failed assertion of a contract says nothing of the values in it.
pytest.register_assert_rewrite(
    *(
        f"{__name__}.{kind}"
        for kind in (
            "acl",
            "aggregator",
            "authenticator",
            "notifier",
            "package",
            "storage",
        )
    )
)
