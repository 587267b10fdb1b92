"""wsl4d in the balancer's namespace, and wsl4ctl beside it."""

import json
import os
import re
import signal
import socket

from lib import config
from lib.run import Failed, run
from lib.wait import until


class Daemon:
    def __init__(self, bed, services, pools, wrap=(), listen="", node="", control="", log_level="debug", program=None,
                 namespace=None, name="lb-a", ha=""):
        """`wrap`: words before the program, such as setpriv's; `program`: another path of wsl4d; `namespace`: the balancer's if none;
        `name`, `ha`: of a pair's node, whose files are in a folder of that name."""
        self.namespace = namespace or bed.balancer
        self.bed, self.services, self.pools, self.wrap = bed, services, pools, list(wrap)
        self.more = {"listen": listen, "node": node, "control": control, "log_level": log_level, "name": name, "ha": ha}
        self.program = program or bed.program("wsl4d")
        folder = bed.path(name) if ha else bed.path("")
        self.state, self.socket, self.config, self.notify_path = (
            os.path.join(folder, file) for file in ("state", "wsl4d.sock", "wsl4.toml", "notify"))
        self.child = self._notify = None
        self.environment = {}    # more of it for the daemon
        bed.on_exit(self._close_notify)
        os.makedirs(self.state, exist_ok=True)
        self.write()

    def text(self):
        return config.toml(self.services, self.pools, self.state, self.socket, **self.more)

    def write(self, text=None):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(self.text() if text is None else text)

    # ---- life -------------------------------------------------------------------------------------------------

    def start(self, seconds=30.0):
        """Starts it and waits until it says that it is ready; fails with its log if it ends instead."""
        self.launch()
        return self.wait_until_ready(seconds)

    def launch(self):
        """Starts it and does not wait."""
        self._close_notify()
        self._notify = self._notify_socket()
        self.child = self.bed.child(self.namespace, *self.wrap, self.program, "--config", self.config, stdin=False,
                                    env={**os.environ, "NOTIFY_SOCKET": self.notify_path, **self.environment})

    def wait_until_ready(self, seconds=30.0):
        until(lambda: self.told("READY=1") or not self.child.alive(), lambda: "wsl4d ready\n" + self.log(), seconds)
        if not self.child.alive():
            raise Failed(f"wsl4d ended with {self.child.wait()} instead of getting ready\n{self.log()}")
        return self

    def start_and_fail(self, seconds=30.0):
        """Starts it, expects it to end by itself, and returns its exit status and what it said."""
        child = self.bed.child(self.namespace, *self.wrap, self.program, "--config", self.config, stdin=False)
        status = child.wait(seconds)
        return status, child.errors() + child.process.stdout.read().decode()

    def stop(self, number=signal.SIGTERM, seconds=20.0):
        self.child.kill(number)
        return self.child.wait(seconds)

    def kill(self):
        return self.stop(signal.SIGKILL)

    def restart(self, number=signal.SIGTERM, seconds=30.0):
        self.stop(number)
        return self.start(seconds)

    def log(self):
        return self.child.errors()[-6000:]

    def _notify_socket(self):
        if os.path.exists(self.notify_path):
            os.unlink(self.notify_path)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sock.bind(self.notify_path)
        os.chmod(self.notify_path, 0o777)
        sock.setblocking(False)
        self._said = []
        return sock

    def _close_notify(self):
        if self._notify:
            self._notify.close()
            self._notify = None

    def told(self, line):
        """Whether it has told systemd so."""
        try:
            while True:
                self._said += self._notify.recv(65536).decode().splitlines()
        except BlockingIOError:
            return line in self._said

    # ---- wsl4ctl ----------------------------------------------------------------------------------------------

    def ctl(self, *arguments, check=True):
        done = run(self.bed.program("wsl4ctl"), "--socket", self.socket, *arguments, check=False)
        if check and done.returncode != 0:
            raise Failed(f"wsl4ctl {' '.join(arguments)}: exit status {done.returncode}\n{done.stderr}\n{self.log()}")
        return done

    def ctl_json(self, *arguments):
        return json.loads(self.ctl("--json", *arguments).stdout)

    def status(self):
        return self.ctl_json("status")

    def get(self, path):
        return self.request("GET", path)

    def request(self, method, path, body=""):
        """What the control socket answers, without its head."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(self.socket)
            head = f"{method} {path} HTTP/1.1\r\nHost: wsl4\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
            sock.sendall((head + body).encode())
            return b"".join(iter(lambda: sock.recv(65536), b"")).decode().partition("\r\n\r\n")[2]

    def metrics(self):
        """By name and labels, as /metrics writes them."""
        return {name: float(value) for name, value in re.findall(r"^(wsl4_\S+) (\S+)$", self.get("/metrics"), re.MULTILINE)}

    def events(self, name):
        """What the events of this name say."""
        return [event["detail"] for event in self.ctl_json("events")["events"] if event["name"] == name]

    def service(self, name):
        return next(service for service in self.status()["services"] if service["name"] == name)

    def backend(self, service, name):
        return next(backend for backend in self.service(service)["backends"] if backend["name"] == name)

    def reload(self, services=None, pools=None):
        self.services = self.services if services is None else services
        self.pools = self.pools if pools is None else pools
        self.write()
        return self.ctl("reload")

    def counts(self, service):
        """Established flows by backend, as status tells them."""
        return {backend["name"]: backend["connections"] for backend in self.service(service)["backends"]}

    def expect_counts(self, service, expected, seconds=20.0):
        """Waits until status tells exactly these numbers of flows by backend name."""
        until(lambda: self.counts(service) == expected, lambda: f"counts {expected}; status tells {self.counts(service)}", seconds, 0.2)

    def purge(self):
        """Purge needs the configuration to find the state directory."""
        return run("ip", "netns", "exec", self.namespace, self.bed.program("wsl4ctl"), "--socket", self.socket, "purge",
                   "--config", self.config, check=False)
