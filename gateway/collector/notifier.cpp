// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/notifier.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

#include "gateway/collector/store/notice_box.hpp"
#include "gateway/net/dial.hpp"
#include "sdk/core/common/hmac.hpp"
#include "sdk/core/common/log.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::collector {

using net::Task;

namespace {

constexpr std::chrono::seconds kSendLimit{10};
constexpr std::chrono::milliseconds kLook{30'000};  // also without a word: approvals expire
constexpr std::chrono::milliseconds kStorePause{5'000};
constexpr std::size_t kStatusBytes = 12;  // "HTTP/1.1 200"

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

std::chrono::milliseconds pause_after(int tries) {
  return std::min<std::chrono::milliseconds>(Notifier::kFirstPause * (1LL << std::min(tries, 16)),
                                             Notifier::kLastPause);
}

}  // namespace

bool NotifyConfig::wants(const aispm::v1::Approval& approval) const {
  const auto has = [](const std::vector<std::string>& wanted, const std::string& one) {
    return wanted.empty() || std::find(wanted.begin(), wanted.end(), one) != wanted.end();
  };
  const bool is_human = approval.kind() == aispm::v1::APPROVAL_KIND_HUMAN;
  return has(kinds, is_human ? "human" : "approval") && has(roles, approval.approver_role()) &&
         (agents.empty() || std::any_of(agents.begin(), agents.end(), [&](const auto& glob) {
            return glob.matches(approval.agent_id());
          }));
}

struct Notifier::State {
  explicit State(store::Database opened) : database(std::move(opened)) {}

  NotifyConfig config;
  MakeBody make_body;
  store::Database database;  // of the thread
  net::Origin origin;
  std::string path;
  std::shared_ptr<net::asio::ssl::context> tls;

  mutable std::mutex mutex;  // guards the next two
  bool is_woken = false;
  Counts counts;
  std::condition_variable_any changed;
  std::jthread thread;  // ends first

  void run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const auto pause = work(stop);
      if (!pause)
        log::warn("notify.store", {{"receiver", config.name}, {"reason", pause.error().message}});
      std::unique_lock guard(mutex);
      changed.wait_for(guard, stop, pause ? *pause : kStorePause, [this] { return is_woken; });
      is_woken = false;
    }
  }

  // Sends what is due; gives the time until there is something more to do.
  Result<std::chrono::milliseconds> work(const std::stop_token& stop) {
    store::NoticeBox box(database, config.name);
    while (!stop.stop_requested()) {
      AISPM_TRY(const std::uint64_t given_up, box.drop_closed(wall_now()));
      AISPM_TRY(const auto notice, box.next(wall_now()));
      AISPM_TRY(const auto waiting, box.waiting(wall_now()));
      count(given_up, waiting.count);
      if (notice) {
        AISPM_CHECK(deliver(box, *notice, stop));
        continue;
      }
      if (!waiting.due) return kLook;
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(
          std::chrono::nanoseconds(waiting.due->nanoseconds - wall_now().nanoseconds));
      return std::clamp(left, std::chrono::milliseconds(1), kLook);
    }
    return kLook;
  }

  Result<> deliver(store::NoticeBox& box, const store::DueNotice& notice,
                   const std::stop_token& stop) {
    if (!config.wants(notice.approval)) return box.mark_unwanted(notice);
    // Who hears of all roles knows of it; that another one is asked concerns who names that one.
    if (notice.was_told && config.roles.empty()) return box.mark_taken(notice);
    const Result<> taken = send_once(make_body(notice.approval), stop);
    if (!taken && stop.stop_requested()) return {};  // cut short: due again after the next start
    note(taken);
    if (taken) return box.mark_taken(notice);
    const auto pause = std::chrono::nanoseconds(pause_after(notice.tries));
    return box.put_off(notice, WallTime{wall_now().nanoseconds + pause.count()});
  }

  void note(const Result<>& taken) {
    const std::scoped_lock guard(mutex);
    const std::string problem = taken ? std::string() : taken.error().message;
    ++(taken ? counts.sent : counts.retried);
    if (problem != counts.problem && !problem.empty())
      log::warn("notify.failed", {{"receiver", config.name}, {"reason", problem}});
    counts.problem = problem;
  }

  void count(std::uint64_t given_up, std::uint64_t waiting) {
    const std::scoped_lock guard(mutex);
    counts.given_up += given_up;
    counts.waiting = waiting;
    if (waiting == 0) counts.problem.clear();  // nobody waits to be told
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

Result<std::unique_ptr<Notifier>> Notifier::start(const NotifyConfig& config,
                                                  const std::string& store_path,
                                                  MakeBody make_body) {
  AISPM_TRY(store::Database database, store::Database::open(store_path));
  auto state = std::make_unique<State>(std::move(database));
  state->config = config;
  state->make_body = std::move(make_body);
  const auto scheme = config.url.find("://");
  const auto slash =
      scheme == std::string::npos ? std::string::npos : config.url.find('/', scheme + 3);
  AISPM_TRY(state->origin, net::parse_origin(config.url.substr(0, slash)));
  state->path = slash == std::string::npos ? "/" : config.url.substr(slash);
  if (std::any_of(state->path.begin(), state->path.end(),
                  [](char c) { return c <= ' ' || c == 0x7f; }))
    return fail(Errc::kInvalid,
                "approvals, receiver " + config.name + ": url: holds a space or control character");
  if (state->origin.tls) {
    AISPM_TRY(state->tls, net::make_tls_context(config.ca_file));
  }
  AISPM_CHECK(store::NoticeBox(state->database, config.name).forget_unwanted());
  State* const own = state.get();
  own->thread = std::jthread([own](const std::stop_token& stop) { own->run(stop); });
  return std::unique_ptr<Notifier>(new Notifier(std::move(state)));
}

void Notifier::wake() {
  const std::scoped_lock guard(state_->mutex);
  state_->is_woken = true;
  state_->changed.notify_all();
}

Notifier::Counts Notifier::counts() const { return state_->snapshot(); }

}  // namespace aispm::collector
