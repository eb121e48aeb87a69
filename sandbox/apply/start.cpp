// SPDX-License-Identifier: Apache-2.0
#include "sandbox/apply/start.hpp"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace aispm::sandbox {
namespace {

// What the new process works with. Owned by it after the clone.
struct Inside {
  const Plan& plan;
  AgentStreams& streams;
  UniqueFd setup;
  UniqueFd control;
  std::vector<UniqueFd> sources;  // filled before when root
  UniqueFd between;               // from process 1 to process 2, and back
  std::vector<UniqueFd> network;  // sockets that process 1 holds to the end
  InnerTerminal terminal;         // where one is wanted; init keeps the agent's side
  GroupLimits group;
  unsigned uid;
  unsigned gid;
  sigset_t signal_mask;
  WarmParts* warm;  // none: the agent is started at once
};

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> result;
  result.reserve(words.size() + 1);
  for (const auto& word : words) result.push_back(const_cast<char*>(word.c_str()));
  result.push_back(nullptr);
  return result;
}

// Steps of process 1 up to the fork. The order matters: each needs what a later one takes away.
// Gives the inode of the pid namespace.
Result<std::uint64_t> begin_outer(const Inside& in) {
  AISPM_CHECK(die_with(in.control.get()));
  AISPM_CHECK(in.plan.runtime.executable.empty() ? map_identity(in.uid, in.gid)
                                                 : map_runtime_identity(in.uid, in.gid));
  struct stat pid_namespace {};
  if (::stat("/proc/self/ns/pid", &pid_namespace) != 0) return fail_errno("stat /proc/self/ns/pid");
  if (in.warm != nullptr) AISPM_CHECK(split_spaces(*in.warm));
  AISPM_CHECK(forbid_namespaces());
  if (::setsid() < 0)
    return fail_errno("setsid");  // away from the caller's terminal: nothing can be typed into it
  return pid_namespace.st_ino;
}

// In process 1: process 2 has made the network, and needs the host's root no more.
Result<> await_agent(Inside& in) {
  AISPM_TRY(Received sockets, expect_message(in.between.get(), ControlKind::kSockets));
  in.network = std::move(sockets.fds);
  return {};
}

// With a terminal process 1 makes all files before the fork: only a process that is made later has
// it as its own.
bool shares_files(const Inside& in) { return !in.streams.wants_terminal(); }

// Steps of process 1 while process 2 makes the network: the files, without process 2's share.
Result<> build_files(Inside& in) {
  if (in.sources.empty()) {
    std::vector<std::string> notes;  // only root has any
    AISPM_TRY(in.sources, open_sources(in.plan, 0, notes));
  }
  AISPM_CHECK(make_stage());
  const bool is_shared = shares_files(in);
  if (is_shared)
    AISPM_CHECK(send_message(in.between.get(), ControlMessage{ControlKind::kStaged, 0, 0, {}}));
  AISPM_CHECK(fill_stage(in.plan, in.sources, is_shared ? Share::kMounts : Share::kAll));
  if (is_shared) AISPM_CHECK(await_agent(in));
  AISPM_CHECK(enter_root());
  in.sources.clear();
  if (::sethostname("sandbox", 7) != 0) return fail_errno("sethostname");
  if (!in.streams.wants_terminal()) return {};
  AISPM_TRY(in.terminal, make_terminal(in.streams));
  return {};
}

// In process 1, after both: tells process 2 that "/" is the sandbox's.
Result<> join_agent(Inside& in) {
  if (in.network.empty()) AISPM_CHECK(await_agent(in));
  if (in.terminal.main_side)
    AISPM_CHECK(send_message(in.setup.get(), ControlMessage{ControlKind::kTerminal, 0, 0, {}},
                             {in.terminal.main_side.get()}));
  in.terminal.main_side.reset();
  struct stat root {};
  if (::stat("/", &root) != 0) return fail_errno("stat /");
  return send_message(in.between.get(), ControlMessage{ControlKind::kEntered, 0, root.st_dev, {}});
}

