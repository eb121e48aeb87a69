// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/common/result.hpp"
#include "sensor/capture/ring_reader.hpp"
#include "sensor/capture/shared_maps.hpp"

struct bpf_link;
struct bpf_program;
extern "C" int bpf_link__destroy(bpf_link* link);
struct network_bpf;
struct packets_bpf;

namespace aispm::sensor {

// listen, connect and what TCP sockets carried, attached while this lives. Lives on the pipeline
// thread.
class NetworkTracepoints {
 public:
  using OnRecord = RingReader::OnRecord;

  static Result<NetworkTracepoints> open(const SharedMaps& maps);

  // The sockets that were there before: listeners, then connections, of every process in every
  // network namespace. Hands over kernel records.
  Result<> scan(const OnRecord& on_record);
  // Totals of the open connections that carried something since the last call.
  Result<> report_open(const OnRecord& on_record);

  // The map of socket states, for the other programs.
  int states() const;

 private:
  struct Free {
    void operator()(network_bpf* programs) const;
  };
  std::unique_ptr<network_bpf, Free> programs_;
};

// Names in packets, the bytes of plain HTTP to model servers, UDP; attached to the root cgroup
// while this lives.
class PacketProbes {
 public:
  static Result<PacketProbes> open(const SharedMaps& maps, const NetworkTracepoints& network);

  // Plain HTTP on this port is captured from now on, whatever it asks.
  Result<> capture_port(std::uint16_t port);

 private:
  using Link = CPtr<bpf_link, bpf_link__destroy>;
  struct Free {
    void operator()(packets_bpf* programs) const;
  };
  std::unique_ptr<packets_bpf, Free> programs_;
  std::vector<Link> hooks_;
};

}  // namespace aispm::sensor
