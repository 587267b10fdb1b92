#include "daemon/config/load.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <sstream>
#include <system_error>
#include <unordered_set>

#include <fmt/format.h>

#include "daemon/config/document.h"
#include "daemon/config/reader.h"
#include "daemon/config/validate.h"

namespace wsl4::config {
namespace {

std::string host_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

/// Findings of a later stage about something that an earlier one has found wrong already are only its consequences.
void drop_consequences(Findings& findings, std::size_t first_of_later) {
  std::unordered_set<std::string> wrong;
  for (std::size_t i = 0; i < first_of_later; ++i) wrong.insert(findings[i].path.to_string());
  const auto later = findings.begin() + static_cast<std::ptrdiff_t>(first_of_later);
  findings.erase(std::remove_if(later, findings.end(), [&](const Finding& one) { return wrong.contains(one.path.to_string()); }),
                 findings.end());
}

Problems placed(const Findings& findings, const Table& document, const std::string& file) {
  Problems problems;
  problems.reserve(findings.size());
  for (const Finding& finding : findings) {
    const Position at = locate(document, finding.path, finding.at_key);
    problems.push_back({file, at.line, at.column, finding.path.to_string(), finding.what});
  }
  std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
    return Position{a.line, a.column} < Position{b.line, b.column};
  });
  return problems;
}

Problem unreadable(const std::string& path, int code) {
  return {path, 0, 0, "", "cannot be read: " + std::generic_category().message(code)};
}

tl::expected<std::string, Problem> read_file(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return tl::make_unexpected(unreadable(path, errno));
  std::string text;
  std::array<char, 65536> chunk{};
  ssize_t got = 0;
  // One byte over the limit is enough for parse() to refuse it.
  while (text.size() <= kMaxDocumentSize && (got = ::read(descriptor, chunk.data(), chunk.size())) > 0) {
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
  const int code = errno;
  ::close(descriptor);
  if (got < 0) return tl::make_unexpected(unreadable(path, code));
  return text;
}

}  // namespace

std::string Problem::message() const {
  std::string out = file;
  if (line != 0) out += fmt::format(":{}:{}", line, column);
  if (!key.empty()) out += ": " + key;
  return out + ": " + what;
}

tl::expected<Config, Problems> parse(std::string_view text, const std::string& file, const Inspect& inspect) {
  const auto document = parse_document(text);
  if (!document) {
    const auto& [at, what] = document.error();
    return tl::make_unexpected(Problems{{file, at.line, at.column, "", what}});
  }
  Findings findings;
  Draft draft = read_draft(*document, findings);
  const std::size_t first_of_second = findings.size();
  validate(draft, findings);
  drop_consequences(findings, first_of_second);
  if (inspect) {
    const std::size_t first_of_third = findings.size();
    std::ranges::move(inspect(draft.config), std::back_inserter(findings));
    drop_consequences(findings, first_of_third);
  }
  if (!findings.empty()) return tl::make_unexpected(placed(findings, *document, file));
  if (draft.config.node.name.empty()) draft.config.node.name = host_name();
  return std::move(draft.config);
}

tl::expected<Config, Problems> load(const std::string& path, const Inspect& inspect) {
  const auto text = read_file(path);
  if (!text) return tl::make_unexpected(Problems{text.error()});
  return parse(*text, path, inspect);
}

std::optional<std::string> find_state_dir(const std::string& path) {
  const auto text = read_file(path);
  if (!text) return std::nullopt;
  // Each line by itself, so that what is broken elsewhere makes no difference.
  std::istringstream lines(*text);
  std::string table;
  for (std::string line; std::getline(lines, line);) {
    line.erase(0, line.find_first_not_of(" \t"));
    if (line.starts_with('[')) table = line + "\n";
    if (line.find("state_dir") == std::string::npos) continue;
    const auto document = parse_document(table + line);
    const auto* const node = document ? document->find("node") : nullptr;
    const auto* const settings = node != nullptr ? std::get_if<Table>(&node->item.value) : nullptr;
    const auto* const entry = settings != nullptr ? settings->find("state_dir") : nullptr;
    if (const auto* const said = entry != nullptr ? std::get_if<std::string>(&entry->item.value) : nullptr) return *said;
  }
  return std::nullopt;
}

}  // namespace wsl4::config
