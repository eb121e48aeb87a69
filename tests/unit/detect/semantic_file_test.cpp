// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/semantic_file.hpp"

#include <gmock/gmock.h>

#include <cstring>
#include <limits>

#include "sdk/core/detect/semantic.hpp"

namespace aispm::detect {
namespace {

using Kind = SemanticFile::Kind;
using testing::ElementsAre;
using testing::HasSubstr;

template <typename T>
std::string bytes_of(std::initializer_list<T> values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), std::data(values), bytes.size());
  return bytes;
}

struct Part {
  std::string name;
  Kind kind;
  std::uint32_t rows;
  std::uint32_t columns;
  std::string data;
};

std::string file_of(const std::vector<Part>& parts, std::uint32_t version = 1) {
  std::string file = "AISPMSEM";
  file += bytes_of<std::uint32_t>({version, static_cast<std::uint32_t>(parts.size())});
  auto offset = static_cast<std::uint32_t>(16 + 40 * parts.size());
  std::string data;
  for (const Part& part : parts) {
    std::string name = part.name;
    name.resize(24);
    file += name + bytes_of<std::uint32_t>(
                       {static_cast<std::uint32_t>(part.kind), part.rows, part.columns, offset});
    offset += static_cast<std::uint32_t>(part.data.size());
    data += part.data;
  }
  return file + data;
}

const std::string kOneTwo = bytes_of<float>({1, 2});

TEST(SemanticFile, GivesNumbers) {
  const std::string bytes = file_of({{"a", Kind::kFloat, 1, 2, kOneTwo}});
  const auto file = SemanticFile::read(bytes);
  ASSERT_TRUE(file.has_value());
  EXPECT_THAT(file->numbers("a", 1, 2).value(), ElementsAre(1.0F, 2.0F));
}

TEST(SemanticFile, MultipliesBytesByTheScaleOfTheirColumn) {
  const std::string bytes =
      file_of({{"b", Kind::kByte, 2, 2, bytes_of<std::int8_t>({1, -2, 3, -4})},
               {"b.scale", Kind::kFloat, 1, 2, bytes_of<float>({10, .5F})}});
  const auto file = SemanticFile::read(bytes);
  ASSERT_TRUE(file.has_value());
  EXPECT_THAT(file->numbers("b", 2, 2).value(), ElementsAre(10.0F, -1.0F, 30.0F, -2.0F));
}

TEST(SemanticFile, RefusesOtherSizesKindsAndNames) {
  const std::string bytes = file_of({{"a", Kind::kFloat, 1, 2, kOneTwo}});
  const auto file = SemanticFile::read(bytes);
  ASSERT_TRUE(file.has_value());
  EXPECT_THAT(file->numbers("a", 2, 1).error().message, HasSubstr("1 x 2, not 2 x 1"));
  EXPECT_THAT(file->numbers("c", 1, 2).error().message, HasSubstr("c: missing"));
  EXPECT_THAT(file->section("a", Kind::kBytes).error().message, HasSubstr("of another kind"));
}

TEST(SemanticFile, RefusesWhatIsNotFinite) {
  const std::string bytes = file_of(
      {{"a", Kind::kFloat, 1, 2, bytes_of<float>({1, std::numeric_limits<float>::quiet_NaN()})}});
  EXPECT_THAT(SemanticFile::read(bytes)->numbers("a", 1, 2).error().message,
              HasSubstr("not a number"));
}

TEST(SemanticFile, RefusesSectionsThatLeaveTheFile) {
  std::string cut = file_of({{"a", Kind::kFloat, 1, 2, kOneTwo}});
  cut.pop_back();
  const std::string wide = file_of({{"a", Kind::kFloat, 1U << 20, 1U << 14, kOneTwo}});
  const std::string empty = file_of({{"a", Kind::kFloat, 0, 2, ""}});
  const std::string odd = file_of({{"a", Kind::kNibble, 1, 3, "xx"}});
  const std::string unknown = file_of({{"a", static_cast<Kind>(9), 1, 2, kOneTwo}});
  const std::string twice =
      file_of({{"a", Kind::kFloat, 1, 2, kOneTwo}, {"a", Kind::kBytes, 1, 1, "x"}});
  for (const std::string& bytes : {cut, wide, empty, odd, unknown, twice})
    EXPECT_FALSE(SemanticFile::read(bytes).has_value());
}

TEST(SemanticFile, RefusesOtherFilesAndVersions) {
  EXPECT_THAT(SemanticFile::read("").error().message, HasSubstr("not a model file"));
  EXPECT_THAT(SemanticFile::read("AISPMSEX12345678").error().message,
              HasSubstr("not a model file"));
  EXPECT_THAT(SemanticFile::read(file_of({}, 2)).error().message, HasSubstr("version 2"));
  std::string many = file_of({});
  many[12] = 60;
  EXPECT_THAT(SemanticFile::read(many).error().message, HasSubstr("cut short"));
}

TEST(SemanticModel, SaysWhatIsMissing) {
  const auto model = SemanticModel::parse(file_of({{"a", Kind::kFloat, 1, 2, kOneTwo}}));
  ASSERT_FALSE(model.has_value());
  EXPECT_THAT(model.error().message, HasSubstr("vocabulary: missing"));
}

}  // namespace
}  // namespace aispm::detect
