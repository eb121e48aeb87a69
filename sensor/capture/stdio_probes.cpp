// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/stdio_probes.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <signal.h>

#include <cerrno>
#include <chrono>
#include <vector>

#include "bpf/events.h"
#include "bpf/stdio.skel.h"
#include "sensor/capture/bpf_log.hpp"

namespace aispm::sensor {
namespace {

constexpr std::uint64_t kSilentNanoseconds = 120'000'000'000;

// As struct stdio_server in bpf/include/stdio_state.h.
struct StdioServer {
  aispm_event_header owner;
  aispm_actor actor;
  std::uint64_t generation;
  std::uint64_t inode[2];
  std::uint64_t offset[2];
};
static_assert(sizeof(StdioServer) == 40 + 40 + 40);

}  // namespace

void StdioProbes::Free::operator()(stdio_bpf* programs) const { stdio_bpf::destroy(programs); }

Result<StdioProbes> StdioProbes::open(const SharedMaps& maps) {
  StdioProbes probes;
  probes.programs_.reset(stdio_bpf::open(nullptr));
  stdio_bpf* programs = probes.programs_.get();
  if (programs == nullptr) return fail_bpf("open the stdio programs", errno);
  AISPM_CHECK(maps.lend_to(programs->obj));
  ::bpf_program__set_autoattach(programs->progs.on_sys_exit, false);
  if (const int error = stdio_bpf::load(programs); error != 0)
    return fail_bpf("load the stdio programs", error);
  if (::bpf_map__value_size(programs->maps.stdio_servers) != sizeof(StdioServer))
    return fail(Errc::kInvalid, "struct stdio_server is not what it was");
  if (const int error = stdio_bpf::attach(programs); error != 0)
    return fail_bpf("attach the stdio programs", error);
  return probes;
}

Result<> StdioProbes::begin() {
  ++servers_;
  if (reading_) return {};
  reading_.reset(::bpf_program__attach(programs_->progs.on_sys_exit));
  if (!reading_) return fail_bpf("attach on_sys_exit", errno);
  return {};
}

void StdioProbes::drop(std::uint32_t pid) {
  // It may have gone by itself.
  (void)::bpf_map_delete_elem(::bpf_map__fd(programs_->maps.stdio_servers), &pid);
}

Result<> StdioProbes::sweep(BootTime now) {
  const int map = ::bpf_map__fd(programs_->maps.stdio_servers);
  std::vector<std::uint32_t> gone;
  std::size_t count = 0;
  std::uint32_t pid = 0;
  for (const std::uint32_t* before = nullptr; ::bpf_map_get_next_key(map, before, &pid) == 0;
       before = &pid) {
    StdioServer server{};
    ++count;
    if (::bpf_map_lookup_elem(map, &pid, &server) != 0) continue;
    const bool is_silent = server.offset[0] == 0 && server.offset[1] == 0 &&
                           now.nanoseconds > server.generation + kSilentNanoseconds;
    const bool is_gone = ::kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH;
    if (is_silent || is_gone) gone.push_back(pid);
  }
  for (const std::uint32_t one : gone) drop(one);
  servers_ = count - gone.size();
  if (servers_ == 0) reading_.reset();
  return {};
}

}  // namespace aispm::sensor
