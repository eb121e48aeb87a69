// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/notifier.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <stop_token>
#include <thread>

#include "gateway/net/dial.hpp"
#include "sdk/core/common/hmac.hpp"
#include "sdk/core/common/log.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::collector {

using net::Task;

namespace {

constexpr std::chrono::seconds kSendLimit{10};
constexpr std::chrono::milliseconds kFirstPause{500};  // then twice as long each time
constexpr std::size_t kStatusBytes = 12;               // "HTTP/1.1 200"

// Says the status of the answer.
Task<int> post(net::asio::io_context& context, net::Watchdog& watchdog, net::Origin origin,
               std::shared_ptr<net::asio::ssl::context> tls, bool allow_private,
               std::string message) {
  AISPM_CO_TRY(const std::unique_ptr<net::Stream> stream,
               co_await net::dial(context, watchdog, std::move(origin), std::move(tls),
                                  {.allow_private = allow_private, .deadline = kSendLimit}));
  stream->expire_after(kSendLimit);
  AISPM_CO_CHECK(co_await stream->write(message));
  std::string head;
  std::array<char, 512> space{};
  while (head.size() < kStatusBytes) {
    AISPM_CO_TRY(const std::size_t count, co_await stream->read_some(space));
    if (count == 0) co_return fail(Errc::kUnavailable, "closed the connection without an answer");
    head.append(space.data(), count);
  }
  if (!head.starts_with("HTTP/1.") || head[9] < '1' || head[9] > '5')
    co_return fail(Errc::kInvalid, "answered something that is no HTTP");
  co_return (head[9] - '0') * 100 + (head[10] - '0') * 10 + (head[11] - '0');
}

}  // namespace

struct Notifier::State {
  NotifyConfig config;
  net::Origin origin;
  std::string path;
  std::shared_ptr<net::asio::ssl::context> tls;

  mutable std::mutex mutex;  // guards the next three
  std::deque<std::string> waiting;
  Counts counts;
  std::condition_variable_any changed;
  std::jthread thread;  // ends first

  void run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      std::string body;
      {
        std::unique_lock guard(mutex);
        if (!changed.wait(guard, stop, [this] { return !waiting.empty(); })) return;
        body = std::move(waiting.front());
        waiting.pop_front();
      }
      deliver(body, stop);
    }
  }

  void deliver(const std::string& body, const std::stop_token& stop) {
    auto pause = kFirstPause;
    for (int tried = 1; !stop.stop_requested(); ++tried) {
      const Result<> taken = send_once(body, stop);
      if (note(taken, tried)) return;
      std::mutex sleep;
      std::unique_lock asleep(sleep);
      std::condition_variable_any().wait_for(asleep, stop, pause, [] { return false; });
      pause *= 2;
    }
  }

  // True when nothing more is to be done about it.
  bool note(const Result<>& taken, int tried) {
    const std::scoped_lock guard(mutex);
    counts.problem = taken ? std::string() : taken.error().message;
    if (taken) ++counts.sent;
    if (taken || tried < kTries) return taken.has_value();
    ++counts.failed;
    log::warn("notify.failed", {{"reason", counts.problem}});
    return true;
  }

  Counts snapshot() const {
    const std::scoped_lock guard(mutex);
    return counts;
  }

  Result<> send_once(const std::string& body, const std::stop_token& stop) const {
    const std::string time = std::to_string(wall_now().nanoseconds / 1'000'000'000);
    std::string message =
        "POST " + path + " HTTP/1.1\r\nhost: " + origin.authority() +
        "\r\ncontent-type: application/json\r\ncontent-length: " + std::to_string(body.size()) +
        "\r\nx-aispm-signature: t=" + time +
        ",v1=" + hmac_sha256_hex(config.secret, time + "." + body) +
        "\r\nuser-agent: aispm-collector\r\nconnection: close\r\n\r\n" + body;
    net::asio::io_context context(1);
    net::Watchdog watchdog(context);
    Result<int> status = fail(Errc::kDeadlineExceeded, "no answer in time");
    net::asio::co_spawn(
        context,
        collect(context, watchdog, origin, tls, config.allow_private, std::move(message), &status),
        net::asio::detached);
    {
      const std::stop_callback hurry(
          stop, [&] { net::asio::post(context, [&] { watchdog.expire_all(); }); });
      context.run_for(2 * kSendLimit);
    }
    // What still hangs holds a stream that looks at the watchdog: it ends before both.
    watchdog.expire_all();
    context.restart();
    context.run();
    AISPM_CHECK(status);
    if (*status < 200 || *status > 299)
      return fail(Errc::kUnavailable, "answered with status " + std::to_string(*status));
    return {};
  }

  static net::asio::awaitable<void> collect(net::asio::io_context& context, net::Watchdog& watchdog,
                                            net::Origin origin,
                                            std::shared_ptr<net::asio::ssl::context> tls,
                                            bool allow_private, std::string message,
                                            Result<int>* status) {
    *status = co_await post(context, watchdog, std::move(origin), std::move(tls), allow_private,
                            std::move(message));
    watchdog.stop();
  }
};

Notifier::Notifier(std::unique_ptr<State> state) : state_(std::move(state)) {}
Notifier::~Notifier() = default;

Result<std::unique_ptr<Notifier>> Notifier::start(const NotifyConfig& config) {
  auto state = std::make_unique<State>();
  state->config = config;
  const auto scheme = config.url.find("://");
  const auto slash =
      scheme == std::string::npos ? std::string::npos : config.url.find('/', scheme + 3);
  AISPM_TRY(state->origin, net::parse_origin(config.url.substr(0, slash)));
  state->path = slash == std::string::npos ? "/" : config.url.substr(slash);
  if (std::any_of(state->path.begin(), state->path.end(),
                  [](char c) { return c <= ' ' || c == 0x7f; }))
    return fail(Errc::kInvalid, "approvals.notify.url: holds a space or control character");
  if (state->origin.tls) {
    AISPM_TRY(state->tls, net::make_tls_context(config.ca_file));
  }
  State* const own = state.get();
  own->thread = std::jthread([own](const std::stop_token& stop) { own->run(stop); });
  return std::unique_ptr<Notifier>(new Notifier(std::move(state)));
}

void Notifier::send(std::string body) {
  const std::scoped_lock guard(state_->mutex);
  if (state_->waiting.size() >= kMaxWaiting) {
    ++state_->counts.dropped;
    return;
  }
  state_->waiting.push_back(std::move(body));
  state_->changed.notify_all();
}

Notifier::Counts Notifier::counts() const { return state_->snapshot(); }

}  // namespace aispm::collector
