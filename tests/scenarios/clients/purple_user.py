"""
A user of libpurple, as Pidgin has it, driven by lines of JSON.

Started with one object: folder, user, password, protocol (``prpl-simple``, ``prpl-sipe``),
options of the account by name, buddies, and as is wanted status (signed on with),
authorities (a folder of certificates to trust), plugins (a folder of them), reconnect
(milliseconds between two tries while there is no connection) and debug.

A line on stdin is a command, ``{"do": "status", "to": "busy", "note": "lunch"}``; those
there are stand in ``COMMANDS``.  A line on stdout is an event, or what all buddies are now
each time that this has changed.  libpurple's own log, with the messages on the wire when
debug is set, goes to stderr.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from ctypes import CFUNCTYPE, c_char_p, c_int, c_void_p

from libpurple import (
    IM,
    READ,
    Accounts,
    InputFunction,
    MenuAction,
    Notifications,
    NotifyMessage,
    RequestAdd,
    RequestAuthorize,
    StatusChanged,
    add_input,
    call_later,
    each_in,
    glib,
    kept,
    on,
    protocol_of,
    purple,
    start,
    text_of,
)

AVAILABLE = 2  # PURPLE_STATUS_AVAILABLE
#: Milliseconds between two looks at what has changed without a signal: notes and groups.
LOOK = 50


class User:
    """One account, and what it sees."""

    def __init__(self, setting: dict, events) -> None:
        self.setting = setting
        self.events = events
        self.loop = glib.g_main_loop_new(None, 0)
        self.said: object = None
        self.rest = b""
        self.wants_online = True
        name, protocol = setting["user"].encode(), setting["protocol"].encode()
        self.account = purple.purple_account_new(name, protocol)

    # -- What it does

    def begin(self) -> None:
        """Set up the account, and sign on."""
        account = self.account
        purple.purple_account_set_password(account, self.setting["password"].encode())
        purple.purple_account_set_remember_password(account, 1)
        for name, value in self.setting["options"].items():
            self._set_option(name.encode(), value)
        purple.purple_accounts_add(account)
        for name in self.setting["buddies"]:
            buddy = purple.purple_buddy_new(account, name.encode(), None)
            purple.purple_blist_add_buddy(buddy, None, None, None)
        if "status" in self.setting:
            self.set_status(self.setting["status"])
        purple.purple_account_set_enabled(account, b"presproxy", 1)
        if "status" not in self.setting:
            status = purple.purple_savedstatus_new(None, AVAILABLE)
            purple.purple_savedstatus_activate(status)
        obeyed = InputFunction(lambda *_: self.obey())
        kept.append(obeyed)
        add_input(0, READ, ctypes.cast(obeyed, c_void_p).value, 0)
        call_later(LOOK, self.look)
        if self.setting.get("reconnect"):
            call_later(self.setting["reconnect"], self._reconnect)

    def _set_option(self, name: bytes, value) -> None:
        if isinstance(value, bool):
            purple.purple_account_set_bool(self.account, name, int(value))
        elif isinstance(value, int):
            purple.purple_account_set_int(self.account, name, value)
        else:
            purple.purple_account_set_string(self.account, name, value.encode())

    def obey(self) -> None:
        """Do what the lines on stdin say."""
        data = os.read(0, 65536)
        if not data:
            glib.g_main_loop_quit(self.loop)
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            command = json.loads(line)
            try:
                COMMANDS[command.pop("do")](self, **command)
            except (KeyError, LookupError, TypeError) as error:
                self.say("error", why=f"{line.decode()}: {error!r}")

    def set_status(self, to: str, note: str = "") -> None:
        """Take a status by its id, as ``busy``; ``offline`` signs off."""
        self.wants_online = to != "offline"
        attributes = None
        if note:
            for text in (b"message", note.encode()):
                attributes = glib.g_list_append(attributes, glib.g_strdup(text))
        purple.purple_account_set_status_list(self.account, to.encode(), 1, attributes)
        glib.g_list_free(attributes)

    def add(self, buddy: str, group: str = "Buddies") -> None:
        """Put somebody onto the contact list."""
        place = purple.purple_find_group(group.encode())
        if not place:
            place = purple.purple_group_new(group.encode())
        made = purple.purple_buddy_new(self.account, buddy.encode(), None)
        purple.purple_blist_add_buddy(made, None, place, None)
        purple.purple_account_add_buddy(self.account, made)

    def remove(self, buddy: str) -> None:
        """Take somebody off the contact list, from all groups."""
        while found := purple.purple_find_buddy(self.account, buddy.encode()):
            group = purple.purple_buddy_get_group(found)
            purple.purple_account_remove_buddy(self.account, found, group)
            purple.purple_blist_remove_buddy(found)

    def block(self, who: str) -> None:
        """Let somebody see nothing."""
        purple.purple_privacy_deny_add(self.account, who.encode(), 0)

    def allow(self, who: str) -> None:
        """Let somebody see again what others see."""
        purple.purple_privacy_deny_remove(self.account, who.encode(), 0)

    def choose(self, buddy: str, item: list[str]) -> None:
        """Choose from a buddy's menu: beginnings of the labels from the top down."""
        protocol = protocol_of(self.account)
        found = purple.purple_find_buddy(self.account, buddy.encode())
        if protocol is None or not found:
            raise LookupError("not connected, or no such buddy")
        entries, seen = protocol.blist_node_menu(found), []
        for wanted in item:
            labels = {}
            for entry in map(MenuAction.from_address, filter(None, each_in(entries))):
                labels[text_of(entry.label).strip()] = entry
            seen = list(labels)
            chosen = next(labels[one] for one in seen if one.startswith(wanted))
            entries = chosen.children
        chosen.callback(found, chosen.data)

    def send(self, to: str, text: str) -> None:
        """Send a message."""
        talk = purple.purple_conversation_new(IM, self.account, to.encode())
        purple.purple_conv_im_send(
            purple.purple_conversation_get_im_data(talk), text.encode()
        )

    def quit(self) -> None:
        """Sign off, and end."""
        self.wants_online = False
        purple.purple_core_quit()
        glib.g_main_loop_quit(self.loop)

    # -- What it sees

    def say(self, event: str, **fields) -> None:
        print(json.dumps({"event": event, **fields}), file=self.events, flush=True)

    def look(self) -> bool:
        """Say what the buddies are, if that has changed; and look again."""
        self._look()
        return True

    def _look(self) -> None:
        seen = self._groups(), self._buddies()
        if seen != self.said:
            self.said = seen
            self.say("buddies", groups=seen[0], buddies=seen[1])

    def _groups(self) -> list[str]:
        """Give all groups, those without anybody in them as well."""
        groups = []
        node = purple.purple_blist_get_root()
        while node:
            groups.append(text_of(purple.purple_group_get_name(node)))
            node = purple.purple_blist_node_get_sibling_next(node)
        return groups

    def _buddies(self) -> dict[str, dict]:
        buddies: dict[str, dict] = {}
        found = purple.purple_find_buddies(self.account, None)
        for buddy in each_in(found):
            name = text_of(purple.purple_buddy_get_name(buddy))
            seen = buddies.setdefault(name, self._buddy(buddy))
            group = purple.purple_buddy_get_group(buddy)
            seen["groups"].append(text_of(purple.purple_group_get_name(group)))
        glib.g_slist_free(found)
        return buddies

    def _buddy(self, buddy: int) -> dict:
        presence = purple.purple_buddy_get_presence(buddy)
        status = purple.purple_presence_get_active_status(presence)
        return {
            "alias": text_of(purple.purple_buddy_get_alias(buddy)),
            "groups": [],
            "online": bool(purple.purple_presence_is_online(presence)),
            "status": text_of(purple.purple_status_get_id(status)),
            "text": self._status_text(buddy),
        }

    def _status_text(self, buddy: int) -> str:
        protocol = protocol_of(self.account)
        if protocol is None or not protocol.status_text:
            return ""
        made = protocol.status_text(buddy)
        text = text_of(ctypes.string_at(made)) if made else ""
        glib.g_free(made)
        return text

    def listen(self) -> None:
        """Hear of what happens."""
        buddies = purple.purple_blist_get_handle()
        pair = CFUNCTYPE(None, c_void_p, c_void_p)
        four = CFUNCTYPE(None, *[c_void_p] * 4)
        on(buddies, "buddy-signed-on", pair, lambda *_: self._look())
        on(buddies, "buddy-signed-off", pair, lambda *_: self._look())
        on(buddies, "buddy-status-changed", four, lambda *_: self._look())
        connections = purple.purple_connections_get_handle()
        on(connections, "signed-on", pair, lambda *_: self.say("signed-on"))
        on(connections, "signed-off", pair, lambda *_: self.say("signed-off"))
        trouble = CFUNCTYPE(None, c_void_p, c_int, c_char_p, c_void_p)
        on(connections, "connection-error", trouble, self._connection_error)
        message = CFUNCTYPE(
            None, c_void_p, c_char_p, c_char_p, c_void_p, c_int, c_void_p
        )
        on(
            purple.purple_conversations_get_handle(),
            "received-im-msg",
            message,
            lambda account, sender, text, *_: self.say(
                "message", sender=text_of(sender), text=text_of(text)
            ),
        )

    def _connection_error(self, connection, reason, why, _) -> None:
        is_fatal = bool(purple.purple_connection_error_is_fatal(reason))
        self.say("connection-error", why=text_of(why), fatal=is_fatal)
        # Who was refused for good would have to change something first.
        self.wants_online = self.wants_online and not is_fatal

    def _reconnect(self) -> bool:
        """Come again if the connection is gone; and look again."""
        if self.wants_online and purple.purple_account_is_disconnected(self.account):
            purple.purple_account_connect(self.account)
        return True

    def show(self) -> None:
        """Be what asks the user, and shows him something."""
        operations = Accounts(
            notify_added=RequestAdd(self._added),
            status_changed=StatusChanged(self._own_status),
            request_add=RequestAdd(self._added),
            request_authorize=RequestAuthorize(self._authorize),
        )
        notices = Notifications(notify_message=NotifyMessage(self._notice))
        kept.extend([operations, notices])
        purple.purple_accounts_set_ui_ops(ctypes.byref(operations))
        purple.purple_notify_set_ui_ops(ctypes.byref(notices))

    def _added(self, account, who, *_) -> None:
        self.say("added-by", who=text_of(who))

    def _own_status(self, account, status) -> None:
        note = purple.purple_status_get_attr_string(status, b"message")
        self.say(
            "own-status",
            status=text_of(purple.purple_status_get_id(status)),
            note=text_of(note),
        )

    def _authorize(self, account, who, *rest) -> None:
        _, _, _, _, accept, _, data = rest
        self.say("added-by", who=text_of(who))
        accept(data)

    def _notice(self, kind, *texts) -> None:
        self.say("notice", text=" | ".join(map(text_of, texts)))


COMMANDS = {
    "status": User.set_status,
    "add": User.add,
    "remove": User.remove,
    "block": User.block,
    "allow": User.allow,
    "choose": User.choose,
    "send": User.send,
    "quit": User.quit,
}


def main() -> None:
    """Run until ``quit``, or until nobody speaks to us any more."""
    setting = json.loads(sys.argv[1])
    # libpurple prints its log to where our lines go.
    events = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    start(
        setting["folder"],
        setting.get("authorities", ""),
        plugins=setting.get("plugins", ""),
        debug=setting.get("debug", False),
    )
    user = User(setting, events)
    user.listen()
    user.show()
    user.begin()
    glib.g_main_loop_run(user.loop)


if __name__ == "__main__":
    main()
