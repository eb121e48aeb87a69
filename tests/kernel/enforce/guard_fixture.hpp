// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bpf/bpf.h>
#include <fcntl.h>
#include <sys/prctl.h>

#include <algorithm>
#include <map>

#include "sdk/core/model/freeze_orders.hpp"
#include "sensor/detection_rules.hpp"
#include "sensor/enforce/kernel_map.hpp"
#include "sensor/kernel_guard.hpp"
#include "tests/kernel/enforce/fixture.hpp"

// The sensor's guard over the real kernel, and trees of processes that it is to hold.
namespace aispm::sensor::kernel_test {

inline constexpr char kQuestion = 'c';
inline constexpr char kEnd = 'q';

struct Pipe {
  Pipe() {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("pipe");
    out.reset(ends[0]);
    in.reset(ends[1]);
  }
  UniqueFd out;
  UniqueFd in;
};

// A process that goes on, and one that it started: process 1 of a run and the run's agent. Whose
// parent ends is given to process 1 of the run, as in a sandbox, or to that of the host.
class Tree {
 public:
  using Deed = std::function<void(const Pipe& questions, const Pipe& answers)>;
  enum class Orphans : std::uint8_t { kStay, kLeave };

  explicit Tree(const Deed& deed, Orphans orphans = Orphans::kStay)
      : init_([this, deed, orphans](char) {
          if (orphans == Orphans::kStay) ::prctl(PR_SET_CHILD_SUBREAPER, 1);
          ::signal(SIGCHLD, SIG_IGN);
          const pid_t started = ::fork();
          if (started == 0) {
            deed(questions_, answers_);
            ::_exit(0);
          }
          return static_cast<int>(started);
        }),
        started_(init_.ask('f')) {}
  ~Tree() { (void)!::write(questions_.in.get(), &kEnd, 1); }

