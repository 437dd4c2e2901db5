"""
What the driver uses of libpurple and GLib, by ctypes: nothing has to be compiled.

The names are those of the libraries' headers.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from ctypes import (
    CFUNCTYPE,
    POINTER,
    c_char_p,
    c_int,
    c_size_t,
    c_uint,
    c_ulong,
    c_void_p,
)

READ, WRITE = 1, 2
G_IN, G_OUT, G_ERROR = 1 | 16, 4, 8 | 16 | 32

#: ``XML_SAX2_MAGIC``, as it stands in memory.
SAX2_MAGIC = (0xDEEDBEAF).to_bytes(4, sys.byteorder)

IM = 1  # PURPLE_CONV_TYPE_IM

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
    (glib, "g_free", None, [c_void_p]),
    (glib, "g_slist_free", None, [c_void_p]),
    (glib, "g_strdup", c_void_p, [c_char_p]),
    (glib, "g_list_append", c_void_p, [c_void_p, c_void_p]),
    (glib, "g_list_free", None, [c_void_p]),
    (purple, "purple_core_init", c_int, [c_char_p]),
    (purple, "purple_core_quit", None, []),
    (purple, "purple_blist_new", c_void_p, []),
    (purple, "purple_set_blist", None, [c_void_p]),
    (purple, "purple_blist_get_handle", c_void_p, []),
    (purple, "purple_blist_get_root", c_void_p, []),
    (purple, "purple_blist_node_get_sibling_next", c_void_p, [c_void_p]),
    (purple, "purple_connections_get_handle", c_void_p, []),
    (purple, "purple_conversations_get_handle", c_void_p, []),
    (purple, "purple_account_new", c_void_p, [c_char_p, c_char_p]),
    (purple, "purple_account_set_password", None, [c_void_p, c_char_p]),
    (purple, "purple_account_set_remember_password", None, [c_void_p, c_int]),
    (purple, "purple_account_set_int", None, [c_void_p, c_char_p, c_int]),
    (purple, "purple_account_set_bool", None, [c_void_p, c_char_p, c_int]),
    (purple, "purple_account_set_string", None, [c_void_p, c_char_p, c_char_p]),
    (purple, "purple_account_set_enabled", None, [c_void_p, c_char_p, c_int]),
    (purple, "purple_account_connect", None, [c_void_p]),
    (purple, "purple_account_is_disconnected", c_int, [c_void_p]),
    (purple, "purple_account_get_connection", c_void_p, [c_void_p]),
    (purple, "purple_accounts_set_ui_ops", None, [c_void_p]),
    (
        purple,
        "purple_account_set_status_list",
        None,
        [c_void_p, c_char_p, c_int, c_void_p],
    ),
    (purple, "purple_account_get_active_status", c_void_p, [c_void_p]),
    (purple, "purple_account_add_buddy", None, [c_void_p, c_void_p]),
    (purple, "purple_account_remove_buddy", None, [c_void_p] * 3),
    (purple, "purple_accounts_add", None, [c_void_p]),
    (purple, "purple_buddy_new", c_void_p, [c_void_p, c_char_p, c_char_p]),
    (purple, "purple_buddy_get_alias", c_char_p, [c_void_p]),
    (purple, "purple_buddy_get_group", c_void_p, [c_void_p]),
    (purple, "purple_buddy_get_name", c_char_p, [c_void_p]),
    (purple, "purple_buddy_get_presence", c_void_p, [c_void_p]),
    (purple, "purple_blist_add_buddy", None, [c_void_p] * 4),
    (purple, "purple_blist_remove_buddy", None, [c_void_p]),
    (purple, "purple_connection_error_is_fatal", c_int, [c_int]),
    (purple, "purple_conversation_new", c_void_p, [c_int, c_void_p, c_char_p]),
    (purple, "purple_conversation_get_im_data", c_void_p, [c_void_p]),
    (purple, "purple_conv_im_send", None, [c_void_p, c_char_p]),
    (purple, "purple_debug_set_enabled", None, [c_int]),
    (purple, "purple_debug_set_unsafe", None, [c_int]),
    (purple, "purple_eventloop_set_ui_ops", None, [c_void_p]),
    (purple, "purple_certificate_add_ca_search_path", None, [c_char_p]),
    (purple, "purple_find_buddy", c_void_p, [c_void_p, c_char_p]),
    (purple, "purple_find_buddies", c_void_p, [c_void_p, c_char_p]),
    (purple, "purple_find_group", c_void_p, [c_char_p]),
    (purple, "purple_group_new", c_void_p, [c_char_p]),
    (purple, "purple_group_get_name", c_char_p, [c_void_p]),
    (purple, "purple_notify_set_ui_ops", None, [c_void_p]),
    (purple, "purple_plugins_add_search_path", None, [c_char_p]),
    (purple, "purple_presence_get_active_status", c_void_p, [c_void_p]),
    (purple, "purple_presence_is_online", c_int, [c_void_p]),
    (purple, "purple_privacy_deny_add", c_int, [c_void_p, c_char_p, c_int]),
    (purple, "purple_privacy_deny_remove", c_int, [c_void_p, c_char_p, c_int]),
    (purple, "purple_savedstatus_new", c_void_p, [c_char_p, c_int]),
    (purple, "purple_savedstatus_activate", None, [c_void_p]),
    (purple, "purple_status_get_id", c_char_p, [c_void_p]),
    (purple, "purple_status_get_attr_string", c_char_p, [c_void_p, c_char_p]),
    (purple, "purple_util_set_user_dir", None, [c_char_p]),
    (
        purple,
        "purple_signal_connect",
        c_ulong,
        [c_void_p, c_char_p, c_void_p, c_void_p, c_void_p],
    ),
):
    function = getattr(library, name)
    function.restype, function.argtypes = result, arguments

#: What C holds, and Python must not let go.
kept: list[object] = []


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


NotifyMessage = CFUNCTYPE(c_void_p, c_int, c_char_p, c_char_p, c_char_p)


class Notifications(ctypes.Structure):
    """``PurpleNotifyUiOps``: only messages are shown."""

    _fields_ = [("notify_message", NotifyMessage), ("others", c_void_p * 15)]


StatusChanged = CFUNCTYPE(None, c_void_p, c_void_p)
RequestAdd = CFUNCTYPE(None, c_void_p, c_char_p, c_char_p, c_char_p, c_char_p)
Authorize = CFUNCTYPE(None, c_void_p)
RequestAuthorize = CFUNCTYPE(
    c_void_p,
    *(c_void_p, c_char_p, c_char_p, c_char_p, c_char_p),
    *(c_int, Authorize, c_void_p, c_void_p),
)


class Accounts(ctypes.Structure):
    """``PurpleAccountUiOps``."""

    _fields_ = [
        ("notify_added", RequestAdd),
        ("status_changed", StatusChanged),
        ("request_add", RequestAdd),
        ("request_authorize", RequestAuthorize),
        ("others", c_void_p * 5),
    ]


class ListNode(ctypes.Structure):
    """The beginning of a ``GList`` and of a ``GSList``."""

    _fields_ = [("data", c_void_p), ("next", c_void_p)]


class MenuAction(ctypes.Structure):
    """``PurpleMenuAction``."""

    _fields_ = [
        ("label", c_char_p),
        ("callback", CFUNCTYPE(None, c_void_p, c_void_p)),
        ("data", c_void_p),
        ("children", c_void_p),
    ]


class ProtocolInfo(ctypes.Structure):
    """The beginning of ``PurplePluginProtocolInfo``."""

    _fields_ = [
        ("options", c_int),
        ("user_splits", c_void_p),
        ("protocol_options", c_void_p),
        ("icon_format", c_void_p),
        ("icon_sizes", c_int * 4),
        ("icon_max_filesize", c_size_t),
        ("icon_scale_rules", c_int),
        ("list_icon", c_void_p),
        ("list_emblem", c_void_p),
        ("status_text", CFUNCTYPE(c_void_p, c_void_p)),
        ("tooltip_text", c_void_p),
        ("status_types", c_void_p),
        ("blist_node_menu", CFUNCTYPE(c_void_p, c_void_p)),
    ]


class PluginInfo(ctypes.Structure):
    """The beginning of ``PurplePluginInfo``."""

    _fields_ = [
        ("magic_and_versions", c_uint * 3),
        ("type", c_int),
        ("ui_requirement", c_void_p),
        ("flags", c_ulong),
        ("dependencies", c_void_p),
        ("priority", c_int),
        ("texts", c_void_p * 7),
        ("load_unload_destroy", c_void_p * 3),
        ("ui_info", c_void_p),
        ("extra_info", POINTER(ProtocolInfo)),
    ]


class Plugin(ctypes.Structure):
    """The beginning of ``PurplePlugin``."""

    _fields_ = [
        ("native_plugin", c_int),
        ("loaded", c_int),
        ("handle", c_void_p),
        ("path", c_char_p),
        ("info", POINTER(PluginInfo)),
    ]


class Connection(ctypes.Structure):
    """The beginning of ``PurpleConnection``."""

    _fields_ = [
        ("prpl", POINTER(Plugin)),
        ("flags", c_int),
        ("state", c_int),
        ("account", c_void_p),
    ]


def address(function) -> c_void_p:
    return ctypes.cast(function, c_void_p)


def text_of(data: bytes | None) -> str:
    return (data or b"").decode("utf-8", "replace")


def each_in(node: int | None) -> Iterator[int]:
    """Go through a ``GList`` or ``GSList``."""
    while node:
        item = ListNode.from_address(node)
        yield item.data
        node = item.next


def protocol_of(account: int) -> ProtocolInfo | None:
    """Give what an account's protocol can do; none while it is not connected."""
    connection = purple.purple_account_get_connection(account)
    if not connection:
        return None
    plugin = Connection.from_address(connection).prpl
    return plugin.contents.info.contents.extra_info.contents


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


