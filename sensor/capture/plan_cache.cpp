// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/plan_cache.hpp"

#include <charconv>
#include <optional>
#include <utility>

#include "sdk/core/common/file.hpp"

namespace aispm::sensor {
namespace {

// Changes whenever the meaning of a line does, TlsHook's numbers included.
constexpr std::string_view kFormat = "aispm probe plans 1";
constexpr unsigned kFileMode = 0600;
constexpr std::size_t kMaxPoints = 4096;

// Fields are separated by tabs, plans and points by newlines; neither may be in a text.
std::string plain(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  return result;
}

std::string_view cut(std::string_view& rest, char separator) {
  const std::size_t size = std::min(rest.find(separator), rest.size());
  const std::string_view field = rest.substr(0, size);
  rest.remove_prefix(std::min(size + 1, rest.size()));
  return field;
}

template <typename T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<ProbePoint> parse_point(std::string_view line) {
  const auto hook = number<std::uint8_t>(cut(line, '\t'));
  const auto address = number<std::uint64_t>(cut(line, '\t'));
  const auto emulated = number<std::uint8_t>(cut(line, '\t'));
  const auto cookie = number<std::uint64_t>(cut(line, '\t'));
  if (!hook || !address || !emulated || *emulated > 1 || !cookie)
    return fail(Errc::kInvalid, "kept probe plan: a point is damaged");
  return ProbePoint{static_cast<TlsHook>(*hook), *address, *emulated == 1, std::string(line),
                    *cookie};
}

}  // namespace

std::string format_plans(std::string_view key, const std::vector<ProbePlan>& plans) {
  std::string text = std::string(kFormat) + "\n" + plain(key) + "\n";
  for (const ProbePlan& plan : plans) {
    text += "plan\t" + plain(plan.library) + "\t" + std::to_string(plan.library_id) + "\t" +
            plain(plan.method) + "\t" + plain(plan.reason) + "\n";
    for (const ProbePoint& point : plan.points)
      text += "point\t" + std::to_string(static_cast<unsigned>(point.hook)) + "\t" +
              std::to_string(point.address) + "\t" + (point.is_emulated ? "1" : "0") + "\t" +
              std::to_string(point.cookie) + "\t" + plain(point.function) + "\n";
  }
  return text + "end\n";
}

Result<std::vector<ProbePlan>> parse_plans(std::string_view text, std::string_view key) {
  if (cut(text, '\n') != kFormat || cut(text, '\n') != plain(key))
    return fail(Errc::kInvalid, "kept probe plan: of another file or planner");
  if (!text.ends_with("end\n")) return fail(Errc::kInvalid, "kept probe plan: it was cut");
  std::vector<ProbePlan> plans;
  std::size_t points = 0;
  while (!text.empty()) {
    std::string_view line = cut(text, '\n');
    const std::string_view kind = cut(line, '\t');
    if (kind == "end" && text.empty()) return plans;
    if (kind == "plan") {
      ProbePlan plan;
      plan.library = cut(line, '\t');
      const auto id = number<std::uint8_t>(cut(line, '\t'));
      plan.method = cut(line, '\t');
      plan.reason = line;
      if (!id) return fail(Errc::kInvalid, "kept probe plan: a plan is damaged");
      plan.library_id = *id;
      plans.push_back(std::move(plan));
    } else if (kind == "point" && !plans.empty() && ++points <= kMaxPoints) {
      AISPM_TRY(ProbePoint point, parse_point(line));
      plans.back().points.push_back(std::move(point));
    } else {
      break;
    }
  }
  return fail(Errc::kInvalid, "kept probe plan: a line is damaged");
}

Result<std::vector<ProbePlan>> load_plans(const std::string& path, std::string_view key) {
  AISPM_TRY(const std::string text, read_file(path, kMaxPlanBytes));
  return parse_plans(text, key);
}

Result<> save_plans(const std::string& path, std::string_view key,
                    const std::vector<ProbePlan>& plans) {
  return write_file_atomically(path, format_plans(key, plans), kFileMode);
}

}  // namespace aispm::sensor
