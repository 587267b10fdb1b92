#include "daemon/peer/connection.h"

#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "daemon/peer/socket.h"

namespace wsl4::peer {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr std::size_t kReadSize = 32 << 10;
constexpr std::size_t kRecordSize = 16 << 10;  // RFC 8446 5.1
constexpr std::chrono::seconds kFinishTime{1};

std::string end_of_stream(const error_code& error) {
  const bool plain_end = error == asio::error::eof || error == asio::ssl::error::stream_truncated;
  return plain_end ? "the peer has closed the connection" : error.message();
}

}  // namespace

Connection::Connection(asio::ip::tcp::socket socket, std::shared_ptr<Tls> tls, OpenedBy opened_by)
    : tls_(std::move(tls)), stream_(std::move(socket), tls_->context()), opened_by_(opened_by), deadline_(stream_.get_executor()) {
  tune(stream_.next_layer());
  // Whoever listens may answer with a certificate instead of the key: without authorities every one is refused.
  error_code ignored;
  stream_.set_verify_mode(opened_by == OpenedBy::kUs ? asio::ssl::verify_peer : asio::ssl::verify_none, ignored);
}

// ---- the proof ------------------------------------------------------------------------------------------------

asio::awaitable<tl::expected<Instance, Refusal>> Connection::establish(Instance own, std::chrono::milliseconds limit) {
  const auto self = shared_from_this();
  deadline_.expires_after(limit);
  deadline_.async_wait([self](const error_code& error) {
    if (!error) self->abandon(Refusal::kTooSlow);
  });
  const auto side = opened_by_ == OpenedBy::kUs ? asio::ssl::stream_base::client : asio::ssl::stream_base::server;
  error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  co_await stream_.async_handshake(side, token);
  if (error) co_return tl::make_unexpected(why_failed(error));
  if (!Tls::key_was_shown(stream_.native_handle())) co_return tl::make_unexpected(Refusal::kNoKey);
  co_await asio::async_write(stream_, asio::buffer(own), token);
  if (error) co_return tl::make_unexpected(why_failed(error));
  Instance peer{};
  co_await asio::async_read(stream_, asio::buffer(peer), token);
  if (error) co_return tl::make_unexpected(why_failed(error));
  if (peer == own) co_return tl::make_unexpected(Refusal::kOurselves);
  established_ = true;
  deadline_.cancel();
  co_return peer;
}

void Connection::abandon(Refusal why) {
  if (established_ || abandoned_) return;
  abandoned_ = why;
  close_socket();
}

Refusal Connection::why_failed(const error_code& error) {
  deadline_.cancel();
  return abandoned_ ? *abandoned_ : Tls::why_failed(stream_.native_handle(), error);
}

// ---- the conversation -----------------------------------------------------------------------------------------

void Connection::begin(Session& session, Traffic& traffic, OnEnd on_end, std::uint64_t records_per_key) {
  session_ = &session;
  traffic_ = &traffic;
  on_end_ = std::move(on_end);
  records_per_key_ = records_per_key;
  in_.resize(kReadSize);
  session.on_connected();
  read();
  wake();
}

void Connection::read() {
  auto done = [self = shared_from_this()](const error_code& error, std::size_t size) { self->on_read(error, size); };
  stream_.async_read_some(asio::buffer(in_), std::move(done));
}

// One buffer a turn: whatever the peer sends, others on this thread have theirs in between.
void Connection::on_read(const error_code& error, std::size_t size) {
  if (session_ == nullptr) return;
  if (error) {
    tampered_ = Tls::was_tampered(error);
    return close(end_of_stream(error));
  }
  traffic_->received += size;
  if (!finishing_) {
    session_->on_bytes({in_.data(), size});
    wake();
  }
  read();
}

// Later, since the session may be in the middle of a call; and once for however many calls.
void Connection::wake() {
  if (session_ == nullptr || std::exchange(woken_, true)) return;
  asio::post(stream_.get_executor(), [self = shared_from_this()] {
    self->woken_ = false;
    self->pump();
  });
}

void Connection::pump() {
  if (session_ == nullptr || writing_) return;
  out_.clear();
  session_->next_bytes(out_, kWriteBudget);
  if (out_.empty()) {
    if (finishing_) end_sending();
    return;
  }
  writing_ = true;
  traffic_->sent += out_.size();
  records_ += out_.size() / kRecordSize + 1;
  if (records_ >= records_per_key_) {
    Tls::renew_keys(stream_.native_handle());
    records_ = 0;
  }
  auto done = [self = shared_from_this()](const error_code& error, std::size_t) { self->on_written(error); };
  asio::async_write(stream_, asio::buffer(out_), std::move(done));
}

void Connection::on_written(const error_code& error) {
  writing_ = false;
  if (session_ == nullptr) return;
  if (error) return close(error.message());
  pump();
}

void Connection::finish(std::string reason) {
  if (session_ == nullptr || finishing_) return;
  finishing_ = std::move(reason);
  deadline_.expires_after(kFinishTime);
  deadline_.async_wait([self = shared_from_this()](const error_code& error) {
    if (!error) self->close("");
  });
  wake();
}

/// Closing at once could take back what is under way; so the peer closes first, or the time is over.
void Connection::end_sending() {
  error_code ignored;
  stream_.next_layer().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
}

void Connection::close(const std::string& reason) {
  close_socket();
  if (std::exchange(session_, nullptr) == nullptr) return;
  const auto on_end = std::exchange(on_end_, nullptr);
  on_end(finishing_ ? *finishing_ : reason, tampered_);
}

void Connection::close_socket() {
  deadline_.cancel();
  error_code ignored;
  stream_.next_layer().close(ignored);
}

}  // namespace wsl4::peer
