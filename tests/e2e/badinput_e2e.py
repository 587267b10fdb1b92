#!/usr/bin/python3
# timeout: 200
"""Everything that can be wrong around the daemon: each time a clear message, and nothing that runs is lost."""

import os
import socket

from lib.bed import BACKENDS4, VIP4, pool4
from lib.case import E2eTest, main
from lib.config import Backend, Pool, Service
from lib.daemon import Daemon
from lib.run import run
from lib.talk import Talk, echo_server
from lib.wait import until

NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
HERE = os.path.dirname(os.path.abspath(__file__))


class BadInput(E2eTest):
    def setUp(self):
        super().setUp()
        echo_server(self.bed, self.bed.backends, "tcp", f"{BACKENDS4[0]}:80")
        self.services = [Service("chat", [f"{VIP4}:443"], [Backend("one", BACKENDS4[0])])]
        self.pools = [Pool("main", pool4(2))]

    def prepare(self, **options):
        self.daemon = Daemon(self.bed, self.services, self.pools, **options)
        return self.daemon

    def running(self, **options):
        daemon = self.start(self.services, self.pools, **options)
        self.talk = Talk(self.bed, f"{VIP4}:443")
        self.talk.ask()
        return daemon

    def assert_nothing_lost(self):
        self.talk.ask()
        Talk(self.bed, f"{VIP4}:443").ask()
        self.assertTrue(self.daemon.child.alive())
        self.assertEqual(self.daemon.service("chat")["backends"][0]["name"], "one")

    def assert_refuses_to_start(self, daemon, *words, status=1):
        before = self.bed.table(), self.bed.addresses()
        code, said = daemon.start_and_fail()
        self.assertEqual(code, status, said)
        for word in words:
            self.assertIn(word, said)
        self.assertEqual((self.bed.table(), self.bed.addresses()), before, "the kernel is as it was")

    def broken(self):
        """Three mistakes, and the lines that they stand in."""
        lines = self.daemon.text().splitlines()
        line = {word: next(n for n, text in enumerate(lines) if text.startswith(word)) for word in ("scheduler", "addresses", "address =")}
        lines[line["scheduler"]] = 'scheduler = "sometimes"'
        lines[line["addresses"]] = 'addresses = ["198.18.2.300"]'
        lines[line["address ="]] += "\nweight = 5000"
        return "\n".join(lines) + "\n", (line["scheduler"] + 1, line["addresses"] + 1, line["address ="] + 2)

    def test_broken_configuration_at_start_and_at_reload(self):
        daemon = self.prepare()
        text, numbers = self.broken()
        daemon.write(text)
        places = [f"{daemon.config}:{number}:" for number in numbers]
        self.assert_refuses_to_start(daemon, *places, status=2)
        daemon.write("[node\n")
        self.assert_refuses_to_start(daemon, f"{daemon.config}:1:", status=2)
        os.unlink(daemon.config)
        self.assert_refuses_to_start(daemon, daemon.config, "No such file", status=2)
        daemon = self.running()
        table = self.bed.table()
        daemon.write(text)
        for arguments in (["reload"], ["reload", "--dry-run"]):
            done = daemon.ctl(*arguments, check=False)
            self.assertEqual(done.returncode, 2, done)
            for place in places:
                self.assertIn(place, done.stderr)
        self.assertEqual(self.bed.table().splitlines()[:3], table.splitlines()[:3])
        self.assert_nothing_lost()
        check = run(self.bed.program("wsl4ctl"), "check", daemon.config, check=False)
        self.assertEqual((check.returncode, [place for place in places if place not in check.stderr]), (2, []), check)

    def test_read_only_state_directory(self):
        daemon = self.prepare()
        run("mount", "-t", "tmpfs", "-o", "ro", "none", daemon.state)
        self.addCleanup(run, "umount", daemon.state)
        self.assert_refuses_to_start(daemon, daemon.state, "Read-only file system")

    def test_missing_capability(self):
        daemon = self.prepare(wrap=NOBODY)
        os.chmod(self.bed.folder, 0o777)
        os.chmod(daemon.state, 0o777)
        self.assert_refuses_to_start(daemon, "CAP_NET_ADMIN")

    def test_control_port_taken(self):
        with self.bed.inside(self.bed.balancer):
            taken = socket.create_server(("127.0.0.1", 9440))
        with taken:
            self.assert_refuses_to_start(self.prepare(listen="127.0.0.1:9440"), "127.0.0.1:9440", "ddress already in use")

    def test_socket_of_a_live_daemon(self):
        daemon = self.running()
        second = Daemon(self.bed, self.services, self.pools)
        status, said = second.start_and_fail()
        self.assertEqual(status, 1, said)
        self.assertIn(daemon.socket, said)
        self.assert_nothing_lost()

    def test_table_of_another_owner(self):
        owner = self.bed.child(self.bed.balancer, "/usr/bin/python3", f"{HERE}/tools/owner.py", "wsl4")
        self.assertEqual(owner.line(), "owned")
        self.assert_refuses_to_start(self.prepare(), "wsl4", "own")
        owner.end()
        until(lambda: not self.bed.table(), "the owner's table gone")
        self.running()
        self.assert_nothing_lost()

    def test_broken_requests_on_the_control_socket(self):
        daemon = self.running()
        for request in (b"\0\1\2\3\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"POST /v1/reload HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                        b"GET /v1/status HTTP/1.1\r\nX: " + b"a" * 20000 + b"\r\n\r\n", b"PUT /v1/reload HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n"):
            with self.subTest(request=request[:40]), socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(15)
                sock.connect(daemon.socket)
                sock.sendall(request)
                self.assertRegex(sock.recv(65536), rb"^HTTP/1\.[01] (4\d\d|50[15]) ")
        self.assert_nothing_lost()

    def test_a_word_about_what_cannot_be_reached(self):
        done = self.prepare().ctl("status", check=False)
        self.assertEqual(done.returncode, 3)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        self.assertEqual(self.daemon.ctl("nonsense", check=False).returncode, 2)


if __name__ == "__main__":
    main()
