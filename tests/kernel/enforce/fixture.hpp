// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "sdk/core/common/unique_fd.hpp"
#include "sensor/decide/address.hpp"
#include "sensor/decide/decider.hpp"
#include "sensor/enforce/enforcer.hpp"
#include "sensor/enforce/host.hpp"
#include "tests/support/temp_folder.hpp"

// Rules in the real kernel, about children of the test alone.
namespace aispm::sensor::kernel_test {

// A child that does what it is told over a pipe, one letter a deed, and answers with an errno.
class Child {
 public:
  using Deed = std::function<int(char)>;

  explicit Child(const Deed& deed) {
    int to[2];
    int from[2];
    if (::pipe(to) != 0 || ::pipe(from) != 0) throw std::runtime_error("pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(to[1]);
      ::close(from[0]);
      close_folders();
      char letter = 0;
      while (::read(to[0], &letter, 1) == 1) {
        const int answer = deed(letter);
        if (::write(from[1], &answer, sizeof(answer)) != sizeof(answer)) break;
      }
      ::_exit(0);
    }
    ::close(to[0]);
    ::close(from[1]);
    to_.reset(to[1]);
    from_.reset(from[0]);
  }
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // -1: it died, or ten seconds passed.
  int ask(char letter) {
    int answer = -1;
    pollfd waiting{from_.get(), POLLIN, 0};
    if (::write(to_.get(), &letter, 1) != 1 || ::poll(&waiting, 1, 10'000) != 1) return -1;
    return ::read(from_.get(), &answer, sizeof(answer)) == sizeof(answer) ? answer : -1;
  }
  // How it ended: the signal, or 0. Waits for it.
  int wait_signal() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }
  pid_t pid() const { return pid_; }

 private:
  // A daemon's lock on its pins must not live on in its test's children.
  static void close_folders() {
    for (int fd = 3; fd < 1024; ++fd) {
      struct stat found {};
      if (::fstat(fd, &found) == 0 && S_ISDIR(found.st_mode)) ::close(fd);
    }
  }

  pid_t pid_ = -1;
  UniqueFd to_;
  UniqueFd from_;
};

// A TCP listener on loopback.
struct Server {
  explicit Server(const char* host = "127.0.0.1") {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    ::inet_pton(AF_INET, host, &address.sin_addr);
    fd.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    socklen_t size = sizeof(address);
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(fd.get(), 64) != 0 ||
        ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("listen");
    port = ntohs(address.sin_port);
  }
  UniqueFd fd;
  std::uint16_t port = 0;
};

// 0 or the errno of connect.
inline int try_connect(std::uint16_t port, const char* host = "127.0.0.1") {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, host, &address.sin_addr);
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) return 0;
  return errno;
}

class EnforceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "root is needed";
    std::filesystem::create_directories(mount_);
    if (::mount("bpf", mount_.c_str(), "bpf", 0, "mode=0700") != 0)
      GTEST_SKIP() << "cannot mount a BPF file system: " << std::strerror(errno);
    is_mounted_ = true;
    if (!start()) return;
  }
  void TearDown() override {
    enforcer_.reset();
    if (!is_mounted_) return;
    if (!Pins::remove_all(pins_)) ADD_FAILURE() << "pins are left";
    ::umount2(mount_.c_str(), MNT_DETACH);
  }

  // A daemon's start: takes over what is pinned. Skips the test where the kernel cannot.
  bool start() {
    EnforcerOptions options;
    options.pins = pins_;
    options.uses_lsm = uses_lsm_;
    auto enforcer = Enforcer::open(options);
    if (!enforcer) {
      why_ = enforcer.error().message;
      return false;
    }
    enforcer_ = std::move(*enforcer);
    Protected protects;
    protects.executables = protected_executables_;
    decider_ = std::make_unique<Decider>(
        DecideLookups{[](const std::string& user) -> std::optional<std::uint32_t> {
                        return static_cast<std::uint32_t>(std::stoul(user));
                      },
                      [](const std::string& path) { return find_cgroup(find_cgroup_root(), path); },
                      [](const std::string&) { return std::vector<std::string>(); }},
        protects, enforcer_->slots());
    return true;
  }
  // As after kill -9: nothing is undone.
  void crash() {
    enforcer_.reset();
    decider_.reset();
  }

  // An order about this child and its descendants.
  model::Order about(const Child& child, model::OrderAction action) {
    model::Order order;
    order.id = "order-" + std::to_string(++count_);
    order.action = action;
    order.enforces = true;
    order.match.process = id_of(child);
    return order;
  }
  model::ProcessId id_of(const Child& child) {
    if (!enforcer_->is_loaded()) load();
    auto listed = enforcer_->list_processes();
    EXPECT_TRUE(listed) << (listed ? "" : listed.error().message);
    for (const ListedProcess& one : *listed)
      if (one.id.pid == static_cast<std::uint32_t>(child.pid())) return one.id;
    ADD_FAILURE() << "the child is not listed";
    return {};
  }
  // Programs are loaded with the first rule; this one fits nobody.
  void load() {
    model::Order order;
    order.id = "order-nobody";
    order.action = model::OrderAction::kBlock;
    order.match.exe = "/nonexistent/program";
    orders_.push_back(order);
    apply();
    ASSERT_TRUE(enforcer_->is_loaded());
  }
  void put(const model::Order& order) {
    orders_.push_back(order);
    apply();
  }
  void undo(const model::Order& order) {
    std::erase_if(orders_, [&](const model::Order& one) { return one.id == order.id; });
    apply();
  }
  void apply() {
    const auto problems = decider_->set_orders(orders_, wall_now());
    for (const auto& [id, problem] : problems) ADD_FAILURE() << id << ": " << problem;
    know_processes();
    const auto done = enforcer_->apply(decider_->tables());
    ASSERT_TRUE(done) << done.error().message;
    decider_->settle();
  }
  void know_processes() {
    const auto listed = enforcer_->list_processes();
    ASSERT_TRUE(listed);
    for (const ListedProcess& one : *listed) {
      Decider::Known known;
      known.parent = one.parent;
      known.uid = one.uid;
      known.cgroup_id = one.cgroup_id;
      std::error_code error;
      known.exe =
          std::filesystem::read_symlink("/proc/" + std::to_string(one.id.pid) + "/exe", error);
      decider_->on_process(one.id, known);
    }
  }
  // Records that came, until `is_done` or ten seconds.
  bool until(const std::function<bool(const aispm_enforced_event&)>& is_done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    bool found = false;
    while (!found && std::chrono::steady_clock::now() < deadline) {
      pollfd waiting{enforcer_->poll_fd(), POLLIN, 0};
      ::poll(&waiting, 1, 50);
      enforcer_->drain([&](std::span<const std::byte> bytes) {
        aispm_enforced_event event{};
        ASSERT_EQ(bytes.size(), sizeof(event));
        std::memcpy(&event, bytes.data(), sizeof(event));
        found = found || is_done(event);
      });
    }
    return found;
  }

  aispm::testing::TempFolder folder_;
  std::string mount_ = folder_ / "bpf";
  std::string pins_ = mount_ + "/aispm";
  bool is_mounted_ = false;
  bool uses_lsm_ = false;
  std::string why_;
  std::vector<std::string> protected_executables_;
  std::unique_ptr<Enforcer> enforcer_;
  std::unique_ptr<Decider> decider_;
  std::vector<model::Order> orders_;
  int count_ = 0;
};

}  // namespace aispm::sensor::kernel_test
