// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "gateway/collector/ingest/links.hpp"
#include "gateway/collector/ingest/writer.hpp"
#include "gateway/collector/workers.hpp"
#include "sdk/core/common/result.hpp"

namespace aispm::collector {

// Takes what operators did from where it was noted (store/operator_log.hpp) to the events, as a
// producer of its own beside the daemons: the collector on its host. Any thread; ends before the
// writer and the workers do.
class Audit {
 public:
  // Delivers what was left over from before, and what could not be delivered every few seconds.
  static std::unique_ptr<Audit> start(Writer& writer, Workers& workers, Links& links,
                                      const std::string& tenant, const std::string& version);
  Audit(const Audit&) = delete;
  Audit& operator=(const Audit&) = delete;
  ~Audit();
  // Looks for what was noted; never blocks: a worker sees to it. May be called for ever.
  std::function<void()> waker() const;

 private:
  struct State;
  explicit Audit(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
  std::jthread retry_;
};

}  // namespace aispm::collector