// Last steps of process 1, while process 2 does its own. The supervisor lets process 2 go on to
// exec only when both are done.
Result<> finish_outer(Inside& in, pid_t agent) {
  AISPM_CHECK(bring_to_front(agent, in.terminal.agent_side.get()));
  // All that can be done before the wait in this.
  AISPM_CHECK(lock_privileges());
  AISPM_CHECK(detach_old_root());
  if (shares_files(in)) AISPM_CHECK(expect_message(in.between.get(), ControlKind::kStaged));
  in.between.reset();
  // Of a waiting sandbox the porter does it, and `control` alone is its tie: who takes it is not
  // who made it.
  if (in.warm == nullptr) AISPM_CHECK(make_root_read_only());
  if (in.warm != nullptr && ::prctl(PR_SET_PDEATHSIG, 0) != 0) return fail_errno("prctl");
  AISPM_CHECK(drop_capabilities());
  return send_message(in.setup.get(), ControlMessage{ControlKind::kBuilt, 0, 0, {}});
}

// Process 2 makes the network, whose sockets the supervisor and process 1 get.
Result<> build_network(const Inside& in, std::uint64_t pid_namespace) {
  AISPM_TRY(const NetworkSockets sockets, make_network(!in.plan.gateway_socket.empty()));
  if (shares_files(in)) {
    AISPM_CHECK(expect_message(in.between.get(), ControlKind::kStaged));
    AISPM_CHECK(go_to_stage());
  }
  const ControlMessage message{ControlKind::kSockets, sockets.dns6 ? 1U : 0U, pid_namespace, {}};
  std::vector<int> fds = {sockets.monitor.get(), sockets.dns4.get(), sockets.dns_tcp.get()};
  if (sockets.dns6) fds.push_back(sockets.dns6.get());
  if (sockets.proxy) fds.push_back(sockets.proxy.get());
  // In this order: what process 1 says to the supervisor comes after these.
  AISPM_CHECK(send_message(in.setup.get(), message, fds));
  return send_message(in.between.get(), message, fds);
}

// Steps of process 2 while process 1 mounts the files and detaches the host's root: the network,
// and the small files.
Result<> build_beside(const Inside& in, std::uint64_t pid_namespace) {
  if (!shares_files(in)) return build_network(in, pid_namespace);
  AISPM_TRY(const std::vector<UniqueFd> sources, open_texts(in.plan));
  AISPM_CHECK(build_network(in, pid_namespace));
  AISPM_CHECK(fill_stage(in.plan, sources, Share::kTexts));
  return send_message(in.between.get(), ControlMessage{ControlKind::kStaged, 0, 0, {}});
}

// Waits until process 1 has entered the new root, which the kernel then made ours too.
Result<> await_root(Inside& in) {
  AISPM_TRY(Received entered, receive_message(in.between.get(), -1));
  in.between.reset();
  struct stat root {};
  if (::chdir("/") != 0 || ::stat("/", &root) != 0) return fail_errno("enter the new root");
  if (entered.message.kind != ControlKind::kEntered || entered.message.value != root.st_dev)
    return fail(Errc::kInternal, "the agent's process is not in the new root");
  return {};
}

// Files of the program. Gives the Landlock ABI.
Result<int> confine_program(const Inside& in) {
  if (::chdir(in.plan.folder.c_str()) != 0) return fail_errno("enter " + in.plan.folder);
  return restrict_files(in.plan);
}

// Steps of process 2 up to exec.
Result<> build_inner(Inside& in) {
  const bool has_runtime = !in.plan.runtime.executable.empty();
  if (!has_runtime) {
    AISPM_CHECK(drop_privileges());
    AISPM_CHECK(set_limits(in.plan.limits, in.group));
  }
  AISPM_CHECK(await_root(in));
  AISPM_CHECK(take_streams(in.streams, in.terminal.agent_side.get()));
  AISPM_TRY(const int abi,
            has_runtime ? prepare_for_runtime(in.plan, in.group) : confine_program(in));
  AISPM_TRY(const UniqueFd listener, has_runtime ? install_runtime_filter() : install_filter());
  const ControlMessage message{ControlKind::kListener, 0, static_cast<std::uint64_t>(abi), {}};
  AISPM_CHECK(send_message(in.setup.get(), message, {listener.get()}));
  AISPM_CHECK(expect_message(in.setup.get(), ControlKind::kGo));
  return {};
}

[[noreturn]] void fail_inside(int setup, const Error& error, int exit_code) {
  if (auto sent = send_message(setup, failed_message(error, exit_code)); !sent)
    ::_exit(kExitSandbox);
  ::_exit(exit_code);
}

pid_t must_fork(const Inside& in) {
  const pid_t child = ::fork();
  if (child < 0)
    fail_inside(in.setup.get(),
                Error{Errc::kExhausted, std::string("fork: ") + std::strerror(errno), errno},
                kExitSandbox);
  return child;
}

