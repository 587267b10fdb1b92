#include "daemon/discovery/message.h"

#include <algorithm>
#include <map>
#include <utility>

namespace wsl4::discovery {
namespace {

constexpr std::size_t kFlagsAt = 2;      // bytes; RFC 1035 4.1.1
constexpr std::size_t kHeaderSize = 12;  // bytes
constexpr unsigned kTruncated = 0x0200;
constexpr std::size_t kMaxNameSize = 255;      // bytes; RFC 1035 2.3.4
constexpr std::size_t kMaxLabelSize = 63;      // bytes
constexpr unsigned kPointer = 0xc0;            // the two high bits of what stands for a label's length
constexpr std::size_t kMaxAliases = 16;        // followed; longer chains are loops or nobody's
constexpr std::uint16_t kAlias = 5;            // CNAME
constexpr std::uint16_t kInternet = 1;         // class IN
constexpr std::uint32_t kMaxTtl = 0x7fffffff;  // RFC 2181 8: beyond means 0

char host_char(std::uint8_t byte) {
  const char c = static_cast<char>(byte);
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
  const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  return plain ? c : '?';
}

/// Reads on within the message. Past its end, and after anything broken, it gives zeros and is no longer good.
class Cursor {
 public:
  explicit Cursor(std::span<const std::uint8_t> message, std::size_t at = 0) : message_(message), at_(at) {}

  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] std::size_t at() const { return at_; }

  std::uint8_t u8() {
    if (at_ >= message_.size()) good_ = false;
    return good_ ? message_[at_++] : std::uint8_t{0};
  }
  std::uint16_t u16() {
    const unsigned high = u8();
    return static_cast<std::uint16_t>(high << 8U | u8());
  }
  std::uint32_t u32() {
    const std::uint32_t high = u16();
    return high << 16U | u16();
  }
  std::span<const std::uint8_t> bytes(std::size_t size) {
    if (size > message_.size() - std::min(at_, message_.size())) good_ = false;
    if (!good_) return {};
    return message_.subspan(std::exchange(at_, at_ + size), size);
  }
  // A pointer leads back only, and to before where it was read from began, so that no name is endless (RFC 1035 4.1.4).
  std::string name() {
    std::string name;
    std::size_t start = at_, resume = 0;
    for (std::uint8_t length = u8(); length != 0; length = u8()) {
      if (length >= kPointer) {
        const std::size_t target = (length & ~kPointer & 0xffU) << 8U | u8();
        if (resume == 0) resume = at_;
        if (target >= start) good_ = false;
        at_ = start = target;
      } else {
        if (length > kMaxLabelSize) good_ = false;
        if (!name.empty()) name += '.';
        for (const auto byte : bytes(length)) name += host_char(byte);
      }
      if (name.size() > kMaxNameSize) good_ = false;
      if (!good_) return {};
    }
    if (resume != 0) at_ = resume;
    return name;
  }

 private:
  std::span<const std::uint8_t> message_;
  std::size_t at_;
  bool good_ = true;
};

struct Record {
  std::string name;
  std::uint16_t type = 0, class_code = 0;
  std::chrono::seconds ttl{0};
  std::size_t data_at = 0, data_size = 0;  // within the message, since names in it may point back
};

Record read_record(Cursor& cursor) {
  Record record;
  record.name = cursor.name();
  record.type = cursor.u16();
  record.class_code = cursor.u16();
  const auto ttl = cursor.u32();
  record.ttl = std::chrono::seconds(ttl > kMaxTtl ? 0 : ttl);
  record.data_size = cursor.u16();
  record.data_at = cursor.at();
  cursor.bytes(record.data_size);
  return record;
}

class AnswerReader {
 public:
  AnswerReader(std::span<const std::uint8_t> message, const Question& question) : message_(message), question_(question) {}

  tl::expected<Answer, std::string> read() {
    if (!read_records() || !follow_aliases()) return tl::make_unexpected(std::string("an answer that makes no sense"));
    for (const Record& record : records_) {
      if (record.name != owner_ || record.type != static_cast<std::uint16_t>(question_.type)) continue;
      if (!take(record)) return tl::make_unexpected(std::string("an answer with a broken record"));
    }
    if (answer_.empty()) return Answer{};
    answer_.ttl = ttl_;
    return std::move(answer_);
  }

 private:
  bool read_records() {
    Cursor cursor(message_, kFlagsAt);
    const bool truncated = (cursor.u16() & kTruncated) != 0;  // over TCP too, where there is nothing left to try
    const unsigned questions = cursor.u16();
    const unsigned answers = cursor.u16();
    cursor.bytes(kHeaderSize - cursor.at());
    for (unsigned i = 0; i < questions && cursor.good(); ++i) {
      cursor.name();
      cursor.u32();  // type and class
    }
    for (unsigned i = 0; i < answers && cursor.good(); ++i) {
      auto record = read_record(cursor);
      if (record.class_code == kInternet) records_.push_back(std::move(record));
    }
    return cursor.good() && !truncated;
  }

  bool follow_aliases() {
    std::map<std::string, const Record*> aliases;
    for (const Record& record : records_) {
      if (record.type == kAlias) aliases.emplace(record.name, &record);
    }
    for (std::size_t i = 0; i < kMaxAliases; ++i) {
      const auto found = aliases.find(owner_);
      if (found == aliases.end()) return true;
      ttl_ = std::min(ttl_, found->second->ttl);
      Cursor data(message_, found->second->data_at);
      owner_ = data.name();
      if (!data.good()) return false;
    }
    return false;
  }

  bool take(const Record& record) {
    Cursor data(message_, record.data_at);
    if (question_.type == RecordType::kSrv) {
      SrvRecord service;
      service.priority = data.u16();
      service.weight = data.u16();
      service.port = data.u16();
      service.target = data.name();
      if (!data.good() || data.at() != record.data_at + record.data_size) return false;
      answer_.services.push_back(std::move(service));
    } else {
      const std::size_t size = question_.type == RecordType::kA ? 4 : 16;
      const auto address = netlink::IpAddress::from_bytes(data.bytes(record.data_size));
      if (!address || address->size() != size) return false;
      answer_.addresses.push_back(*address);
    }
    ttl_ = std::min(ttl_, record.ttl);
    return true;
  }

  std::span<const std::uint8_t> message_;
  const Question& question_;
  std::vector<Record> records_;
  std::string owner_ = question_.name;  // of the records that answer
  Answer answer_;
  std::chrono::seconds ttl_{kMaxTtl};
};

}  // namespace

std::string_view to_string(RecordType type) { return type == RecordType::kA ? "A" : type == RecordType::kAaaa ? "AAAA" : "SRV"; }

tl::expected<Answer, std::string> parse_answer(std::span<const std::uint8_t> message, const Question& question) {
  return AnswerReader(message, question).read();
}

}  // namespace wsl4::discovery