  pid_t init() const { return init_.pid(); }
  pid_t started() const { return started_; }
  int ask() { return ::write(questions_.in.get(), &kQuestion, 1) == 1 ? next() : -1; }
  // What it says next; -1: nothing within ten seconds.
  int next() {
    int answer = -1;
    pollfd waiting{answers_.out.get(), POLLIN, 0};
    if (::poll(&waiting, 1, 10'000) != 1) return -1;
    return ::read(answers_.out.get(), &answer, sizeof(answer)) == sizeof(answer) ? answer : -1;
  }
  // Forgets what was said until now.
  void skip() {
    int answer = 0;
    ::fcntl(answers_.out.get(), F_SETFL, O_NONBLOCK);
    while (::read(answers_.out.get(), &answer, sizeof(answer)) > 0) {
    }
    ::fcntl(answers_.out.get(), F_SETFL, 0);
  }

 private:
  Pipe questions_;
  Pipe answers_;
  Child init_;
  pid_t started_;
};

inline void tell(const Pipe& answers, int answer) {
  if (::write(answers.in.get(), &answer, sizeof(answer)) != sizeof(answer)) ::_exit(1);
}

// As try_connect, of a datagram socket: needs nobody who accepts.
inline int try_datagrams() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(9);
  ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) return 0;
  return errno;
}

class GuardTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "root is needed";
    auto lister = Enforcer::open({.pins = "", .cgroup_root = "", .uses_lsm = false, .self = {}});
    if (!lister) GTEST_SKIP() << lister.error().message;
    lister_ = std::move(*lister);
    if (const auto ready = lister_->prepare(); !ready) GTEST_SKIP() << ready.error().message;
    // Pinned, so that the test can look into the kernel's tables.
    std::filesystem::create_directories(mount_);
    if (::mount("bpf", mount_.c_str(), "bpf", 0, "mode=0700") != 0)
      GTEST_SKIP() << "cannot mount a BPF file system: " << std::strerror(errno);
    open_guard();
  }
  void TearDown() override {
    guard_.reset();
    if (!Pins::remove_all(pins_)) ADD_FAILURE() << "pins are left";
    ::umount2(mount_.c_str(), MNT_DETACH);
  }
  void open_guard() {
    KernelGuard::Parts parts;
    parts.config.pins = pins_;
    parts.config.uses_lsm = false;
    parts.awaits_orders = true;
    parts.lookups = {[](const std::string&) { return std::nullopt; },
                     [](const std::string&) { return std::nullopt; },
                     [](const std::string&) { return std::vector<std::string>(); }};
    parts.look_up = [](std::uint32_t) { return std::nullopt; };
    parts.user_name = [](std::uint32_t) { return std::string(); };
    parts.agent_of = [this](const model::ProcessId& id) {
      const auto found = agents_.find(id);
      return found == agents_.end() ? std::string() : found->second;
    };
    parts.make_engine = [this] { return make_engine_(); };
    parts.drain_records = [this] { drain_records_(); };
    auto guard = KernelGuard::open(std::move(parts));
    ASSERT_TRUE(guard) << guard.error().message;
    guard_ = std::move(*guard);
    guard_->on_applied([this](std::uint64_t, std::vector<KernelGuard::OrderState> states) {
      states_ = std::move(states);
    });
  }

  ListedProcess listed(pid_t pid) {
    const auto all = lister_->list_processes();
    for (const ListedProcess& one : *all)
      if (one.id.pid == static_cast<std::uint32_t>(pid)) return one;
    ADD_FAILURE() << "process " << pid << " is not listed";
    return {};
  }
  // As a collector makes it for a session that is frozen: /proc's start is all that it knows.
  model::Order about_run(pid_t init) {
    const model::ProcessId id = listed(init).id;
    model::Order order;
    order.id = model::freeze_order_id("of-a-session", id.pid);
    order.action = model::OrderAction::kQuarantine;
    order.enforces = true;
    order.match.process = {id.pid, {id.start.nanoseconds / 10'000'000 * 10'000'000}};
    return order;
  }
  void offer(std::vector<model::Order> orders) {
    guard_->offer_orders(std::move(orders), 1);
    guard_->work(wall_now());
  }
  // The sensor saw it start.
  void on_exec(pid_t pid) {
    const ListedProcess one = listed(pid);
    model::Process process;
    process.id = one.id;
    process.parent = one.parent;
    process.exe = "/usr/bin/python3";
    guard_->on_process(process, "");
  }

  // The kernel's table of who belongs to rules.
  UniqueFd table() { return UniqueFd(::bpf_obj_get((pins_ + "/map_processes").c_str())); }
  bool holds(const model::ProcessId& id) {
    aispm_subject subject{};
    const aispm_process_key key{id.pid, 0, id.start.nanoseconds};
    const UniqueFd processes = table();
    return ::bpf_map_lookup_elem(processes.get(), &key, &subject) == 0 &&
           RuleMask{subject.rules}.any();
  }
  // Entries with rules; of `pid` alone if it is not 0.
  std::size_t count_held(std::uint32_t pid = 0) {
    const UniqueFd processes = table();
    const auto content =
        read_map(processes.get(), "processes", sizeof(aispm_process_key), sizeof(aispm_subject));
    EXPECT_TRUE(content);
    return static_cast<std::size_t>(std::ranges::count_if(*content, [&](const auto& one) {
      return RuleMask{value_of<aispm_subject>(one.second).rules}.any() &&
             (pid == 0 || value_of<aispm_process_key>(one.first).tgid == pid);
    }));
  }
  // As processes leave them that a sensor wrote after they had ended.
  void fill_with_ended(std::uint32_t count) {
    const UniqueFd processes = table();
    aispm_subject subject{};
    subject.rules.words[0] = 1;
    for (std::uint32_t i = 0; i < count; ++i) {
      const aispm_process_key key{kNoPid, 0, i + 1};
      if (::bpf_map_update_elem(processes.get(), &key, &subject, BPF_ANY) != 0) {
        ASSERT_EQ(errno, E2BIG);
        return;
      }
    }
  }

  static constexpr std::uint32_t kNoPid = 0x7ffffff0;  // above the kernel's limit
  aispm::testing::TempFolder folder_;
  std::string mount_ = folder_ / "bpf";
  std::string pins_ = mount_ + "/aispm";
  std::map<model::ProcessId, std::string> agents_;
  std::function<Result<std::shared_ptr<const detect::Engine>>()> make_engine_ = [] {
    return make_prompt_engine("");
  };
  std::function<void()> drain_records_ = [] {};
  std::unique_ptr<Enforcer> lister_;
  std::unique_ptr<KernelGuard> guard_;
  std::vector<KernelGuard::OrderState> states_;
};

}  // namespace aispm::sensor::kernel_test
