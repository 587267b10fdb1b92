"""A pair with clients that talk all the time: cuts between the nodes, what clients may never see, and the settled state after it."""

import json

from lib.pair import PairTest
from lib.wait import until

CUT = "table inet cut\ndelete table inet cut\ntable inet cut {{ chain in {{ type filter hook input priority -400; {rules} }}; }}"
ADVERTS = "meta l4proto 112 drop;"
SYNC = "tcp dport 4440 drop; tcp sport 4440 drop;"

# The clients of load(), not those that a test adds.
_RESETS = """table inet resets {
  counter seen { }
  chain ours { ip daddr 198.19.0.0/22 counter name seen; ip6 daddr 2001:db8:c::1000/116 counter name seen; }
  chain in { type filter hook input priority -300; tcp flags & rst == rst jump ours; }
}"""


class LivePair(PairTest):
    """Settled, with the first as the active one, and under load."""

    def setUp(self):
        super().setUp()
        active, standby = self.start_pair()
        self.assertIs(active, self.a, "the higher priority")
        self.assertEqual((active.owns(), standby.owns()), (sorted(active.moving), []))
        self.bed.nft(_RESETS, self.bed.clients)
        self.load()

    # ---- what happens to the two ------------------------------------------------------------------------------

    def cut(self, *rules, nodes=None):
        """From now on these nodes, or both, get all packets but such."""
        for node in nodes or (self.a, self.b):
            self.bed.nft(CUT.format(rules=" ".join(rules)), node.namespace)

    def heal(self, nodes=None):
        for node in nodes or (self.a, self.b):
            self.bed.run(node.namespace, "nft", "delete", "table", "inet", "cut")

    def carrier(self, node, link, state):
        """Pulls a node's cable out of the switch, or puts it back: unlike an interface that is taken down, it keeps its addresses."""
        self.bed.ip(self.bed.switch, f"link set {link}-{node.namespace[-1]} {state}")

    def other(self, node):
        return self.b if node is self.a else self.a

    def transitions(self):
        return [node.status()["ha"]["transitions"] for node in (self.a, self.b)]

    def until_advertised(self, node, count=16):
        """Until it has sent so many more: the other has long had reason to miss them."""
        sent = node.status()["ha"]["adverts"]["sent"]
        until(lambda: node.status()["ha"]["adverts"]["sent"] >= sent + count, "more adverts sent")

    # ---- what clients see -------------------------------------------------------------------------------------

    def resets(self):
        """Segments with RST that have come to the clients of load()."""
        listed = json.loads(self.bed.run(self.bed.clients, "nft", "-j", "list", "counter", "inet", "resets", "seen").stdout)
        return next(entry["counter"]["packets"] for entry in listed["nftables"] if "counter" in entry)

    def expect_unharmed(self):
        super().expect_unharmed()
        self.assertEqual(self.resets(), 0, "segments with RST")

    def outage(self, what):
        super().outage(what)
        self.goes_on()      # so the longest is answered
        print(f"    {what}: longest answer {self.longest_answer()} ms of {self.live} connections", flush=True)

    def longest_answer(self):
        """In ms since the last look."""
        return max(clients.longest() for clients in self.clients)

    def calm(self):
        """What was slow before does not count."""
        self.probe.ask("report")
        self.longest_answer()

    def expect_pair(self, active):
        """Settled, with this one active, and every flow on both."""
        self.until_active(active)
        self.until_copied()
        self.assertEqual((active.owns(), self.other(active).owns()), (sorted(active.moving), []))
        self.expect_unharmed()
