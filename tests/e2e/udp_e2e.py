#!/usr/bin/python3
# timeout: 240
"""UDP services: spread, sticky while the flow lives, answers from the VIP, counts."""

import collections
import contextlib
import socket

from lib.bed import BACKENDS4, BACKENDS6, VIP4, VIP6, pool4, pool6
from lib.case import E2eTest, main
from lib.config import Backend, Pool, Service
from lib.talk import ask_udp, echo_server, split
from lib.wait import until

FLOWS = 120


class Udp(E2eTest):
    def test_spread_answers_and_counts(self):
        ends4, ends6 = ([Backend(f"{name}-{n}", addresses[n], 53, 100 + 100 * n) for n in range(2)]
                        for name, addresses in (("four", BACKENDS4), ("six", BACKENDS6)))
        for backend in ends4 + ends6:
            echo_server(self.bed, self.bed.backends, "udp", backend.endpoint)
        # Short, so that the end of flows is seen soon too; long enough to ask for all of them.
        self.bed.sysctl(self.bed.balancer, **{"net.netfilter.nf_conntrack_udp_timeout": 8, "net.netfilter.nf_conntrack_udp_timeout_stream": 8})
        daemon = self.start([Service("dns", [f"{VIP4}:53", f"[{VIP6}]:53"], ends4 + ends6, protocol="udp")],
                            [Pool("main", pool4(2) + pool6(2))])
        for target, ends, pool in ((f"{VIP4}:53", ends4, pool4(2)), (f"[{VIP6}]:53", ends6, pool6(2))):
            with self.subTest(target=target):
                # A port of its own for each: a closed socket's port may be drawn again, and then its flow goes on.
                answers = [ask_udp(self.bed, target, port=20000 + n) for n in range(FLOWS)]
                by_backend = collections.Counter(here for here, _, _ in answers)
                self.assertEqual(by_backend, {ends[0].endpoint: FLOWS // 3, ends[1].endpoint: 2 * FLOWS // 3})
                by_pool = collections.Counter(split(peer)[0] for _, peer, _ in answers)
                self.assertEqual(by_pool, {address: FLOWS // 2 for address in pool})
        expected = {"four-0": 40, "four-1": 80, "six-0": 40, "six-1": 80}
        daemon.expect_counts("dns", expected, 10)

        def gone():
            self.bed.run(self.bed.balancer, "conntrack", "-L")     # a look at them makes the kernel forget expired ones
            return daemon.counts("dns") == {name: 0 for name in expected}
        until(gone, lambda: f"no flow counted: {daemon.counts('dns')}", 120, 0.2)

    def test_a_flow_stays_with_its_backend(self):
        ends = [Backend(f"b{n}", BACKENDS4[n], 53) for n in range(3)]
        for backend in ends:
            echo_server(self.bed, self.bed.backends, "udp", backend.endpoint)
        self.start([Service("dns", [f"{VIP4}:53"], ends, protocol="udp")], [Pool("main", pool4(2))])
        with self.bed.inside(self.bed.clients):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with sock:
            sock.settimeout(15)
            sock.connect((VIP4, 53))
            seen = set()
            for number in range(50):
                sock.send(f"{number}".encode())
                here, peer, answer = sock.recv(1000).split(b" ")
                self.assertEqual(answer, f"{number}".encode())
                seen.add((here, peer))
                if number == 25:
                    self.daemon.restart()
            self.assertEqual(len(seen), 1, seen)

    def test_a_drain_with_eviction_sends_clients_elsewhere(self):
        ends = [Backend(f"b{n}", BACKENDS4[n], 53) for n in range(2)]
        for backend in ends:
            echo_server(self.bed, self.bed.backends, "udp", backend.endpoint)
        daemon = self.start([Service("dns", [f"{VIP4}:53"], ends, protocol="udp")], [Pool("main", pool4(2))])
        with contextlib.ExitStack() as sockets:
            clients = []
            with self.bed.inside(self.bed.clients):
                for _ in range(20):
                    clients.append(sockets.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)))
            for client in clients:
                client.settimeout(5)
                client.connect((VIP4, 53))

            def answer(client):
                """An answer that is under way when its flow is ended does not arrive: who asks over UDP asks again."""
                with contextlib.suppress(TimeoutError):
                    return client.recv(1000)
                client.send(b"?")
                return client.recv(1000)

            def answered_by():
                for client in clients:
                    client.send(b"?")
                return collections.Counter(answer(client).split(b" ")[0].decode() for client in clients)

            self.assertEqual(answered_by(), {end.endpoint: 10 for end in ends})
            daemon.ctl("backend", "drain", "dns", "b0", "--evict", "1000")
            until(lambda: answered_by() == {ends[1].endpoint: 20}, "all answers from the other backend")
            daemon.expect_counts("dns", {"b0": 0, "b1": 20})


if __name__ == "__main__":
    main()
