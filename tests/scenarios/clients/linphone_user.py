"""
A user of liblinphone, driven by lines.

Started with the path of a configuration.  Lines on stdin say ``available``, ``offline``,
an activity or ``quit``; lines on stdout say what a friend is.
"""

from __future__ import annotations

import ctypes
import select
import sys
from ctypes import c_char_p, c_int, c_void_p

#: Seconds between two turns of the library.
TURN = 0.02

ACTIVITIES = {
    name: number
    for number, name in enumerate(
        (
            "appointment",
            "away",
            "breakfast",
            "busy",
            "dinner",
            "holiday",
            "in-transit",
            "looking-for-work",
            "lunch",
            "meal",
            "meeting",
            "on-the-phone",
        )
    )
}

#: ``LinphoneConsolidatedPresence``.
CONSOLIDATED = {"available": 0, "offline": 3}
OPEN = 0

linphone = ctypes.CDLL("liblinphone.so.10")

for name, result, arguments in (
    ("factory_get", c_void_p, []),
    ("factory_create_core_3", c_void_p, [c_void_p, c_char_p, c_char_p, c_void_p]),
    ("core_start", c_int, [c_void_p]),
    ("core_iterate", None, [c_void_p]),
    ("core_stop", None, [c_void_p]),
    ("core_set_consolidated_presence", None, [c_void_p, c_int]),
    (
        "core_create_presence_model_with_activity",
        c_void_p,
        [c_void_p, c_int, c_char_p],
    ),
    ("core_set_presence_model", None, [c_void_p, c_void_p]),
    ("core_get_friend_by_ref_key", c_void_p, [c_void_p, c_char_p]),
    ("core_interpret_url", c_void_p, [c_void_p, c_char_p]),
    ("core_find_friend", c_void_p, [c_void_p, c_void_p]),
    ("friend_get_presence_model", c_void_p, [c_void_p]),
    ("presence_model_get_basic_status", c_int, [c_void_p]),
    ("presence_model_get_activity", c_void_p, [c_void_p]),
    ("presence_activity_get_type", c_int, [c_void_p]),
):
    function = getattr(linphone, f"linphone_{name}")
    function.restype, function.argtypes = result, arguments


def obey(core: int, line: str) -> None:
    if line in ACTIVITIES:
        model = linphone.linphone_core_create_presence_model_with_activity(
            core, ACTIVITIES[line], None
        )
        linphone.linphone_core_set_presence_model(core, model)
    else:
        linphone.linphone_core_set_consolidated_presence(core, CONSOLIDATED[line])


def seen(friend: int) -> str:
    """Say what a friend is."""
    model = linphone.linphone_friend_get_presence_model(friend)
    if not model:
        return "unknown"
    is_open = linphone.linphone_presence_model_get_basic_status(model) == OPEN
    activity = linphone.linphone_presence_model_get_activity(model)
    if not activity:
        return "available" if is_open else "offline"
    number = linphone.linphone_presence_activity_get_type(activity)
    names = {value: name for name, value in ACTIVITIES.items()}
    return names.get(number, f"activity {number}")


def main() -> None:
    core = linphone.linphone_factory_create_core_3(
        linphone.linphone_factory_get(), sys.argv[1].encode(), None, None
    )
    linphone.linphone_core_start(core)
    before: dict[str, str] = {}
    while True:
        linphone.linphone_core_iterate(core)
        for name in sys.argv[2:]:
            uri = linphone.linphone_core_interpret_url(core, name.encode())
            friend = linphone.linphone_core_find_friend(core, uri)
            now = seen(friend) if friend else "no friend"
            if before.get(name) != now:
                before[name] = now
                print(name, now, flush=True)
        if select.select([sys.stdin], [], [], TURN)[0]:
            line = sys.stdin.readline().strip()
            if line in ("", "quit"):
                linphone.linphone_core_stop(core)
                return
            obey(core, line)


if __name__ == "__main__":
    main()
