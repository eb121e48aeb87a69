// SPDX-License-Identifier: Apache-2.0
#include "sandbox/supervise/output.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace aispm::sandbox {

Output::Output(EventLoop& loop, Delivery& delivery, const RunIdentity& run,
               std::uint64_t limit_bytes, Terminal terminal)
    : loop_(loop),
      delivery_(delivery),
      run_(run),
      limit_bytes_(limit_bytes),
      terminal_(std::move(terminal)),
      budget_(LineBudget::Clock::now()),
      cutters_{LineCutter("stdout", budget_,
                          [this](AgentLine line) { return take_line(std::move(line)); }),
               LineCutter("stderr", budget_,
                          [this](AgentLine line) { return take_line(std::move(line)); })} {}

Result<> Output::start(Sources sources) {
  if (sources.output) AISPM_CHECK(copy(0, std::move(sources.output), STDOUT_FILENO));
  if (sources.errors) AISPM_CHECK(copy(1, std::move(sources.errors), STDERR_FILENO));
  if (sources.terminal)
    AISPM_CHECK(
        terminal_.attach(loop_, std::move(sources.terminal),
                         [this](std::string_view bytes) { return inspect(bytes, nullptr); }));
  return {};
}

Result<> Output::copy(std::size_t index, UniqueFd from, int to) {
  // Without a taker of events no line is cut.
  LineCutter* lines = delivery_.has_taker() ? &cutters_[index] : nullptr;
  copiers_[index] = std::make_unique<Copier>(
      loop_, std::move(from), to,
      [this, lines](std::string_view bytes) { return inspect(bytes, lines); });
  return copiers_[index]->start();
}

std::size_t Output::inspect(std::string_view bytes, LineCutter* lines) {
  std::size_t passing = bytes.size();
  if (limit_bytes_ != 0 && bytes.size() > limit_bytes_ - bytes_) {
    passing = static_cast<std::size_t>(limit_bytes_ - bytes_);
    is_over_limit_ = true;
  }
  bytes_ += passing;
  if (lines != nullptr) lines->feed(bytes.substr(0, passing));
  return passing;
}

bool Output::take_line(AgentLine line) { return delivery_.offer_line(log_event(run_, line)); }

bool Output::drain() {
  bool is_done = terminal_.drain();
  for (const auto& copier : copiers_)
    if (copier) is_done = copier->drain() && is_done;
  return is_done;
}

Output::Account Output::finish() {
  Account account;
  constexpr std::array<const char*, 2> kNames = {"standard output", "standard error"};
  for (std::size_t i = 0; i < copiers_.size(); ++i) {
    cutters_[i].finish();
    account.lines += cutters_[i].taken();
    account.lost_lines += cutters_[i].lost();
    if (!copiers_[i]) continue;
    if (const int error = copiers_[i]->write_error(); error != 0)
      account.failures.push_back(std::string(kNames[i]) + ": " + std::strerror(error));
    else if (copiers_[i]->has_pending())
      account.failures.push_back(std::string(kNames[i]) +
                                 ": the rest is lost, its reader did not take it before the end");
    copiers_[i]->close();
  }
  account.bytes = bytes_;
  terminal_.restore();
  return account;
}

}  // namespace aispm::sandbox
