"""
A user of libpurple's SIMPLE, as Pidgin has it, driven by lines.

Started with one JSON object: folder, user, password, host, port, udp, buddies.  Lines on
stdin say ``available``, ``offline`` or ``quit``; lines on stdout say what a buddy is.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from ctypes import CFUNCTYPE, c_char_p, c_int, c_uint, c_ulong, c_void_p

OFFLINE, AVAILABLE = 1, 2
READ, WRITE = 1, 2
G_IN, G_OUT, G_ERROR = 1 | 16, 4, 8 | 16 | 32

glib = ctypes.CDLL("libglib-2.0.so.0", ctypes.RTLD_GLOBAL)
# Its plugins look for the symbols of both.
purple = ctypes.CDLL("libpurple.so.0", ctypes.RTLD_GLOBAL)

SourceFunction = CFUNCTYPE(c_int, c_void_p)
InputFunction = CFUNCTYPE(None, c_void_p, c_int, c_int)
WatchFunction = CFUNCTYPE(c_int, c_void_p, c_int, c_void_p)

for library, name, result, arguments in (
    (glib, "g_timeout_add", c_uint, [c_uint, c_void_p, c_void_p]),
    (glib, "g_timeout_add_seconds", c_uint, [c_uint, c_void_p, c_void_p]),
    (glib, "g_source_remove", c_int, [c_uint]),
    (glib, "g_io_channel_unix_new", c_void_p, [c_int]),
    (glib, "g_io_channel_unref", None, [c_void_p]),
    (glib, "g_io_add_watch", c_uint, [c_void_p, c_int, WatchFunction, c_void_p]),
    (glib, "g_main_loop_new", c_void_p, [c_void_p, c_int]),
    (glib, "g_main_loop_run", None, [c_void_p]),
    (glib, "g_main_loop_quit", None, [c_void_p]),
    (purple, "purple_core_init", c_int, [c_char_p]),
    (purple, "purple_blist_new", c_void_p, []),
    (purple, "purple_set_blist", None, [c_void_p]),
    (purple, "purple_blist_get_handle", c_void_p, []),
    (purple, "purple_connections_get_handle", c_void_p, []),
    (purple, "purple_account_new", c_void_p, [c_char_p, c_char_p]),
    (purple, "purple_account_set_password", None, [c_void_p, c_char_p]),
    (purple, "purple_account_set_remember_password", None, [c_void_p, c_int]),
    (purple, "purple_account_set_int", None, [c_void_p, c_char_p, c_int]),
    (purple, "purple_account_set_bool", None, [c_void_p, c_char_p, c_int]),
    (purple, "purple_account_set_string", None, [c_void_p, c_char_p, c_char_p]),
    (purple, "purple_account_set_enabled", None, [c_void_p, c_char_p, c_int]),
    (purple, "purple_accounts_add", None, [c_void_p]),
    (purple, "purple_buddy_new", c_void_p, [c_void_p, c_char_p, c_char_p]),
    (purple, "purple_blist_add_buddy", None, [c_void_p] * 4),
    (purple, "purple_buddy_get_name", c_char_p, [c_void_p]),
    (purple, "purple_savedstatus_new", c_void_p, [c_char_p, c_int]),
    (purple, "purple_savedstatus_activate", None, [c_void_p]),
    (purple, "purple_util_set_user_dir", None, [c_char_p]),
    (purple, "purple_debug_set_enabled", None, [c_int]),
    (
        purple,
        "purple_signal_connect",
        c_ulong,
        [c_void_p, c_char_p, c_void_p, c_void_p, c_void_p],
    ),
):
    function = getattr(library, name)
    function.restype, function.argtypes = result, arguments


class EventLoop(ctypes.Structure):
    """libpurple's ``PurpleEventLoopUiOps``."""

    _fields_ = [
        ("timeout_add", c_void_p),
        ("timeout_remove", c_void_p),
        ("input_add", CFUNCTYPE(c_uint, c_int, c_int, c_void_p, c_void_p)),
        ("input_remove", c_void_p),
        ("input_get_error", c_void_p),
        ("timeout_add_seconds", c_void_p),
        ("reserved", c_void_p * 3),
    ]


