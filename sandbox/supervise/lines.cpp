// SPDX-License-Identifier: Apache-2.0
#include "sandbox/supervise/lines.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace aispm::sandbox {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxFields = 64;
constexpr std::size_t kMaxDepth = 8;
constexpr std::string_view kMark = "\"aispm.log\"";

std::string text_of(const json::value& value) {
  if (const auto* text = value.if_string()) return {text->data(), text->size()};
  return json::serialize(value);
}

void add_field(AgentLine& line, std::string_view name, const json::value& value) {
  if (line.fields.size() < kMaxFields) line.fields.emplace(std::string(name), text_of(value));
}

bool is_level(std::string_view word) {
  return word == "debug" || word == "info" || word == "warning" || word == "error";
}

}  // namespace

AgentLine read_line(const std::string& stream, std::string_view text) {
  AgentLine line;
  line.stream = stream;
  line.message = text;
  if (!text.starts_with('{') || text.find(kMark) == std::string_view::npos) return line;
  json::error_code error;
  json::parse_options options;
  options.max_depth = kMaxDepth;
  const json::value document = json::parse({text.data(), text.size()}, error, {}, options);
  if (error) return line;
  const auto* object = document.if_object();
  const auto* event = object != nullptr ? object->if_contains("event") : nullptr;
  const auto* name = event != nullptr ? event->if_string() : nullptr;
  if (name == nullptr || std::string_view(name->data(), name->size()) != "aispm.log") return line;
  line.message.clear();
  for (const auto& member : *object) {
    const std::string_view key(member.key().data(), member.key().size());
    if (key == "event") continue;
    if (key == "message") {
      line.message = text_of(member.value());
    } else if (key == "level" && is_level(text_of(member.value()))) {
      line.level = text_of(member.value());
    } else if (key == "fields" && member.value().is_object()) {
      for (const auto& field : member.value().get_object())
        add_field(line, {field.key().data(), field.key().size()}, field.value());
    } else {
      add_field(line, key, member.value());
    }
  }
  return line;
}

bool LineBudget::spend(std::size_t bytes, Clock::time_point now) {
  const double seconds = std::chrono::duration<double>(now - last_).count();
  last_ = now;
  lines_ = std::min(kBurstLines, lines_ + seconds * kLinesPerSecond);
  bytes_ = std::min(kBurstBytes, bytes_ + seconds * kBytesPerSecond);
  const auto size = static_cast<double>(bytes);
  if (lines_ < 1 || bytes_ < size) return false;
  lines_ -= 1;
  bytes_ -= size;
  return true;
}

void LineCutter::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    const std::size_t room = kMaxLineBytes - line_.size();
    line_.append(part.substr(0, room));
    cut_bytes_ += part.size() - std::min(part.size(), room);
    if (end == std::string_view::npos) return;
    end_line();
    bytes.remove_prefix(end + 1);
  }
}

void LineCutter::finish() { end_line(); }

void LineCutter::end_line() {
  if (cut_bytes_ == 0 && line_.ends_with('\r')) line_.pop_back();
  if (!line_.empty()) {
    bool is_taken = budget_.spend(line_.size(), LineBudget::Clock::now());
    if (is_taken) {
      AgentLine line = read_line(stream_, line_);
      line.lost_lines = lost_before_next_;
      line.cut_bytes = cut_bytes_;
      is_taken = take_(std::move(line));
    }
    if (is_taken) {
      ++taken_;
      lost_before_next_ = 0;
    } else {
      ++lost_;
      ++lost_before_next_;
    }
  }
  line_.clear();
  cut_bytes_ = 0;
}

}  // namespace aispm::sandbox
