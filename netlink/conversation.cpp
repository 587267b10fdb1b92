#include "netlink/conversation.h"

#include <fmt/format.h>
#include <linux/netlink.h>

namespace wsl4::netlink {

Result<Conversation> Conversation::open(const SocketOptions& options) {
  return Socket::open(options).map([](Socket&& socket) { return Conversation(std::move(socket)); });
}

Result<void> Conversation::send(ByteSpan requests, std::size_t count, std::string_view what) {
  first_ = next_number();
  count_ = static_cast<std::uint32_t>(count);
  if (auto sent = socket_.send(requests); !sent) return failure(sent.error().code, what);
  return {};
}

Result<void> Conversation::list(const std::function<void(MessageWriter& request, std::uint32_t number)>& write,
                                std::string_view what, const std::function<void(ByteSpan payload)>& visit) {
  MessageWriter request;
  for (int listing = 0; listing < kListings; ++listing) {
    request.clear();
    write(request, next_number());
    std::vector<std::uint8_t> payloads;
    std::vector<std::size_t> ends;
    bool disturbed = false;
    int error = 0;
    const auto keep = [&](std::size_t, const Message& message) {
      disturbed |= (message.flags & NLM_F_DUMP_INTR) != 0;  // the last one tells what no other one could any more
      error = message.outcome().value_or(0);
      if (message.outcome()) return true;
      payloads.insert(payloads.end(), message.payload.begin(), message.payload.end());
      ends.push_back(payloads.size());
      return false;
    };
    if (auto read = converse(request.bytes(), 1, what, keep); !read) return read;
    if (error != 0) return failure(error, what);
    if (disturbed) continue;
    std::size_t begin = 0;
    for (const auto end : ends) {
      visit(ByteSpan(payloads).subspan(begin, end - begin));
      begin = end;
    }
    return {};
  }
  return failure(EINTR, fmt::format("{}: it changed each of the {} times that it was listed", what, kListings));
}

}  // namespace wsl4::netlink
