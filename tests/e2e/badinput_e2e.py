#!/usr/bin/python3
# timeout: 200
"""Everything that can be wrong around the daemon: each time a clear message, and nothing that runs is lost."""

import json
import os
import re
import socket

from lib.bed import BACKENDS4, VIP4, pool4
from lib.case import E2eTest, main
from lib.config import Backend, Pool, Service
from lib.daemon import Daemon
from lib.run import run
from lib.talk import Talk, echo_server
from lib.wait import until

NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
TRAFFIC = "ADDRESS:PORT such as 198.51.100.1:443 or [2001:db8::1]:443, not loopback, link-local, multicast or unspecified"
# Each file with every message that it must yield, behind the file's name.
BROKEN = [
    ("""[node
""",
     ["1:6: not valid TOML: Error while parsing table header: expected ']', saw '\\n'"]),
    ("""[node]
name = 5
colour = "blue"
[[service]]
name = "chat"
""",
     ["2:8: node.name: is an integer, must be a string (letters, digits, '.', '-' and '_', at most 253 characters)",
      '3:1: node.colour: unknown setting (here: name, state_dir, log_level, ct_mark_mask)',
      f'4:1: service[0].listen: is missing ({TRAFFIC})',
      '4:1: service[0].pool: is missing, and no pool is defined (a [[pool]], or mode = "dnat")']),
    ("""[[pool]]
name = "main"
addresses = ["198.18.2.300", "198.18.2.101-198.18.2.104"]
[[service]]
name = "chat"
listen = ["198.18.1.100:443", "198.18.1.101:99999"]
scheduler = "sometimes"
mode = "snatt"
idle_timeout = 60
[[service.backend]]
name = "one"
address = "198.18.2.11"
[[service.backend]]
name = "one"
address = "198.18.2.12:80"
weight = 5000
""",
     ['3:14: pool[0].addresses[0]: "198.18.2.300" is not an address, range or prefix (such as 198.51.100.16-198.51.100.31, 198.51.100.40 or 198.51.100.48/29)',
      f'6:31: service[0].listen[1]: "198.18.1.101:99999" is not an address and port ({TRAFFIC})',
      '7:13: service[0].scheduler: "sometimes" is none of the choices (least-connections | round-robin | random | source-hash)',
      '8:8: service[0].mode: "snatt" is none of the choices (snat | dnat; did you mean snat?)',
      '9:16: service[0].idle_timeout: is an integer, must be a string (1s-18d or 0s, as a string such as "150ms", "2s", "1h")',
      f'12:11: service[0].backend[0].address: "198.18.2.11" is not an address and port ({TRAFFIC})',
      '14:8: service[0].backend[1].name: "one" is also the name of backend[0] (a name of its own)',
      '16:10: service[0].backend[1].weight: 5000 is out of range (0-1000)']),
    ("""[[pool]]
name = "main"
addresses = ["198.18.2.101-198.18.2.104", "198.18.1.100"]
[[pool]]
name = "more"
addresses = ["198.18.2.103"]
[[service]]
name = "chat"
listen = ["198.18.1.100:443"]
[[service.backend]]
address = "[2001:db8:2::11]:80"
[[service]]
name = "chat"
pool = "mian"
listen = ["198.18.1.100:443"]
""",
     ['3:43: pool[0].addresses[1]: 198.18.1.100 is a VIP of service[0] (chat) (a pool address is no VIP)',
      '6:14: pool[1].addresses[0]: 198.18.2.103 is also in pool[0] (main) (each address in one pool, once)',
      '7:1: service[0].pool: is missing, and there are several pools (one of main, more)',
      '9:11: service[0].listen[0]: 198.18.1.100:443 has no IPv4 backend (one family on both sides)',
      '11:11: service[0].backend[0].address: [2001:db8:2::11]:80 is an IPv6 address, but the service has no IPv6 listen address (one family on both sides)',
      '13:8: service[1].name: "chat" is also the name of service[0] (a name of its own)',
      '14:8: service[1].pool: there is no pool "mian" (did you mean main?)',
      '15:11: service[1].listen[0]: 198.18.1.100:443 (tcp) is also a listen address of service[0] (chat) (each address, port and protocol once)']),
    ("""[control]
listen = "127.0.0.1"
[[service]]
name = "Chat Room"
protocol = "sctp"
client_limits.rate = -1
[service.health]
type = "websockt"
timeout = "5s"
""",
     ['2:10: control.listen: "127.0.0.1" is not an address and port (ADDRESS:PORT such as 198.51.100.1:9440 or [2001:db8::1]:9440)',
      f'3:1: service[0].listen: is missing ({TRAFFIC})',
      '3:1: service[0].pool: is missing, and no pool is defined (a [[pool]], or mode = "dnat")',
      '4:8: service[0].name: "Chat Room" is not a name (a-z, 0-9 and -, at most 32 characters)',
      '5:12: service[0].protocol: "sctp" is none of the choices (tcp | udp)',
      '6:22: service[0].client_limits.rate: -1 is out of range (0-1000000)',
      '8:8: service[0].health.type: "websockt" is none of the choices (tcp | http | https | websocket | websockets | none; did you mean websocket?)',
      '9:11: service[0].health.timeout: 5s is longer than health.interval, 2s (at most the interval)']),
]
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

    def test_broken_configuration_at_start_and_at_reload(self):
        daemon = self.prepare()
        for text, messages in BROKEN:
            with self.subTest(text=text):
                daemon.write(text)
                self.assert_tells(*daemon.start_and_fail(), messages)
                checked = run(self.bed.program("wsl4d"), "--config", daemon.config, "--check", check=False)
                self.assert_tells(checked.returncode, checked.stderr, messages)
                self.assertEqual((self.bed.table(), os.listdir(daemon.state)), ("", []))
        os.unlink(daemon.config)
        self.assert_refuses_to_start(daemon, daemon.config, "No such file", status=2)
        daemon = self.running()
        before = self.state_of_the_kernel()
        for text, messages in BROKEN:
            daemon.write(text)
            for arguments in (["reload"], ["reload", "--dry-run"], ["check", daemon.config]):
                with self.subTest(text=text, arguments=arguments):
                    done = daemon.ctl(*arguments, check=False)
                    *problems, last = done.stderr.splitlines()
                    if arguments[0] == "check":
                        problems.append(last)
                    self.assert_tells(done.returncode, "".join(line + "\n" for line in problems), messages)
        self.assertEqual(self.state_of_the_kernel(), before)
        self.assert_nothing_lost()

    def assert_tells(self, status, said, messages):
        expected = [f"{self.daemon.config}:{message}" for message in messages]
        self.assertEqual((status, said.splitlines()), (2, expected))

    def state_of_the_kernel(self):
        return re.sub(r"packets \d+ bytes \d+", "", self.bed.table()), self.bed.addresses()

    def test_read_only_state_directory(self):
        daemon = self.prepare()
        run("mount", "-t", "tmpfs", "-o", "ro", "none", daemon.state)
        self.addCleanup(run, "umount", daemon.state)
        self.assert_refuses_to_start(daemon, daemon.state, "Read-only file system")

    def test_missing_capability(self):
        daemon = self.prepare(wrap=NOBODY)
        os.chmod(self.bed.folder, 0o777)
        os.chmod(daemon.state, 0o777)
        self.assert_refuses_to_start(daemon, "lacks CAP_NET_ADMIN and CAP_NET_RAW")
        daemon.wrap = NOBODY + ["--inh-caps", "+net_admin", "--ambient-caps", "+net_admin"]
        self.assert_refuses_to_start(daemon, "lacks CAP_NET_RAW (")

    def test_read_only_configuration_folder(self):
        """The daemon only reads there."""
        daemon = self.prepare()
        folder = self.bed.path("etc")
        os.mkdir(folder)
        run("mount", "-t", "tmpfs", "none", folder)
        self.addCleanup(run, "umount", folder)
        daemon.config = os.path.join(folder, "wsl4.toml")
        daemon.write()
        run("mount", "-o", "remount,ro", folder)
        daemon.start()
        daemon.ctl("reload")

    def test_sysctls_are_as_before_when_it_cannot_start(self):
        sysctls = ("net.ipv4.ip_forward", "net.netfilter.nf_conntrack_tcp_loose", "net.netfilter.nf_conntrack_tcp_timeout_established")
        self.bed.sysctl(self.bed.balancer, **{"net.ipv4.ip_forward": 0, "net.netfilter.nf_conntrack_tcp_loose": 1})
        read = lambda: [self.bed.read_sysctl(self.bed.balancer, name) for name in sysctls]
        before = read()
        owner = self.bed.child(self.bed.balancer, "/usr/bin/python3", f"{HERE}/tools/owner.py", "wsl4")
        self.assertEqual(owner.line(), "owned")
        self.assert_refuses_to_start(self.prepare(), "wsl4")
        self.assertEqual(read(), before)

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
        self.assert_refuses_to_start(self.prepare(), "table inet wsl4", "another process owns the table", str(owner.pid))
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
                answer = b""
                while chunk := sock.recv(65536):
                    answer += chunk
                head, _, body = answer.partition(b"\r\n\r\n")
                self.assertRegex(head, rb"^HTTP/1\.[01] (4\d\d|50[15]) ")
                self.assertIn(b"application/problem+json", head)
                problem = json.loads(body)
                self.assertTrue(problem["title"] and problem["detail"], problem)
        self.assert_nothing_lost()

    def test_a_word_about_what_cannot_be_reached(self):
        done = self.prepare().ctl("status", check=False)
        self.assertEqual(done.returncode, 3)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        self.assertEqual(self.daemon.ctl("nonsense", check=False).returncode, 2)


if __name__ == "__main__":
    main()
