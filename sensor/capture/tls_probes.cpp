// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/tls_probes.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <signal.h>

#include <cerrno>
#include <utility>

#include "bpf/tls.skel.h"
#include "sensor/capture/bpf_log.hpp"
#include "sensor/capture/trace_folder.hpp"
#include "sensor/capture/uprobe_multi.hpp"

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
                             std::uint64_t offset, bool at_return, std::uint64_t cookie) {
  LIBBPF_OPTS(bpf_uprobe_opts, options, .bpf_cookie = cookie, .retprobe = at_return);
  BpfLink link(::bpf_program__attach_uprobe_opts(program, -1, path.c_str(), offset, &options));
  if (!link) return fail_bpf("attach a probe to " + path, errno);
  return link;
}

// Where one program goes in one file.
struct Places {
  std::vector<std::uint64_t> offsets;
  std::vector<std::uint64_t> cookies;
};

Result<> attach_program(const bpf_program* program, const std::string& path, const Places& places,
                        bool at_return, TlsProbes::Attached& attached) {
  if (is_uprobe_multi(program)) {
    AISPM_TRY(attached.multi.emplace_back(),
              attach_uprobe_multi(program, path, places.offsets, places.cookies, at_return));
    return {};
  }
  for (std::size_t i = 0; i < places.offsets.size(); ++i) {
    AISPM_TRY(attached.links.emplace_back(),
              attach_probe(program, path, places.offsets[i], at_return, places.cookies[i]));
  }
  return {};
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
  probes.uses_multi_ = features.uprobe_multi;
  if (features.uprobe_multi) prepare_uprobe_multi(programs->obj);
  if (const int error = tls_bpf::load(programs); error != 0)
    return fail_bpf("load the tls programs", error);
  probes.add_own_hooks();
  auto hooked = probes.attach_socket_hooks(features);
  if (!hooked) {
    probes.socket_hooks_.clear();
    probes.socket_method_ = "no: " + hooked.error().message;
  }
  return probes;
}

Result<> TlsProbes::attach_socket_hooks(const KernelFeatures& features) {
  if (!features.socket_length) AISPM_CHECK(provide_trace_folder());
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

void TlsProbes::add_own_hooks() {
  const auto& programs = programs_->progs;
  const auto add_call = [&](TlsHook hook, std::uint8_t flags) {
    add_hook(hook, {programs.on_call, programs.on_return, flags, {}});
  };
  add_call(TlsHook::kRead, 0);
  add_call(TlsHook::kWrite, AISPM_PROBE_WRITE);
  add_call(TlsHook::kReadEx, AISPM_PROBE_BY_POINTER);
  add_call(TlsHook::kWriteEx, AISPM_PROBE_WRITE | AISPM_PROBE_BY_POINTER);
  add_call(TlsHook::kWriteEx2, AISPM_PROBE_WRITE | AISPM_PROBE_BY_POINTER | AISPM_PROBE_FIFTH);
  add_hook(TlsHook::kSendFile, {programs.on_hidden, programs.on_hidden_return, 0, {}});
  add_hook(TlsHook::kClear, {programs.on_clear, nullptr, 0, {}});
  add_hook(TlsHook::kClose, {programs.on_close, nullptr, 0, {}});
  add_call(TlsHook::kGnuRead, AISPM_PROBE_LONG);
  add_call(TlsHook::kGnuWrite, AISPM_PROBE_WRITE | AISPM_PROBE_LONG);
  add_hook(TlsHook::kGnuHidden, {programs.on_hidden, programs.on_hidden_return, 0, {}});
  add_hook(TlsHook::kGnuHandshake, {programs.on_handshake, nullptr, 0, {}});
  add_hook(TlsHook::kGnuClose, {programs.on_close, nullptr, 0, {}});
  add_call(TlsHook::kNssRead, AISPM_PROBE_KNOWN_ONLY);
  add_call(TlsHook::kNssWrite, AISPM_PROBE_WRITE | AISPM_PROBE_KNOWN_ONLY);
  add_hook(TlsHook::kNssImport, {nullptr, programs.on_import, 0, {}});
  add_hook(TlsHook::kNssClose, {programs.on_close, nullptr, 0, {}});
}

void TlsProbes::add_hook(TlsHook hook, HookPrograms programs) {
  hooks_[hook] = std::move(programs);
}

Result<> TlsProbes::lend_to(bpf_object* object) const {
  if (uses_multi_) prepare_uprobe_multi(object);
  for (const bpf_map* own : {programs_->maps.connections, programs_->maps.calls}) {
    bpf_map* map = ::bpf_object__find_map_by_name(object, ::bpf_map__name(own));
    if (map == nullptr) continue;
    if (const int error = ::bpf_map__reuse_fd(map, ::bpf_map__fd(own)); error != 0)
      return fail_errno(std::string("share BPF map ") + ::bpf_map__name(own), -error);
  }
  return {};
}

Result<TlsProbes::Attached> TlsProbes::attach(
    const std::string& path, const ProbePlan& plan,
    const std::function<std::optional<std::uint64_t>(std::uint64_t)>& file_offset) const {
  // Returns first: a return without an entry is ignored, an entry without a return would be
  // remembered.
  std::map<const bpf_program*, Places> returns;
  std::map<const bpf_program*, Places> entries;
  for (const ProbePoint& point : plan.points) {
    const auto offset = file_offset(point.address);
    if (!offset)
      return fail(Errc::kInvalid, path + ": " + point.function + " is not in the file's code");
    const auto hook = hooks_.find(point.hook);
    if (hook == hooks_.end())
      return fail(Errc::kUnsupported, path + ": no program was loaded for " + point.function);
    const HookPrograms& programs = hook->second;
    if (programs.prepare) AISPM_CHECK(programs.prepare());
    const std::uint64_t cookie =
        plan.library_id | std::uint64_t{programs.flags} << 8 | point.cookie << 16;
    for (const auto& [program, places] :
         {std::pair{programs.at_return, &returns}, std::pair{programs.entry, &entries}}) {
      if (program == nullptr) continue;
      (*places)[program].offsets.push_back(*offset);
      (*places)[program].cookies.push_back(cookie);
    }
  }
  Attached attached;
  for (const auto& [program, places] : returns)
    AISPM_CHECK(attach_program(program, path, places, true, attached));
  for (const auto& [program, places] : entries)
    AISPM_CHECK(attach_program(program, path, places, false, attached));
  return attached;
}

Result<TlsProbes::Attached> TlsProbes::attach_nothing(const std::string& path,
                                                      std::uint64_t offset) const {
  Attached attached;
  AISPM_CHECK(attach_program(programs_->progs.on_nothing, path, {{offset}, {0}}, false, attached));
  return attached;
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
