#!/usr/bin/python3
# timeout: 240
"""Real WebSocket implementations as clients and backends, also behind nginx and HAProxy, over IPv4 and IPv6: payloads intact."""

import itertools
import json
import os

from lib.bed import BACKENDS4, BACKENDS6, VIP4, VIP6, endpoint, pool4, pool6
from lib.case import E2eTest, main
from lib.config import Backend, Pool, Service
from lib.run import Failed
from lib.wait import until

HERE = os.path.dirname(os.path.abspath(__file__))
NODE, PYTHON = ["node", f"{HERE}/tools/ws_node.js"], ["/usr/bin/python3", f"{HERE}/tools/ws_python.py"]
CONNECTIONS, MESSAGES = 20, 16

NGINX = """daemon off; pid {folder}/nginx.pid; error_log stderr; worker_processes 1;
events {{ worker_connections 4096; }}
http {{ access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ {listen} location / {{ proxy_pass http://{backend}; proxy_http_version 1.1; proxy_read_timeout 60s;
    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }} }} }}
"""
HAPROXY = """global
  maxconn 4000
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tunnel 60s
listen ws
  {listen}
  server one {backend}
"""


class WebSockets(E2eTest):
    """Backends: .11 Node, .12 Python, .13 nginx before Node, .14 HAProxy before Python; a service on a port for each."""

    def setUp(self):
        super().setUp()
        if not os.path.isdir(f"{HERE}/node_modules/ws"):
            raise Failed("Node's ws is missing: npm ci --prefix tests/e2e")
        for number, tool in enumerate((NODE, PYTHON)):
            for address in (BACKENDS4[number], BACKENDS6[number]):
                self.serve(tool, address)
        self.proxy("nginx", NGINX, 2, BACKENDS4[0], lambda ends: " ".join(f"listen {e};" for e in ends), ["nginx", "-p", self.bed.folder, "-c"])
        self.proxy("haproxy", HAPROXY, 3, BACKENDS4[1], lambda ends: "\n  ".join(f"bind {e}" for e in ends), ["haproxy", "-f"])
        services = [Service(f"ws-{n}", [endpoint(VIP4, 8000 + n), endpoint(VIP6, 8000 + n)],
                            [Backend("v4", BACKENDS4[n]), Backend("v6", BACKENDS6[n])]) for n in range(4)]
        self.start(services, [Pool("main", pool4(2) + pool6(2))])

    def serve(self, tool, address):
        child = self.bed.child(self.bed.backends, *tool, "server", address, 80)
        self.assertIn("listening", child.line())

    def proxy(self, name, template, number, backend, listen, command):
        path = self.bed.path(f"{name}.conf")
        ends = [endpoint(BACKENDS4[number], 80), endpoint(BACKENDS6[number], 80)]
        with open(path, "w", encoding="utf-8") as file:
            file.write(template.format(folder=self.bed.folder, listen=listen(ends), backend=endpoint(backend, 80)))
        child = self.bed.child(self.bed.backends, *command, path, stdin=False)
        listening = lambda: self.bed.run(self.bed.backends, "ss", "-Hltn", f"src {ends[1]}").stdout
        until(listening, lambda: f"{name} listening\n{child.errors()}")

    def test_every_client_through_every_backend(self):
        running = []
        for (client, tool), (vip, port) in itertools.product((("node", NODE), ("python", PYTHON)),
                                                             itertools.product((VIP4, VIP6), range(8000, 8004))):
            url = f"ws://{endpoint(vip, port)}/echo"
            running.append((client, url, self.bed.child(self.bed.clients, *tool, "client", url, CONNECTIONS, MESSAGES)))
        for client, url, child in running:
            with self.subTest(client=client, url=url):
                self.assertEqual(json.loads(child.line(120)), {"ok": CONNECTIONS * MESSAGES, "wrong": 0, "failed": 0}, child.errors())
        for service in self.daemon.status()["services"]:
            totals = {backend["name"]: backend["total"] for backend in service["backends"]}
            self.assertEqual(totals, {"v4": 2 * CONNECTIONS, "v6": 2 * CONNECTIONS}, service["name"])


if __name__ == "__main__":
    main()
