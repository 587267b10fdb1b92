#include "netlink/message.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include <linux/netlink.h>

namespace wsl4::netlink {

namespace {

constexpr std::size_t align(std::size_t length) { return (length + NLA_ALIGNTO - 1) & ~(std::size_t{NLA_ALIGNTO} - 1); }

template <class T>
T load(const std::uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <class T>
std::optional<T> read_big_endian(ByteSpan value) {
  if (value.size() != sizeof(T)) return std::nullopt;
  T result = 0;
  for (const auto byte : value) result = static_cast<T>((result << 8) | byte);
  return result;
}

template <class T>
std::array<std::uint8_t, sizeof(T)> big_endian(T value) {
  std::array<std::uint8_t, sizeof(T)> bytes{};
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte, value = static_cast<T>(value >> 8))
    *byte = static_cast<std::uint8_t>(value);
  return bytes;
}

}  // namespace

std::optional<std::uint8_t> read_u8(ByteSpan value) {
  if (value.size() != 1) return std::nullopt;
  return value[0];
}
std::optional<std::uint16_t> read_be16(ByteSpan value) { return read_big_endian<std::uint16_t>(value); }
std::optional<std::uint32_t> read_be32(ByteSpan value) { return read_big_endian<std::uint32_t>(value); }
std::optional<std::uint64_t> read_be64(ByteSpan value) { return read_big_endian<std::uint64_t>(value); }
std::string read_text(ByteSpan value) { return {value.begin(), std::ranges::find(value, 0)}; }

std::optional<Attribute> AttributeReader::next() {
  if (rest_.empty() || broken_) return std::nullopt;
  if (rest_.size() < sizeof(nlattr)) {
    broken_ = true;
    return std::nullopt;
  }
  const auto head = load<nlattr>(rest_.data());
  if (head.nla_len < sizeof(nlattr) || head.nla_len > rest_.size()) {
    broken_ = true;
    return std::nullopt;
  }
  const Attribute attribute{static_cast<std::uint16_t>(head.nla_type & NLA_TYPE_MASK),
                            rest_.subspan(sizeof(nlattr), head.nla_len - sizeof(nlattr))};
  rest_ = rest_.subspan(std::min(align(head.nla_len), rest_.size()));  // the last one may come without its padding
  return attribute;
}

std::optional<int> Message::outcome() const {
  if ((type != NLMSG_ERROR && type != NLMSG_DONE) || payload.size() < sizeof(int)) return std::nullopt;
  const int error = load<int>(payload.data());
  return error < 0 && error > -4096 ? -error : 0;
}

std::optional<Message> MessageReader::next() {
  if (rest_.size() < sizeof(nlmsghdr)) return std::nullopt;
  const auto head = load<nlmsghdr>(rest_.data());
  if (head.nlmsg_len < sizeof(nlmsghdr) || head.nlmsg_len > rest_.size()) return std::nullopt;
  const Message message{head.nlmsg_type, head.nlmsg_flags, head.nlmsg_seq,
                        rest_.subspan(sizeof(nlmsghdr), head.nlmsg_len - sizeof(nlmsghdr))};
  rest_ = rest_.subspan(std::min(align(head.nlmsg_len), rest_.size()));
  return message;
}

std::uint8_t* MessageWriter::grow(std::size_t size) {
  const std::size_t at = bytes_.size();
  bytes_.resize(at + align(size));
  return bytes_.data() + at;
}

void MessageWriter::begin(std::uint16_t type, std::uint16_t flags, std::uint32_t sequence) {
  message_ = bytes_.size();
  nlmsghdr head{};
  head.nlmsg_type = type;
  head.nlmsg_flags = flags;
  head.nlmsg_seq = sequence;
  header(head);
}

void MessageWriter::end() {
  const auto length = static_cast<std::uint32_t>(bytes_.size() - message_);
  std::memcpy(bytes_.data() + message_ + offsetof(nlmsghdr, nlmsg_len), &length, sizeof length);
}

void MessageWriter::add_flags_to_last(std::uint16_t flags) {
  auto* const place = bytes_.data() + message_ + offsetof(nlmsghdr, nlmsg_flags);
  const auto sum = static_cast<std::uint16_t>(load<std::uint16_t>(place) | flags);
  std::memcpy(place, &sum, sizeof sum);
}

void MessageWriter::put(std::uint16_t type, ByteSpan value) {
  const nlattr head{static_cast<std::uint16_t>(sizeof(nlattr) + value.size()), type};
  auto* const place = grow(sizeof head + value.size());
  std::memcpy(place, &head, sizeof head);
  if (!value.empty()) std::memcpy(place + sizeof head, value.data(), value.size());
}

void MessageWriter::put_be16(std::uint16_t type, std::uint16_t value) { put(type, big_endian(value)); }
void MessageWriter::put_be32(std::uint16_t type, std::uint32_t value) { put(type, big_endian(value)); }
void MessageWriter::put_be64(std::uint16_t type, std::uint64_t value) { put(type, big_endian(value)); }

std::size_t MessageWriter::begin_nest(std::uint16_t type) {
  const std::size_t nest = bytes_.size();
  put(static_cast<std::uint16_t>(type | NLA_F_NESTED), {});
  return nest;
}

void MessageWriter::end_nest(std::size_t nest) {
  const auto length = static_cast<std::uint16_t>(bytes_.size() - nest);
  std::memcpy(bytes_.data() + nest + offsetof(nlattr, nla_len), &length, sizeof length);
}

}  // namespace wsl4::netlink
