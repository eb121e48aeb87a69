// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "sensor/correlate/lru_map.hpp"
#include "sensor/model/records.hpp"

namespace aispm::sensor {

// First bytes of connections become the names they ask for: TLS and QUIC hellos put together from
// their packets, DNS questions and answers, Host lines. Bounded; not thread-safe.
class NameTracker {
 public:
  static constexpr std::size_t kMaxHellos = 1024;  // that are not whole yet
  using OnName = std::function<void(SeenName)>;

  void take(const NameBytes& bytes, const OnName& on_name);

  struct Counters {
    std::uint64_t malformed = 0;    // no message of the protocol they were taken for
    std::uint64_t quic_unread = 0;  // a QUIC connection whose name could not be read
    std::uint64_t hellos_cut = 0;   // a part was lost, or never came
  };
  const Counters& counters() const { return counters_; }

 private:
  struct Hello {
    std::string bytes;
    std::string quic_keys;
  };
  using Place = std::pair<std::uint64_t, std::string>;  // cookie, destination (QUIC)

  void take_hello(const NameBytes& bytes, const OnName& on_name);
  void take_quic(const NameBytes& bytes, const OnName& on_name);
  void take_dns(const NameBytes& bytes, std::string_view message, const OnName& on_name);
  void take_http(const NameBytes& bytes, const OnName& on_name);
  void wait_for_rest(const Place& place, Hello hello);

  LruMap<Place, Hello> hellos_{kMaxHellos};
  Counters counters_;
};

// Holds back names that were told of the same process lately: a name is a fact, not a stream.
class NameNews {
 public:
  static constexpr std::size_t kMaxRemembered = 16384;
  static constexpr std::chrono::seconds kTellAgain{600};

  bool is_news(const SeenName& name);
  std::uint64_t held_back() const { return held_back_; }

 private:
  using Key = std::tuple<ProcessId, std::string, NameSource, bool>;
  LruMap<Key, BootTime> told_{kMaxRemembered};
  std::uint64_t held_back_ = 0;
};

// A resolver that answers DNS over HTTPS or TLS, by name or address.
bool is_doh_resolver(std::string_view name_or_address);

}  // namespace aispm::sensor
