#!/usr/bin/python3
# timeout: 200
"""The pair's key is changed as wsl4ctl(1) says, while the nodes work and connections live."""

import os

from lib.case import main
from lib.live_pair import LivePair
from lib.wait import until


class Rotation(LivePair):
    def node(self, name, *arguments, **more):
        node = super().node(name, *arguments, key_file=self.bed.path(f"{name}.key"), **more)
        self.put(node, [self.old()])
        return node

    def load(self):
        super().load(1000)

    def old(self):
        with open(self.key, encoding="ascii") as file:
            return file.read().strip()

    def put(self, node, keys):
        """As an editor does."""
        path = self.bed.path(f"{node.more['name']}.key")
        with open(path, "w", encoding="ascii") as file:
            os.chmod(path, 0o600)
            file.write("# of the pair\n" + "\n".join(keys) + "\n")

    def reload(self, node, keys):
        self.put(node, keys)
        would = node.ctl("reload", "--dry-run").stdout
        done = node.ctl("reload")
        self.assertEqual((would.splitlines()[-1], done.stdout, done.stderr),
                         ("# would be read anew: ha.key_file", "reloaded; read anew: ha.key_file\n", ""))

    def reconnect(self):
        """What stands is not asked for its key again; so it is cut."""
        self.a.links("down", "sync")
        until(lambda: [node.sync()["state"] for node in (self.a, self.b)] == ["disconnected"] * 2, "the loss of the link noticed")
        self.a.links("up", "sync")

    def refused(self):
        """By reason, over both nodes; those that happen between two sound ones do not count."""
        counts = [node.status()["ha"]["link_refusals"] for node in (self.a, self.b)]
        return {reason: sum(count[reason] for count in counts) for reason in counts[0] if reason not in ("duplicate", "closed", "too_slow")}

    def test_a_new_key_takes_the_place_of_the_old_one(self):
        old, new = self.old(), self.a.ctl("keygen").stdout.strip()
        sound, transitions = self.refused(), self.transitions()
        for keys in ([old, new], [new, old], [new]):
            for node in (self.b, self.a):
                made = [each.status()["ha"]["link_connections"] for each in (self.a, self.b)]
                self.reload(node, keys)
                self.assertIs(self.until_synced()[0], self.a)
                self.assertEqual([each.status()["ha"]["link_connections"] for each in (self.a, self.b)], made, "the session stands")
                self.reconnect()
                self.until_copied()
                self.assertEqual(self.refused(), sound)
        self.expect_pair(self.a)

        # A file that is no good changes nothing.
        self.put(self.b, ["0123"])
        for arguments in (["reload", "--dry-run"], ["reload"]):
            refused = self.b.ctl(*arguments, check=False)
            self.assertEqual(refused.returncode, 2, refused)
            self.assertRegex(refused.stderr, ":2: a key has 64 hexadecimal digits(.|\n)*ha.key_file")

        # One with the old key alone is refused, and both say so.
        self.reload(self.b, [old])
        self.reconnect()
        for node in (self.a, self.b):
            until(lambda node=node: sorted(detail.split(":")[0] for detail in node.events("peer-refused")) == ["refused_by_peer", "unknown_key"],
                  lambda node=node: f"{node.more['name']} refuses and is refused: {node.events('peer-refused')}")
            self.assertFalse(node.status()["ha"]["peer"]["connected"])
            self.assertRegex(" ".join(node.status()["warnings"]), r"is not connected \(.*first key.*\)")
        self.until_advertised(self.a)
        self.goes_on()
        self.assertEqual(self.roles(), {"lb-a": "active", "lb-b": "standby"})
        self.reload(self.b, [new])
        self.expect_pair(self.a)
        self.assertEqual(self.transitions(), transitions)
        self.assertIn("is active", self.a.ctl("failover").stdout)
        self.expect_pair(self.b)
        self.end_load()


if __name__ == "__main__":
    main()
