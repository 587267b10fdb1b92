// DNS answers as bytes, as a server writes them; rough enough to write broken ones.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/discovery/message.h"

namespace wsl4::test::dns {

using Bytes = std::vector<std::uint8_t>;

struct Record {
  std::string name;  // empty: a pointer to the question's
  std::uint16_t type = 1;
  std::uint32_t ttl = 0;
  Bytes data;
  std::uint16_t class_code = 1;
};

/// The label form of "a.example", without compression.
Bytes name(const std::string& text);

Record address(const std::string& owner, const std::string& address, std::uint32_t ttl);
Record service(const std::string& owner, const discovery::SrvRecord& service, std::uint32_t ttl);
Record alias(const std::string& owner, const std::string& target, std::uint32_t ttl);

/// An answer with `records`; `code` is the RCODE. `id` as the query had it.
Bytes answer(std::uint16_t id, const discovery::Question& question, const std::vector<Record>& records, unsigned code = 0,
             bool truncated = false);

}  // namespace wsl4::test::dns
