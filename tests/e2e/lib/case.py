"""The base of all tests here: a bed for each test, and its remains in the message when it fails."""

import sys
import unittest

from lib.bed import Bed
from lib.daemon import Daemon
from lib.run import end_in_order


class E2eTest(unittest.TestCase):
    maxDiff = None

    def run(self, result=None):
        end_in_order(result.stop)   # the test fails by the exception, and is the last one
        return super().run(result)

    def setUp(self):
        self.bed = self.enterContext(Bed())
        self.daemon = None

    def start(self, services, pools, environment=None, **options):
        """`environment`: more of it for the daemon."""
        self.daemon = Daemon(self.bed, services, pools, **options)
        self.daemon.environment.update(environment or {})
        self.addCleanup(self._tell_if_failed)
        self.daemon.start()
        return self.daemon

    def _tell_if_failed(self):
        failed = any(test is self and error for test, error in self._outcome.result.failures + self._outcome.result.errors)
        failed = failed or not getattr(self._outcome, "success", True)
        if failed and self.daemon and self.daemon.child:
            print(f"---- log of wsl4d in {self.id()}\n{self.daemon.log()}\n----", file=sys.stderr)

    def assert_near(self, value, expected, tolerance, what):
        """Within `tolerance` (a share) of `expected`."""
        self.assertLessEqual(abs(value - expected), tolerance * expected, f"{what}: {value}, expected {expected} within {tolerance:.1%}")

    def assert_unharmed(self, report, live):
        """No connection lost, none answered wrongly."""
        self.assertEqual((report.get("live"), report.get("wrong"), report.get("lost")), (live, 0, {}), report)


def main():
    unittest.main(verbosity=2)
