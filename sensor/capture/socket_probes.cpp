// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/socket_probes.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <span>

#include "bpf/events.h"
#include "bpf/network.skel.h"
#include "bpf/packets.skel.h"
#include "sdk/core/common/file.hpp"
#include "sdk/core/common/unique_fd.hpp"
#include "sensor/capture/bpf_log.hpp"
#include "sensor/capture/cgroup_root.hpp"

namespace aispm::sensor {
namespace {

constexpr std::size_t kReadBytes = 64U << 10;
constexpr std::uint16_t kUsualEphemeralPort = 32768;

// UDP ports from here on are the kernel's to give, so no server chose them.
std::uint16_t first_ephemeral_port() {
  const auto text = read_file("/proc/sys/net/ipv4/ip_local_port_range", 256);
  std::uint16_t port = kUsualEphemeralPort;
  if (text) std::from_chars(text->data(), text->data() + text->size(), port);
  return port;
}

// Reads the records that an iterator writes; each says its own size.
Result<> read_iterator(const bpf_program* program, const bpf_iter_attach_opts* options,
                       const RingReader::OnRecord& on_record) {
  const std::string name = ::bpf_program__name(program);
  const CPtr<bpf_link, bpf_link__destroy> link(::bpf_program__attach_iter(program, options));
  if (!link) return fail_bpf("attach " + name, errno);
  const UniqueFd file(::bpf_iter_create(::bpf_link__fd(link.get())));
  if (!file) return fail_errno("start " + name);
  std::vector<std::byte> bytes(kReadBytes);
  std::size_t have = 0;
  while (true) {
    const ssize_t got = ::read(file.get(), bytes.data() + have, bytes.size() - have);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return fail_errno("read " + name);
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
    std::size_t at = 0;
    aispm_event_header header{};
    while (have - at >= sizeof(header)) {
      std::memcpy(&header, bytes.data() + at, sizeof(header));
      if (header.size < sizeof(header) || header.size > bytes.size())
        return fail(Errc::kInvalid, name + " wrote a record of a wrong size");
      if (have - at < header.size) break;
      on_record(std::span(bytes).subspan(at, header.size));
      at += header.size;
    }
    std::memmove(bytes.data(), bytes.data() + at, have - at);
    have -= at;
  }
  if (have > 0) return fail(Errc::kInvalid, name + " wrote half a record");
  return {};
}

}  // namespace

void NetworkTracepoints::Free::operator()(network_bpf* programs) const {
  network_bpf::destroy(programs);
}
void PacketProbes::Free::operator()(packets_bpf* programs) const { packets_bpf::destroy(programs); }

Result<NetworkTracepoints> NetworkTracepoints::open(const SharedMaps& maps) {
  NetworkTracepoints tracepoints;
  tracepoints.programs_.reset(network_bpf::open(nullptr));
  network_bpf* programs = tracepoints.programs_.get();
  if (programs == nullptr) return fail_bpf("open the network programs", errno);
  programs->rodata->first_ephemeral_port = first_ephemeral_port();
  AISPM_CHECK(maps.lend_to(programs->obj));
  for (bpf_program* program : {programs->progs.scan_sockets, programs->progs.report_open_sockets})
    ::bpf_program__set_autoattach(program, false);
  if (const int error = network_bpf::load(programs); error != 0)
    return fail_bpf("load the network programs", error);
  if (const int error = network_bpf::attach(programs); error != 0)
    return fail_bpf("attach the network programs", error);
  return tracepoints;
}

Result<> NetworkTracepoints::scan(const OnRecord& on_record) {
  for (const std::uint32_t pass : {0U, 1U}) {
    programs_->bss->scan_pass = pass;
    AISPM_CHECK(read_iterator(programs_->progs.scan_sockets, nullptr, on_record));
  }
  return {};
}

Result<> NetworkTracepoints::report_open(const OnRecord& on_record) {
  bpf_iter_link_info which{};
  which.map.map_fd = static_cast<std::uint32_t>(states());
  LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &which, .link_info_len = sizeof(which));
  return read_iterator(programs_->progs.report_open_sockets, &options, on_record);
}

int NetworkTracepoints::states() const { return ::bpf_map__fd(programs_->maps.socket_states); }

Result<PacketProbes> PacketProbes::open(const SharedMaps& maps, const NetworkTracepoints& network) {
  const std::string root = find_cgroup_root();
  if (root.empty())
    return fail(Errc::kUnsupported,
                "no cgroup2 file system is mounted: names and plain HTTP are not seen");
  const UniqueFd folder(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return fail_errno("open " + root);
  PacketProbes probes;
  probes.programs_.reset(packets_bpf::open(nullptr));
  packets_bpf* programs = probes.programs_.get();
  if (programs == nullptr) return fail_bpf("open the packet programs", errno);
  programs->rodata->first_ephemeral_port = first_ephemeral_port();
  AISPM_CHECK(maps.lend_to(programs->obj));
  if (const int error = ::bpf_map__reuse_fd(programs->maps.socket_states, network.states());
      error != 0)
    return fail_errno("share BPF map socket_states", -error);
  if (const int error = packets_bpf::load(programs); error != 0)
    return fail_bpf("load the packet programs", error);
  for (const bpf_program* program : {programs->progs.on_egress, programs->progs.on_ingress,
                                     programs->progs.on_bind4, programs->progs.on_bind6}) {
    Link link(::bpf_program__attach_cgroup(program, folder.get()));
    if (!link) return fail_bpf(std::string("attach ") + ::bpf_program__name(program), errno);
    probes.hooks_.push_back(std::move(link));
  }
  return probes;
}

Result<> PacketProbes::capture_port(std::uint16_t port) {
  const std::uint8_t wanted = 1;
  if (::bpf_map_update_elem(::bpf_map__fd(programs_->maps.plain_ports), &port, &wanted, BPF_ANY) !=
      0)
    return fail_errno("capture a port");
  return {};
}

}  // namespace aispm::sensor
