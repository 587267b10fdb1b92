// Keeps the backends of one service as DNS has them: looks, waits for the lowest TTL (or, after a failure, a growing while), looks
// again. Everything on one io_context's thread. /etc/resolv.conf is read anew for each look.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "daemon/discovery/client.h"
#include "daemon/discovery/refresh.h"
#include "daemon/discovery/source.h"

namespace wsl4::discovery {

/// Who is told. Never called within the constructor, nor once the Discovery has gone; a call may destroy it.
struct Observer {
  /// The list in use is another one; never an empty one. `cut`: addresses that were left out beyond kMaxBackends.
  std::function<void(const std::vector<Backend>& backends, std::size_t cut)> changed;
  /// A look had a problem, after one that had none: the last list stays in use, or a newer one that may lack something.
  std::function<void(const std::string& why)> failed;
  /// A look had no problem, after one that had.
  std::function<void()> recovered;
};

class Discovery {
 public:
  /// Looks at once. `last`: the list from before, if there is one; it is in use until another one is found.
  Discovery(boost::asio::io_context& io, Source source, Families families, Observer observer, std::vector<Backend> last = {},
            ClientOptions options = {});
  ~Discovery();
  Discovery(const Discovery&) = delete;
  Discovery& operator=(const Discovery&) = delete;

  [[nodiscard]] const std::vector<Backend>& backends() const;
  [[nodiscard]] const Status& status() const;

 private:
  class Runner;
  std::shared_ptr<Runner> runner_;
};

}  // namespace wsl4::discovery
