// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gateway/proxy/client.hpp"
#include "gateway/proxy/traffic/traffic.hpp"
#include "sdk/core/codec/llm.hpp"
#include "sdk/core/model/event.hpp"

namespace aispm::gateway {

// A request on its way to a candidate whose reply nobody gets: with all that it needs, because the
// exchange that it was copied from may end first. Lives on its worker's thread.
struct ShadowCall {
  ShadowCall(Worker& on, Traffic::Arm& asked) : worker(on), arm(asked) {}

  Worker& worker;
  Traffic::Arm& arm;
  std::shared_ptr<Provider> provider;
  std::string head;  // of the request
  std::string body;
  codec::Api api = codec::Api::kOpenAiChat;
  bool streams = false;
  Caller caller;
  std::string model;  // that is asked for
  std::string trace_id;
  std::string parent_span_id;
  std::size_t held_bytes = 0;

  model::LlmCall call;
  std::vector<model::Detection> detections;
  net::Clock::time_point started = net::Clock::now();
  WallTime started_wall = wall_now();
  net::Stream* in_flight = nullptr;
  bool is_stopped = false;  // an operator stopped the caller
};

// Asks, reads the reply to its end, scans and records it. After the caller's own next wait.
net::asio::awaitable<void> run_shadow(std::shared_ptr<ShadowCall> shadow);

}  // namespace aispm::gateway
