#include "daemon/util/file_writer.h"

#include <pthread.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace wsl4::util {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

std::string stalled(const std::string& path) {
  return fmt::format("{} is not written: the storage has not answered for {} s", path, FileWriter::kPatience.count());
}

}  // namespace

struct FileWriter::Worker {
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work = asio::make_work_guard(io);
  Write write;
  std::mutex alive;  // held while the writer is told
  FileWriter* writer = nullptr;
};

FileWriter::FileWriter(asio::io_context& io, Told told, Write write)
    : io_(io), told_(std::move(told)), stall_(io), retry_(io), worker_(std::make_shared<Worker>()) {
  worker_->write = std::move(write);
  worker_->writer = this;
  thread_ = std::thread([worker = worker_] {
    pthread_setname_np(pthread_self(), "files");
    worker->io.run();
  });
}

FileWriter::~FileWriter() {
  {
    const std::lock_guard held(worker_->alive);
    worker_->writer = nullptr;
  }
  worker_->work.reset();
  if (writing_.empty()) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

asio::awaitable<FileWriter::Result> FileWriter::store(std::string path, std::string content) {
  if (stalls_) co_return tl::make_unexpected(stalled(path));
  const auto job = std::make_shared<Job>(Job{asio::steady_timer(io_, kPatience), {}});
  put(path, {std::move(content)}, job);
  error_code ignored;
  auto token = asio::redirect_error(asio::use_awaitable, ignored);
  co_await job->done.async_wait(token);
  if (job->result) co_return *job->result;
  co_return tl::make_unexpected(stalled(path));
}

void FileWriter::put(const std::string& path, FileContent content, std::shared_ptr<Job> job) {
  auto& file = files_[path];
  file.content = std::make_shared<const FileContent>(std::move(content));
  file.job = std::move(job);
  wait(path);
  next();
}

void FileWriter::wait(const std::string& path) {
  if (std::ranges::find(waiting_, path) == waiting_.end()) waiting_.push_back(path);
}

void FileWriter::next() {
  if (!writing_.empty() || waiting_.empty()) return;
  writing_ = std::move(waiting_.front());
  waiting_.pop_front();
  stall_.expires_after(kPatience);
  stall_.async_wait([this](error_code cancelled) {
    if (cancelled || writing_.empty() || stall_.expiry() > asio::steady_timer::clock_type::now()) return;
    stalls_ = true;
    found(writing_, stalled(writing_));
  });
  const auto& file = files_[writing_];
  asio::post(worker_->io, [worker = worker_, path = writing_, content = file.content, job = file.job] {
    auto result = worker->write(path, *content);
    const std::lock_guard held(worker->alive);
    auto* const writer = worker->writer;
    if (writer == nullptr) return;
    asio::post(writer->io_,
               [writer, content, job, result = std::move(result)]() mutable { writer->written(content, job, std::move(result)); });
  });
}

void FileWriter::written(const std::shared_ptr<const FileContent>& content, const std::shared_ptr<Job>& job, Result result) {
  stalls_ = false;
  stall_.cancel();
  const auto path = std::exchange(writing_, {});
  auto& file = files_[path];
  const bool newest = file.content == content;
  if (newest && (result || job)) file.content = nullptr;
  if (result) {
    file.problem.clear();
  } else if (!job) {
    found(path, result.error());
    if (newest) try_again();
  }
  if (job) {
    job->result = std::move(result);
    job->done.cancel();
  }
  next();
}

void FileWriter::found(const std::string& path, std::string problem) {
  auto& file = files_[path];
  if (file.problem == problem) return;
  file.problem = std::move(problem);
  told_(file.problem);
}

void FileWriter::try_again() {
  retry_.expires_after(kRetry);
  retry_.async_wait([this](error_code cancelled) {
    if (cancelled) return;
    for (const auto& [path, file] : files_)
      if (file.content && path != writing_) wait(path);
    next();
  });
}

std::vector<std::string> FileWriter::problems() const {
  std::vector<std::string> all;
  for (const auto& [path, file] : files_)
    if (!file.problem.empty()) all.push_back(file.problem);
  return all;
}

}  // namespace wsl4::util
