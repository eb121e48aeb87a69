// SPDX-License-Identifier: Apache-2.0
#include "sensor/enforce/enforcer.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "bpf/deny.skel.h"
#include "sdk/core/common/log.hpp"
#include "sensor/capture/bpf_log.hpp"
#include "sensor/capture/trace_folder.hpp"
#include "sensor/enforce/encode.hpp"
#include "sensor/enforce/host.hpp"

void free_deny(deny_bpf* programs) { deny_bpf::destroy(programs); }

namespace aispm::sensor {
namespace {

constexpr int kMostTries = 100;
constexpr std::chrono::milliseconds kBetweenTries{1};

struct TableShape {
  const char* name;
  std::size_t key_bytes;
  std::size_t value_bytes;
};
constexpr TableShape kTables[] = {
    {"cgroups", 8, sizeof(aispm_subject)},
    {"uids", 4, sizeof(aispm_subject)},
    {"executables", sizeof(aispm_file_key), sizeof(aispm_subject)},
    {"approved", sizeof(aispm_file_key), sizeof(aispm_approval)},
    {"folders", sizeof(aispm_file_key), sizeof(aispm_rule_mask)},
    {"programs", sizeof(aispm_program_key), sizeof(aispm_rule_mask)},
    {"addresses4", sizeof(aispm_address4_key), sizeof(aispm_rule_mask)},
    {"addresses6", sizeof(aispm_address6_key), sizeof(aispm_rule_mask)},
    {"names", sizeof(aispm_name_key), sizeof(aispm_rule_mask)},
    {"ports", 2, sizeof(aispm_rule_mask)},
    {"protected_endpoints", sizeof(aispm_endpoint_key), 1}};

// Contents by table name.
using Wanted = std::map<std::string, KernelMap::Content>;

Result<Wanted> encode(const EnforceTables& tables) {
  Wanted wanted;
  for (const auto& [id, subject] : tables.cgroups)
    wanted["cgroups"][bytes_of(id)] = subject_bytes(subject);
  for (const auto& [uid, subject] : tables.uids)
    wanted["uids"][bytes_of(uid)] = subject_bytes(subject);
  wanted["executables"] = encode_executables(tables);
  wanted["folders"] = encode_folders(tables);
  AISPM_TRY(wanted["approved"], encode_approved(tables));
  for (const auto& [name, rules] : tables.programs)
    wanted["programs"][program_key(name)] = bytes_of(rules.raw);
  for (const auto& [prefix, rules] : tables.addresses)
    wanted[prefix.is_v6 ? "addresses6" : "addresses4"][address_key(prefix)] = bytes_of(rules.raw);
  for (const auto& [suffix, rules] : tables.names)
    wanted["names"][name_key(suffix)] = bytes_of(rules.raw);
  for (const auto& [port, rules] : tables.ports)
    wanted["ports"][bytes_of(port)] = bytes_of(rules.raw);
  for (const auto& endpoint : tables.protected_endpoints)
    wanted["protected_endpoints"][endpoint_key(endpoint)] = std::string(1, '\1');
  return wanted;
}

int take_record(void* context, void* data, std::size_t size) {
  auto& on_bytes = *static_cast<Enforcer::OnBytes*>(context);
  if (on_bytes) on_bytes(std::span(static_cast<const std::byte*>(data), size));
  return 0;
}

bool any_of(const aispm_rule_mask& mask) { return RuleMask{mask}.any(); }

// To `cgroup`; -1: to where the program itself says. The kernel takes a link away after its last
// descriptor was closed: the program may still be there for a moment, and is not taken twice.
bpf_link* attach(const bpf_program* program, int cgroup) {
  for (int i = 0;; ++i) {
    errno = 0;
    bpf_link* link = cgroup >= 0 ? ::bpf_program__attach_cgroup(program, cgroup)
                                 : ::bpf_program__attach(program);
    if (link != nullptr || errno != EEXIST || i == kMostTries) return link;
    std::this_thread::sleep_for(kBetweenTries);
  }
}

}  // namespace

Enforcer::~Enforcer() = default;

Result<std::unique_ptr<Enforcer>> Enforcer::open(const EnforcerOptions& options) {
  capture_libbpf_messages();
  EnforcerOptions made = options;
  if (made.cgroup_root.empty()) made.cgroup_root = find_cgroup_root();
  if (made.cgroup_root.empty())
    return fail(Errc::kUnsupported, "no cgroup2 file system is mounted: nothing can be refused");
  std::unique_ptr<Enforcer> enforcer(new Enforcer(std::move(made)));
  enforcer->cgroup_.reset(
      ::open(enforcer->options_.cgroup_root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!enforcer->cgroup_) return fail_errno("open " + enforcer->options_.cgroup_root);
  if (Pins::has_any(enforcer->options_.pins)) AISPM_CHECK(enforcer->load());
  return enforcer;
}

void Enforcer::open_pins() {
  if (std::exchange(were_pins_tried_, true)) return;
  if (options_.pins.empty()) {
    reasons_.push_back("`enforce: pins` is empty: blocks end with the daemon");
    return;
  }
  auto pins = Pins::open(options_.pins);
  if (!pins) {
    reasons_.push_back("blocks end with the daemon: " + pins.error().message);
    return;
  }
  pins_ = std::move(*pins);
  found_links_ = pins_->count_links();
}

Result<> Enforcer::prepare() { return is_loaded() ? Result<>() : load_programs(); }

Result<> Enforcer::load() {
  open_pins();
  AISPM_CHECK(load_programs());
  return keep_maps();
}

Result<> Enforcer::keep_maps() {
  if (are_maps_kept_) return {};
  const bool was_prepared = !were_pins_tried_;
  open_pins();
  if (!pins_) return {};
  if (was_prepared) {
    // Maps of another sensor that is gone; the orders are ours to carry out, and we have maps.
    AISPM_CHECK(pins_->clear());
    found_links_ = 0;
  }
  AISPM_CHECK(pins_->keep_maps(deny_->obj));
  are_maps_kept_ = true;
  return {};
}

Result<> Enforcer::load_programs() {
  std::unique_ptr<deny_bpf, FreeDeny> programs(deny_bpf::open(nullptr));
  if (!programs) return fail_bpf("open the deny programs", errno);
  if (pins_) {
    AISPM_TRY(const bool is_same, pins_->lend_maps(programs->obj));
    if (!is_same) {
      // Of another version. Orders are kept elsewhere; the tables are made again.
      log::warn("enforce.pins_of_another_version", {{"folder", options_.pins}});
      AISPM_CHECK(pins_->clear());
    }
  }
  if (const int error = deny_bpf::load(programs.get()); error != 0)
    return fail_bpf("load the deny programs", error);
  deny_ = std::move(programs);
  AISPM_CHECK(open_maps());
  AISPM_TRY(const auto running, list_processes());
  for (const ListedProcess& one : running)  // /proc rounds the start, the tables do not
    if (one.id.pid == options_.self.pid) options_.self = one.id;
  return options_.uses_lsm ? load_lsm() : Result<>();
}

Result<> Enforcer::open_maps() {
  for (const TableShape& shape : kTables) {
    AISPM_TRY(KernelMap table,
              KernelMap::open(map(shape.name), shape.name, shape.key_bytes, shape.value_bytes));
    tables_.insert_or_assign(shape.name, std::move(table));
  }
  ring_.reset(::ring_buffer__new(map("enforce_ring"), take_record, &on_bytes_, nullptr));
  if (!ring_) return fail_errno("open the enforcement ring");
  return read_slots();
}

int Enforcer::map(const char* name) const {
  return ::bpf_object__find_map_fd_by_name(deny_->obj, name);
}

Result<> Enforcer::read_slots() {
  for (std::uint32_t i = 0; i < AISPM_RULES; ++i) {
    aispm_rule_slot slot{};
    if (::bpf_map_lookup_elem(map("orders"), &i, &slot) != 0)
      return fail_errno("read table orders");
    slots_[i] = {std::string(slot.order_id, ::strnlen(slot.order_id, sizeof(slot.order_id))),
                 slot.part};
  }
  // A fresh array is all zero, which would mean "the first copy counts".
  std::uint32_t zero = 0;
  const bool has_orders =
      std::ranges::any_of(slots_, [](const RuleSlot& slot) { return !slot.order_id.empty(); });
  const std::uint32_t none = 2;
  if (!has_orders && ::bpf_map_update_elem(map("active"), &zero, &none, BPF_ANY) != 0)
    return fail_errno("write table active");
  return {};
}

Result<> Enforcer::attach_hook(const std::string& name, bool is_needed) {
  if (!is_needed) {
    links_.erase(name);
    if (pins_) pins_->drop_link(name);
    return {};
  }
  if (links_.contains(name)) return {};
  bpf_program* program = ::bpf_object__find_program_by_name(deny_->obj, name.c_str());
  if (program == nullptr && lsm_)
    program = ::bpf_object__find_program_by_name(lsm_object(), name.c_str());
  if (program == nullptr) return fail(Errc::kInternal, "no program " + name);
  const bool is_cgroup = ::bpf_program__type(program) == BPF_PROG_TYPE_CGROUP_SOCK_ADDR ||
                         ::bpf_program__type(program) == BPF_PROG_TYPE_CGROUP_SOCK ||
                         ::bpf_program__type(program) == BPF_PROG_TYPE_CGROUP_SKB;
  if (::bpf_program__type(program) == BPF_PROG_TYPE_TRACEPOINT) AISPM_CHECK(provide_trace_folder());
  Link link(attach(program, is_cgroup ? cgroup_.get() : -1));
  if (!link) return fail_bpf("attach " + name, errno);
  if (pins_) AISPM_CHECK(pins_->keep_link(link.get(), name));
  links_.insert_or_assign(name, std::move(link));
  return {};
}

Result<> Enforcer::attach_needed(const EnforceTables& tables) {
  const aispm_rule_sets& sets = tables.sets;
  const bool has_rules = tables.has_rules();
  for (const char* name : {"inherit", "forget", "judge_exec", "refuse_connect4", "refuse_connect6",
                           "refuse_sendmsg4", "refuse_sendmsg6"})
    AISPM_CHECK(attach_hook(name, has_rules));
  const bool has_sockets = has_rules && any_of(sets.acts[AISPM_ACT_SOCKET]);
  // What sends without connecting gets round rules about connections, too.
  const bool has_connections = has_rules && any_of(sets.acts[AISPM_ACT_CONNECT]);
  AISPM_CHECK(attach_hook("refuse_raw", has_sockets || has_connections));
  AISPM_CHECK(attach_hook("kill_packet_socket", has_sockets && !lsm_));
  AISPM_CHECK(attach_hook("cut_egress",
                          has_rules && (sets.flags & (AISPM_SETS_NAMES | AISPM_SETS_CUTS)) != 0));
  return attach_lsm(tables);
}

Result<> Enforcer::write_slots(const EnforceTables& tables, bool only_taken) {
  for (std::uint32_t i = 0; i < AISPM_RULES; ++i) {
    if (slots_[i] == tables.slots[i] || (only_taken && tables.slots[i].order_id.empty())) continue;
    aispm_rule_slot slot{};
    const std::string& id = tables.slots[i].order_id;
    std::copy_n(id.begin(), std::min<std::size_t>(id.size(), AISPM_ORDER_ID_BYTES), slot.order_id);
    slot.layout = AISPM_ENFORCE_LAYOUT;
    slot.part = tables.slots[i].part;
    if (::bpf_map_update_elem(map("orders"), &i, &slot, BPF_ANY) != 0)
      return fail_errno("write table orders");
    slots_[i] = tables.slots[i];
  }
  return {};
}

Result<> Enforcer::flip(aispm_rule_sets sets) {
  sets.self_tgid = options_.self.pid;
  sets.self_start_boottime_ns = options_.self.start.nanoseconds;
  if (lsm_) sets.flags |= AISPM_SETS_LSM;
  const std::uint32_t zero = 0;
  std::uint32_t active = 0;
  if (::bpf_map_lookup_elem(map("active"), &zero, &active) != 0)
    return fail_errno("read table active");
  const std::uint32_t next = active == 0 ? 1 : 0;
  if (::bpf_map_update_elem(map("rule_sets"), &next, &sets, BPF_ANY) != 0)
    return fail_errno("write table rule_sets");
  if (::bpf_map_update_elem(map("active"), &zero, &next, BPF_ANY) != 0)
    return fail_errno("write table active");
  return {};
}

Result<> Enforcer::apply(const EnforceTables& tables) {
  if (!is_loaded()) {
    if (!tables.has_rules()) return {};
    AISPM_CHECK(load());
  }
  if (tables.has_rules()) AISPM_CHECK(keep_maps());
  AISPM_TRY(const Wanted wanted, encode(tables));
  static const KernelMap::Content kNothing;
  const auto content_of = [&](const std::string& name) -> const KernelMap::Content& {
    const auto found = wanted.find(name);
    return found == wanted.end() ? kNothing : found->second;
  };
  AISPM_CHECK(write_slots(tables, true));
  for (auto& [name, table] : tables_) AISPM_CHECK(table.add(content_of(name)));
  AISPM_TRY([[maybe_unused]] const std::size_t added, add_processes(tables));
  if (tables.has_rules()) AISPM_CHECK(attach_needed(tables));
  AISPM_CHECK(flip(tables.sets));
  for (auto& [name, table] : tables_) AISPM_CHECK(table.finish(content_of(name)));
  AISPM_CHECK(clear_freed(tables));
  AISPM_CHECK(write_slots(tables, false));
  return tables.has_rules() ? Result<>() : attach_needed(tables);
}

Result<> Enforcer::refresh_files(const EnforceTables& tables) {
  if (!is_loaded()) return {};
  AISPM_CHECK(tables_.at("executables").finish(encode_executables(tables)));
  return tables_.at("folders").finish(encode_folders(tables));
}

Result<> Enforcer::remove() {
  if (is_loaded()) AISPM_CHECK(flip({}));
  links_.clear();
  return pins_ ? pins_->clear() : Result<>();
}

int Enforcer::poll_fd() const { return ring_ ? ::ring_buffer__epoll_fd(ring_.get()) : -1; }

void Enforcer::drain(const OnBytes& on_bytes) {
  if (!ring_) return;
  on_bytes_ = on_bytes;
  if (const int result = ::ring_buffer__consume(ring_.get()); result < 0)
    log::warn("enforce.ring", {{"errno", -result}});
  on_bytes_ = nullptr;
}

}  // namespace aispm::sensor
