#!/usr/bin/python3
# timeout: 200
"""Signals, stops and hangs: what was asked is answered, what comes early waits, what hangs is told."""

import contextlib
import ctypes
import os
import signal
import socket

from lib.bed import BACKENDS4, VIP4, pool4
from lib.case import E2eTest, main
from lib.config import Backend, Pool, Service
from lib.daemon import Daemon
from lib.run import run, tool
from lib.talk import Talk, echo_server
from lib.wait import until

PTRACE_ATTACH, PTRACE_DETACH = 16, 17
_libc = ctypes.CDLL(None, use_errno=True)


def ptrace(request, thread):
    if _libc.ptrace(request, thread, None, None) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")


class Lifecycle(E2eTest):
    def setUp(self):
        super().setUp()
        echo_server(self.bed, self.bed.backends, "tcp", *(f"{address}:80" for address in BACKENDS4[:2]))
        self.services = [self.chat(1)]
        self.pools = [Pool("main", pool4(2))]

    def chat(self, backends):
        return Service("chat", [f"{VIP4}:443"], [Backend(f"b{n}", BACKENDS4[n]) for n in range(backends)])

    def request(self, text):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(30)
        sock.connect(self.daemon.socket)
        sock.sendall(text.encode() + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return sock

    def answer(self, sock):
        with sock:
            data = b""
            while chunk := sock.recv(65536):
                data += chunk
            return data.decode()

    @contextlib.contextmanager
    def starting(self):
        """A daemon that holds its signals already, and reads its configuration only afterwards."""
        self.daemon = Daemon(self.bed, self.services, self.pools)
        os.unlink(self.daemon.config)
        os.mkfifo(self.daemon.config)
        self.daemon.launch()
        bit = 1 << (signal.SIGHUP - 1)

        def waits():
            with open(f"/proc/{self.daemon.child.pid}/status", encoding="ascii") as file:
                status = dict(line.split(":", 1) for line in file)
            return status["Name"].strip() == "wsl4d" and int(status["SigBlk"], 16) & bit
        until(waits, lambda: "signals held while it starts\n" + self.daemon.log())
        with open(self.daemon.config, "w", encoding="utf-8") as first:
            yield self.daemon
            self.assertFalse(self.daemon.told("READY=1"))
            os.unlink(self.daemon.config)
            self.daemon.write()     # what a reload reads
            first.write(self.daemon.text())

    def test_a_reload_before_it_is_ready_waits(self):
        with self.starting() as daemon:
            daemon.child.kill(signal.SIGHUP)
        daemon.wait_until_ready()
        until(lambda: "reloaded" in [event["name"] for event in daemon.ctl_json("events")["events"]], lambda: daemon.log())
        Talk(self.bed, f"{VIP4}:443").ask()

    def test_a_stop_before_it_is_ready_is_an_orderly_end(self):
        with self.starting() as daemon:
            daemon.child.kill(signal.SIGTERM)
        self.assertEqual(daemon.child.wait(), 0)

    def test_sighup_loads_the_file(self):
        daemon = self.start(self.services, self.pools)
        talk = Talk(self.bed, f"{VIP4}:443")
        talk.ask()
        daemon.services = [self.chat(2)]
        daemon.write()
        daemon.child.kill(signal.SIGHUP)
        until(lambda: set(daemon.counts("chat")) == {"b0", "b1"}, lambda: daemon.log())
        daemon.write("[nonsense\n")
        daemon.child.kill(signal.SIGHUP)
        until(lambda: f"{daemon.config}:1:" in daemon.log(), lambda: "the error in the log\n" + daemon.log())
        until(lambda: daemon.events("reload-refused"), "an event of it")
        self.assertIn(f"nothing was changed: {daemon.config}:1:", daemon.events("reload-refused")[0])
        daemon.ctl("reload", "--dry-run", check=False)
        self.assertEqual(len(daemon.events("reload-refused")), 1)
        self.assertEqual(set(daemon.counts("chat")), {"b0", "b1"})
        talk.ask()

    def test_a_stop_answers_what_was_asked(self):
        daemon = self.start(self.services, self.pools)
        last = daemon.ctl_json("events")["events"][-1]["sequence"]
        waiting = self.request(f"GET /v1/events?after={last}&wait=30")
        # The request has arrived once a later one on another connection is answered.
        self.answer(self.request("GET /v1/status"))
        daemon.child.kill(signal.SIGTERM)
        answer = self.answer(waiting)
        self.assertIn("HTTP/1.1 200", answer)
        self.assertIn('"stopping"', answer)
        self.assertEqual(daemon.child.wait(), 0)

    def test_following_events_goes_on_after_a_restart(self):
        daemon = self.start(self.services, self.pools)
        follower = self.bed.child(self.bed.balancer, self.bed.program("wsl4ctl"), "--socket", daemon.socket, "events", "--follow", "--json",
                                  stdin=False)
        lines = lambda word: next(line for line in iter(follower.line, None) if f'"{word}"' in line)
        lines("started")
        daemon.kill()
        daemon.start()
        lines("started")
        self.assertTrue(follower.alive())

    def test_a_hung_kernel_thread_is_told(self):
        self.daemon = daemon = Daemon(self.bed, self.services, self.pools)
        daemon.environment = {"WATCHDOG_USEC": "2000000"}
        daemon.start()
        until(lambda: daemon.told("WATCHDOG=1"), "a fed watchdog")
        self.assertIn("HTTP/1.1 200", self.answer(self.request("GET /healthz")))
        thread = self.thread("kernel")
        ptrace(PTRACE_ATTACH, thread)
        try:
            until(lambda: daemon.told("WATCHDOG=trigger"), lambda: "systemd told of the hang\n" + daemon.log())
            answer = self.answer(self.request("GET /healthz"))
            self.assertIn("HTTP/1.1 503", answer)
            self.assertIn("application/problem+json", answer)
        finally:
            os.waitpid(thread, 0x40000000)    # __WALL
            ptrace(PTRACE_DETACH, thread)
        until(lambda: "HTTP/1.1 200" in self.answer(self.request("GET /healthz")), "health again")

    def test_storage_that_stalls_ends_nothing(self):
        """What must be durable is refused, everything else goes on."""
        self.daemon = daemon = Daemon(self.bed, self.services, self.pools)
        stall = self.bed.path("stall")
        daemon.environment = {"LD_PRELOAD": tool("libslowstorage.so"), "STALLS_WHILE": stall}
        daemon.start()
        talk = Talk(self.bed, f"{VIP4}:443")
        with open(stall, "wb"):
            pass
        refused = daemon.ctl("backend", "weight", "chat", "b0", "7", check=False)
        self.assertEqual(refused.returncode, 1, daemon.log())
        self.assertIn("runtime.json is not written", refused.stderr)
        until(lambda: any("is not written" in warning for warning in daemon.status()["warnings"]), "a warning")
        self.assertTrue(daemon.events("state-not-saved"))
        self.services[0] = self.chat(2)
        daemon.reload()
        self.assertEqual([backend["weight"] for backend in daemon.service("chat")["backends"]], [100, 100])
        os.unlink(stall)
        until(lambda: not daemon.status()["warnings"], lambda: f"no warning: {daemon.status()['warnings']}")
        daemon.ctl("backend", "weight", "chat", "b0", "8")
        daemon.kill()
        daemon.start()
        self.assertEqual(daemon.backend("chat", "b0")["weight"], 8)
        talk.ask()
        with open(stall, "wb"):
            pass
        daemon.reload([self.chat(1)])
        self.assertEqual(daemon.stop(), 0, "a stop does not wait for storage for ever")

    def test_a_full_disk_keeps_nobody_from_serving(self):
        """What a first start cannot store is told, and stored once there is room."""
        self.daemon = daemon = Daemon(self.bed, self.services, self.pools)
        run("mount", "-t", "tmpfs", "-o", "size=64k", "none", daemon.state)
        self.addCleanup(run, "umount", "--lazy", daemon.state)
        filler = os.path.join(daemon.state, "filler")
        with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        self.bed.sysctl(self.bed.balancer, **{"net.ipv4.ip_forward": 0})
        daemon.start()
        talk = Talk(self.bed, f"{VIP4}:443")
        talk.ask()
        self.assertIn("HTTP/1.1 200", self.answer(self.request("GET /readyz")))
        until(lambda: any("No space left on device" in warning for warning in daemon.status()["warnings"]), "a warning")
        self.assertTrue(daemon.events("state-not-saved"))
        refused = daemon.ctl("backend", "weight", "chat", "b0", "7", check=False)
        self.assertEqual(refused.returncode, 1, daemon.log())
        daemon.kill()
        daemon.start()
        talk.ask()
        os.unlink(filler)
        until(lambda: not daemon.status()["warnings"], lambda: f"no warning: {daemon.status()['warnings']}")
        daemon.ctl("backend", "weight", "chat", "b0", "7")
        self.assertEqual(sorted(os.listdir(daemon.state)), ["runtime.json", "state.json"])

    def test_a_dry_run_tells_addresses_and_sysctls(self):
        daemon = self.start(self.services, self.pools)
        addresses = self.bed.addresses()
        third = VIP4[:-1] + "2"
        service = self.chat(1)
        service.listen, service.idle_timeout = [f"{VIP4}:443", f"{third}:443"], "2h"
        daemon.services, daemon.pools = [service], [Pool("main", pool4(3)[1:])]
        daemon.write()
        said = daemon.ctl("reload", "--dry-run").stdout
        told = daemon.ctl_json("reload", "--dry-run")
        self.assertEqual(self.bed.addresses(), addresses)
        self.assertEqual([placed["address"] for placed in told["addresses_added"]], [third, pool4(3)[2]])
        self.assertEqual([placed["address"] for placed in told["addresses_removed"]], pool4(1))
        self.assertEqual([(change["before"], change["value"]) for change in told["sysctls"]], [("4200", "7800")])
        for line in (f"# would be put on {told['addresses_added'][0]['interface']}: {third}\n", f"uses it: {pool4(1)[0]}\n",
                     "# sysctl net/netfilter/nf_conntrack_tcp_timeout_established would be 7800, is 4200\n"):
            self.assertIn(line, said)
        daemon.ctl("reload")
        until(lambda: third in str(self.bed.addresses()) and pool4(1)[0] not in str(self.bed.addresses()), "what was told comes true")
        self.assertEqual(daemon.ctl("reload", "--dry-run").stdout, "nothing would change\n")

        service.listen.append("198.19.200.1:443")
        daemon.write()
        self.assertIn("198.19.200.1: no interface", daemon.ctl("reload", "--dry-run").stderr)

    def test_addresses_that_are_managed_no_more_stay_and_that_is_told(self):
        self.daemon = daemon = Daemon(self.bed, self.services, self.pools)
        daemon.start()
        before = self.bed.addresses()
        with open(daemon.config, "a", encoding="utf-8") as file:
            file.write("[addresses]\nmanage = false\n")
        self.assertIn("stay until somebody takes them off", daemon.ctl("reload").stderr)
        self.assertEqual(self.bed.addresses(), before)
        self.assertNotIn("takes them off", daemon.ctl("reload").stderr, "told once")

    def thread(self, name):
        folder = f"/proc/{self.daemon.child.pid}/task"
        for thread in os.listdir(folder):
            with open(f"{folder}/{thread}/comm", encoding="ascii") as file:
                if file.read().strip() == name:
                    return int(thread)
        raise AssertionError(f"no thread {name}")

    def test_closed_connections_leave_the_count(self):
        daemon = self.start(self.services, self.pools)
        for how in ("fin", "reset"):
            talk = Talk(self.bed, f"{VIP4}:443")
            talk.ask()
            daemon.expect_counts("chat", {"b0": 1})
            talk.close() if how == "fin" else talk.reset()
            daemon.expect_counts("chat", {"b0": 0}, seconds=10)


if __name__ == "__main__":
    main()
