#include "tests/support/http_bed.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <future>
#include <stdexcept>

#include <fmt/format.h>
#include <boost/asio/post.hpp>

#include "daemon/util/log.h"
#include "tests/support/socket_address.h"

namespace wsl4::test {
namespace {

const bool kLogIsThere = (log::init(), true);  // before any thread, as in main

netlink::Fd open_socket(int family) {
  netlink::Fd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  set_deadline(fd.get());
  return fd;
}

void connect(const netlink::Fd& fd, const sockaddr* address, socklen_t size) {
  if (::connect(fd.get(), address, size) != 0) throw std::runtime_error(fmt::format("connect: {}", std::strerror(errno)));
}

sockaddr_in loopback(std::uint16_t port, std::uint8_t host) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl((INADDR_LOOPBACK & ~0xffU) | host);
  return address;
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "wsl4-test-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void IoThread::run(std::function<void()> work) {
  std::promise<void> done;
  boost::asio::post(io_, [&] {
    work();
    done.set_value();
  });
  done.get_future().wait();
}

std::string RawResponse::header(const std::string& name) const {
  const std::string line = "\r\n" + name + ": ";
  const auto start = head.find(line);
  if (start == std::string::npos) return {};
  const auto value = start + line.size();
  return head.substr(value, head.find("\r\n", value) - value);
}

RawClient::RawClient(const std::string& unix_path) : fd_(open_socket(AF_UNIX)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, unix_path.data(), unix_path.size());
  connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

RawClient::RawClient(std::uint16_t port, std::uint8_t host) : fd_(open_socket(AF_INET)) {
  const auto own = loopback(0, host), server = loopback(port, 1);
  if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&own), sizeof(own)) != 0) throw std::runtime_error("bind failed");
  connect(fd_, reinterpret_cast<const sockaddr*>(&server), sizeof(server));
}

void RawClient::send(const std::string& bytes) {
  for (std::size_t sent = 0; sent < bytes.size();) {
    const auto size = write_some(bytes.data() + sent, bytes.size() - sent);
    if (size <= 0) return;  // refused half-way: what was answered tells
    sent += static_cast<std::size_t>(size);
  }
}

long RawClient::write_some(const char* bytes, std::size_t size) { return ::send(fd_.get(), bytes, size, MSG_NOSIGNAL); }

long RawClient::read_some(char* bytes, std::size_t size) { return ::recv(fd_.get(), bytes, size, 0); }

void RawClient::end_sending() { ::shutdown(fd_.get(), SHUT_WR); }

bool RawClient::read_more() {
  std::array<char, 65536> chunk{};
  const auto size = read_some(chunk.data(), chunk.size());
  if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) throw std::runtime_error("the server neither answers nor closes");
  if (size <= 0) return false;
  received_.append(chunk.data(), static_cast<std::size_t>(size));
  return true;
}

std::optional<RawResponse> RawClient::receive(bool head_only) {
  std::size_t end = 0;
  while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
    if (!read_more()) return std::nullopt;
  }
  RawResponse response;
  response.head = received_.substr(0, end + 2);
  response.status = static_cast<unsigned>(std::stoul(response.head.substr(response.head.find(' ') + 1)));
  received_.erase(0, end + 4);
  const std::string length = response.header("Content-Length");
  const std::size_t wanted = head_only || length.empty() ? 0 : std::stoul(length);
  while (received_.size() < wanted) {
    if (!read_more()) return std::nullopt;
  }
  response.body = received_.substr(0, wanted);
  received_.erase(0, wanted);
  return response;
}

bool RawClient::closed() { return received_.empty() && !read_more(); }

RawResponse request(const std::string& unix_path, const std::string& method, const std::string& target, const std::string& body,
                    const std::string& extra) {
  RawClient client(unix_path);
  const std::string length = body.empty() ? "" : fmt::format("Content-Length: {}\r\n", body.size());
  client.send(fmt::format("{} {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{}{}\r\n{}", method, target, length, extra, body));
  auto response = client.receive(method == "HEAD");
  if (!response) throw std::runtime_error("no response");
  return *response;
}

}  // namespace wsl4::test
