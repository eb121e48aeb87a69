// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace aispm::sandbox {

// A line that the agent wrote. Only ever the content of an AgentLog event, never an event itself.
struct AgentLine {
  std::string stream;  // "stdout", "stderr"
  std::string level = "info";
  std::string message;
  std::map<std::string, std::string> fields;
  std::uint64_t lost_lines = 0;  // of this stream, before this one
  std::uint64_t cut_bytes = 0;   // of this one's end
};

// A line of the form {"event":"aispm.log","level":"info","message":"...", ...}: its level, message
// and fields (top-level members as text, those of "fields" by their own names). Any other text is
// the message as it stands. Pure; any bytes are safe.
AgentLine read_line(const std::string& stream, std::string_view text);

// How many lines of one run may become events: a burst, then a steady rate, in lines and in bytes.
// What is beyond is counted. Not thread-safe.
class LineBudget {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr double kBurstLines = 1000;
  static constexpr double kLinesPerSecond = 200;
  static constexpr double kBurstBytes = 1 << 20;
  static constexpr double kBytesPerSecond = 256 << 10;

  explicit LineBudget(Clock::time_point now) : last_(now) {}
  bool spend(std::size_t bytes, Clock::time_point now);

 private:
  Clock::time_point last_;
  double lines_ = kBurstLines;
  double bytes_ = kBurstBytes;
};

// Cuts one stream of bytes into lines and hands on those that the budget lets through. Lines end
// with \n or \r\n; one longer than kMaxLineBytes is cut there and the rest of it counted. Empty
// lines are skipped. Not thread-safe.
class LineCutter {
 public:
  static constexpr std::size_t kMaxLineBytes = 8192;
  // False: there is no room for it, count it as lost.
  using Take = std::function<bool(AgentLine)>;

  LineCutter(std::string stream, LineBudget& budget, Take take)
      : stream_(std::move(stream)), budget_(budget), take_(std::move(take)) {}
  void feed(std::string_view bytes);
  // The last line may lack its end.
  void finish();
  std::uint64_t taken() const { return taken_; }
  std::uint64_t lost() const { return lost_; }

 private:
  void end_line();

  std::string stream_;
  LineBudget& budget_;
  Take take_;
  std::string line_;
  std::uint64_t cut_bytes_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t lost_before_next_ = 0;
};

}  // namespace aispm::sandbox
