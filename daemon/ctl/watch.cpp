#include "daemon/ctl/watch.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <string_view>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/ctl/run.h"

namespace wsl4::ctl {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::seconds kInterval{1};
constexpr std::size_t kUsualRows = 24;

// xterm's private modes: alternate screen, no line wrap, no cursor.
constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?7l\x1b[?25l";
constexpr std::string_view kLeave = "\x1b[?25h\x1b[?7h\x1b[?1049l";
constexpr std::string_view kHome = "\x1b[H";
constexpr std::string_view kWipeRestOfLine = "\x1b[K";
constexpr std::string_view kWipeRestOfScreen = "\x1b[J";

/// The terminal in its watching state for as long as this lives.
class Screen {
 public:
  explicit Screen(const Console& console) : console_(console) {
    if (console_.terminal) console_.out(kEnter);
  }
  ~Screen() {
    if (console_.terminal) console_.out(kLeave);
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  void show(const std::string& text) { console_.out(console_.terminal ? frame(text, rows()) : text); }

 private:
  static std::size_t rows() {
    winsize size{};
    return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : kUsualRows;
  }
  const Console& console_;
};

}  // namespace

std::string frame(const std::string& text, std::size_t rows) {
  std::string drawn(kHome);
  std::string_view rest = text;
  for (std::size_t row = 0; row < rows && !rest.empty(); ++row) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    if (row > 0) drawn += "\r\n";
    drawn += rest.substr(0, end);
    drawn += kWipeRestOfLine;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return drawn.append(kWipeRestOfScreen);
}

int watch(const Console& console, const std::function<std::string()>& draw) {
  asio::io_context io;
  asio::signal_set signals(io, SIGINT, SIGTERM);
  asio::steady_timer timer(io);
  signals.async_wait([&](const boost::system::error_code& /*error*/, int /*signal*/) { io.stop(); });
  Screen screen(console);
  std::function<void()> redraw = [&] {
    screen.show(draw());
    timer.expires_after(kInterval);
    timer.async_wait([&](const boost::system::error_code& /*error*/) { redraw(); });
  };
  redraw();
  io.run();
  return kExitDone;
}

}  // namespace wsl4::ctl
