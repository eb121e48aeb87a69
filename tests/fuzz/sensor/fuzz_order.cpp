// SPDX-License-Identifier: Apache-2.0
// Orders as a collector may send them: what the sensor takes it can put into the kernel's tables,
// or it says why not.
#include <cstdlib>

#include "sdk/core/report/order_convert.hpp"
#include "sensor/decide/decider.hpp"

namespace {

using namespace aispm;

constexpr WallTime kNow{1'000'000'000'000};

sensor::Decider make_decider() {
  return sensor::Decider(
      {[](const std::string& user) -> std::optional<std::uint32_t> {
         return user == "alice" ? std::optional<std::uint32_t>(1001) : std::nullopt;
       },
       [](const std::string& path) -> std::optional<std::uint64_t> {
         return path == "/agents" ? std::optional<std::uint64_t>(77) : std::nullopt;
       },
       [](const std::string& provider) {
         return provider == "openai" ? std::vector<std::string>{"api.openai.com", "*.azure.com"}
                                     : std::vector<std::string>();
       }},
      {{"/usr/sbin/sshd"}, {}});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  v1::OrderSnapshot snapshot;
  if (!snapshot.ParseFromArray(data, static_cast<int>(size))) return 0;
  std::vector<model::Order> orders;
  for (const v1::Order& one : snapshot.orders())
    if (auto order = report::from_proto(one)) orders.push_back(std::move(*order));
  sensor::Decider decider = make_decider();
  const model::ProcessId agent{4242, {7'000'000'123}};
  sensor::Decider::Known known;
  known.uid = 1001;
  known.user = "alice";
  known.exe = "/usr/bin/python3";
  known.agent_id = "alice/codex";
  (void)decider.on_process(agent, known);
  const auto problems = decider.set_orders(orders, kNow);
  decider.on_name("api.openai.com", {}, BootTime{1}, sensor::Decider::NameWord::kHosts);
  (void)decider.tables();
  for (const model::Order& order : orders) {
    const bool is_over = order.expires.nanoseconds != 0 && order.expires <= kNow;
    const bool is_taken = !is_over && problems.count(order.id) == 0;
    if (is_taken && decider.order_of(decider.rule_of(order.id).raw) == nullptr) std::abort();
  }
  (void)decider.judge_call(agent, {}, {});
  decider.settle();
  return 0;
}
