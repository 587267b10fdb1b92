#include "daemon/config/document.h"

#include <gtest/gtest.h>

namespace wsl4::config {
namespace {

constexpr std::size_t kFirst = 0, kSecond = 1;

TEST(Document, KeepsValuesWithTheirPlaces) {
  const auto document = parse_document("a = 1\nb.c = \"ä\"\n  [[t]]\n  x = [true,\n   1.5]\n");
  ASSERT_TRUE(document);
  EXPECT_EQ(std::get<std::int64_t>(document->find("a")->item.value), 1);
  EXPECT_EQ(document->find("missing"), nullptr);
  EXPECT_EQ(locate(*document, {"a"}, true), (Position{1, 1}));
  EXPECT_EQ(locate(*document, {"a"}, false), (Position{1, 5}));
  EXPECT_EQ(locate(*document, {"b", "c"}, false), (Position{2, 7}));
  EXPECT_EQ(locate(*document, {"t", kFirst, "x", kSecond}, false), (Position{5, 4}));
}

TEST(Document, WhatIsMissingStandsWhereItsTableDoes) {
  const auto document = parse_document("a = 1\n\n [t]\n b = [1]\n");
  ASSERT_TRUE(document);
  EXPECT_EQ(locate(*document, {"t", "x"}, false), (Position{3, 2}));
  EXPECT_EQ(locate(*document, {"t", "b", kSecond}, false), (Position{4, 6}));
  EXPECT_EQ(locate(*document, {"u", "x"}, false), Position{});
  EXPECT_EQ(locate(*document, {"a", "x"}, false), (Position{1, 5}));
}

TEST(Document, NamesKinds) {
  const auto document = parse_document("a = 1\nb = true\nc = 1.0\nd = \"\"\ne = 10:00:00\nf = []\ng = {}\n");
  ASSERT_TRUE(document);
  std::string kinds;
  for (const Entry& entry : document->entries) kinds += std::string(entry.item.kind()) + ", ";
  EXPECT_EQ(kinds, "an integer, a boolean, a fraction, a string, a date or time, a list, a table, ");
}

TEST(Document, BoundsDepthSoThatNoTextEndsTheStack) {
  std::string key = "a";
  for (int i = 0; i < 8; ++i) key += ".a";
  EXPECT_TRUE(parse_document(key + " = 1"));
  EXPECT_EQ(parse_document("\n" + key + ".a = 1").error().what, "a key has too many parts (at most 9)");
  EXPECT_EQ(parse_document("\n" + key + ".a = 1").error().at, (Position{2, 1}));
  EXPECT_FALSE(parse_document("[" + key + ".a]"));
  EXPECT_FALSE(parse_document("x = {" + key + ".a = 1}"));
  EXPECT_FALSE(parse_document("\"q\"." + key + " = 1"));
  EXPECT_FALSE(parse_document("x = " + std::string(100'000, '[')));
}

TEST(Document, DotsElsewhereAreNoKeys) {
  const std::string dots(50, '.');
  EXPECT_TRUE(parse_document("a = \"" + dots + "\" # " + dots + "\nb = '" + dots + "'\n"));
  EXPECT_TRUE(parse_document("a = \"\"\"\n" + dots + "\n\\\"\"\" " + dots + "\"\"\"\nb = '''" + dots + "\n'''\n"));
  EXPECT_TRUE(parse_document("a = [1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5]\n"));
}

TEST(Document, RefusesWhatIsTooLarge) {
  const std::string text(kMaxDocumentSize + 1, '\n');
  ASSERT_FALSE(parse_document(text));
  EXPECT_EQ(parse_document(text).error().what, "is too large (at most 64 MiB)");
}

TEST(KeyPath, Prints) {
  EXPECT_EQ(KeyPath().to_string(), "");
  EXPECT_EQ((KeyPath{"service", kFirst, "backend", kSecond, "weight"}).to_string(), "service[0].backend[1].weight");
  EXPECT_EQ((KeyPath{"a"} / "b c" / "").to_string(), "a.\"b c\".\"\"");
}

TEST(Quoted, StaysOnOneShortLine) {
  EXPECT_EQ(in_quotes("a\"\\\n\x7f"), "\"a\\\"\\\\\\x0a\\x7f\"");
  EXPECT_EQ(in_quotes(std::string(80, 'x')), "\"" + std::string(80, 'x') + "\"");
  EXPECT_EQ(in_quotes(std::string(81, 'x')), "\"" + std::string(80, 'x') + "…\"");
  EXPECT_EQ(in_quotes(std::string(79, 'x') + "ää"), "\"" + std::string(79, 'x') + "ä…\"") << "no character is cut";
}

}  // namespace
}  // namespace wsl4::config
