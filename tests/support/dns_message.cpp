#include "tests/support/dns_message.h"

#include <sstream>
#include <stdexcept>

namespace wsl4::test::dns {
namespace {

void put16(Bytes& bytes, unsigned value) {
  bytes.push_back(static_cast<std::uint8_t>(value >> 8));
  bytes.push_back(static_cast<std::uint8_t>(value));
}

void put(Bytes& bytes, const Bytes& more) { bytes.insert(bytes.end(), more.begin(), more.end()); }

void put(Bytes& bytes, const Record& record) {
  put(bytes, record.name.empty() ? Bytes{0xc0, 12} : name(record.name));
  put16(bytes, record.type);
  put16(bytes, record.class_code);
  put16(bytes, record.ttl >> 16);
  put16(bytes, record.ttl & 0xffff);
  put16(bytes, static_cast<unsigned>(record.data.size()));
  put(bytes, record.data);
}

}  // namespace

Bytes name(const std::string& text) {
  Bytes bytes;
  std::istringstream labels(text);
  for (std::string label; std::getline(labels, label, '.');) {
    bytes.push_back(static_cast<std::uint8_t>(label.size()));
    bytes.insert(bytes.end(), label.begin(), label.end());
  }
  bytes.push_back(0);
  return bytes;
}

Record address(const std::string& owner, const std::string& address, std::uint32_t ttl) {
  const auto parsed = netlink::IpAddress::parse(address);
  if (!parsed) throw std::invalid_argument(address);
  const auto type = parsed->family() == netlink::Family::kIpv4 ? discovery::RecordType::kA : discovery::RecordType::kAaaa;
  return {owner, static_cast<std::uint16_t>(type), ttl, {parsed->bytes().begin(), parsed->bytes().end()}};
}

Record service(const std::string& owner, const discovery::SrvRecord& service, std::uint32_t ttl) {
  Record record{owner, static_cast<std::uint16_t>(discovery::RecordType::kSrv), ttl, {}};
  put16(record.data, service.priority);
  put16(record.data, service.weight);
  put16(record.data, service.port);
  put(record.data, name(service.target));
  return record;
}

Record alias(const std::string& owner, const std::string& target, std::uint32_t ttl) { return {owner, 5, ttl, name(target)}; }

Bytes answer(std::uint16_t id, const discovery::Question& question, const std::vector<Record>& records, unsigned code,
             bool truncated) {
  Bytes bytes;
  put16(bytes, id);
  put16(bytes, 0x8180U | (truncated ? 0x0200U : 0U) | code);  // a response, recursion desired and available
  put16(bytes, 1);
  put16(bytes, static_cast<unsigned>(records.size()));
  put16(bytes, 0);
  put16(bytes, 0);
  put(bytes, name(question.name));
  put16(bytes, static_cast<unsigned>(question.type));
  put16(bytes, 1);
  for (const Record& record : records) put(bytes, record);
  return bytes;
}

}  // namespace wsl4::test::dns