// Process 2 hands signals on, its child becomes the runtime. Returns in that child.
void stand_before_runtime(Inside& in) {
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  const pid_t child = must_fork(in);
  if (child == 0) return leave_front();
  in.setup.reset();
  if (!stand_aside()) ::_exit(kExitSandbox);
  ::_exit(relay_signals(in.plan.runtime, child));
}

[[noreturn]] void run_agent(Inside& in, std::uint64_t pid_namespace) {
  auto built = build_beside(in, pid_namespace);
  if (in.warm != nullptr) {
    if (built) built = drop_privileges();
    if (built) built = await_root(in);
    if (!built) fail_inside(in.setup.get(), built.error(), kExitSandbox);
    run_waiting(in.plan, std::move(*in.warm), std::move(in.setup), in.signal_mask);
  }
  if (built) built = build_inner(in);
  if (!built) fail_inside(in.setup.get(), built.error(), kExitSandbox);
  if (!in.plan.runtime.executable.empty()) stand_before_runtime(in);
  const Runtime& runtime = in.plan.runtime;
  const bool is_direct = runtime.executable.empty();
  const std::string& executable = is_direct ? in.plan.executable : runtime.executable;
  auto words = is_direct ? in.plan.argv : runtime.argv;
  // Later versions insist on user namespaces, which they do not need for this, unless told.
  if (!is_direct && accepts_flag(runtime, "--host-settings=ignore"))
    words.insert(words.begin() + 1, "--host-settings=ignore");
  const auto argv = pointers(words);
  const auto environment = pointers(is_direct ? in.plan.environment : runtime.environment);
  ::sigprocmask(SIG_SETMASK, &in.signal_mask, nullptr);
  ::execve(executable.c_str(), argv.data(), environment.data());
  const int error = errno;
  const std::string reason =
      executable + ": cannot be executed in the sandbox: " + std::strerror(error);
  fail_inside(in.setup.get(), Error{Errc::kDenied, reason, error},
              error == ENOENT ? kExitNotFound : kExitNotExecutable);
}

// Process 2 runs on from here beside process 1.
pid_t fork_agent(Inside& in, std::uint64_t pid_namespace) {
  int between[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, between) != 0)
    fail_inside(in.setup.get(), Error{Errc::kExhausted, "socketpair", errno}, kExitSandbox);
  UniqueFd outer(between[0]);
  UniqueFd inner(between[1]);
  const pid_t agent = must_fork(in);
  in.between = std::move(agent == 0 ? inner : outer);
  if (agent != 0) return agent;
  outer.reset();
  in.control.reset();
  in.sources.clear();
  in.terminal.main_side.reset();
  run_agent(in, pid_namespace);
}

// Of a waiting sandbox: adds its late mounts.
void fork_porter(Inside& in) {
  if (must_fork(in) == 0) {
    in.control.reset();
    in.setup.reset();
    in.between.reset();
    run_porter(in.plan, std::move(*in.warm));
  }
  *in.warm = WarmParts();
}

[[noreturn]] void run_inside(Inside in) {
  std::vector<int> kept = {in.setup.get(), in.control.get(), in.streams.output.get(),
                           in.streams.errors.get()};
  for (const auto& source : in.sources) kept.push_back(source.get());
  if (in.warm != nullptr) {
    kept.push_back(in.warm->port.get());
    kept.push_back(in.warm->library.get());
  }
  if (auto closed = close_all_but(std::move(kept)); !closed)
    fail_inside(in.setup.get(), closed.error(), kExitSandbox);
  auto pid_namespace = begin_outer(in);
  if (!pid_namespace) fail_inside(in.setup.get(), pid_namespace.error(), kExitSandbox);
  sigset_t child;
  ::sigemptyset(&child);
  ::sigaddset(&child, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &child,
                nullptr);  // init reads it from a signalfd; the program gets the caller's mask
  pid_t agent = -1;
  Result<> files = {};
  if (in.streams.wants_terminal()) {
    files = build_files(in);
    if (files) agent = fork_agent(in, *pid_namespace);
  } else {
    agent = fork_agent(in, *pid_namespace);
    files = build_files(in);
  }
  if (!files) fail_inside(in.setup.get(), files.error(), kExitSandbox);
  if (in.warm != nullptr) fork_porter(in);
  if (auto joined = join_agent(in); !joined)
    fail_inside(in.setup.get(), joined.error(), kExitSandbox);
  if (auto finished = finish_outer(in, agent); !finished)
    fail_inside(in.setup.get(), finished.error(), kExitSandbox);
  in.streams.output.reset();
  in.streams.errors.reset();
  run_init(in.plan, std::move(in.setup), std::move(in.control), std::move(in.network),
           std::move(in.terminal.agent_side), agent, in.warm != nullptr);
}

