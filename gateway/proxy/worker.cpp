// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/worker.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include "gateway/net/recycled_memory.hpp"
#include "gateway/proxy/client.hpp"
#include "gateway/proxy/observe/observatory.hpp"
#include "sdk/core/common/log.hpp"
#include "sdk/core/detect/scrub.hpp"

namespace aispm::gateway {

namespace asio = net::asio;

// Accepts until closed. Not a coroutine: the loop holds nothing over a wait but itself.
class Worker::Door {
 public:
  using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol>;

  Door(Worker& worker, UniqueFd fd, bool is_local)
      : worker_(worker), acceptor_(worker.context_), pause_(worker.context_), is_local_(is_local) {
    const int family = is_local ? AF_UNIX : AF_INET;
    acceptor_.assign(asio::generic::stream_protocol(family, 0), fd.release());
    accept();
  }

  void close() {
    net::error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
  }

 private:
  void accept() {
    acceptor_.async_accept([this](net::error_code error, net::Stream::Socket socket) {
      if (error == asio::error::operation_aborted || !acceptor_.is_open()) return;
      if (error) return accept_later(error);
      admit(std::move(socket));
      accept();
    });
  }

  void admit(net::Stream::Socket socket) {
    Services& services = worker_.services_;
    if (services.open_connections.load(std::memory_order_relaxed) >=
        services.config.limits.connections) {
      worker_.counters_.refused_connections.add();
      return;  // closes it: there is nobody to answer from
    }
    net::error_code ignored;
    if (!is_local_) socket.set_option(asio::ip::tcp::no_delay(true), ignored);
    // The worker's run() does not return before this coroutine has ended, so "detached" loses
    // nobody.
    asio::co_spawn(worker_.context_, serve_client(worker_, std::move(socket), is_local_),
                   asio::detached);
  }

  // Out of descriptors or memory: give running connections time to end.
  void accept_later(net::error_code error) {
    log::warn("accept.failed", {{"reason", error.message()}});
    pause_.expires_after(std::chrono::milliseconds(100));
    pause_.async_wait([this](net::error_code cancelled) {
      if (!cancelled && acceptor_.is_open()) accept();
    });
  }

  Worker& worker_;
  Acceptor acceptor_;
  asio::steady_timer pause_;
  bool is_local_;
};

Worker::Worker(Services& services)
    : services_(services), desk_(services.rules), mcp_pools_(services.mcp_servers.all().size()) {
  no_pool_.close();
}
Worker::~Worker() {
  pools_.clear();
  mcp_pools_.clear();
  voter_pool_.clear();
  doors_.clear();
}

Result<std::unique_ptr<Worker>> Worker::open(Services& services, UniqueFd tcp, UniqueFd local) {
  std::unique_ptr<Worker> worker(new Worker(services));
  if (tcp) worker->doors_.push_back(std::make_unique<Door>(*worker, std::move(tcp), false));
  if (local) worker->doors_.push_back(std::make_unique<Door>(*worker, std::move(local), true));
  return worker;
}

void Worker::run() {
  const net::RecycledMemory kept;
  context_.run();
}

void Worker::stop() {
  asio::post(context_, [this] { begin_stop(); });
}

void Worker::apply_freezes(std::shared_ptr<const policy::FreezeBook> book,
                           std::function<void()> done) {
  asio::post(context_, [this, book = std::move(book), done = std::move(done)]() mutable {
    freezes_.apply(*book, wall_now());
    // Behind all that let others pass before a write (let_others_pass): it is out by then, and
    // nothing follows this word.
    asio::post(context_, std::move(done));
  });
}

UpstreamPool& Worker::pool(const Provider& provider) {
  for (int tries = 0; tries < 2; ++tries) {
    for (const auto& one : pools_)
      if (one->provider.get() == &provider) return one->pool;
    renew_pools();  // there are new ones since it was asked last
  }
  return no_pool_;
}

// Exchanges may still hold connections of those that are let go: they come back to a closed door.
void Worker::renew_pools() {
  const ProviderShelf::Set set = services_.providers.current();
  std::vector<std::unique_ptr<ProviderPool>> pools;
  for (const auto& provider : set->all()) {
    const auto known = std::find_if(pools_.begin(), pools_.end(), [&](const auto& one) {
      return one && one->provider == provider;
    });
    if (known != pools_.end()) {
      pools.push_back(std::move(*known));
    } else {
      pools.push_back(std::make_unique<ProviderPool>());
      pools.back()->provider = provider;
    }
  }
  pools_ = std::move(pools);
}

void Worker::begin_stop() {
  if (stopping_) return;
  stopping_ = true;
  for (auto& door : doors_) door->close();
  drain_until_ = net::Clock::now() + kDrain;
  wait_for_end();
}

// Idle connections end as soon as their wait is cut short; running exchanges have kDrain.
void Worker::wait_for_end() {
  if (counters_.open_connections.get() == 0 && counters_.shadows_open.get() == 0) {
    pools_.clear();
    mcp_pools_.clear();
    voter_pool_.clear();
    watchdog_.stop();
    return;
  }
  if (net::Clock::now() >= drain_until_) watchdog_.expire_all();
  drain_.expires_after(std::chrono::milliseconds(50));
  drain_.async_wait([this](net::error_code) { wait_for_end(); });
}

Result<ScanContext> Worker::open_rules(std::string_view tenant, const policy::Context& caller,
                                       const PolicySet* policies) {
  ScanContext context;
  context.policies = policies ? *policies : services_.policies_for(caller.agent, tenant);
  const auto part = detect_part(context.policies.enforced.get());
  AISPM_TRY(RuleDesk::Rules rules, desk_.rules(tenant, part ? part->digest : std::string_view()));
  context.book = std::move(rules.book);
  context.bench = std::move(rules.bench);
  context.caller = caller;
  context.tables = desk_.tables(*context.book, caller);
  context.inspect = services_.config.detect.inspect;
  context.take_layers(context.book->own);
  return context;
}

asio::awaitable<void> Worker::let_others_pass() {
  if (exchanges_ <= 1) co_return;
  // What is posted holds the handler instead of being it: the handler would be sent on to the
  // executor that it remembers, which is this one behind a type that nobody knows.
  asio::deferred_t token;
  co_await asio::async_initiate<asio::deferred_t, void()>(
      [this](auto handler) {
        asio::post(context_, [go_on = std::move(handler)]() mutable { std::move(go_on)(); });
      },
      token);
}

std::span<char> Worker::read_room() {
  if (!read_room_) read_room_ = std::make_unique_for_overwrite<char[]>(kReadBytes);
  return {read_room_.get(), kReadBytes};
}

void Worker::take_room(std::string& text) {
  text.clear();
  if (text.capacity() > write_room_.capacity() && text.capacity() <= kKeptWriteBytes)
    write_room_.swap(text);
  std::string().swap(text);
}

void Worker::record(model::Event&& event) {
  if (auto rules = desk_.rules()) {
    const auto scrubbed = detect::scrub_secrets(*rules->book->engine, rules->bench->scratch,
                                                rules->bench->matches, event);
    counters_.event_secrets.add(scrubbed.secrets);
    counters_.event_texts_withheld.add(scrubbed.unscanned);
  } else {
    counters_.event_texts_withheld.add(detect::withhold_texts(event));
  }
  if (!event.session_id.empty()) services_.observatory->sessions.add(event);
  services_.recorder->offer(std::move(event));
}

}  // namespace aispm::gateway
