#include "daemon/http/transport.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace wsl4::http {

namespace asio = boost::asio;
using boost::system::error_code;

asio::awaitable<bool> Transport::open() {
  error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  if (tls_) co_await tls_->async_handshake(asio::ssl::stream_base::server, token);
  open_ = !error;
  co_return open_;
}

asio::awaitable<void> Transport::end_sending() {
  error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  if (tls_ && open_) co_await tls_->async_shutdown(token);
  socket_.socket().shutdown(Protocol::socket::shutdown_send, error);
}

}  // namespace wsl4::http
