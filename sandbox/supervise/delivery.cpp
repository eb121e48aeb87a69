// SPDX-License-Identifier: Apache-2.0
#include "sandbox/supervise/delivery.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

namespace aispm::sandbox {
namespace {
constexpr const char* kEventsPath = "/aispm/v1/events";
constexpr const char* kUnknownField = "Cannot find field";  // protobuf's words, in the 400
constexpr std::chrono::milliseconds kCallTimeout{5000};
constexpr std::chrono::milliseconds kLastCallTimeout{1000};
constexpr std::chrono::milliseconds kRetryDelay{200};
}  // namespace

Result<std::unique_ptr<Delivery>> Delivery::open(std::optional<GatewayLink> link,
                                                 const std::string& events_path) {
  UniqueFd file;
  if (!events_path.empty()) {
    file.reset(
        ::open(events_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600));
    if (!file) return fail_errno("--events " + events_path);
  }
  return std::unique_ptr<Delivery>(new Delivery(std::move(link), std::move(file)));
}

Delivery::~Delivery() {
  std::string reason;
  (void)finish(std::chrono::milliseconds(0), reason);
}

Result<> Delivery::write_line(const std::string& event) {
  if (!file_) return {};
  const std::string line = event + "\n";
  if (::write(file_.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()))
    return fail_errno("write the events file");
  return {};
}

Result<> Delivery::deliver_first(const std::string& event) {
  AISPM_CHECK(write_line(event));
  if (!link_) return {};
  return send("{\"events\":[" + event + "]}", kCallTimeout);
}

Result<> Delivery::send(const std::string& body, std::chrono::milliseconds timeout) {
  const auto answer = link_->call("POST", kEventsPath, body, timeout);
  if (answer) {
    const std::string unknown = find_json_text(*answer, "unknown_fields");
    const std::lock_guard lock(mutex_);
    if (!unknown.empty()) unknown_fields_ += std::strtoull(unknown.c_str(), nullptr, 10);
    return {};
  }
  // A gateway of before it learned to leave out what it does not know.
  if (answer.error().message.find(kUnknownField) == std::string::npos) return fail(answer.error());
  return fail(answer.error().code, answer.error().message +
                                       ". It is older than this aispm-run: update aispm-gateway to "
                                       "the same version and start it anew");
}

std::string Delivery::not_understood() const {
  if (unknown_fields_ == 0) return "";
  return "the gateway left out " + std::to_string(unknown_fields_) +
         " fields of what this run reported: it is older than this aispm-run. Update aispm-gateway "
         "to the same version";
}

void Delivery::offer(std::string event) {
  auto written = write_line(event);
  const std::lock_guard lock(mutex_);
  if (!written) {
    last_error_ = written.error().message;
    if (!link_) ++lost_;
  }
  if (!link_) return;
  if (queue_.size() >= kMaxQueued) {
    ++lost_;
    return;
  }
  queue_.push_back(std::move(event));
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  changed_.notify_one();
}

void Delivery::note(const std::string& event) {
  if (auto written = write_line(event); !written) {
    const std::lock_guard lock(mutex_);
    last_error_ = written.error().message;
    ++lost_;
  }
}

bool Delivery::offer_line(std::string event) {
  {
    const std::lock_guard lock(mutex_);
    if (link_ && queue_.size() >= kMaxQueued / 2) return false;
  }
  offer(std::move(event));
  return true;
}

std::string Delivery::next_batch(std::size_t& count) const {
  std::string body;
  count = 0;
  for (const auto& event : queue_) {
    if (count == kMaxBatchEvents) break;
    if (count != 0 && body.size() + event.size() > kMaxBatchBytes) break;
    body += (count == 0 ? "" : ",") + event;
    ++count;
  }
  return "{\"events\":[" + body + "]}";
}

void Delivery::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    std::size_t count = 0;
    const std::string body = next_batch(count);
    const auto timeout = stopping_ ? kLastCallTimeout : kCallTimeout;
    lock.unlock();
    const auto sent = send(body, timeout);
    lock.lock();
    const bool is_refused =
        !sent && sent.error().code == Errc::kInvalid;  // retrying would not help
    if (!sent) last_error_ = sent.error().message;
    if (is_refused) lost_ += count;
    if (sent || is_refused) {
      queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(count));
      continue;
    }
    if (std::chrono::steady_clock::now() >= give_up_) return;
    changed_.wait_for(lock, kRetryDelay, [this] { return stopping_; });
    if (stopping_) {
      if (std::chrono::steady_clock::now() >= give_up_) return;
      lock.unlock();
      std::this_thread::sleep_for(kRetryDelay / 4);
      lock.lock();
    }
  }
}

std::uint64_t Delivery::finish(std::chrono::milliseconds patience, std::string& reason) {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    give_up_ = std::min(give_up_, std::chrono::steady_clock::now() + patience);
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
  const std::lock_guard lock(mutex_);
  lost_ += queue_.size();
  queue_.clear();
  reason = last_error_;
  return lost_;
}

}  // namespace aispm::sandbox
