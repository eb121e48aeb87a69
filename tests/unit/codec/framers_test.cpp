// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "sdk/core/codec/base64.hpp"
#include "sdk/core/codec/json_array.hpp"
#include "sdk/core/codec/line_framer.hpp"

namespace aispm::codec {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> lines_of(LineFramer& framer, std::string_view bytes, std::size_t step) {
  std::vector<std::string> lines;
  while (!bytes.empty()) {
    framer.feed(bytes.substr(0, step));
    bytes.remove_prefix(std::min(step, bytes.size()));
    while (const auto line = framer.next()) lines.emplace_back(*line);
  }
  if (const auto line = framer.finish()) lines.emplace_back(*line);
  return lines;
}

TEST(LineFramer, GivesTheSameLinesAtEveryStep) {
  for (const std::size_t step : {std::size_t{1}, std::size_t{2}, std::size_t{7}, SIZE_MAX}) {
    LineFramer framer(100);
    EXPECT_THAT(lines_of(framer, "{\"a\":1}\n\n  \r\n{\"b\":2}\r\nlast", step),
                ElementsAre("{\"a\":1}", "{\"b\":2}", "last"))
        << step;
    EXPECT_EQ(framer.held_bytes(), 0U);
    EXPECT_EQ(framer.dropped_lines(), 0U);
  }
}

TEST(LineFramer, DropsALongLineAndReadsTheNext) {
  for (const std::size_t step : {std::size_t{1}, std::size_t{5}, std::size_t{13}, SIZE_MAX}) {
    LineFramer framer(10);
    EXPECT_THAT(
        lines_of(framer, "one\n" + std::string(50, 'x') + "\ntwo\n" + std::string(11, 'y'), step),
        ElementsAre("one", "two"))
        << step;
    EXPECT_EQ(framer.dropped_lines(), 2U) << step;
    EXPECT_LE(framer.held_bytes(), 10U + 13U);
  }
}

// Found by fuzzing: the CR counted against the limit while its LF had not come.
TEST(LineFramer, TheLineEndDoesNotCountAgainstTheLimit) {
  for (const std::size_t step : {std::size_t{1}, std::size_t{11}, SIZE_MAX}) {
    LineFramer framer(10);
    EXPECT_THAT(lines_of(framer, std::string(10, 'x') + "\r\nnext\n", step),
                ElementsAre(std::string(10, 'x'), "next"))
        << step;
  }
}

TEST(LineFramer, DropsTheLineAroundAHole) {
  LineFramer framer(100);
  framer.feed("one\ntw");
  EXPECT_EQ(framer.next(), "one");
  framer.skip();
  framer.feed("o\nthree\n");
  EXPECT_EQ(framer.next(), "three");
  EXPECT_EQ(framer.next(), std::nullopt);
  EXPECT_EQ(framer.dropped_lines(), 1U);
}

struct Split {
  std::vector<std::string> elements;
  std::vector<std::size_t> offsets;
  bool ended = false;
  Errc code = Errc::kInternal;
  bool failed = false;
};

Split split(std::string_view bytes, std::size_t step, std::size_t limit = 1000) {
  Split out;
  JsonArraySplitter splitter(limit);
  while (!bytes.empty()) {
    splitter.feed(bytes.substr(0, step));
    bytes.remove_prefix(std::min(step, bytes.size()));
    for (;;) {
      const auto element = splitter.next();
      if (!element) {
        out.failed = true;
        out.code = element.error().code;
        return out;
      }
      if (!*element) break;
      out.elements.emplace_back(**element);
      out.offsets.push_back(splitter.element_offset());
    }
  }
  out.ended = splitter.ended();
  return out;
}

TEST(JsonArraySplitter, CutsOutObjectsAtEveryStep) {
  const std::string text = R"( [ {"a":"]}\"{"} ,
{"b":[{"c":{}}]},{}] )";
  for (const std::size_t step : {std::size_t{1}, std::size_t{3}, SIZE_MAX}) {
    const Split out = split(text, step);
    EXPECT_THAT(out.elements, ElementsAre(R"({"a":"]}\"{"})", R"({"b":[{"c":{}}]})", "{}"));
    for (std::size_t i = 0; i < out.elements.size(); ++i)
      EXPECT_EQ(text.substr(out.offsets[i], out.elements[i].size()), out.elements[i]);
    EXPECT_TRUE(out.ended);
  }
  EXPECT_TRUE(split("[]", 1).ended);
  EXPECT_FALSE(split("[{}", 1).ended);
}

TEST(JsonArraySplitter, RefusesWhatIsNoArrayOfObjects) {
  for (const char* text : {"{}", "[1]", "[{},]", "[{}{}]", "[,{}]", "[{}]x", "x", "[\"a\"]"})
    EXPECT_EQ(split(text, 1).code, Errc::kInvalid) << text;
  EXPECT_EQ(split("[{\"a\":\"" + std::string(2000, 'x') + "\"}]", 9).code, Errc::kTooLarge);
}

TEST(Base64, DecodesOnlyTheOneFormOfATextSoNothingIsSaidTwice) {
  EXPECT_EQ(base64_decode(""), "");
  for (const char* text : {"", "h", "he", "hel", "hell", "\xff\xfe\x01"})
    EXPECT_EQ(base64_decode(base64_encode(text)), text);
  EXPECT_EQ(base64_encode("hello"), "aGVsbG8=");
  EXPECT_EQ(base64_decode("aGVsbG8="), "hello");
  EXPECT_EQ(base64_decode("aGVsbG8h"), "hello!");
  EXPECT_EQ(base64_decode("/+8="), "\xFF\xEF");
  for (const char* bad :
       {"aGVsbG8", "aGVsbG9=", "aGVs bG8=", "====", "a===", "aGVs-G8=", "aG=sbG8="})
    EXPECT_EQ(base64_decode(bad), std::nullopt) << bad;
}

}  // namespace
}  // namespace aispm::codec
