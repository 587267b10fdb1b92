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

}  // namespace
}  // namespace wsl4::http
