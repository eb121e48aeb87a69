// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/shared_maps.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>

#include <atomic>
#include <bit>
#include <string>
#include <utility>
#include <vector>

namespace aispm::sensor {
namespace {

constexpr std::uint64_t kMinRingBytes = 64U << 10;
constexpr std::uint64_t kMaxRingBytes = 1U << 30;

Result<UniqueFd> create(bpf_map_type type, const char* name, std::uint32_t key_bytes,
                        std::uint32_t value_bytes, std::uint32_t entries, std::uint32_t flags = 0) {
  LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = flags);
  UniqueFd map(::bpf_map_create(type, name, key_bytes, value_bytes, entries, &options));
  if (!map) return fail_errno(std::string("create BPF map ") + name);
  return map;
}

Result<UniqueFd> create_ring(const char* name, std::uint64_t bytes) {
  if (bytes > kMaxRingBytes)
    return fail(Errc::kTooLarge, std::string(name) + ": a ring holds at most 1 GiB");
  const auto size = static_cast<std::uint32_t>(std::bit_ceil(std::max(bytes, kMinRingBytes)));
  return create(BPF_MAP_TYPE_RINGBUF, name, 0, 0, size);
}

// Reads one slot of a per-CPU array.
template <typename T>
Result<std::vector<T>> per_cpu(int map, std::uint32_t slot) {
  static const int cpus = ::libbpf_num_possible_cpus();
  if (cpus <= 0) return fail(Errc::kUnavailable, "cannot count CPUs", -cpus);
  std::vector<T> values(static_cast<std::size_t>(cpus));
  if (::bpf_map_lookup_elem(map, &slot, values.data()) != 0)
    return fail_errno("read per-CPU counters");
  return values;
}

}  // namespace

void SharedMaps::Unmap::operator()(std::uint64_t* flags) const {
  ::munmap(flags, 2 * sizeof(*flags));
}

Result<SharedMaps> SharedMaps::open(const RingSizes& sizes) {
  SharedMaps maps;
  AISPM_TRY(maps.control_, create_ring("control_ring", sizes.control_bytes));
  AISPM_TRY(maps.data_, create_ring("data_ring", sizes.data_bytes));
  AISPM_TRY(maps.losses_, create(BPF_MAP_TYPE_PERCPU_ARRAY, "losses", sizeof(std::uint32_t),
                                 sizeof(aispm_loss), AISPM_LOSS_CAUSES));
  AISPM_TRY(maps.counts_, create(BPF_MAP_TYPE_PERCPU_ARRAY, "counts", sizeof(std::uint32_t),
                                 sizeof(std::uint64_t), AISPM_COUNTS));
  AISPM_TRY(maps.sleeping_, create(BPF_MAP_TYPE_ARRAY, "sleeping", sizeof(std::uint32_t),
                                   sizeof(std::uint64_t), 2, BPF_F_MMAPABLE));
  void* flags = ::mmap(nullptr, 2 * sizeof(std::uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED,
                       maps.sleeping_.get(), 0);
  if (flags == MAP_FAILED) return fail_errno("map the sleeping flags");
  maps.asleep_.reset(static_cast<std::uint64_t*>(flags));
  return maps;
}

Result<> SharedMaps::lend_to(bpf_object* object) const {
  const std::pair<const char*, int> ours[] = {{"control_ring", control_.get()},
                                              {"data_ring", data_.get()},
                                              {"losses", losses_.get()},
                                              {"counts", counts_.get()},
                                              {"sleeping", sleeping_.get()}};
  for (const auto& [name, fd] : ours) {
    bpf_map* map = ::bpf_object__find_map_by_name(object, name);
    if (map == nullptr) continue;
    if (const int error = ::bpf_map__reuse_fd(map, fd); error != 0)
      return fail_errno(std::string("share BPF map ") + name, -error);
  }
  return {};
}

void SharedMaps::announce_sleep(Ring ring) {
  std::atomic_ref(asleep_.get()[static_cast<std::size_t>(ring)])
      .store(1, std::memory_order_seq_cst);
}

Result<std::array<aispm_loss, AISPM_LOSS_CAUSES>> SharedMaps::losses() const {
  std::array<aispm_loss, AISPM_LOSS_CAUSES> sums{};
  for (std::uint32_t cause = 0; cause < sums.size(); ++cause) {
    AISPM_TRY(const auto values, per_cpu<aispm_loss>(losses_.get(), cause));
    for (const aispm_loss& value : values) {
      sums[cause].records += value.records;
      sums[cause].bytes += value.bytes;
    }
  }
  return sums;
}

Result<std::array<std::uint64_t, AISPM_COUNTS>> SharedMaps::counts() const {
  std::array<std::uint64_t, AISPM_COUNTS> sums{};
  for (std::uint32_t what = 0; what < sums.size(); ++what) {
    AISPM_TRY(const auto values, per_cpu<std::uint64_t>(counts_.get(), what));
    for (const std::uint64_t value : values) sums[what] += value;
  }
  return sums;
}

}  // namespace aispm::sensor
