#include "tests/e2e/tools/wsload/client.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <sstream>

namespace wsload {
namespace {

/// In which echo() sends its messages: all at once would be a load of their own.
constexpr std::chrono::milliseconds kSpread{200};

Clock::time_point after(double seconds) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

double since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

std::string to_json(const std::map<std::string, std::uint64_t>& counts) {
  std::string text;
  for (const auto& [name, count] : counts) text += fmt::format("{}\"{}\":{}", text.empty() ? "" : ",", name, count);
  return "{" + text + "}";
}

}  // namespace

std::uint64_t Client::Opened::count() const {
  std::uint64_t sum = ok;
  for (const auto& [reason, number] : failed) sum += number;
  return sum;
}

Client::Client(SocketAddress target, SourceRange sources) : target_(target), sources_(sources) {
  loop_.on_socket([this](int fd, std::uint32_t events) { serve(fd, events); });
  loop_.on_tick([this] { tick(); });
}

void Client::run() {
  answer(R"({"done":"ready"})");
  loop_.run([this](const std::string& line) { command(line); });
}

void Client::command(const std::string& line) {
  std::istringstream words(line);
  std::string verb, how;
  std::uint64_t count = 0, concurrency = 0;
  double seconds = 0;
  words >> verb;
  if (verb == "open" && words >> count >> concurrency >> seconds) return open(count, concurrency, seconds);
  if (verb == "churn" && words >> count >> concurrency >> churn_echo_ >> how >> seconds)
    return churn(count, concurrency, how, seconds);
  if (verb == "echo" && words >> count >> seconds) return echo(static_cast<std::uint32_t>(count), seconds);
  if (verb == "bench" && words >> count >> seconds) return bench(static_cast<std::uint32_t>(count), seconds);
  if (verb == "start" && words >> count >> concurrency)
    return start(static_cast<std::uint32_t>(count), static_cast<int>(concurrency));
  if (verb == "stop" && words >> seconds) return stop(seconds);
  if (verb == "close" && words >> count >> how) return close_some(count, how == "reset");
  if (verb == "report") return report(verb);
  if (verb == "longest") return longest();
  if (verb == "who") return who();
  answer(fmt::format(R"({{"error":"what is '{}'?"}})", line));
}

void Client::open(std::uint64_t count, std::uint64_t concurrency, double seconds) {
  opened_ = {};
  const auto begin = Clock::now();
  std::uint64_t begun = 0;
  const auto done = [&] {
    for (; begun < count && connecting_ + (churning_ ? waiting_ : 0) < concurrency; ++begun) connect_one();
    return opened_.count() == count && (!churning_ || waiting_ == 0);
  };
  loop_.run_until(done, after(seconds));
  answer(fmt::format(R"({{"done":"open","ok":{},"failed":{},"unfinished":{},"seconds":{:.3f},{}}})", opened_.ok,
                     to_json(opened_.failed), count - opened_.count(), since(begin), counts()));
}

void Client::churn(std::uint64_t count, std::uint64_t concurrency, const std::string& how, double patience) {
  churn_reset_ = how == "reset";
  patience_ = after(patience) - Clock::now();
  churning_ = true;
  open(count, concurrency, static_cast<double>(count) * patience);  // it ends before: each is given up in its time
  churning_ = false;
  to_give_up_.clear();
}

void Client::echo(std::uint32_t size, double seconds) {
  burst_begin_ = Clock::now();
  burst_end_ = Clock::time_point::max();
  echo_size_ = size;
  unanswered_ = answered_ = 0;
  for (auto& connection : connections_) {
    if (!connection || connection->phase != Phase::kOpen) continue;
    connection->asked = Asked::kSoon;
    to_ask_.push_back({burst_begin_ + kSpread * unanswered_ / live_, connection->fd, connection->id});
    ++unanswered_;
  }
  const auto asked = unanswered_;
  loop_.run_until([&] { return unanswered_ == 0; }, after(seconds));
  burst_end_ = Clock::now();
  to_ask_.clear();
  for (auto& connection : connections_)
    if (connection) connection->asked = Asked::kNo;
  answer(fmt::format(R"({{"done":"echo","asked":{},"answered":{},"seconds":{:.3f},{}}})", asked, answered_, since(burst_begin_),
                     counts()));
}

void Client::bench(std::uint32_t size, double seconds) {
  message_size_ = size;
  flood_ = true;
  const auto before = messages_;
  const auto begin = Clock::now();
  for (auto& connection : connections_)
    if (connection && connection->phase == Phase::kOpen && !connection->waiting) send_message(*connection, size);
  loop_.run_until([] { return false; }, after(seconds));
  const auto took = since(begin);
  const auto answered = messages_ - before;
  flood_ = false;
  loop_.run_until([&] { return waiting_ == 0; }, after(10));
  answer(fmt::format(R"({{"done":"bench","answered":{},"seconds":{:.3f},"rate":{:.0f},{}}})", answered, took,
                     static_cast<double>(answered) / took, counts()));
}

void Client::start(std::uint32_t size, int interval_ms) {
  message_size_ = size;
  interval_ = std::chrono::milliseconds(interval_ms);
  streaming_ = true;
  due_.clear();
  const auto now = Clock::now();
  for (auto& connection : connections_) {
    if (!connection || connection->phase != Phase::kOpen) continue;
    // Spread over the interval, so that the load is even.
    const auto offset = interval_ * static_cast<int>(due_.size()) / static_cast<int>(std::max<std::uint64_t>(live_, 1));
    schedule(*connection, now + offset);
  }
  answer(R"({"done":"start"})");
}

void Client::stop(double seconds) {
  streaming_ = false;
  due_.clear();
  const bool all = loop_.run_until([&] { return waiting_ == 0; }, after(seconds));
  answer(fmt::format(R"({{"done":"stop","unanswered":{},{}}})", all ? 0 : waiting_, counts()));
}

void Client::tick() {
  each_due(due_, &Client::take_turn);
  each_due(to_ask_, &Client::ask);
  each_due(to_give_up_, &Client::give_up);
}

void Client::each_due(Queue& queue, void (Client::*act)(Connection&)) {
  const auto now = Clock::now();
  while (!queue.empty() && queue.front().at <= now) {
    const auto due = queue.front();
    queue.pop_front();
    auto& connection = connections_[static_cast<std::size_t>(due.fd)];
    if (connection && connection->id == due.id) (this->*act)(*connection);
  }
}

void Client::close_some(std::uint64_t count, bool reset) {
  std::uint64_t closed = 0;
  for (auto& connection : connections_) {
    if (!connection || (count != 0 && closed == count)) continue;
    close_one(*connection, reset);
    ++closed;
  }
  answer(fmt::format(R"({{"done":"close","closed":{},{}}})", closed, counts()));
}

void Client::report(const std::string& what) {
  answer(fmt::format(R"({{"done":"{}","backends":{},"live_backends":{},"snats":{},"pairs":{},{}}})", what, to_json(backends_),
                     to_json(live_backends_), to_json(snats_), to_json(pairs_), counts()));
}

void Client::longest() {
  answer(fmt::format(R"({{"done":"longest","longest_ms":{:.1f}}})", std::chrono::duration<double, std::milli>(longest_).count()));
  longest_ = {};
}

void Client::who() {
  std::string text;
  for (const auto& connection : connections_)
    if (connection && connection->phase == Phase::kOpen)
      text += fmt::format("{}[\"{}\",\"{}\"]", text.empty() ? "" : ",", to_string(sources_.at(connection->id), false),
                          connection->backend);
  answer(fmt::format(R"({{"done":"who","clients":[{}]}})", text));
}

std::string Client::counts() const {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto cpu = static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                   static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
  return fmt::format(R"("live":{},"waiting":{},"messages":{},"wrong":{},"lost":{},"cpu":{:.3f})", live_, waiting_, messages_,
                     wrong_, to_json(lost_), cpu);
}

}  // namespace wsload
