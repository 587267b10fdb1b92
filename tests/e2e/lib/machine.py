"""A Debian 12 machine with systemd, booted by systemd-nspawn in a network namespace of the bed. Its tree comes from mmdebstrap
once, with what the package depends on, and is kept under the build folder; each machine works on a copy."""

import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess

from lib.run import Failed, run
from lib.wait import until

BASE = ["systemd", "systemd-sysv", "dbus", "iproute2", "nftables", "procps", "kmod", "man-db"]


ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def build_package():
    """The path of the .deb of this tree."""
    return os.path.join(ROOT, run(os.path.join(ROOT, "packaging/build-deb"), timeout=840).stdout.splitlines()[-1])


def newer(bed, package):
    """The same package with a higher version."""
    folder, path = bed.path("newer"), bed.path("newer.deb")
    run("dpkg-deb", "-R", package, folder)
    control = os.path.join(folder, "DEBIAN/control")
    with open(control, encoding="utf-8") as file:
        text = file.read()
    version = run("dpkg-deb", "-f", package, "Version").stdout.strip()
    with open(control, "w", encoding="utf-8") as file:
        file.write(text.replace(f"Version: {version}\n", f"Version: {version}+newer\n"))
    run("dpkg-deb", "--root-owner-group", "-Znone", "-b", folder, path)
    return path


def dependencies(package):
    """Names of the packages that a .deb depends on, the first of each choice."""
    field = run("dpkg-deb", "-f", package, "Depends").stdout
    return sorted({re.split(r"[ (|]", choice.strip())[0] for choice in field.split(",") if choice.strip()})


def tree(packages):
    """A tar of a minimal system with these packages, made on first use; who comes meanwhile waits for it."""
    cache = os.path.join(os.environ["WSL4_BUILD"], "nspawn")
    name = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:16]
    path = os.path.join(cache, f"tree-{name}.tar")
    os.makedirs(cache, exist_ok=True)
    with open(os.path.join(cache, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(path):
            run("mmdebstrap", "--quiet", "--variant=minbase", "--mode=root", f"--include={','.join(packages)}", "bookworm", path + ".new.tar",
                timeout=600)
            os.rename(path + ".new.tar", path)
    return path


class Machine:
    def __init__(self, bed, namespace, tar):
        self.namespace = namespace
        self.root = os.path.join(bed.folder, f"machine-{namespace}")
        os.mkdir(self.root)
        run("tar", "-C", self.root, "-xf", tar)
        self.write("/etc/machine-id", "uninitialized\n")
        self.console = bed.path(f"console-{namespace}.log")
        self.boot()

    def boot(self):
        with open(self.console, "wb") as console:
            # The network's sysctls are writable, as on a real machine; the rest of /proc/sys and /sys belongs to the host.
            self.process = subprocess.Popen(
                ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", f"--directory={self.root}", "--capability=CAP_NET_ADMIN",
                 f"--network-namespace-path=/run/netns/{self.namespace}", "--boot", "systemd.unified_cgroup_hierarchy=0",
                 "systemd.legacy_systemd_cgroup_controller=1"],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, env={**os.environ, "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"})
        try:
            self.init = until(self._find_init, lambda: "systemd in the machine\n" + self.log(), 60)
            until(lambda: self.run("systemctl", "is-system-running", check=False).stdout.strip() == "running",
                  lambda: "a running system\n" + self.run("systemctl", "--failed", check=False).stdout + self.log(), 120)
        except BaseException:
            self.end()
            raise

    def _find_init(self):
        if self.process.poll() is not None:
            raise Failed(f"systemd-nspawn ended with {self.process.returncode}\n{self.log()}")
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as file:
            children = file.read().split()
        try:
            return int(children[0]) if children and os.path.basename(os.readlink(f"/proc/{children[0]}/exe")) == "systemd" else None
        except FileNotFoundError:   # a child of nspawn's that has gone since
            return None

    def log(self):
        with open(self.console, encoding="utf-8", errors="replace") as file:
            return file.read()[-4000:]

    def run(self, *command, **options):
        """A command inside, as root. Nobody is there to be asked."""
        options.setdefault("stdin", "")
        return run("nsenter", "-t", self.init, "-m", "-u", "-i", "-n", "-p", "--", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                   "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", *command, **options)

    def put(self, source, target):
        shutil.copy(source, os.path.join(self.root, target.lstrip("/")))

    def write(self, target, text):
        with open(os.path.join(self.root, target.lstrip("/")), "w", encoding="utf-8") as file:
            file.write(text)

    def has(self, target):
        return os.path.lexists(os.path.join(self.root, target.lstrip("/")))

    def cut_power(self):
        """Everything in it is gone at once; its disk is as it was, and so is the network namespace."""
        os.kill(self.init, signal.SIGKILL)
        self.process.wait(20)

    def end(self):
        """Switches it off; the hard way if it does not go by itself."""
        self.process.terminate()        # nspawn passes that on as an orderly shutdown
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
