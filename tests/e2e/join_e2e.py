#!/usr/bin/python3
# timeout: 400
"""Backends that join by themselves: nodes with a token over TLS, and what DNS knows. They come, renew, lapse and change, also while
the daemon does not run; whoever may not join does not; and no connection is lost by any of it."""

import dataclasses
import json
import os
import shutil
import socket
import ssl
import time

from lib.bed import BACKENDS4, BACKENDS6, VIP4, VIP6, pool4, pool6
from lib.case import E2eTest, main
from lib.config import Backend, Pool, Service
from lib.daemon import Daemon
from lib.join import Dns, Node, certificate, write_secret
from lib.load import Clients, Servers
from lib.wait import until

REGISTER = "198.18.2.2:9443"
RESOLVER = BACKENDS4[7]
CHAT_TOKEN, ANY_TOKEN = "token-for-chat-only", "token-for-everything"
B0, B1, B2, B3 = (f"{address}:80" for address in BACKENDS4[:4])


class Join(E2eTest):
    def setUp(self):
        super().setUp()
        self.crt, self.key = certificate(self.bed, "tls")
        self.tokens = self.bed.path("tokens")
        self.write_tokens(f"{CHAT_TOKEN} chat\n{ANY_TOKEN} *\n")
        Servers(self.bed, BACKENDS4[:4] + BACKENDS6[:1])
        self.node = Node(self.bed, REGISTER, self.crt, CHAT_TOKEN)

    def write_tokens(self, text):
        write_secret(self.tokens, text)

    def control(self, **other):
        settings = {"register": REGISTER, "token_file": self.tokens, "tls_certificate": self.crt, "tls_key": self.key, **other}
        return "".join(f'{key} = "{value}"\n' for key, value in settings.items() if value)

    def chat(self, backends=1, scheduler="least-connections", **settings):
        return Service("chat", [f"{VIP4}:443"], [Backend(f"b{n}", BACKENDS4[n]) for n in range(backends)], scheduler, **settings)

    def begin(self, *services, **options):
        self.start(list(services) or [self.chat()], [Pool("main", pool4(2) + pool6(2))], **options)

    def begin_with_register(self):
        self.begin(control=self.control())

    def live_clients(self, count=100):
        self.clients = Clients(self.bed, f"{VIP4}:443")
        self.assertEqual(self.clients.open(count)["ok"], count)
        self.clients.start()
        self.live = count

    def open(self, count):
        self.assertEqual(self.clients.open(count)["ok"], count)
        self.live += count

    def assert_nothing_lost(self):
        self.assert_unharmed(self.clients.report(), self.live)

    def shown(self):
        return {b["name"]: (b["state"], b["source"]) for b in self.daemon.service("chat")["backends"]}

    def expect(self, **backends):
        """Of some backends by name: their state and source."""
        wanted = {name.replace("_", "-"): value for name, value in backends.items()}
        until(lambda: wanted.items() <= self.shown().items(), lambda: f"{wanted}; status: {self.shown()}", 60, 0.1)

    def events(self):
        return [event["name"] for event in self.daemon.ctl_json("events")["events"]]

    def expect_event(self, name, times=1):
        until(lambda: self.events().count(name) >= times, lambda: f"{times} x {name}: {self.events()}", 60, 0.1)

    # ---- nodes ------------------------------------------------------------------------------------------------

    def test_a_node_joins_renews_changes_lapses_and_leaves(self):
        self.begin_with_register()
        self.live_clients()
        status, answer = self.node.put("chat", "n1", B1)
        self.assertEqual((status, answer["service"], answer["backend"]), (201, "chat", "n1"))
        self.assertEqual(self.shown(), {"b0": ("up", "file"), "n1": ("up", "registered")})
        self.open(50)
        until(lambda: self.daemon.counts("chat") == {"b0": 100, "n1": 50}, lambda: f"the newcomer is filled: {self.daemon.counts('chat')}")
        self.assertEqual(self.node.put("chat", "n1", B1, ttl="1h")[0], 200)
        self.assertGreater(self.daemon.backend("chat", "n1")["lease_s"], 3000)
        self.assertEqual(self.node.put("chat", "n1", B1, weight=0, ttl="5s")[0], 200)
        self.assertEqual(self.daemon.backend("chat", "n1")["weight"], 0)
        self.expect(n1=("draining", None))
        self.expect_event("lease-lapsed")
        self.assertEqual(self.clients.report()["live"], 150)
        self.assertEqual(self.node.put("chat", "n1", B1, ttl="60s")[0], 201)
        self.expect(n1=("up", "registered"))
        self.assertEqual(self.node.call("DELETE", "chat", "n1")[0], 200)
        self.expect(n1=("draining", None))
        self.assertEqual(self.node.call("DELETE", "chat", "n1")[0], 404)
        for name in ("backend-registered", "registration-changed", "backend-left"):
            self.expect_event(name)
        self.open(20)
        self.assertEqual(self.clients.stop()["unanswered"], 0)
        self.assertEqual(self.daemon.counts("chat")["n1"], 50)
        self.assert_nothing_lost()

    def test_what_is_changed_at_run_time_holds_for_a_node_too(self):
        self.begin_with_register()
        self.live_clients()
        self.node.put("chat", "n1", B1, ttl="1h", public="wss://n1.example/ws", max_connections=30)
        self.assertEqual(self.daemon.ctl_json("pick", "chat")["public"], "wss://n1.example/ws")
        self.open(60)
        self.expect(n1=("full", "registered"))
        until(lambda: sum(self.daemon.counts("chat").values()) == 160, "all counted")
        on_it = self.daemon.counts("chat")["n1"]
        self.daemon.ctl("backend", "drain", "chat", "n1")
        self.assertEqual(self.node.put("chat", "n1", B1, ttl="1h")[0], 200)
        self.daemon.restart(9)
        self.assertEqual(self.shown()["n1"], ("draining", "registered"))
        self.open(20)
        self.assertEqual(self.daemon.counts("chat")["n1"], on_it)
        self.daemon.ctl("backend", "reset", "chat", "n1")
        self.daemon.ctl("backend", "add", "chat", "n2", B2)
        self.assertEqual(self.node.put("chat", "n2", B3)[0], 409)
        self.assertEqual(self.node.put("chat", "n3", B2)[0], 409)
        self.assertEqual(self.shown(), {"b0": ("up", "file"), "n1": ("up", "registered"), "n2": ("up", "added")})
        self.assertIn("registered, ends in", self.daemon.ctl("status").stdout)
        self.assert_nothing_lost()

    def test_who_may_not_join_does_not(self):
        self.begin(self.chat(), Service("other", [f"{VIP4}:80"], [Backend("o0", BACKENDS4[0])]), control=self.control())
        before = self.daemon.status()["services"]
        for token, service, status in (("", "chat", 401), ("token-for-chat-onlyX", "chat", 401), ("token-for-chat-onl", "chat", 401),
                                       (CHAT_TOKEN, "other", 403), (CHAT_TOKEN, "nobody", 403), (ANY_TOKEN, "nobody", 404)):
            with self.subTest(token=token, service=service):
                self.assertEqual(self.node.put(service, "n1", B1, token=token)[0], status)
                self.assertIn(self.node.call("DELETE", service, "n1", token=token)[0], (status, 404))
        for backend, body, status in (("b0", {"address": B1, "ttl": "5s"}, 409), ("n1", {"address": B0, "ttl": "5s"}, 409),
                                      ("n1", {"address": f"{VIP4}:443", "ttl": "5s"}, 409), ("n1", {"address": B1, "ttl": "1s"}, 422),
                                      ("n1", {"address": B1}, 422), ("n1", {"address": f"[{BACKENDS6[0]}]:80", "ttl": "5s"}, 422)):
            with self.subTest(body=body):
                self.assertEqual(self.node.call("PUT", "chat", backend, body)[0], status)
        for path in ("/v1/status", "/metrics", "/"):
            self.assertEqual(self.bed.run(self.bed.backends, "curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", f"https://{REGISTER}{path}").stdout, "404")
        names = [[backend["name"] for backend in service["backends"]] for service in before]
        self.assertEqual([[backend["name"] for backend in service["backends"]] for service in self.daemon.status()["services"]], names)

    def test_reload_takes_other_tokens_certificates_and_listeners(self):
        self.begin_with_register()
        self.live_clients()
        self.assertEqual(self.node.put("chat", "n1", B1, ttl="1h")[0], 201)
        self.assertEqual(self.daemon.status()["warnings"], [])
        self.write_tokens("another-token-for-chat chat, chta\n")
        stranger = f'{self.tokens}:1: there is no service "chta" (did you mean chat?)'
        self.assertIn(f"control.token_file: {stranger}", self.daemon.ctl("check", self.daemon.config, check=False).stdout)
        self.node.trusted = shutil.copy(self.crt, self.bed.path("old.crt"))
        certificate(self.bed, "tls")
        self.assertEqual(self.node.put("chat", "n1", B1, ttl="1h")[0], 200, "before the reload all is as it was")
        reload = self.daemon.ctl_json("reload")
        self.assertEqual(reload["read_anew"], ["control.tls_certificate", "control.tls_key", "control.token_file"])
        self.assertIn(stranger, reload["warnings"])
        self.assertEqual(self.daemon.status()["warnings"], [stranger])
        self.assertRaises(ssl.SSLCertVerificationError, self.node.connect_tls)
        self.node.trusted = self.crt
        self.assertEqual(self.node.put("chat", "n1", B1, ttl="1h")[0], 401)
        self.assertEqual(self.node.put("chat", "n1", B1, ttl="1h", token="another-token-for-chat")[0], 200)
        self.daemon.more["control"] = self.control(register="198.18.2.2:9444")
        self.daemon.reload()
        self.assertRaises(ConnectionRefusedError, self.node.connect)
        self.node.target = "198.18.2.2:9444"
        self.assertEqual(self.node.put("chat", "n1", B1, ttl="1h", token="another-token-for-chat")[0], 200)
        self.daemon.more["control"] = ""
        self.daemon.reload()
        self.assertRaises(ConnectionRefusedError, self.node.connect)
        self.assertEqual(self.shown()["n1"], ("up", "registered"), "without a listener a lease lives on")
        self.assert_nothing_lost()

    def test_broken_files_are_told_with_their_place(self):
        self.daemon = Daemon(self.bed, [self.chat()], [Pool("main", pool4(2))], control=self.control(tls_key=""))
        code, said = self.daemon.start_and_fail()
        self.assertEqual((code, "control.tls_key: is missing" in said), (2, True), said)
        self.write_tokens(f"{CHAT_TOKEN} chat\nshort chat\n")
        self.daemon.more["control"] = self.control(tls_key=self.crt)
        self.daemon.write()
        code, said = self.daemon.start_and_fail()
        line = 1 + next(n for n, text in enumerate(self.daemon.text().splitlines()) if text.startswith("token_file"))
        self.assertEqual(code, 2, said)
        self.assertIn(f"{self.daemon.config}:{line}:14: control.token_file: {self.tokens}:2: the token has 5 characters", said)
        self.assertIn(f"{self.daemon.config}:{line + 2}:11: control.tls_key: {self.crt} is not a PEM key", said)
        self.write_tokens(f"{CHAT_TOKEN} chat\n")
        self.daemon.more["control"] = self.control()
        self.daemon.write()
        self.start(self.daemon.services, self.daemon.pools, control=self.control())
        self.live_clients()
        os.chmod(self.tokens, 0o644)
        done = self.daemon.ctl("reload", check=False)
        self.assertEqual((done.returncode, f"{self.daemon.config}:{line}:14:" in done.stderr), (2, True), done)
        self.assertEqual(self.node.put("chat", "n1", B1)[0], 201, "the old tokens hold")
        self.assert_nothing_lost()

    def test_garbage_huge_and_half_requests(self):
        self.begin_with_register()
        self.live_clients()
        control = f"PUT /v1/services/chat/backends/n1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {CHAT_TOKEN}\r\n".encode()
        bad = ((b"\0\1\2\3\r\n\r\n", b"400"), (b"GET\r\n\r\n", b"400"), (control + b"Content-Length: -1\r\n\r\n", b"400"),
               (control + b"Content-Length: 9999999\r\n\r\n", b"413"), (control + b"X: " + b"a" * 20000 + b"\r\n\r\n", b"431"),
               (control + b"Content-Length: 4\r\n\r\n{\"a\"", b"422"), (control + b"Content-Length: 2\r\n\r\n\xff\xfe", b"422"))
        for connect in (self.node.connect_tls, self.connect_to_socket):
            for request, status in bad:
                with self.subTest(connect=connect.__name__, request=request[-30:]), connect() as sock:
                    sock.sendall(request)
                    self.assertEqual(sock.recv(65536).split()[1], status if status != b"422" or connect == self.node.connect_tls else b"400")
        with self.node.connect() as clear, self.node.connect() as garbage, self.node.connect_tls() as half, self.node.connect_tls() as body:
            clear.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            garbage.sendall(os.urandom(4096))
            half.sendall(control[:40])
            body.sendall(control + b"Content-Length: 1000\r\n\r\n{")
            self.assertEqual(self.node.put("chat", "n1", B1, ttl="1h")[0], 201, "others are served meanwhile")
            for sock in (clear, garbage):
                until(lambda: self.is_closed(sock), "no TLS, no connection")
        self.assertEqual(self.shown(), {"b0": ("up", "file"), "n1": ("up", "registered")})
        self.assertTrue(self.daemon.child.alive())
        self.assert_nothing_lost()

    def connect_to_socket(self):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(15)
        sock.connect(self.daemon.socket)
        return sock

    @staticmethod
    def is_closed(sock):
        """Whatever was sent before (a TLS alert) is read."""
        try:
            return not sock.recv(4096)
        except ConnectionError:
            return True

    def test_silent_connections_shut_no_node_out(self):
        self.begin_with_register()
        self.live_clients()
        held = [self.node.connect() for _ in range(200)]    # each in its handshake; 64 are served at once
        self.assertEqual(self.node.put("chat", "n1", B1)[0], 201)
        self.assertEqual(self.node.put("chat", "n1", B1)[0], 200)
        self.assertTrue(self.is_closed(held[0]), "the oldest has made room")
        self.daemon.ctl("status")
        for sock in held:
            sock.close()
        self.assert_nothing_lost()

    def test_a_restart_changes_nothing_and_what_lapsed_meanwhile_drains(self):
        self.begin(self.chat(scheduler="round-robin"), control=self.control())     # whose slots do not follow the counts
        self.live_clients()
        self.assertEqual(self.node.put("chat", "n1", B1, ttl="1h")[0], 201)
        self.assertEqual(self.node.put("chat", "n2", B2, ttl="5s")[0], 201)
        self.open(100)
        until(lambda: sum(self.daemon.counts("chat").values()) == 200, "all counted")
        before = self.daemon.counts("chat")
        self.daemon.kill()
        with open(os.path.join(self.daemon.state, "joined.json"), encoding="utf-8") as file:
            expires = {lease["backend"]: lease["expires_ms"] / 1000 for lease in json.load(file)["leases"]}
        until(lambda: time.time() > expires["n2"], "n2's lease is over while nobody runs")
        self.daemon.start()
        started = next(event for event in self.daemon.ctl_json("events")["events"] if event["name"] == "started")
        self.assertIn(" 0 objects changed", started["detail"])
        self.assertEqual(self.shown()["n2"], ("up", "registered"), "some time to renew is left")
        self.expect(n1=("up", "registered"), n2=("draining", None))
        self.expect_event("lease-lapsed")
        self.open(60)
        until(lambda: sum(self.daemon.counts("chat").values()) == 260, "all counted")
        self.assertEqual(self.daemon.counts("chat")["n2"], before["n2"])
        self.assertEqual(self.clients.stop()["unanswered"], 0)
        self.assert_nothing_lost()

    # ---- DNS --------------------------------------------------------------------------------------------------

    def test_srv_records_come_change_and_stay_when_dns_fails(self):
        dns = Dns(self, self.bed, RESOLVER)
        hosts = {f"n{n}.example A": [BACKENDS4[n]] for n in range(4)}
        srv = "_ws._tcp.example SRV"
        dns.set(records={**hosts, srv: ["10 100 80 n0.example", "10 50 80 n1.example", "20 1 80 n3.example"]})
        self.begin(self.chat(0, scheduler="round-robin", discovery="dns:_ws._tcp.example"))
        self.expect(**{"n0.example": ("up", "discovered"), "n1.example": ("up", "discovered")})
        self.assertEqual({b["name"]: b["weight"] for b in self.daemon.service("chat")["backends"]}, {"n0.example": 100, "n1.example": 50})
        self.live_clients(90)
        until(lambda: sum(self.daemon.counts("chat").values()) == 90, "all counted")
        dns.set(records={**hosts, srv: ["10 100 80 n0.example", "10 50 80 n2.example"]})
        self.expect(**{"n1.example": ("draining", None), "n2.example": ("up", "discovered")})
        self.open(30)
        dns.set(mood="fails")
        self.expect_event("discovery-failed")
        self.daemon.reload()
        dns.set(mood="silent")
        self.daemon.restart(9)
        started = next(event for event in self.daemon.ctl_json("events")["events"] if event["name"] == "started")
        self.assertIn(" 0 objects changed", started["detail"])
        self.assertEqual(self.shown()["n2.example"], ("up", "discovered"))
        self.expect_event("discovery-failed")
        self.assertIn("the last answer, if there was one, stays in use", self.daemon.ctl("status").stdout)
        self.open(30)
        dns.set(mood="answers", records=hosts)      # plainly none
        until(lambda: "no" in (self.daemon.service("chat")["discovery"]["error"] or ""), "an empty answer is no reason to drop all", 90)
        self.assertEqual(self.shown()["n2.example"], ("up", "discovered"))
        dns.set(records={**hosts, srv: ["10 100 80 n3.example"]})
        self.expect(**{"n0.example": ("draining", None), "n2.example": ("draining", None), "n3.example": ("up", "discovered")})
        self.assertFalse(self.daemon.service("chat")["discovery"]["failing"])
        self.open(30)
        until(lambda: self.daemon.counts("chat")["n3.example"] == 30, lambda: f"only n3 takes new ones: {self.daemon.counts('chat')}")
        self.assertEqual(self.clients.stop()["unanswered"], 0)
        self.assert_nothing_lost()

    def test_addresses_of_both_families_beside_the_files_backends_and_nodes(self):
        dns = Dns(self, self.bed, RESOLVER)
        dns.set(records={"ws.example A": [BACKENDS4[0], BACKENDS4[1], BACKENDS4[2]], "ws.example AAAA": [BACKENDS6[0]]})
        service = dataclasses.replace(self.chat(), listen=[f"{VIP4}:443", f"[{VIP6}]:443"], discovery="dns:ws.example:80")
        self.begin(service, control=self.control())
        self.expect(**{B1: ("up", "discovered"), B2: ("up", "discovered"), f"[{BACKENDS6[0]}]:80": ("up", "discovered")})
        self.assertEqual(self.shown()["b0"], ("up", "file"))
        self.live_clients()
        six = Clients(self.bed, f"[{VIP6}]:443", source="2001:db8:c::1")
        self.assertEqual(six.open(20)["ok"], 20)
        self.assertEqual(self.node.put("chat", "n2", B2, ttl="1h")[0], 201, "the same server says more of itself")
        self.expect(n2=("up", "registered"))
        self.assertNotIn(B2, self.shown())
        # Another source, that has no answer yet: the old ones stay until it has.
        self.daemon.reload([dataclasses.replace(service, discovery="dns:other.example:80")])
        self.expect_event("discovery-failed")
        self.assertEqual(self.shown()[B1], ("up", "discovered"))
        dns.set(records={"other.example A": [BACKENDS4[3]], "other.example AAAA": [BACKENDS6[0]]})
        self.expect(**{B1: ("draining", None), B3: ("up", "discovered")})
        self.daemon.reload([dataclasses.replace(service, discovery="", backends=service.backends + [Backend("six", BACKENDS6[0])])])
        self.expect(**{B3: ("draining", None), "six": ("up", "file"), "n2": ("up", "registered")})
        self.assertIsNone(self.daemon.service("chat")["discovery"])
        self.assertEqual(self.clients.stop()["unanswered"], 0)
        self.assert_nothing_lost()
        self.assert_unharmed(six.report(), 20)


if __name__ == "__main__":
    main()