// In the short-lived process, or in process 1. With memory shared with the supervisor (vfork) it
// changes nothing there that the supervisor goes on to use.
[[noreturn]] [[gnu::noinline]] void clone_as_other(const RootPrefix& prefix, Inside& in) {
  auto become = prefix.become();
  if (!become) fail_inside(in.setup.get(), become.error(), kExitSandbox);
  auto pid = clone_namespaces(true, -1);
  if (!pid) fail_inside(in.setup.get(), pid.error(), kExitSandbox);
  if (*pid == 0) {
    // Without this /proc/self/uid_map belongs to root.
    if (::prctl(PR_SET_DUMPABLE, 1) != 0)
      fail_inside(in.setup.get(), Error{Errc::kInternal, "prctl(PR_SET_DUMPABLE)", errno},
                  kExitSandbox);
    run_inside(std::move(in));
  }
  const ControlMessage started{ControlKind::kGo, 0, static_cast<std::uint64_t>(*pid), {}};
  // This socket's other end is the supervisor's `control`; init itself says nothing before the
  // agent's end.
  if (auto sent = send_message(in.control.get(), started); !sent) ::_exit(1);
  ::_exit(0);
}

// Root: a short-lived process gives up root for good and starts the sandbox as our own child. As a
// user id of the run's own, which no other process has, it borrows our memory instead of copying
// it; a caller of the pool could trace such a process, and so us.
Result<> clone_behind_prefix(const RootPrefix& prefix, Inside in) {
  const int dumpable = ::prctl(PR_GET_DUMPABLE);
  const pid_t helper = prefix.is_root() ? ::vfork() : ::fork();
  if (helper == 0) clone_as_other(prefix, in);
  if (helper < 0) return fail_errno("fork");
  int status = 0;
  while (::waitpid(helper, &status, 0) < 0 && errno == EINTR) {
  }
  // The change of user took it from the memory that was borrowed.
  if (dumpable == 1 && ::prctl(PR_SET_DUMPABLE, 1) != 0)
    return fail_errno("prctl(PR_SET_DUMPABLE)");
  return {};
}

}  // namespace

Result<Started> start_sandbox(const Plan& plan, RootPrefix& prefix, const sigset_t& signal_mask,
                              AgentStreams& streams, WarmParts* warm) {
  int setup[2];
  int control[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, setup) != 0)
    return fail_errno("socketpair");
  UniqueFd setup_outside(setup[0]);
  UniqueFd setup_inside(setup[1]);
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) != 0)
    return fail_errno("socketpair");
  UniqueFd control_outside(control[0]);
  UniqueFd control_inside(control[1]);

  Inside in{plan,
            streams,
            std::move(setup_inside),
            std::move(control_inside),
            {},
            UniqueFd(),
            {},
            {},
            prefix.groups().limits(),
            ::geteuid(),
            ::getegid(),
            signal_mask,
            warm};
  Started started;
  if (prefix.changes_user()) {
    in.uid = prefix.inner_uid();
    in.gid = prefix.inner_gid();
    AISPM_TRY(in.sources, open_sources(plan, prefix.uid(), started.notes));
    AISPM_CHECK(clone_behind_prefix(prefix, std::move(in)));
    if (auto first = receive_message(control_outside.get(), 0);
        first && first->message.kind == ControlKind::kGo)
      started.init = static_cast<pid_t>(first->message.value);
    // Otherwise `setup` says why.
  } else {
    auto cloned = clone_namespaces(false, prefix.groups().clone_into());
    if (!cloned && prefix.groups().clone_into() >= 0) {
      // Delegated, but not to us: then limits hold for each process.
      prefix.groups().remove();
      prefix.groups() = ControlGroups();
      in.group = {};
      cloned = clone_namespaces(false, -1);
    }
    AISPM_TRY(started.init, std::move(cloned));
    if (started.init == 0) {
      setup_outside.reset();
      control_outside.reset();
      run_inside(std::move(in));
    }
  }
  streams.output.reset();
  streams.errors.reset();
  started.setup = std::move(setup_outside);
  started.control = std::move(control_outside);
  return started;
}

}  // namespace aispm::sandbox
