// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/uprobe_multi.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

namespace aispm::sensor {
namespace {

// include/uapi/linux/bpf.h since 6.6; Debian 12's is older.
constexpr auto kTraceUprobeMulti = static_cast<bpf_attach_type>(48);
constexpr std::uint32_t kAtReturn = 1;  // BPF_F_UPROBE_MULTI_RETURN

// The part of union bpf_attr that BPF_LINK_CREATE reads for it.
struct LinkCreate {
  std::uint32_t program;
  std::uint32_t target;
  std::uint32_t attach_type;
  std::uint32_t flags;
  std::uint64_t path;
  std::uint64_t offsets;
  std::uint64_t reference_counters;
  std::uint64_t cookies;
  std::uint32_t count;
  std::uint32_t multi_flags;
  std::uint32_t pid;
  std::uint32_t pad;
};

int create_link(const LinkCreate& create) {
  return static_cast<int>(::syscall(SYS_bpf, BPF_LINK_CREATE, &create, sizeof(create)));
}

template <typename T>
std::uint64_t address_of(const T* pointer) {
  return reinterpret_cast<std::uint64_t>(pointer);
}

}  // namespace

bool has_uprobe_multi() {
  const bpf_insn nothing[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .src_reg = 0, .off = 0, .imm = 0},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = kTraceUprobeMulti);
  const UniqueFd program(
      ::bpf_prog_load(BPF_PROG_TYPE_KPROBE, "probe", "GPL", nothing, std::size(nothing), &options));
  if (!program) return false;
  const std::uint64_t offset = 0;
  const LinkCreate create{.program = static_cast<std::uint32_t>(program.get()),
                          .target = 0,
                          .attach_type = kTraceUprobeMulti,
                          .flags = 0,
                          .path = address_of("/"),
                          .offsets = address_of(&offset),
                          .reference_counters = 0,
                          .cookies = 0,
                          .count = 1,
                          .multi_flags = 0,
                          .pid = 0,
                          .pad = 0};
  // A kernel that knows it complains about the folder; one that does not, about the request.
  return !UniqueFd(create_link(create)) && errno == EBADF;
}

void prepare_uprobe_multi(bpf_object* object) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    const std::string_view section = ::bpf_program__section_name(program);
    if (section == "uprobe" || section == "uretprobe")
      ::bpf_program__set_expected_attach_type(program, kTraceUprobeMulti);
  }
}

bool is_uprobe_multi(const bpf_program* program) {
  return ::bpf_program__expected_attach_type(program) == kTraceUprobeMulti;
}

Result<UniqueFd> attach_uprobe_multi(const bpf_program* program, const std::string& path,
                                     const std::vector<std::uint64_t>& offsets,
                                     const std::vector<std::uint64_t>& cookies, bool at_return) {
  if (offsets.empty() || offsets.size() != cookies.size())
    return fail(Errc::kInvalid, path + ": probes without offsets or cookies");
  const LinkCreate create{.program = static_cast<std::uint32_t>(::bpf_program__fd(program)),
                          .target = 0,
                          .attach_type = kTraceUprobeMulti,
                          .flags = 0,
                          .path = address_of(path.c_str()),
                          .offsets = address_of(offsets.data()),
                          .reference_counters = 0,
                          .cookies = address_of(cookies.data()),
                          .count = static_cast<std::uint32_t>(offsets.size()),
                          .multi_flags = at_return ? kAtReturn : 0,
                          .pid = 0,
                          .pad = 0};
  UniqueFd link(create_link(create));
  if (!link) return fail_errno("attach probes to " + path);
  return link;
}

}  // namespace aispm::sensor
