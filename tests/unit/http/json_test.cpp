#include "daemon/http/json.h"

#include <limits>

#include <gtest/gtest.h>
#include <boost/json/parse.hpp>

namespace wsl4::http {
namespace {

namespace json = boost::json;

TEST(Json, WritesNumbersAsPeopleDo) {
  EXPECT_EQ(to_text(json::array{0.333, 123.4, 1.0, 0.0, -2.5, 1795441260, 18446744073709551615U}),
            "[0.333,123.4,1,0,-2.5,1795441260,18446744073709551615]");
  EXPECT_EQ(to_text(json::array{std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}), "[null,null]");
}

TEST(Json, EscapesText) {
  EXPECT_EQ(to_text(json::object{{"a\"b", "line\nend\x01"}, {"n", nullptr}, {"t", true}}),
            R"({"a\"b":"line\nend\u0001","n":null,"t":true})");
}

TEST(Json, KeepsShortContainersOnOneLineAndBreaksLongOnes) {
  const std::string word(40, 'x');
  json::object object;
  object["short"] = json::array{1, 2};
  object["long"] = json::array{word, word, json::object{{"a", 1}}};
  object["none"] = json::object();
  EXPECT_EQ(to_text(object, JsonLayout::kIndented),
            "{\n"
            "  \"short\": [1, 2],\n"
            "  \"long\": [\"" +
                word + "\", \"" + word +
                "\", {\"a\": 1}],\n"
                "  \"none\": {}\n"
                "}");
  object["long"].as_array().push_back(json::string(word));
  const std::string broken = to_text(object, JsonLayout::kIndented);
  EXPECT_NE(broken.find("  \"long\": [\n    \"" + word + "\",\n"), std::string::npos) << broken;
  EXPECT_EQ(json::parse(broken), json::value(object));
}

TEST(Json, BytesThatAreNoUtf8AreReplaced) {
  const auto text = [](std::string bytes) { return to_text(json::value(json::string(bytes))); };
  EXPECT_EQ(text("/etc/\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), "\"/etc/\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
  for (const char* bytes :
       {"\xff", "\xc3", "\x80", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf0\x9f\x98"}) {
    const auto written = text(std::string("a") + bytes + "b");
    EXPECT_TRUE(written.starts_with("\"a\xef\xbf\xbd") && written.ends_with("b\"")) << bytes;
    boost::system::error_code error;
    json::parse(written, error);
    EXPECT_FALSE(error) << bytes;
  }
}

}  // namespace
}  // namespace wsl4::http
