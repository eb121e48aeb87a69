// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sensor/pipeline.hpp"
#include "tests/unit/sensor/records.hpp"

namespace aispm::sensor {

// Keeps the events it is given.
class KeepingSink : public EventSink {
 public:
  void offer(model::Event event) override { events.push_back(std::move(event)); }
  void add_health(model::ComponentHealth& health) const override {
    health.counters["sink.events"] = events.size();
  }
  std::vector<model::Event> events;
};

// The whole pipeline with the built-in signatures; the kernel's records go in as bytes.
class PipelineTest : public testing::Test {
 protected:
  explicit PipelineTest(bool keep_text = false)
      : pipeline_({sink_, Classifier(Signatures::builtin().value(), registry()),
                   [](std::uint32_t) { return std::optional<Exec>(); },
                   [](std::uint32_t uid) { return "user" + std::to_string(uid); },
                   [this](std::uint32_t pid) { started_.push_back(pid); }, keep_text, gateways(),
                   Behaviour(behaviour()), [](std::uint16_t) {}}) {}

  static std::vector<GatewayPlace> gateways() {
    return {parse_gateway_place("192.0.2.99:8088").value()};
  }
  static Behaviour::Parts behaviour() {
    Behaviour::Parts parts;
    parts.on_join = [](const model::ProcessId&, std::uint32_t) {};
    parts.descendants = [](const model::ProcessId&) { return std::vector<model::ProcessId>(); };
    parts.environment = [](const model::ProcessId&) { return Secret(); };
    return parts;
  }

  static Registry registry() {
    Registry registry;
    registry.executables = {"/opt/approved"};
    return registry;
  }
  void take(const std::string& record) { pipeline_.take_bytes(records::as_span(record)); }

  template <typename Body>
  std::vector<std::pair<model::Event, Body>> of() const {
    std::vector<std::pair<model::Event, Body>> found;
    for (const model::Event& event : sink_.events)
      if (const Body* body = std::get_if<Body>(&event.body)) found.emplace_back(event, *body);
    return found;
  }
  model::ComponentHealth health() const {
    model::ComponentHealth health;
    pipeline_.add_health(health);
    return health;
  }

  KeepingSink sink_;
  std::vector<std::uint32_t> started_;
  Pipeline pipeline_;
};

}  // namespace aispm::sensor
