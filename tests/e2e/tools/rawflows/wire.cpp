#include "tests/e2e/tools/rawflows/wire.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

namespace rawflows {

namespace {

constexpr std::size_t kIp = 14, kTcp = 34;  // where the headers begin: no options
constexpr int kBuffer = 64 << 20;

void put16(std::uint8_t* at, std::uint32_t value) {
  at[0] = static_cast<std::uint8_t>(value >> 8);
  at[1] = static_cast<std::uint8_t>(value);
}
void put32(std::uint8_t* at, std::uint32_t value) {
  put16(at, value >> 16);
  put16(at + 2, value);
}
std::uint16_t get16(const std::uint8_t* at) { return static_cast<std::uint16_t>(at[0] << 8 | at[1]); }
std::uint32_t get32(const std::uint8_t* at) { return std::uint32_t{get16(at)} << 16 | get16(at + 2); }

std::uint32_t sum(const std::uint8_t* bytes, std::size_t size, std::uint32_t start) {
  for (std::size_t i = 0; i < size; i += 2) start += get16(bytes + i);
  return start;
}
std::uint32_t checksum(std::uint32_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum;
}

void check(bool good, const char* what) {
  if (!good) throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

Mac parse_mac(const std::string& text) {
  std::array<unsigned, 6> parts{};
  if (std::sscanf(text.c_str(), "%x:%x:%x:%x:%x:%x", &parts[0], &parts[1], &parts[2], &parts[3], &parts[4], &parts[5]) != 6)
    throw std::system_error(EINVAL, std::generic_category(), "hardware address");
  Mac mac;
  std::ranges::transform(parts, mac.begin(), [](unsigned part) { return static_cast<std::uint8_t>(part); });
  return mac;
}

std::uint32_t parse_address(const std::string& text) {
  in_addr address{};
  if (inet_pton(AF_INET, text.c_str(), &address) != 1) throw std::system_error(EINVAL, std::generic_category(), "address");
  return ntohl(address.s_addr);
}

std::string to_string(std::uint32_t address) {
  return std::to_string(address >> 24) + '.' + std::to_string(address >> 16 & 0xff) + '.' + std::to_string(address >> 8 & 0xff) +
         '.' + std::to_string(address & 0xff);
}

Wire::Wire(const std::string& card, const Mac& peer)
    : fd_(::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETH_P_IP))), peer_(peer) {
  check(fd_ >= 0, "packet socket");
  ifreq request{};
  std::strncpy(request.ifr_name, card.c_str(), IFNAMSIZ - 1);
  check(::ioctl(fd_, SIOCGIFHWADDR, &request) == 0, "hardware address");
  std::memcpy(own_.data(), request.ifr_hwaddr.sa_data, own_.size());
  sockaddr_ll place{};
  place.sll_family = AF_PACKET;
  place.sll_protocol = htons(ETH_P_IP);
  place.sll_ifindex = static_cast<int>(if_nametoindex(card.c_str()));
  check(::bind(fd_, reinterpret_cast<sockaddr*>(&place), sizeof place) == 0, "bind to card");
  for (const int option : {SO_RCVBUFFORCE, SO_SNDBUFFORCE}) ::setsockopt(fd_, SOL_SOCKET, option, &kBuffer, sizeof kBuffer);
}

Wire::~Wire() { ::close(fd_); }

void Wire::send(const Segment& segment) {
  auto& frame = out_.emplace_back();
  std::copy(peer_.begin(), peer_.end(), frame.begin());
  std::copy(own_.begin(), own_.end(), frame.begin() + 6);
  put16(&frame[12], ETH_P_IP);
  auto* ip = &frame[kIp];
  put16(ip, 0x4500);
  put16(ip + 2, 40);
  put16(ip + 6, 0x4000);  // do not fragment
  put16(ip + 8, 64 << 8 | IPPROTO_TCP);
  put32(ip + 12, segment.from);
  put32(ip + 16, segment.to);
  put16(ip + 10, checksum(sum(ip, 20, 0)));
  auto* tcp = &frame[kTcp];
  put16(tcp, segment.from_port);
  put16(tcp + 2, segment.to_port);
  put32(tcp + 4, segment.sequence);
  put32(tcp + 8, segment.acknowledged);
  put16(tcp + 12, 5U << 12 | segment.flags);
  put16(tcp + 14, 65535);
  put16(tcp + 16, checksum(sum(ip + 12, 8, sum(tcp, 20, IPPROTO_TCP + 20))));
  if (out_.size() == kBatch) flush();
}

void Wire::flush() {
  std::array<mmsghdr, kBatch> messages{};
  std::array<iovec, kBatch> parts{};
  for (std::size_t i = 0; i < out_.size(); ++i) {
    parts[i] = {out_[i].data(), kFrame};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  for (std::size_t sent = 0; sent < out_.size();) {
    const int now = ::sendmmsg(fd_, &messages[sent], static_cast<unsigned>(out_.size() - sent), 0);
    check(now > 0 || errno == EAGAIN || errno == ENOBUFS, "send");
    if (now > 0) sent += static_cast<std::size_t>(now);
  }
  out_.clear();
}

std::size_t Wire::receive(const std::function<void(const Segment&)>& take) {
  std::array<mmsghdr, kBatch> messages{};
  std::array<iovec, kBatch> parts{};
  std::array<sockaddr_ll, kBatch> senders{};
  for (std::size_t i = 0; i < kBatch; ++i) {
    parts[i] = {in_[i].data(), kRoom};
    messages[i].msg_hdr = {&senders[i], sizeof senders[i], &parts[i], 1, nullptr, 0, 0};
  }
  const int got = ::recvmmsg(fd_, messages.data(), kBatch, 0, nullptr);
  check(got >= 0 || errno == EAGAIN, "receive");
  for (int i = 0; i < got; ++i) {
    const auto* frame = in_[static_cast<std::size_t>(i)].data();
    const bool whole =
        messages[static_cast<std::size_t>(i)].msg_len >= kFrame && frame[kIp] == 0x45 && frame[kIp + 9] == IPPROTO_TCP;
    if (!whole || senders[static_cast<std::size_t>(i)].sll_pkttype == PACKET_OUTGOING) continue;
    const auto *ip = frame + kIp, *tcp = frame + kTcp;
    take({get32(ip + 12), get32(ip + 16), get16(tcp), get16(tcp + 2), tcp[13], get32(tcp + 4), get32(tcp + 8)});
  }
  return got > 0 ? static_cast<std::size_t>(got) : 0;
}

}  // namespace rawflows
