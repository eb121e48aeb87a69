// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/tls_probes.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <signal.h>

#include <cerrno>
#include <utility>

#include "bpf/tls.skel.h"
#include "sensor/capture/bpf_log.hpp"

namespace aispm::sensor {
namespace {

// The same shape as in bpf/include/tls_state.h; only the key is read here.
struct ConnectionKey {
  std::uint64_t ssl;
  std::uint32_t tgid;
  std::uint32_t pad;
};

constexpr std::size_t kMaxConnections = 32768;

Result<BpfLink> attach_probe(const bpf_program* program, const std::string& path,
                             std::uint64_t offset, bool at_return) {
  LIBBPF_OPTS(bpf_uprobe_opts, options, .retprobe = at_return);
  BpfLink link(::bpf_program__attach_uprobe_opts(program, -1, path.c_str(), offset, &options));
  if (!link) return fail_bpf("attach a probe to " + path, errno);
  return link;
}

}  // namespace

void TlsProbes::FreeTls::operator()(tls_bpf* programs) const { tls_bpf::destroy(programs); }

Result<TlsProbes> TlsProbes::open(const SharedMaps& maps, const KernelFeatures& features,
                                  std::uint32_t own_tgid) {
  TlsProbes probes;
  probes.programs_.reset(tls_bpf::open(nullptr));
  tls_bpf* programs = probes.programs_.get();
  if (programs == nullptr) return fail_bpf("open the tls programs", errno);
  programs->rodata->own_tgid = own_tgid;
  for (bpf_program* program : {programs->progs.on_socket_send, programs->progs.on_socket_receive})
    ::bpf_program__set_autoload(program, features.socket_length);
  for (bpf_program* program :
       {programs->progs.on_sys_write, programs->progs.on_sys_read, programs->progs.on_sys_sendto,
        programs->progs.on_sys_recvfrom, programs->progs.on_sys_sendmsg})
    ::bpf_program__set_autoload(program, !features.socket_length);
  AISPM_CHECK(maps.lend_to(programs->obj));
  if (const int error = tls_bpf::load(programs); error != 0)
    return fail_bpf("load the tls programs", error);
  auto hooked = probes.attach_socket_hooks(features);
  if (!hooked) {
    probes.socket_hooks_.clear();
    probes.socket_method_ = "no: " + hooked.error().message;
  }
  return probes;
}

Result<> TlsProbes::attach_socket_hooks(const KernelFeatures& features) {
  const auto& programs = programs_->progs;
  const std::vector<bpf_program*> hooks =
      features.socket_length
          ? std::vector{programs.on_socket_send, programs.on_socket_receive}
          : std::vector{programs.on_sys_write, programs.on_sys_read, programs.on_sys_sendto,
                        programs.on_sys_recvfrom, programs.on_sys_sendmsg};
  for (const bpf_program* program : hooks) {
    BpfLink link(::bpf_program__attach(program));
    if (!link) return fail_bpf(std::string("attach ") + ::bpf_program__name(program), errno);
    socket_hooks_.push_back(std::move(link));
  }
  socket_method_ = features.socket_length ? "sock_send_length" : "syscalls";
  return {};
}

Result<TlsProbes::Attached> TlsProbes::attach(
    const std::string& path, std::span<const ProbePoint> plan,
    const std::function<std::optional<std::uint64_t>(std::uint64_t)>& file_offset) const {
  const auto& programs = programs_->progs;
  Attached links;
  for (const ProbePoint& point : plan) {
    const auto offset = file_offset(point.address);
    if (!offset)
      return fail(Errc::kInvalid, path + ": " + point.function + " is not in the file's code");
    const bpf_program* entry = nullptr;
    const bpf_program* at_return = programs.on_return;
    switch (point.hook) {
      case TlsHook::kRead:
        entry = programs.on_read;
        break;
      case TlsHook::kWrite:
        entry = programs.on_write;
        break;
      case TlsHook::kReadEx:
        entry = programs.on_read_ex;
        break;
      case TlsHook::kWriteEx:
        entry = programs.on_write_ex;
        break;
      case TlsHook::kClear:
        entry = programs.on_clear;
        at_return = nullptr;
        break;
      case TlsHook::kClose:
        entry = programs.on_close;
        at_return = nullptr;
        break;
    }
    // The return first: a return without an entry is ignored, an entry without a return would be
    // remembered.
    if (at_return != nullptr) {
      AISPM_TRY(links.emplace_back(), attach_probe(at_return, path, *offset, true));
    }
    if (entry != nullptr) {
      AISPM_TRY(links.emplace_back(), attach_probe(entry, path, *offset, false));
    }
  }
  return links;
}

Result<BpfLink> TlsProbes::attach_nothing(const std::string& path, std::uint64_t offset) const {
  return attach_probe(programs_->progs.on_nothing, path, offset, false);
}

Result<std::size_t> TlsProbes::sweep_connections() {
  const int map = ::bpf_map__fd(programs_->maps.connections);
  std::vector<ConnectionKey> dead;
  std::size_t living = 0;
  ConnectionKey key{};
  const void* previous = nullptr;
  // Keys may come and go meanwhile; a bound on the walk keeps a busy map from holding us.
  for (std::size_t i = 0;
       i < 2 * kMaxConnections && ::bpf_map_get_next_key(map, previous, &key) == 0; ++i) {
    if (::kill(static_cast<pid_t>(key.tgid), 0) != 0 && errno == ESRCH)
      dead.push_back(key);
    else
      ++living;
    previous = &key;
  }
  for (const ConnectionKey& gone : dead)
    if (::bpf_map_delete_elem(map, &gone) != 0 && errno != ENOENT)
      return fail_errno("forget a connection");
  return living;
}

}  // namespace aispm::sensor