#: What C holds, and Python must not let go.
kept: list[object] = []


def address(function) -> c_void_p:
    return ctypes.cast(function, c_void_p)


def add_input(descriptor: int, condition: int, function: int, data: int) -> int:
    call = InputFunction(function)

    @WatchFunction
    def ready(channel, happened, _):
        seen = (READ if happened & G_IN else 0) | (WRITE if happened & G_OUT else 0)
        call(data, descriptor, seen or condition)
        return 1

    kept.append(ready)
    wanted = (G_IN if condition & READ else 0) | (G_OUT if condition & WRITE else 0)
    channel = glib.g_io_channel_unix_new(descriptor)
    source = glib.g_io_add_watch(channel, wanted | G_ERROR, ready, None)
    glib.g_io_channel_unref(channel)
    return int(source)


def say(*words: str) -> None:
    print(*words, flush=True)


def on(handle, signal: str, kind, function) -> None:
    callback = kind(function)
    kept.append(callback)
    purple.purple_signal_connect(
        handle, signal.encode(), id(kept), address(callback), None
    )


def set_status(primitive: int) -> None:
    status = purple.purple_savedstatus_new(None, primitive)
    purple.purple_savedstatus_activate(status)


def obey(loop) -> None:
    """Do what the lines on stdin say, which are short enough to come whole."""
    data = os.read(0, 65536)
    if not data:
        glib.g_main_loop_quit(loop)
    for line in data.decode().split():
        if line == "quit":
            glib.g_main_loop_quit(loop)
        else:
            set_status({"available": AVAILABLE, "offline": OFFLINE}[line])


def start(setting: dict) -> None:
    add = EventLoop.input_add.offset and EventLoop._fields_[2][1](add_input)
    operations = EventLoop(
        timeout_add=address(glib.g_timeout_add),
        timeout_remove=address(glib.g_source_remove),
        input_add=add,
        input_remove=address(glib.g_source_remove),
        timeout_add_seconds=address(glib.g_timeout_add_seconds),
    )
    kept.extend([add, operations])
    purple.purple_util_set_user_dir(setting["folder"].encode())
    purple.purple_debug_set_enabled(int(setting.get("debug", False)))
    purple.purple_eventloop_set_ui_ops(ctypes.byref(operations))
    if not purple.purple_core_init(b"presproxy"):
        raise SystemExit("libpurple cannot start")
    purple.purple_set_blist(purple.purple_blist_new())


def watch_signals() -> None:
    buddy = CFUNCTYPE(None, c_void_p, c_void_p)
    for signal, word in (("signed-on", "available"), ("signed-off", "offline")):
        on(
            purple.purple_blist_get_handle(),
            f"buddy-{signal}",
            buddy,
            lambda it, _, word=word: say(
                purple.purple_buddy_get_name(it).decode(), word
            ),
        )
    on(
        purple.purple_connections_get_handle(),
        "signed-on",
        buddy,
        lambda connection, _: say("signed on"),
    )


def main() -> None:
    setting = json.loads(sys.argv[1])
    start(setting)
    watch_signals()
    account = purple.purple_account_new(setting["user"].encode(), b"prpl-simple")
    purple.purple_account_set_password(account, setting["password"].encode())
    purple.purple_account_set_remember_password(account, 1)
    purple.purple_account_set_int(account, b"port", setting["port"])
    purple.purple_account_set_bool(account, b"udp", setting["udp"])
    purple.purple_account_set_bool(account, b"useproxy", 1)
    purple.purple_account_set_string(account, b"proxy", setting["host"].encode())
    purple.purple_accounts_add(account)
    for name in setting["buddies"]:
        buddy = purple.purple_buddy_new(account, name.encode(), None)
        purple.purple_blist_add_buddy(buddy, None, None, None)
    purple.purple_account_set_enabled(account, b"presproxy", 1)
    set_status(AVAILABLE)
    loop = glib.g_main_loop_new(None, 0)
    obeyed = InputFunction(lambda *_: obey(loop))
    kept.append(obeyed)
    add_input(0, READ, ctypes.cast(obeyed, c_void_p).value, 0)
    glib.g_main_loop_run(loop)


if __name__ == "__main__":
    main()
