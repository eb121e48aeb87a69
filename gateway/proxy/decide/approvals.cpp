// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/approvals.hpp"

#include <map>
#include <mutex>
#include <unordered_map>

#include "gateway/proxy/recorder.hpp"

namespace aispm::gateway {

struct Approvals::State {
  std::mutex mutex;
  bool is_closed = false;
  std::unordered_map<std::string, report::Approval> latest;  // of the last snapshot
  std::multimap<std::string, std::weak_ptr<Told>> watchers;

  void take(std::vector<report::Approval> approvals) {
    const std::scoped_lock guard(mutex);
    if (is_closed) return;
    latest.clear();
    for (report::Approval& one : approvals) latest.insert_or_assign(one.id, std::move(one));
    std::erase_if(watchers, [](const auto& watcher) { return watcher.second.expired(); });
    for (const auto& [id, weak] : watchers) {
      const auto known = latest.find(id);
      const auto told = weak.lock();
      if (told && known != latest.end()) (*told)(known->second);
    }
  }
};

Result<std::unique_ptr<Approvals>> Approvals::open(const Config& config) {
  if (!config.report) return std::unique_ptr<Approvals>();
  std::unique_ptr<Approvals> approvals(new Approvals);
  approvals->state_ = std::make_shared<State>();
  AISPM_TRY(approvals->client_,
            report::ApprovalClient::open(
                reporter_options(config),
                [state = approvals->state_](std::vector<report::Approval> changed) {
                  state->take(std::move(changed));
                }));
  return approvals;
}

Approvals::~Approvals() {
  if (!state_) return;
  const std::scoped_lock guard(state_->mutex);
  state_->is_closed = true;
}

Approvals::Answer Approvals::guarded(const std::shared_ptr<State>& state, Answer answer) {
  return [weak = std::weak_ptr(state), answer = std::move(answer)](Result<report::Approval> said) {
    const auto held = weak.lock();
    if (!held) return;
    const std::scoped_lock guard(held->mutex);
    if (!held->is_closed) answer(std::move(said));
  };
}

void Approvals::ask(const report::Approval& wanted, std::chrono::seconds valid, Answer answer) {
  client_->request(wanted, valid, guarded(state_, std::move(answer)));
}

void Approvals::use(const report::Approval& approval, Answer answer) {
  client_->use(approval, guarded(state_, std::move(answer)));
}

std::shared_ptr<Approvals::Told> Approvals::watch(const std::string& approval_id, Told told) {
  auto watcher = std::make_shared<Told>(std::move(told));
  const std::scoped_lock guard(state_->mutex);
  state_->watchers.emplace(approval_id, watcher);
  if (const auto known = state_->latest.find(approval_id); known != state_->latest.end())
    (*watcher)(known->second);
  return watcher;
}

}  // namespace aispm::gateway
