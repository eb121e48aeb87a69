// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/json_edit.hpp"

#include <gmock/gmock.h>

#include <vector>

#include "sdk/core/codec/json_tree.hpp"

namespace aispm::codec {
namespace {

TEST(JsonString, EscapesAndComesBack) {
  const std::string all = [] {
    std::string text;
    for (char c = 0; c < 0x7f; ++c) text.push_back(c);
    return text + "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
  }();
  const std::string token = json_string(all);
  for (const char c : token) EXPECT_GE(static_cast<unsigned char>(c), 0x20);
  EXPECT_EQ(json_unescape(token).value(), all);
}

TEST(JsonString, ReplacesBytesThatAreNotUtf8) {
  EXPECT_EQ(json_string("a\xff"
                        "b\xed\xa0\x80"),
            "\"a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

TEST(JsonUnescape, DecodesAllForms) {
  EXPECT_EQ(json_unescape(R"("\u0041\n\/\"\\\u00e9\u20AC\ud83d\ude00")").value(),
            "A\n/\"\\\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
}

TEST(JsonUnescape, RefusesWhatIsNotOneToken) {
  for (const std::string_view bad :
       {"", "\"", "a", "\"a\"b\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\ud83d\"",
        "\"\\ud83d\\u0041\"", "\"\\ude00\"", "\"\\\"", "\"a\nb\"", "\"\xff\"", "\"\xc0\xaf\"",
        "\"\\ud83d\\ud83d\""})
    EXPECT_FALSE(json_unescape(bad).has_value()) << bad;
}

TEST(MendSurrogates, ReplacesHalvesAndNothingElse) {
  for (const auto& [json, mended] : std::vector<std::pair<std::string_view, std::string_view>>{
           {R"({"a":"\ud83d"})", R"({"a":"\ufffd"})"},
           {R"({"a":"\uDE00\ud83d\ude00"})", R"({"a":"\ufffd\ud83d\ude00"})"},
           {R"({"a":"\ud83d\ud83d\ude00"})", R"({"a":"\ufffd\ud83d\ude00"})"},
           {R"({"\ud83dx\\":"\udfff\n"})", R"({"\ufffdx\\":"\ufffd\n"})"},
           {R"(\ud83d\ude0)", R"(\ufffd\ude0)"},
           {R"(\udbff)", R"(\ufffd)"}})
    EXPECT_EQ(mend_surrogates(json), mended) << json;
  for (const std::string_view whole : {R"({"a":"\ud83d\ude00 \u00e9"})", R"({"a":"\\ud83d"})",
                                       R"({"a":"ud83d"})", R"(\u)", R"(\ud8)", "\\", ""})
    EXPECT_EQ(mend_surrogates(whole), std::nullopt) << whole;
}

TEST(FindInvalidUtf8, NamesTheFirstBadByte) {
  EXPECT_EQ(find_invalid_utf8("caf\xc3\xa9"), std::string_view::npos);
  EXPECT_EQ(find_invalid_utf8("ab\xc3"), 2U);
  EXPECT_EQ(find_invalid_utf8("a\xf4\x90\x80\x80"), 1U);
  EXPECT_EQ(find_invalid_utf8("a\xe0\x80\x80"), 1U);
}

TEST(ApplyPatches, ChangesOnlyTheSpans) {
  const std::string body = R"({"a":"one","b":"two","c":"three"})";
  const auto patched = apply_patches(
      body, {string_patch({25, 32}, "3\"3"), string_patch({5, 10}, ""), {{32, 32}, ",\"d\":4"}});
  EXPECT_EQ(patched.value(), R"({"a":"","b":"two","c":"3\"3","d":4})");
  EXPECT_EQ(apply_patches(body, {}).value(), body);
}

TEST(ApplyPatches, RefusesSpansThatDoNotFit) {
  EXPECT_FALSE(apply_patches("0123456789", {{{2, 5}, ""}, {{4, 6}, ""}}).has_value());
  EXPECT_FALSE(apply_patches("0123456789", {{{5, 4}, ""}}).has_value());
  EXPECT_FALSE(apply_patches("0123456789", {{{5, 11}, ""}}).has_value());
}

struct TreeCase {
  std::string text;
  std::string_view error;  // empty: accepted
};

std::string nested(std::size_t depth) {
  // The root object is level 1.
  return "{\"a\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
}

TEST(JsonTree, AcceptsExactlyRfc8259WithoutRepeatedKeys) {
  const std::vector<TreeCase> cases = {
      {"{}", ""},
      {" \r\n\t{ \"a\" : [ 1 , -0.5e+10 , true , false , null , { } , [ ] , \"x\" ] } \n", ""},
      {R"({"a":123456789012345678901234567890,"b":1e999,"c":-0})", ""},
      {nested(64), ""},
      {nested(65), "nested deeper"},
      {"", "byte 0"},
      {"   ", "byte"},
      {"[]", "not a JSON object"},
      {"\"x\"", "not a JSON object"},
      {"null", "not a JSON object"},
      {R"({"a":1,"a":2})", "repeated key"},
      {R"({"a":1,"\u0061":2})", "repeated key"},
      {R"({"x":[{"y":{"k":1,"z":0,"k":1}}]})", "repeated key"},
      {R"({"a1":1,"a2":1,"a3":1,"a4":1,"a5":1,"a6":1,"a7":1,"a8":1,"a9":1,"b1":1,"b2":1,"b3":1,"b4":1,"a5":1})",
       "repeated key"},
      {"{\"a\":\"\xff\"}", "byte 6: invalid UTF-8"},
      {"{\"\xc3(\":1}", "byte 2: invalid UTF-8"},
      {R"({"a":1}x)", "byte"},
      {R"({"a":1}{"a":1})", "byte 7"},
      {R"({"a":1}})", "byte"},
      {R"({"a":1)", "byte"},
      {R"({"a":)", "byte"},
      {R"({"a")", "byte"},
      {R"({"a)", "byte"},
      {R"({"a":1,})", "byte"},
      {R"({,"a":1})", "byte"},
      {R"({"a":[1,]})", "byte"},
      {R"({"a":[1 2]})", "byte"},
      {R"({"a":[1}})", "byte"},
      {R"({"a":[1})", "byte"},
      {R"({"a" 1})", "byte"},
      {R"({"a":1 "b":2})", "byte"},
      {R"({a:1})", "byte"},
      {R"({'a':1})", "byte"},
      {R"({"a":01})", "byte 5"},
      {R"({"a":+1})", "byte 5"},
      {R"({"a":1.})", "byte 5"},
      {R"({"a":.5})", "byte 5"},
      {R"({"a":-})", "byte 5"},
      {R"({"a":NaN})", "byte 5"},
      {R"({"a":truex})", "byte 5"},
      {R"({"a":tru})", "byte 5"},
      {R"({"a":nulll})", "byte 5"},
      {R"({"a":"b""c"})", "byte"},
      {R"({"a":"\q"})", "byte 5: bad escape"},
      {R"({"a":"\ud800"})", "byte 5: bad escape"},
      {"{\"a\":\"b\nc\"}", "control byte"},
      {std::string("{\"a\":\"b\0c\"}", 11), "control byte"},
      {std::string("{\"a\":1}\0", 8), "byte"},
      {R"({"a":1/**/})", "byte"},
      {"{\"a\":1\f}", "byte 6"},
      {"{\"a\":1,\x1a\"b\":2}", "byte 7"},
      {R"({"a":\"})", "byte"},
      {R"({"axbyc":1,"aybxc":2,"axbzc":3})", ""},
      {R"({"axbyc":1,"aybxc":2,"axbyc":3})", "byte 0: repeated key"},
      {R"({"":1,"a":{"":1}})", ""},
      {R"({"":1,"a":2,"":3})", "byte 0: repeated key"},
      {"\xEF\xBB\xBF{}", "not a JSON object"},
  };
  JsonTree tree;
  for (const TreeCase& c : cases) {
    const auto result = tree.read(c.text, 64);
    if (c.error.empty()) {
      EXPECT_TRUE(result.has_value()) << c.text << (result ? "" : result.error().message);
    } else if (result) {
      ADD_FAILURE() << "accepted " << c.text;
    } else {
      EXPECT_THAT(result.error().message, testing::HasSubstr(c.error)) << c.text;
    }
  }
}

TEST(JsonTree, FindsARepeatedKeyHoweverManyThereAre) {
  JsonTree tree;
  for (const int count : {2, 11, 12, 13, 14, 70, 300}) {
    std::string members;
    for (int i = 0; i < count; ++i) members += "\"key" + std::to_string(i) + "\":0,";
    EXPECT_TRUE(tree.read("{" + members + "\"last\":0}", 64).has_value()) << count;
    for (const int again : {0, count / 2, count - 1}) {
      const std::string twice = "\"key" + std::to_string(again) + "\":0";
      EXPECT_FALSE(tree.read("{" + members + twice + "}", 64).has_value()) << count;
    }
  }
}

TEST(JsonTree, DecodesOnlyTheStringsThatHoldEscapes) {
  JsonTree tree;
  const std::string text = R"({"a":"x\\","b\n":"y","c":["\"","z",{"\t":"\u00e9"}],"d":"q"})";
  ASSERT_TRUE(tree.read(text, 64).has_value());
  std::vector<std::string> said;
  for (std::size_t i = 0; i < tree.size(); ++i)
    if (tree[i].is_string()) said.emplace_back(tree[i].text);
  EXPECT_THAT(
      said, testing::ElementsAre("a", "x\\", "b\n", "y", "c", "\"", "z", "\t", "\u00e9", "d", "q"));
}

TEST(JsonTree, RefusesEveryPrefixOfADocument) {
  const std::string text = R"({"a":[1,{"b":"c\n"},true],"d":{"e":null}})";
  JsonTree tree;
  for (std::size_t size = 0; size < text.size(); ++size)
    EXPECT_FALSE(tree.read(std::string_view(text).substr(0, size), 64).has_value()) << size;
  EXPECT_TRUE(tree.read(text, 64).has_value());
}

TEST(JsonTree, KnowsTheSpanOfEveryValue) {
  const std::string text = R"( {"k\u0041": [ "v\"w" , {"x" : 1.5 } ] , "e":{}})";
  JsonTree tree;
  ASSERT_TRUE(tree.read(text, 64).has_value());
  const auto at = [&](std::size_t i) {
    return text.substr(tree[i].begin, tree[i].end - tree[i].begin);
  };
  EXPECT_EQ(at(0), text.substr(1));
  EXPECT_EQ(tree[1].text, "kA");
  EXPECT_EQ(at(1), R"("k\u0041")");
  EXPECT_EQ(at(2), R"([ "v\"w" , {"x" : 1.5 } ])");
  EXPECT_EQ(tree[3].text, "v\"w");
  EXPECT_EQ(at(4), R"({"x" : 1.5 })");
  EXPECT_EQ(at(6), "1.5");
  EXPECT_EQ(at(tree.find(0, "e")), "{}");
  EXPECT_EQ(tree[2].next, tree.find(0, "e") - 1);
}

}  // namespace
}  // namespace aispm::codec
