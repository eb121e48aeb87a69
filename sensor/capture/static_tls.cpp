// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/static_tls.hpp"

#include <bpf/libbpf.h>

#include <cerrno>
#include <mutex>
#include <string>
#include <utility>

#include "bpf/tls_aead.skel.h"
#include "bpf/tls_go.skel.h"
#include "sensor/capture/bpf_log.hpp"
#include "sensor/capture/trace_folder.hpp"

namespace aispm::sensor {

struct StaticTls::SocketHooks {
  std::vector<const bpf_program*> programs;
  std::mutex mutex;  // files are probed from more than one thread
  std::vector<BpfLink> links;

  Result<> attach() {
    const std::lock_guard lock(mutex);
    if (!links.empty()) return {};
    AISPM_CHECK(provide_trace_folder());
    std::vector<BpfLink> fresh;
    for (const bpf_program* program : programs) {
      BpfLink link(::bpf_program__attach(program));
      if (!link) return fail_bpf(std::string("attach ") + ::bpf_program__name(program), errno);
      fresh.push_back(std::move(link));
    }
    links = std::move(fresh);
    return {};
  }
};

void StaticTls::FreeSocketHooks::operator()(SocketHooks* hooks) const { delete hooks; }
void StaticTls::Free::operator()(tls_aead_bpf* programs) const { tls_aead_bpf::destroy(programs); }
void StaticTls::Free::operator()(tls_go_bpf* programs) const { tls_go_bpf::destroy(programs); }

Result<StaticTls> StaticTls::open(const SharedMaps& maps, const KernelFeatures& features,
                                  TlsProbes& tls, std::uint32_t own_tgid) {
  StaticTls opened;
  AISPM_CHECK(opened.open_go(maps, tls, own_tgid));
  AISPM_CHECK(opened.open_aead(maps, features, tls, own_tgid));
  return opened;
}

Result<> StaticTls::open_go(const SharedMaps& maps, TlsProbes& tls, std::uint32_t own_tgid) {
  go_.reset(tls_go_bpf::open(nullptr));
  if (!go_) return fail_bpf("open the tls_go programs", errno);
  go_->rodata->own_tgid = own_tgid;
  AISPM_CHECK(maps.lend_to(go_->obj));
  AISPM_CHECK(tls.lend_to(go_->obj));
  if (const int error = tls_go_bpf::load(go_.get()); error != 0)
    return fail_bpf("load the tls_go programs", error);
  const auto& programs = go_->progs;
  tls.add_hook(TlsHook::kGoRead, {programs.on_go_read, nullptr, 0, {}});
  tls.add_hook(TlsHook::kGoReadReturn, {programs.on_go_read_return, nullptr, 0, {}});
  tls.add_hook(TlsHook::kGoWrite, {programs.on_go_write, nullptr, AISPM_PROBE_WRITE, {}});
  tls.add_hook(TlsHook::kGoHandshake, {programs.on_go_handshake, nullptr, 0, {}});
  tls.add_hook(TlsHook::kGoClose, {programs.on_go_close, nullptr, 0, {}});
  return {};
}

Result<> StaticTls::open_aead(const SharedMaps& maps, const KernelFeatures& features,
                              TlsProbes& tls, std::uint32_t own_tgid) {
  aead_.reset(tls_aead_bpf::open(nullptr));
  if (!aead_) return fail_bpf("open the tls_aead programs", errno);
  aead_->rodata->own_tgid = own_tgid;
  const auto& programs = aead_->progs;
  const std::vector<bpf_program*> by_tracepoint{programs.on_aead_socket_send,
                                                programs.on_aead_socket_receive};
  const std::vector<bpf_program*> by_call{programs.on_aead_write,  programs.on_aead_writev,
                                          programs.on_aead_sendto, programs.on_aead_sendmsg,
                                          programs.on_aead_read,   programs.on_aead_recvfrom,
                                          programs.on_aead_recvmsg};
  for (bpf_program* program : by_tracepoint)
    ::bpf_program__set_autoload(program, features.socket_length);
  for (bpf_program* program : by_call)
    ::bpf_program__set_autoload(program, !features.socket_length);
  AISPM_CHECK(maps.lend_to(aead_->obj));
  AISPM_CHECK(tls.lend_to(aead_->obj));
  if (const int error = tls_aead_bpf::load(aead_.get()); error != 0)
    return fail_bpf("load the tls_aead programs", error);
  socket_hooks_.reset(new SocketHooks());
  const auto& chosen = features.socket_length ? by_tracepoint : by_call;
  socket_hooks_->programs.assign(chosen.begin(), chosen.end());
  const auto prepare = [hooks = socket_hooks_.get()] { return hooks->attach(); };
  tls.add_hook(TlsHook::kAeadSeal, {programs.on_seal, nullptr, AISPM_PROBE_WRITE, prepare});
  tls.add_hook(TlsHook::kAeadSealScatter,
               {programs.on_seal_scatter, nullptr, AISPM_PROBE_WRITE, prepare});
  tls.add_hook(TlsHook::kAeadOpen, {programs.on_open, programs.on_opened, 0, prepare});
  tls.add_hook(TlsHook::kAeadOpenGather, {programs.on_open_gather, programs.on_opened, 0, prepare});
  return {};
}

}  // namespace aispm::sensor
