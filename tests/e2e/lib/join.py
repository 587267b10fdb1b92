"""What nodes need to join, and DNS to tell of them: a certificate, curl, a resolver of the bed's own."""

import contextlib
import json
import os
import pwd
import shutil
import socket
import ssl

from lib.run import run

TOOLS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tools")


def certificate(bed, name, subject="IP:198.18.2.2"):
    """A key and a certificate for `subject`, signed with itself; returns both paths."""
    crt, key = bed.path(f"{name}.crt"), bed.path(f"{name}.key")
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=lb-a",
        "-addext", f"subjectAltName={subject}", "-keyout", key, "-out", crt)
    _give_to_daemon(key)
    return crt, key


def write_secret(path, text):
    with open(path, "w", encoding="ascii", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(text)
    _give_to_daemon(path)


def _give_to_daemon(secret):
    """Where the package has been installed, `check` wants the package's user to be able to read it."""
    with contextlib.suppress(KeyError):
        user = pwd.getpwnam("wsl4")
        os.chown(secret, user.pw_uid, user.pw_gid)


class Node:
    """Speaks with the register listener, by default from the backends' namespace, as a node's own unit would."""

    def __init__(self, bed, target, trusted, token, namespace=None):
        self.bed, self.target, self.trusted, self.token = bed, target, trusted, token
        self.namespace = namespace or bed.backends

    def call(self, method, service, backend, body=None, token=None):
        """HTTP status and answer. `token`: another one; "": none."""
        token = self.token if token is None else token
        with open(self.bed.path("curl"), "w", encoding="ascii") as file:       # as wsl4.toml(5) has it
            file.write(f'url = "https://{self.target}/v1/services/{service}/backends/{backend}"\n'
                       f'cacert = "{self.trusted}"\nmax-time = 20\nsilent\nshow-error\n')
            file.write(f'header = "Authorization: Bearer {token}"\n' if token else "")
        with open(self.bed.path("body"), "w", encoding="ascii") as file:
            json.dump(body, file)
        words = ["curl", "-K", self.bed.path("curl"), "-X", method, "-w", "\n%{http_code}"]
        words += ["--json", f"@{self.bed.path('body')}"] if body is not None else []
        text, _, status = self.bed.run(self.namespace, *words).stdout.rpartition("\n")
        return int(status), json.loads(text)

    def put(self, service, backend, address, ttl="5s", token=None, **more):
        return self.call("PUT", service, backend, {"address": address, "ttl": ttl, **more}, token)

    def connect(self):
        """A TCP connection, nothing sent."""
        host, _, port = self.target.rpartition(":")
        with self.bed.inside(self.namespace):
            return socket.create_connection((host, int(port)), 15)

    def connect_tls(self):
        context = ssl.create_default_context(cafile=self.trusted)
        return context.wrap_socket(self.connect(), server_hostname="198.18.2.2")


class Dns:
    """tools/dns.py in the backends' namespace, as the balancer's only resolver."""

    def __init__(self, test, bed, address):
        folder = f"/etc/netns/{bed.balancer}"
        os.makedirs(folder)
        test.addCleanup(shutil.rmtree, folder)
        with open(f"{folder}/resolv.conf", "w", encoding="ascii") as file:
            file.write(f"nameserver {address}\noptions timeout:1 attempts:1\n")
        self.child = bed.child(bed.backends, "/usr/bin/python3", f"{TOOLS}/dns.py", f"{address}:53")
        self.child.line()

    def set(self, **zone):
        self.child.say(json.dumps(zone))
        self.child.line()
