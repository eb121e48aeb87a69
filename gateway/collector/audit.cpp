// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/audit.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "gateway/collector/ingest/validate.hpp"
#include "gateway/collector/limits.hpp"
#include "gateway/collector/store/operator_log.hpp"
#include "sdk/core/common/id.hpp"
#include "sdk/core/common/log.hpp"
#include "sdk/core/report/host_facts.hpp"

namespace aispm::collector {
namespace {

constexpr std::uint32_t kMaxAtOnce = 256;
constexpr std::chrono::seconds kRetry{5};

}  // namespace

// One delivery at a time is on its way; what is noted meanwhile goes with the next.
struct Audit::State : std::enable_shared_from_this<Audit::State> {
  State(Writer& to, Workers& by, Links& among, std::string of_tenant, std::string of_version)
      : writer(to),
        workers(by),
        links(among),
        tenant(std::move(of_tenant)),
        version(std::move(of_version)) {}

  // The host's id: that of its daemons where some have enrolled.
  static Result<std::string> host_of(Desk& desk, const std::string& machine_id) {
    AISPM_TRY(store::Statement* const find,
              desk.database.cached("SELECT host_id FROM hosts WHERE identity=?"));
    const std::string identity = "machine:" + machine_id;
    AISPM_TRY(const bool is_row, find->bind(identity).step());
    std::string host_id = is_row ? find->text(0) : make_uuid();
    find->reset();
    return host_id;
  }

  Result<> introduce(Desk& desk) {
    if (producer) return {};
    const report::HostFacts facts = report::read_host_facts();
    auto made = std::make_shared<Producer>();
    made->tenant = tenant;
    made->component = "collector";
    AISPM_TRY(made->host_id, host_of(desk, facts.machine_id));
    made->hello.set_component("collector");
    made->hello.set_version(version);
    made->hello.set_hostname(facts.hostname);
    made->hello.set_producer_id(make_uuid());
    made->hello.mutable_host()->set_machine_id(facts.machine_id);
    made->hello.mutable_host()->set_os(facts.os);
    made->hello.mutable_host()->set_kernel(facts.kernel);
    made->hello.mutable_host()->set_architecture(facts.architecture);
    links.add({made->host_id, made->component});
    producer = std::move(made);
    return {};
  }

  std::unique_ptr<Delivery> greeting() const {
    auto hello = std::make_unique<Delivery>();
    hello->producer = producer;
    hello->is_hello = true;
    return hello;
  }

  // On a worker.
  void run(Desk& desk) {
    {
      const std::lock_guard lock(mutex);
      if (is_busy) {
        is_stale = true;
        return;
      }
      is_busy = true;
      is_stale = false;
    }
    auto delivery = gather(desk);
    if (!delivery) {
      if (!is_failing.exchange(true)) log::error("audit.failed", delivery.error());
      return end();
    }
    if (is_failing.exchange(false)) log::info("audit.recovered");
    if (!*delivery) return end();
    if (!was_greeted) {
      auto hello = greeting();
      if (!writer.offer(
              hello, [](const Delivery&) {}, again()))
        return end();
      was_greeted = true;
    }
    // Taken or not: `again` comes back for it.
    if (!writer.offer(*delivery, done(), again())) end();
  }

  Result<std::unique_ptr<Delivery>> gather(Desk& desk) {
    AISPM_TRY(const auto actions, store::waiting_actions(desk.database, kMaxAtOnce));
    if (actions.empty()) return std::unique_ptr<Delivery>();
    AISPM_CHECK(introduce(desk));
    RawBatch batch;
    batch.sequence = ++sequence;
    for (const store::NotedAction& action : actions) batch.events.push_back(action.event);
    AcceptedBatch accepted = accept_batch(batch, producer);
    if (accepted.delivery->rejected > 0)
      log::error("audit.rejected",
                 {{"reason", accepted.first_problem}, {"actions", accepted.delivery->rejected}});
    last_ref = actions.back().ref;
    return std::move(accepted.delivery);
  }

  Writer::Done done() {
    return [self = shared_from_this(), ref = last_ref](const Delivery&) {
      const bool is_posted = self->post([self, ref](Desk& desk) {
        if (auto gone = store::forget_actions(desk.database, ref); !gone)
          log::warn("audit.repeats",
                    {{"reason", gone.error().message}});  // events have ids: nothing stands twice
        self->end();
        self->run(desk);
      });
      if (!is_posted) self->end();
    };
  }
  Writer::Wake again() {
    return [self = shared_from_this()] { self->wake(); };
  }
  void wake() {
    (void)post([self = shared_from_this()](Desk& desk) { self->run(desk); });
  }
  bool post(Workers::Job job) {
    const std::lock_guard lock(gate);
    if (is_closed) return false;
    auto posted = workers.post(std::move(job));
    if (!posted && !is_failing.exchange(true))
      log::warn("audit.waits", {{"reason", posted.error().message}});
    return posted.has_value();
  }
  void end() {
    bool must_run = false;
    {
      const std::lock_guard lock(mutex);
      is_busy = false;
      must_run = std::exchange(is_stale, false);
    }
    if (must_run) wake();
  }

  Writer& writer;
  Workers& workers;
  Links& links;
  const std::string tenant;
  const std::string version;
  std::atomic<bool> is_failing = false;  // something waits, and nobody comes back for it
  std::mutex gate;                       // guards the next; the writer may outlive the workers
  bool is_closed = false;
  std::mutex mutex;  // guards the next two
  bool is_busy = false;
  bool is_stale = false;
  // Of whoever is busy.
  std::shared_ptr<const Producer> producer;
  bool was_greeted = false;
  std::uint64_t sequence = 0;
  std::int64_t last_ref = 0;
};

std::unique_ptr<Audit> Audit::start(Writer& writer, Workers& workers, Links& links,
                                    const std::string& tenant, const std::string& version) {
  std::unique_ptr<Audit> audit(
      new Audit(std::make_shared<State>(writer, workers, links, tenant, version)));
  audit->state_->wake();
  audit->retry_ = std::jthread([state = audit->state_](const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any never;
    while (!stop.stop_requested()) {
      std::unique_lock lock(mutex);
      never.wait_for(lock, stop, kRetry, [] { return false; });
      if (!stop.stop_requested() && state->is_failing) state->wake();
    }
  });
  return audit;
}

Audit::~Audit() {
  const std::lock_guard lock(state_->gate);
  state_->is_closed = true;
}

std::function<void()> Audit::waker() const {
  return [state = state_] { state->wake(); };
}

}  // namespace aispm::collector
