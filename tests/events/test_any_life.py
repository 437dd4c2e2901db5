"""Whatever happens in whatever order, watchers see what is so, and no more than they may."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from presproxy.errors import EntityTagMismatch, LimitReached
from presproxy.model.decision import FULL, NEUTRAL, Decision, Handling
from presproxy.model.subscription import Happening, State
from presproxy.testing.agency import (
    ALICE,
    FIRST,
    WORDS,
    Agency,
    RecordingNotifier,
    WordPackage,
    watcher,
)

PRESENTITIES = st.sampled_from([ALICE, ALICE, watcher("bob")])
SAID = st.sampled_from(["away", "angry", "busy", "calm"])
SOURCES = st.sampled_from(["", "udp:192.0.2.1:5060", "tcp:192.0.2.2:5060"])
DECISIONS = st.builds(
    Decision,
    st.sampled_from([Handling.ALLOW, *Handling]),
    st.just("a rule"),
    st.sampled_from([FULL, FIRST]),
)
EXPIRES = st.sampled_from([3, 10, 3600])
#: Whether a commit is answered at once.
SOON = st.sampled_from([True, True, False])
PICK = st.integers(0, 20)
MOST = 4


class StrictNotifier(RecordingNotifier):
    """
    Knows what each watcher may see, and notes when he is told more.

    ``may`` holds the view of each subscription; ``shown`` what was told last.  Raising
    would do nothing: a notifier that fails keeps nobody from being told.
    """

    def __init__(self):
        super().__init__()
        self.mistakes = []
        self.may = {}
        self.shown = {}
        self.ended = set()

    def notify(self, notice):
        body = notice.body.data.decode()
        for each in notice.subscriptions:
            if each.key in self.ended:
                self.mistakes.append(f"{each.key} was told after its end")
            if self.may[each.key] == NEUTRAL and body != "nobody":
                self.mistakes.append(f"{each.key} was told {body}")
            if notice.changed_at and each.state is not State.ACTIVE:
                self.mistakes.append(
                    f"{each.key} was told of a change, but is no watcher"
                )
            if notice.changed_at and body == self.shown[each.key]:
                self.mistakes.append(f"{each.key} was told twice: {body}")
            if not each.is_alive:
                self.ended.add(each.key)
            self.shown[each.key] = body


class Life(RuleBasedStateMachine):
    """
    Publishers, watchers and the presentity's mind, against a model of two tables.

    ``live`` are the publications that were acknowledged and have neither ended nor
    expired, by key; ``watching`` all subscriptions there ever were; ``staged`` what waits
    for its commit.  A number picks one of them.
    """

    @initialize(
        pause=st.sampled_from([0.0, 0.0, 3.0]), size=st.sampled_from([1, 2, 500])
    )
    def begin(self, pause, size):
        self.notifier = StrictNotifier()
        self.agency = Agency(
            WordPackage(pause=pause), {"sip": self.notifier}, most=MOST, size=size
        )
        self.live = {}
        self.staged = []
        self.watching = []
        for word, expires in (("away", 3), ("busy", 10)):
            self.publish(ALICE, word, expires, "udp:192.0.2.1:5060", True)
        for handling in (Handling.ALLOW, Handling.ALLOW, Handling.CONFIRM):
            self.subscribe(ALICE, Decision(handling, "a rule"), 3600, 1)

    # --- Publishers

    @rule(
        presentity=PRESENTITIES, word=SAID, expires=EXPIRES, source=SOURCES, soon=SOON
    )
    def publish(self, presentity, word, expires, source, soon):
        published = self.agency.published(word, presentity, expires, source)
        try:
            self.stage(self.agency.compositor.stage_initial(published), soon)
        except LimitReached:
            assert self.staged

    @precondition(lambda self: self.live)
    @rule(pick=PICK, word=st.just("") | SAID, expires=EXPIRES | st.just(0), soon=SOON)
    def publish_again(self, pick, word, expires, soon):
        old = self.spendable(pick)
        if old is None:
            return
        published = self.agency.published(word, old.presentity, expires, old.source)
        if expires:
            self.stage(self.agency.compositor.stage_again(old, published), soon)
        else:
            self.stage(self.agency.compositor.stage_removal(old, 1.0), soon)

    @rule(presentity=PRESENTITIES, word=SAID, source=SOURCES, soon=SOON)
    def publish_briefly(self, presentity, word, source, soon):
        published = self.agency.published(word, presentity, 0, source)
        staged = self.agency.compositor.stage_brief(published)
        if staged is not None:
            self.stage(staged, soon)

    @precondition(lambda self: self.staged)
    @rule(pick=PICK, fails=st.booleans())
    def answer(self, pick, fails):
        staged = self.staged.pop(pick % len(self.staged))
        if fails:
            staged.take_back()
        else:
            self.commit(staged)

    def stage(self, staged, soon):
        if soon:
            self.commit(staged)
        else:
            self.staged.append(staged)

    def commit(self, staged):
        staged.live()
        for old in staged.replaced:
            self.live.pop(old.key, None)
        if not staged.is_removal:
            self.live[staged.publication.key] = staged.publication

    def spendable(self, pick):
        """Pick a publication with which nothing is being done; its tag must be good."""
        old = list(self.live.values())[pick % len(self.live)]
        is_held = any(old in staged.replaced for staged in self.staged)
        is_over = old.expires_at <= self.agency.now()
        try:
            found = self.agency.compositor.find(
                old.presentity, WORDS, old.entity_tag, self.agency.now()
            )
        except EntityTagMismatch:
            assert is_held or is_over
            return None
        assert found is old
        assert (is_held, is_over) == (False, False)
        return old

    # --- Watchers

    @rule(
        presentity=PRESENTITIES,
        decision=DECISIONS,
        expires=EXPIRES,
        number=st.sampled_from([1, 1, 5]),
    )
    def subscribe(self, presentity, decision, expires, number):
        if decision.handling is Handling.BLOCK:
            return
        for _ in range(number):
            made = self.agency.subscription(
                "carol", decision.handling, decision.view, presentity, expires=expires
            )
            self.notifier.may[made.key] = made.view
            self.agency.agent.begin(made)
            self.watching.append(made)

    @rule(presentity=PRESENTITIES, decision=DECISIONS)
    def fetch(self, presentity, decision):
        made = self.agency.subscription(
            "dave", decision.handling, decision.view, presentity, expires=0
        )
        self.notifier.may[made.key] = made.view
        self.agency.agent.fetch(made)

    @precondition(lambda self: self.watching)
    @rule(pick=PICK, expires=EXPIRES)
    def refresh(self, pick, expires):
        picked = self.picked(pick)
        if picked.is_alive:
            self.agency.refresh(picked, expires)

    @precondition(lambda self: self.watching)
    @rule(
        pick=PICK,
        happening=st.sampled_from([Happening.UNSUBSCRIBED, Happening.UNREACHABLE]),
    )
    def leave(self, pick, happening):
        self.agency.agent.end(self.picked(pick), happening)

    @precondition(lambda self: self.watching)
    @rule(pick=PICK, decision=DECISIONS)
    def decide(self, pick, decision):
        picked = self.picked(pick)
        if picked.is_alive:
            allows = decision.handling is Handling.ALLOW
            self.notifier.may[picked.key] = decision.view if allows else NEUTRAL
        self.agency.agent.decided(picked, decision)

    def picked(self, pick):
        """Pick a subscription, of those which live if there are any."""
        alive = [each for each in self.watching if each.is_alive] or self.watching
        return alive[pick % len(alive)]

    # --- Time

    @rule(number=st.integers(1, 3))
    def turn(self, number):
        for _ in range(number):
            self.agency.turn()

    @rule(seconds=st.integers(1, 5))
    def sleep(self, seconds):
        for _ in range(seconds):
            self.agency.sleep(1)
            now = self.agency.now()
            # The agent looks each second for what has expired before.
            self.live = {
                key: each
                for key, each in self.live.items()
                if each.expires_at > now - 1
            }

    @rule()
    def come_to_rest(self):
        self.agency.settle()
        while not self.agency.is_idle:
            # Something changed within a pause.
            self.sleep(1)
        for each in self.watching:
            if each.is_alive:
                assert self.notifier.shown[each.key] == self.expected(each)

    def expected(self, subscription):
        may = self.notifier.may[subscription.key]
        if may == NEUTRAL:
            return "nobody"
        publications = sorted(
            (
                each
                for each in self.live.values()
                if each.presentity == subscription.presentity
            ),
            key=lambda each: (-each.modified_at, each.key),
        )
        words = [each.document for each in publications]
        return " ".join(words[:1] if may == FIRST else words) or "nobody"

    # --- What is always so

    @invariant()
    def nothing_acknowledged_is_missing(self):
        kept = {each.key: each for each in self.agency.compositor}
        assert kept == self.live
        assert len(self.agency.compositor) == len(kept)

    @invariant()
    def nobody_is_told_what_he_must_not(self):
        assert self.notifier.mistakes == []

    @invariant()
    def no_presentity_has_too_many(self):
        for resource in self.agency.resources:
            assert len(resource.publications) + resource.growth <= MOST

    @invariant()
    def whoever_ended_is_forgotten_and_nobody_else(self):
        alive = [each for each in self.watching if each.is_alive]
        assert list(self.agency.agent.subscriptions()) == alive
        assert self.agency.agent.count_of(watcher("carol")) == len(alive)

    def teardown(self):
        """When all has ended, nothing is left."""
        if not hasattr(self, "agency"):
            return
        self.come_to_rest()
        for staged in self.staged:
            staged.take_back()
        for each in self.watching:
            self.agency.agent.end(each, Happening.UNREACHABLE)
        self.agency.clock.advance(3602)
        self.agency.sweep()
        self.agency.settle()
        compositor, agent = self.agency.compositor, self.agency.agent
        assert not any((compositor._tagged, compositor._expiries._buckets))
        assert not any((agent._by_watcher, agent._expiries._buckets, agent._marked))
        assert (compositor._growth, len(self.agency.resources)) == (0, 0)
        assert len(self.agency.fanout) == 0
        assert self.agency.is_idle


TestLife = Life.TestCase
TestLife.settings = settings(stateful_step_count=50)
