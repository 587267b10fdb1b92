#!/usr/bin/env python3
"""Each rule finds its bad samples, at the right line, and lets the good ones pass."""

import sys
import unittest

sys.dont_write_bytecode = True
import rules  # noqa: E402
from cpp_text import blank, functions  # noqa: E402


def found(path: str, text: str) -> list[tuple[str, int]]:
    return [(finding.rule, finding.line) for finding in rules.check(rules.source(path, text))]


class Includes(unittest.TestCase):
    def test_directions(self):
        bad = [('netlink/a.h', 'sync/table.h'), ('netlink/a.cpp', 'daemon/config/config.h'), ('netlink/a.cpp', 'boost/asio.hpp'),
               ('netlink/a.cpp', 'spdlog/spdlog.h'), ('netlink/a.h', 'libmnl/libmnl.h'), ('netlink/a.h', 'linux/netlink.h'),
               ('sync/a.h', 'netlink/result.h'), ('sync/a.cpp', 'boost/asio.hpp'), ('sync/a.cpp', 'linux/tcp.h'),
               ('daemon/flows/a.cpp', 'libmnl/libmnl.h'), ('daemon/flows/a.cpp', 'tests/support/namespace.h'),
               ('daemon/flows/a.cpp', 'daemon/ctl/run.h'), ('daemon/flows/a.h', 'linux/tcp.h')]
        for path, header in bad:
            for form in ('"{}"', '<{}>'):
                with self.subTest(path=path, header=header):
                    self.assertEqual(found(path, '#pragma once\n#include ' + form.format(header) + '\n'), [('include', 2)])

    def test_allowed(self):
        good = [('netlink/a.h', 'netlink/result.h'), ('netlink/a.h', 'tl/expected.hpp'), ('netlink/a.cpp', 'libmnl/libmnl.h'),
                ('netlink/a.cpp', 'linux/netlink.h'), ('netlink/a.h', 'sys/socket.h'), ('netlink/a.h', 'string_view'),
                ('sync/a.h', 'boost/unordered/unordered_flat_map.hpp'), ('sync/a.cpp', 'xxhash.h'),
                ('daemon/flows/bridge.cpp', 'sync/table.h'), ('daemon/flows/bridge.cpp', 'netlink/conntrack/flow.h'),
                ('daemon/ctl/main.cpp', 'daemon/ctl/run.h'), ('tests/unit/a_test.cpp', 'daemon/ctl/run.h')]
        for path, header in good:
            with self.subTest(path=path, header=header):
                self.assertEqual(found(path, f'#include <{header}>\n'), [])


class Sizes(unittest.TestCase):
    def test_long_file(self):
        self.assertEqual(found('daemon/a.cpp', 'int a;\n' * 501), [('size', 1)])
        self.assertEqual(found('daemon/a.cpp', 'int a;\n' * 500), [])

    def test_long_function(self):
        def text(lines):
            return 'namespace wsl4 {\n\nResult<int> Socket::send(int a) const {\n' + '  if (a) { a(); }\n' * (lines - 2) + '}\n}\n'
        self.assertEqual(found('netlink/a.cpp', text(101)), [('size', 3)])
        self.assertEqual(found('netlink/a.cpp', text(100)), [])
        page = 'std::string page() {\n  return R"(' + '<p>\n' * 200 + ')";\n}\n'
        self.assertEqual(found('daemon/a.cpp', page), [])

    def test_functions_are_found_by_name(self):
        code = ('#include <a>\nnamespace a::b {\nclass C : public D {\n public:\n  C() : a_(1) {}\n  int f() { return 1; }\n};\n'
                'template <typename T>\nauto g(T t) -> int {\n  auto l = [&](int x) { return x; };\n  return l(t);\n}\n'
                'enum class E { kA };\nconstexpr std::array kTable = {1, 2};\n}\n')
        self.assertEqual([(f.name, f.line, f.lines) for f in functions(blank(code))], [('C', 5, 1), ('f', 6, 1), ('g', 9, 4)])


