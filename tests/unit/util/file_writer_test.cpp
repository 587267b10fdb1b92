#include "daemon/util/file_writer.h"

#include <condition_variable>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>

#include "tests/support/http_bed.h"

namespace wsl4::util {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Storage that stalls and fails as the test says.
class Storage {
 public:
  FileWriter::Result write(const std::string& path, const FileContent& content) {
    std::unique_lock held(lock_);
    begun_ = true;
    changed_.notify_all();
    changed_.wait(held, [this] { return !stalls_; });
    if (fails_) return tl::make_unexpected("cannot write " + path);
    written_.push_back(path + " " + content.text);
    return {};
  }
  void set(bool stalls, bool fails) {
    const std::lock_guard held(lock_);
    stalls_ = stalls;
    fails_ = fails;
    changed_.notify_all();
  }
  void wait_for_a_write() {
    std::unique_lock held(lock_);
    changed_.wait(held, [this] { return begun_; });
  }
  std::vector<std::string> written() {
    const std::lock_guard held(lock_);
    return written_;
  }

 private:
  std::mutex lock_;
  std::condition_variable changed_;
  bool stalls_ = false, fails_ = false, begun_ = false;
  std::vector<std::string> written_;
};

class FileWriterRun : public testing::Test {
 protected:
  void run_until(const std::function<bool()>& condition) {
    io_.restart();
    while (!condition() && io_.run_one_for(std::chrono::seconds(60)) != 0) io_.restart();
    ASSERT_TRUE(condition());
  }
  FileWriter::Result store(const std::string& path, const std::string& content) {
    std::optional<FileWriter::Result> result;
    boost::asio::co_spawn(io_, files_->store(path, content),
                          [&result](const std::exception_ptr&, FileWriter::Result value) { result = std::move(value); });
    run_until([&result] { return result.has_value(); });
    return *result;
  }
  void until_written() {
    run_until([this] { return !files_->busy(); });
  }

  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_ = boost::asio::make_work_guard(io_);
  std::shared_ptr<Storage> storage_ = std::make_shared<Storage>();  // the thread may outlive the test
  std::vector<std::string> told_;
  std::optional<FileWriter> files_{
      std::in_place, io_, [this](std::string problem) { told_.push_back(std::move(problem)); },
      [storage = storage_](const auto& path, const auto& content) { return storage->write(path, content); }};
};

TEST_F(FileWriterRun, WhatIsStoredIsWrittenBeforeTheAnswer) {
  EXPECT_TRUE(store("a", "1"));
  EXPECT_THAT(storage_->written(), ElementsAre("a 1"));
  storage_->set(false, true);
  EXPECT_EQ(store("a", "2").error(), "cannot write a");
  EXPECT_FALSE(files_->busy()) << "whoever asked decides what comes of it";
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(FileWriterRun, OfEachFileOnlyTheNewestContentWaitsAndEachHasItsTurn) {
  storage_->set(true, false);
  files_->keep("b", {"1"});
  storage_->wait_for_a_write();
  files_->keep("b", {"2"});
  files_->keep("a", {"1"});
  files_->keep("b", {"3"});
  files_->keep("a", {"2"});
  EXPECT_THAT(storage_->written(), IsEmpty()) << "nobody has waited";
  storage_->set(false, false);
  until_written();
  EXPECT_THAT(storage_->written(), ElementsAre("b 1", "b 3", "a 2"));
}

TEST_F(FileWriterRun, StorageThatStallsIsToldAndKeepsNobodyWaiting) {
  storage_->set(true, false);
  EXPECT_THAT(store("a", "1").error(), HasSubstr("a is not written: the storage has not answered"));
  run_until([this] { return !told_.empty(); });
  EXPECT_THAT(store("b", "1").error(), HasSubstr("b is not written"));
  files_->keep("a", {"0"});
  EXPECT_THAT(files_->problems(), ElementsAre(HasSubstr("a is not written")));
  storage_->set(false, false);
  until_written();
  EXPECT_THAT(storage_->written(), ElementsAre("a 1", "a 0"));
  EXPECT_THAT(files_->problems(), IsEmpty());
  EXPECT_TRUE(store("b", "2"));
  EXPECT_EQ(told_.size(), 1U);
}

TEST_F(FileWriterRun, WhatIsKeptIsTriedAgainAndToldOnce) {
  storage_->set(false, true);
  files_->keep("a", {"0"});
  until_written();
  files_->keep("a", {"1"});
  until_written();
  EXPECT_THAT(files_->problems(), ElementsAre("cannot write a"));
  EXPECT_THAT(told_, ElementsAre("cannot write a"));
  storage_->set(false, false);
  run_until([this] { return !storage_->written().empty(); });
  run_until([this] { return files_->problems().empty(); });
  EXPECT_THAT(storage_->written(), ElementsAre("a 1"));
}

TEST_F(FileWriterRun, AnEndDoesNotWaitForStorage) {
  storage_->set(true, false);
  files_->keep("a", {"1"});
  storage_->wait_for_a_write();
  files_.reset();
  storage_->set(false, false);
}

TEST(FileWriter, WritesFiles) {
  const test::TemporaryFolder folder;
  boost::asio::io_context io;
  FileWriter files(io, [](const std::string& problem) { ADD_FAILURE() << problem; });
  files.keep(folder.file("a"), {"1"});
  io.run();
  EXPECT_EQ(read_file(folder.file("a")), "1");
}

}  // namespace
}  // namespace wsl4::util
