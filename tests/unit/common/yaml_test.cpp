// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/common/yaml.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sdk/core/common/file.hpp"
#include "tests/support/temp_folder.hpp"

namespace aispm {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

YamlMap parse(const std::string& content) { return YamlMap::parse(content, "x.yaml").value(); }

std::string error_of(const YamlMap& root) {
  const auto finished = root.finish();
  return finished ? "" : finished.error().message;
}

TEST(Yaml, GivesValuesAndFallbacks) {
  const YamlMap root =
      parse("name: gateway\ncount: 7\nshare: 0.5\non: true\nwait: 250ms\nsize: 64KiB\n");
  EXPECT_EQ(root.text("name", ""), "gateway");
  EXPECT_EQ(root.text("absent", "fallback"), "fallback");
  EXPECT_EQ(root.integer("count", 1, {1, 10}), 7);
  EXPECT_EQ(root.number("share", 0, 0, 1), 0.5);
  EXPECT_TRUE(root.flag("on", false));
  EXPECT_EQ(root.duration("wait", {}), std::chrono::milliseconds(250));
  EXPECT_EQ(root.size_bytes("size", 0, 1 << 20), 65536U);
  EXPECT_EQ(error_of(root), "");
}

TEST(Yaml, ReadsChildMapsAndLists) {
  const YamlMap root = parse(
      "child: {a: 1}\nlist: [x, y]\nmaps:\n  - {b: 1}\n  - {b: 2}\nnamed: {one: 1, two: 2}\n");
  EXPECT_EQ(root.map("child").integer("a", 0, {0, 9}), 1);
  EXPECT_THAT(root.texts("list"), ElementsAre("x", "y"));
  const auto maps = root.maps("maps");
  ASSERT_EQ(maps.size(), 2U);
  EXPECT_EQ(maps[0].integer("b", 0, {0, 9}), 1);
  EXPECT_EQ(maps[1].integer("b", 0, {0, 9}), 2);
  EXPECT_THAT(root.map("named").keys(), ElementsAre("one", "two"));
  EXPECT_EQ(root.map("absent").text("a", "fallback"), "fallback");
  EXPECT_EQ(error_of(root), "");
}

TEST(Yaml, AnEmptyFileIsAnEmptyMap) { EXPECT_EQ(error_of(parse("")), ""); }

TEST(Yaml, AnUnknownKeyIsAnErrorWithItsLineAndWhatIsAllowed) {
  const YamlMap root = parse("name: a\nnmae: b\n");
  (void)root.text("name", "");
  EXPECT_THAT(error_of(root), StartsWith("x.yaml:2: unknown key `nmae`, allowed: name"));
}

TEST(Yaml, AnUnknownKeyOfAChildIsFoundToo) {
  const YamlMap root = parse("child:\n  good: 1\n  bad: 2\n");
  (void)root.map("child").text("good", "");
  EXPECT_THAT(error_of(root), StartsWith("x.yaml:3: unknown key `bad`"));
}

TEST(Yaml, AKeyThatStandsTwiceIsAnError) {
  const YamlMap root = parse("a: 1\na: 2\n");
  (void)root.text("a", "");
  EXPECT_THAT(error_of(root), HasSubstr("`a` stands twice"));
}

struct BadValue {
  const char* content;
  const char* message;
};

class YamlBadValue : public ::testing::TestWithParam<BadValue> {};

TEST_P(YamlBadValue, IsRefusedWithPlaceAndAllowedValues) {
  const YamlMap root = parse(GetParam().content);
  EXPECT_EQ(root.integer("count", 5, {1, 10}), 5);
  EXPECT_EQ(root.number("share", 0.5, 0, 1), 0.5);
  EXPECT_FALSE(root.flag("on", false));
  EXPECT_EQ(root.duration("wait", std::chrono::milliseconds(1)), std::chrono::milliseconds(1));
  EXPECT_EQ(root.size_bytes("size", 3, 1024), 3U);
  (void)root.choice("choice", "a", {"a", "b"});
  (void)root.text("text", "");
  (void)root.texts("list");
  (void)root.map("child");
  (void)root.maps("maps");
  EXPECT_THAT(error_of(root), StartsWith("x.yaml:1: "));
  EXPECT_THAT(error_of(root), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Yaml, YamlBadValue,
    ::testing::Values(
        BadValue{"count: 11", "from 1 to 10"}, BadValue{"count: 1x", "from 1 to 10"},
        BadValue{"count: 99999999999999999999", "from 1 to 10"},
        BadValue{"count: [1]", "single value"}, BadValue{"share: 1.5", "0.000000 to 1.000000"},
        BadValue{"share: nan", "0.000000 to 1.000000"}, BadValue{"on: yes please", "true or false"},
        BadValue{"wait: 5 minutes", "such as 250ms"}, BadValue{"wait: -5s", "such as 250ms"},
        BadValue{"size: 2KiB", "at most 1024 bytes"},
        BadValue{"size: 99999999999GiB", "at most 1024 bytes"},
        BadValue{"choice: c", "one of a, b"}, BadValue{"text: {a: 1}", "single value"},
        BadValue{"list: a", "must be a list"}, BadValue{"list: [[a]]", "list of single values"},
        BadValue{"child: a", "must be a map"}, BadValue{"maps: [a]", "list of maps"}));

TEST(Yaml, AMissingRequiredKeyIsNamed) {
  const YamlMap root = parse("{}");
  (void)root.required_text("collector");
  EXPECT_THAT(error_of(root), HasSubstr("`collector` is missing"));
}

TEST(Yaml, TheFirstErrorIsKept) {
  const YamlMap root = parse("a: x\nb: y\n");
  (void)root.flag("a", false);
  (void)root.flag("b", false);
  EXPECT_THAT(error_of(root), StartsWith("x.yaml:1: a:"));
}

TEST(Yaml, ErrorsOfTheCallerStandAtTheirKey) {
  const YamlMap root = parse("a: 1\nb: 2\n");
  (void)root.text("a", "");
  (void)root.text("b", "");
  root.reject("b", "does not go with a");
  EXPECT_EQ(error_of(root), "x.yaml:2: b: does not go with a");
}

TEST(Yaml, SyntaxErrorsHaveTheirLine) {
  for (const char* content : {"a: 1\nb: [1, 2\n", "a: 1\n\tb: 2\n", "a: 1\n- b\n"}) {
    const auto root = YamlMap::parse(content, "x.yaml");
    ASSERT_FALSE(root) << content;
    EXPECT_THAT(root.error().message, StartsWith("x.yaml:")) << content;
  }
}

TEST(Yaml, AFileThatIsNoMapIsRefused) {
  for (const char* content : {"- a\n", "text\n", "5\n"})
    EXPECT_FALSE(YamlMap::parse(content, "x.yaml")) << content;
}

TEST(Yaml, LoadNamesTheFileAndItsLimit) {
  const testing::TempFolder folder;
  EXPECT_EQ(YamlMap::load(folder / "missing.yaml").error().code, Errc::kNotFound);
  ASSERT_TRUE(write_file_atomically(folder / "large.yaml",
                                    std::string(YamlMap::kMaxFileBytes + 1, '#'), 0600));
  EXPECT_EQ(YamlMap::load(folder / "large.yaml").error().code, Errc::kTooLarge);
  ASSERT_TRUE(write_file_atomically(folder / "good.yaml", "a: 1\n", 0600));
  EXPECT_EQ(YamlMap::load(folder / "good.yaml").value().text("a", ""), "1");
}

}  // namespace
}  // namespace aispm