def call_later(milliseconds: int, function) -> None:
    """Call a function after some time, and again as long as it gives something true."""

    @SourceFunction
    def due(_):
        return 1 if function() else 0

    kept.append(due)
    glib.g_timeout_add(milliseconds, address(due), None)


def on(handle, signal: str, kind, function) -> None:
    """Call a function for each signal of a name."""
    callback = kind(function)
    kept.append(callback)
    purple.purple_signal_connect(
        handle, signal.encode(), id(kept), address(callback), None
    )


def start(
    folder: str, authorities: str = "", *, plugins: str = "", debug: bool = False
) -> None:
    """
    Start the library with its files in a folder, and our loop.

    ``plugins`` is a folder that is searched before that of the system; what is there is
    taken as it is.
    """
    add = EventLoop._fields_[2][1](add_input)
    operations = EventLoop(
        timeout_add=address(glib.g_timeout_add),
        timeout_remove=address(glib.g_source_remove),
        input_add=add,
        input_remove=address(glib.g_source_remove),
        timeout_add_seconds=address(glib.g_timeout_add_seconds),
    )
    kept.extend([add, operations])
    purple.purple_util_set_user_dir(folder.encode())
    purple.purple_debug_set_enabled(int(debug))
    # SIPE shows what goes over the wire only then; there is no password in it.
    purple.purple_debug_set_unsafe(int(debug))
    purple.purple_eventloop_set_ui_ops(ctypes.byref(operations))
    if authorities:
        purple.purple_certificate_add_ca_search_path(authorities.encode())
    if plugins:
        purple.purple_plugins_add_search_path(plugins.encode())
    if not purple.purple_core_init(b"presproxy"):
        raise SystemExit("libpurple cannot start")
    purple.purple_set_blist(purple.purple_blist_new())
    if not plugins:
        let_sipe_read_xml()


def let_sipe_read_xml() -> None:
    """
    Make SIPE's table for libxml2 one of SAX1 alone.

    It says SAX2 and has functions for SAX1 only.  The libxml2 of Debian 12 calls none of
    them then (seen with 2.9.14+dfsg-1.3~deb12u5), and SIPE takes every document for empty:
    it signs in, and has no contacts and publishes nothing.
    """
    with open("/proc/self/maps") as maps:
        ours = [line.split() for line in maps if line.rstrip().endswith("/libsipe.so")]
    for place, rights, *_ in ours:
        if "w" not in rights:
            continue
        first, end = (int(edge, 16) for edge in place.split("-"))
        data = ctypes.string_at(first, end - first)
        found = data.find(SAX2_MAGIC)
        while found >= 0:
            ctypes.c_uint.from_address(first + found).value = 1
            found = data.find(SAX2_MAGIC, found + 1)
