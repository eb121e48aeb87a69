// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/observe/observatory.hpp"

namespace aispm::gateway {

void Observatory::add_source(Source source) {
  const std::lock_guard lock(mutex_);
  sources_.push_back(std::move(source));
}

std::vector<Figure> Observatory::figures() const {
  std::vector<Source> sources;
  {
    const std::lock_guard lock(mutex_);
    sources = sources_;
  }
  std::vector<Figure> figures;
  for (const Source& source : sources) source(figures);
  return figures;
}

void Observatory::note_moment(const std::function<Moment()>& read,
                              std::chrono::steady_clock::time_point now) {
  {
    const std::lock_guard lock(mutex_);
    if (!moments_.empty() && now - moments_.back()->at < kMomentEvery) return;
  }
  auto moment = std::make_shared<const Moment>(read());
  const std::lock_guard lock(mutex_);
  moments_.push_back(std::move(moment));
  // One that is older than the window stays: differences need its start.
  while (moments_.size() > 1 && now - moments_[1]->at >= kWindow) moments_.pop_front();
}

std::shared_ptr<const Observatory::Moment> Observatory::moment_before(
    std::chrono::steady_clock::time_point now, std::chrono::seconds ago) const {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<const Moment> found;
  for (const auto& moment : moments_) {
    if (found && now - moment->at < ago) break;
    found = moment;
  }
  return found;
}

void Observatory::set_reload_error(std::string error) {
  const std::lock_guard lock(mutex_);
  reload_error_ = std::move(error);
}

std::string Observatory::reload_error() const {
  const std::lock_guard lock(mutex_);
  return reload_error_;
}

}  // namespace aispm::gateway
