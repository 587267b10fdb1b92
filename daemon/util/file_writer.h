// Small files, written on a thread of their own: storage may stall for many seconds, while whoever changes a file has a watchdog to
// feed. Of each file only the newest content waits, so that what waits is bounded by the number of files. On the thread of `io`.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <tl/expected.hpp>

#include "daemon/util/file.h"

namespace wsl4::util {

class FileWriter {
 public:
  using Result = tl::expected<void, std::string>;
  using Write = std::function<Result(const std::string& path, const FileContent& content)>;  // on the thread of its own
  using Told = std::function<void(std::string problem)>;

  /// So long a caller waits for storage. While it has taken longer, others are refused at once.
  static constexpr std::chrono::seconds kPatience{2};
  static constexpr std::chrono::seconds kRetry{5};

  /// `told`: of a file that is not written in time or at all, once for each such time.
  FileWriter(boost::asio::io_context& io, Told told, Write write = replace_file);
  /// Does not wait for storage that stalls.
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  /// The file is to have this content; tried again until it has, or is to have another one.
  void keep(const std::string& path, FileContent content) { put(path, std::move(content), nullptr); }
  /// Tried once; what it returns without an error is durable. After an error the file may still get this content: whoever does not
  /// want that says what is to be kept.
  [[nodiscard]] boost::asio::awaitable<Result> store(std::string path, std::string content);

  /// Something waits for its first try.
  [[nodiscard]] bool busy() const { return !writing_.empty() || !waiting_.empty(); }
  /// A sentence for each file that is not as it is to be.
  [[nodiscard]] std::vector<std::string> problems() const;

 private:
  /// Who waits for a file.
  struct Job {
    boost::asio::steady_timer done;
    std::optional<Result> result;
  };
  struct File {
    std::shared_ptr<const FileContent> content;  // none: as it is to be
    std::shared_ptr<Job> job;                    // of who asked for this content, if to be written once
    std::string problem;
  };
  struct Worker;

  void put(const std::string& path, FileContent content, std::shared_ptr<Job> job);
  void wait(const std::string& path);
  void next();
  void written(const std::shared_ptr<const FileContent>& content, const std::shared_ptr<Job>& job, Result result);
  void found(const std::string& path, std::string problem);
  void try_again();

  boost::asio::io_context& io_;
  const Told told_;
  std::map<std::string, File> files_;
  std::deque<std::string> waiting_;  // each path once
  std::string writing_;              // the path; empty: none
  bool stalls_ = false;
  boost::asio::steady_timer stall_, retry_;
  std::shared_ptr<Worker> worker_;  // outlives this object where storage stalls
  std::thread thread_;
};

}  // namespace wsl4::util