class BannedCalls(unittest.TestCase):
    def test_bad(self):
        bad = [('daemon/a.cpp', 'system("nft");'), ('daemon/a.cpp', 'auto* f = popen("a", "r");'), ('netlink/a.cpp', '::strcpy(a, b);'),
               ('tests/support/a.cpp', 'sprintf(a, "b");'), ('daemon/a.cpp', 'int a = std::rand();'), ('sync/a.cpp', 'std::cout << 1;'),
               ('netlink/a.cpp', 'printf("a");'), ('daemon/a.cpp', 'std::this_thread::sleep_for(1s);'), ('daemon/a.cpp', 'sleep(1);'),
               ('tests/unit/a/a_test.cpp', 'std::this_thread::sleep_for(1s);'), ('daemon/a.cpp', 'using namespace std;'), ('daemon/a.h', 'using namespace wsl4;'),
               ('daemon/a.cpp', 'using namespace std::chrono;'),
               ('netlink/a.cpp', 'spdlog::info("a");'), ('netlink/a.cpp', 'throw std::runtime_error("a");'), ('daemon/balance/a.cpp', 'auto now = std::chrono::steady_clock::now();'),
               ('daemon/dataplane/plan.cpp', 'spdlog::info("a");'), ('tests/unit/a/a_test.cpp', 'GTEST_SKIP() << "no root";'),
               ('tests/unit/a/a_test.cpp', 'TEST(A, DISABLED_b) {}'), ('daemon/a.cpp', 'int a = atoi(b);')]
        for path, line in bad:
            with self.subTest(path=path, line=line):
                self.assertEqual(found(path, '\n' + line + '\n'), [('banned', 2)])

    def test_good(self):
        good = [('daemon/a.cpp', '// system("nft") is what we do not do'), ('daemon/a.cpp', 'log("rand() and system()");'),
                ('daemon/a.cpp', 'operating_system(1);'), ('daemon/a.cpp', 'asio.system(1);'), ('daemon/ctl/a.cpp', 'std::cout << 1;'),
                ('daemon/a.cpp', 'using namespace std::chrono_literals;'), ('daemon/a.cpp', 'using namespace std::string_view_literals;'),
                ('tests/support/a.cpp', 'std::this_thread::sleep_for(1ms);'), ('daemon/a.cpp', 'using namespace netlink::nft;'), ('daemon/flows/a.cpp', 'auto now = Clock::now();'),
                ('daemon/a.cpp', 'auto n = 1\'000\'000; auto s = "\'"; f(\'"\'); // printf(')]
        for path, line in good:
            with self.subTest(path=path, line=line):
                self.assertEqual(found(path, '\n' + line + '\n'), [])


class Coroutines(unittest.TestCase):
    def test_bad(self):
        bad = ['co_await f([&] { return 1; });', 'co_await f([this](int a) { return a; }, b);', 'auto a = co_await f(Request{1, 2});',
               'co_await f({1, 2});', 'co_await f(a, std::string{"b"});', 'if (co_await f(std::vector<int>{1})) {}',
               'co_await ask(\n      executor, [a = std::move(a)] { return a; });', 'co_await Awaiter{socket};']
        for expression in bad:
            with self.subTest(expression=expression):
                self.assertEqual(found('daemon/a.cpp', '\n' + expression + '\n'), [('coroutine', 2)])

    def test_good(self):
        good = ['co_await f(a, b);', 'if (co_await f(a)) { g(T{1}); }', 'auto l = [&] { return 1; };\nco_await f(std::move(l));',
                'co_await f(a[i], b[j](1));', 'while (auto a = co_await f(asio::as_tuple(asio::use_awaitable))) { b(); }',
                'co_await f([] { return 1; });', 'auto [ec, n] = co_await f(asio::buffer(a)); T b{ec};']
        for expression in good:
            with self.subTest(expression=expression):
                self.assertEqual(found('daemon/a.cpp', expression + '\n'), [])


class Places(unittest.TestCase):
    def test_bad(self):
        for place in ('/' + 'work/main', '/' + 'root/.ccache', '/home/' + 'me/x', '/tmp/' + 'build-x', 'https://registry.' + 'npmjs.org/ws'):
            with self.subTest(place=place):
                self.assertEqual(found('docs/a.md', f'see\n`{place}`\n'), [('place', 2)])

    def test_good(self):
        for text in ('tests/support', 'the root/leaf of it', '/etc/wsl4/wsl4.toml', '/tmp/wsl4.XXXX', 'build/' + 'work/x'):
            with self.subTest(text=text):
                self.assertEqual(found('docs/a.md', text + '\n'), [])


if __name__ == '__main__':
    unittest.main()
