"""Publishers, and registrants: each has one thing at the server at most."""

from __future__ import annotations

import attrs

from presproxy.testing.ledger.agent import Agent, Pending
from presproxy.testing.wire import PIDF, Message, fresh, pidf


@attrs.define(eq=False)
class Publisher(Agent):
    """Has one publication at most; each content is another note."""

    tag: str = ""
    note: str = ""

    def next(self) -> None:
        """Publish first, modify, refresh or remove."""
        choice = self.chance.randrange(10)
        if not self.tag:
            self._publish("initial", fresh("note"))
        elif choice == 0:
            self._publish("remove", expires=0)
        elif choice < 3:
            self._publish("refresh")
        else:
            self._publish("modify", fresh("note"))

    def answered(self, response: Message, pending: Pending) -> None:
        """Note what is at the server now."""
        if pending.what == "remove":
            self.tag = self.note = ""
            return
        self.tag = response.need("sip-etag")
        self.note = pending.new or self.note

    def check(self, notes: set[str]) -> bool:
        """
        Compare with the notes that are there after a kill.

        Says whether the entity-tag is known; it is not when a change was made lasting
        and its answer never came.
        """
        pending = self.forget_pending()
        what = "" if pending is None else pending.what
        before = {self.note} - {""}
        after = before if pending is None else {pending.new or self.note} - {""}
        if what == "remove":
            after = set()
        if notes not in (before, after):
            self.wrong.append(f"{self.aor} after {pending}: {notes}, not {before}")
            return False
        if notes != before and not notes:
            self.tag = self.note = ""
        return (notes == before or not notes) and self._is_tag_good(what)

    def begin_anew(self) -> None:
        """Be another user: nobody knows the entity-tag of this one's publication."""
        self.aor = f"sip:{fresh('u')}@contoso.com"
        self.peer.aor = self.aor
        self.tag = self.note = ""

    def _is_tag_good(self, what: str) -> bool:
        """The entity-tag of the last 200 is good, unless a refresh may have spent it."""
        if not self.tag:
            return True
        response = self.peer.publish("", entity_tag=self.tag)
        if response.status == 200:
            self.tag = response.need("sip-etag")
        elif response.status != 412 or what != "refresh":
            self.wrong.append(f"{self.aor}: {self.tag} was answered {response.data!r}")
        return response.status == 200

    def _publish(self, what: str, note: str = "", expires: int = 600) -> None:
        body = pidf(self.aor, note) if note else ""
        fields = {
            "Event": "presence",
            "Expires": str(expires),
            "SIP-If-Match": self.tag or None,
            "Content-Type": PIDF if body else None,
        }
        self.ask("PUBLISH", self.aor, fields, body, what=what, new=note)


@attrs.define(eq=False)
class Registrant(Agent):
    """Has one binding, and puts another in its place each time."""

    binding: str = ""
    _call_id: str = attrs.field(factory=fresh)
    _cseq: int = 0

    def next(self) -> None:
        """Replace the binding."""
        self._cseq += 1
        new = f"sip:{fresh('b')}@127.0.0.1:5060"
        contacts = [f"<{new}>"]
        if self.binding:
            contacts.append(f"<{self.binding}>;expires=0")
        fields = {
            "To": f"<{self.aor}>",
            "Contact": contacts,
            "Call-ID": self._call_id,
            "CSeq": f"{self._cseq} REGISTER",
            "Expires": "600",
        }
        self.ask("REGISTER", "sip:contoso.com", fields, what="put", new=new)

    def answered(self, response: Message, pending: Pending) -> None:
        """Note the binding."""
        self.binding = pending.new

    def check(self) -> None:
        """Compare with the binding that is there after a kill."""
        pending = self.forget_pending()
        found = [
            contact["uri"]
            for each in self.server.show("registrations?count=1000")["items"]
            if each["aor"] == self.aor
            for contact in each["contacts"]
        ]
        allowed = [[self.binding] if self.binding else []]
        if pending is not None:
            allowed.append([pending.new])
        if found not in allowed:
            self.wrong.append(f"{self.aor} has {found}, not {allowed}")
        self.binding = found[0] if found else ""
