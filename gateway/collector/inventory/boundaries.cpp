// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/inventory/boundaries.hpp"

#include <algorithm>
#include <iterator>
#include <set>
#include <string>

namespace aispm::collector::inventory {
namespace {

constexpr int kMaxWorkspaces = 64;
constexpr std::size_t kMaxEvidenceBytes = 1024;

using Lines = std::set<std::string>;

// A line is one line: what is stored is split at the line's end again.
Lines lines_of(const aispm::v1::SandboxStart& start) {
  Lines lines;
  for (std::string line : start.boundary()) {
    std::replace(line.begin(), line.end(), '\n', ' ');
    lines.insert(std::move(line));
  }
  return lines;
}

Lines split(const std::string& text) {
  Lines lines;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t to = std::min(text.find('\n', from), text.size());
    lines.insert(text.substr(from, to - from));
    from = to + 1;
  }
  return lines;
}

std::string join(const Lines& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

class Difference {
 public:
  void add(char sign, const Lines& these, const Lines& others) {
    for (const auto& line : these) {
      if (others.contains(line)) continue;
      const std::string entry = std::string(1, sign) + " " + line;
      if (text_.size() + entry.size() + 2 > kMaxEvidenceBytes)
        ++unnamed_;
      else
        text_ += (text_.empty() ? "" : "; ") + entry;
      ++count_;
    }
  }
  std::size_t count() const { return count_; }
  std::string text() const {
    return unnamed_ == 0 ? text_ : text_ + "; and " + std::to_string(unnamed_) + " more";
  }

 private:
  std::string text_;
  std::size_t count_ = 0;
  std::size_t unnamed_ = 0;
};

}  // namespace

Result<std::optional<aispm::v1::Detection>> Boundaries::compare(
    std::int64_t agent, std::int64_t host, const aispm::v1::SandboxStart& start, WallTime time) {
  if (start.boundary_size() == 0) return std::nullopt;
  AISPM_TRY(store::Statement* const find,
            database_.cached("SELECT lines, time FROM boundaries WHERE agent=? AND host=? AND "
                             "workspace=?"));
  AISPM_TRY(const bool is_row, find->bind(agent, host, start.workspace()).step());
  const Lines before = is_row ? split(find->text(0)) : Lines();
  const bool is_late = is_row && find->integer(1) >= time.nanoseconds;
  find->reset();
  if (!is_row || is_late) return std::nullopt;
  const Lines now = lines_of(start);
  Difference difference;
  difference.add('+', now, before);
  difference.add('-', before, now);
  if (difference.count() == 0) return std::nullopt;
  aispm::v1::Detection detection;
  detection.set_rule_id("sandbox.boundary_changed");
  detection.set_category("drift");
  detection.set_severity(aispm::v1::SEVERITY_MEDIUM);
  detection.set_confidence(1);
  detection.set_surface("sandbox");
  detection.set_evidence(difference.text());
  detection.set_message("What holds this agent in is not what it was at its last run: " +
                        std::to_string(difference.count()) + " lines differ.");
  return detection;
}

Result<> Boundaries::keep(std::int64_t agent, std::int64_t host,
                          const aispm::v1::SandboxStart& start, WallTime time) {
  if (start.boundary_size() == 0) return {};
  AISPM_CHECK(store::run_sql(
      database_,
      "INSERT INTO boundaries (agent, host, workspace, time, lines) VALUES (?,?,?,?,?) ON CONFLICT "
      "DO UPDATE SET time=excluded.time, lines=excluded.lines WHERE excluded.time>time",
      agent, host, start.workspace(), time.nanoseconds, join(lines_of(start))));
  return store::run_sql(database_,
                        "DELETE FROM boundaries WHERE agent=?1 AND host=?2 AND workspace NOT IN "
                        "(SELECT workspace FROM boundaries WHERE agent=?1 AND host=?2 ORDER BY "
                        "time DESC LIMIT ?3)",
                        agent, host, kMaxWorkspaces);
}

}  // namespace aispm::collector::inventory
