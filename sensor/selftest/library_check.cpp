// SPDX-License-Identifier: Apache-2.0
#include "sensor/selftest/library_check.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <grp.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>

#include "sdk/core/common/unique_fd.hpp"
#include "sensor/selftest/workload.hpp"

extern char** environ;

namespace aispm::sensor {
namespace {

constexpr uid_t kNobody = 65534;
constexpr rlim_t kMaxCpuSeconds = 20;
constexpr int kBufferBytes = 64 << 10;
// From ssl.h; the same since OpenSSL 1.1.
constexpr int kSetMaxVersion = 124;
constexpr int kSetDhAuto = 118;
constexpr long kTls12 = 0x0303;

template <typename Function>
bool find(void* library, const char* name, Function*& function) {
  function = reinterpret_cast<Function*>(::dlsym(library, name));
  return function != nullptr;
}

// The few functions of OpenSSL that the check needs, of the file under test.
struct OpenSsl {
  const void* (*method)();
  void* (*new_context)(const void*);
  long (*control)(void*, int, long, void*);
  int (*set_ciphers)(void*, const char*);
  void* (*new_session)(void*);
  void (*set_bio)(void*, void*, void*);
  void (*connect_state)(void*);
  void (*accept_state)(void*);
  int (*handshake)(void*);
  int (*write)(void*, const void*, int);
  int (*read)(void*, void*, int);
  int (*bio_pair)(void**, std::size_t, void**, std::size_t);

  bool load(const std::string& path) {
    void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    return library != nullptr && find(library, "TLS_method", method) &&
           find(library, "SSL_CTX_new", new_context) && find(library, "SSL_CTX_ctrl", control) &&
           find(library, "SSL_CTX_set_cipher_list", set_ciphers) &&
           find(library, "SSL_new", new_session) && find(library, "SSL_set_bio", set_bio) &&
           find(library, "SSL_set_connect_state", connect_state) &&
           find(library, "SSL_set_accept_state", accept_state) &&
           find(library, "SSL_do_handshake", handshake) && find(library, "SSL_write", write) &&
           find(library, "SSL_read", read) && find(library, "BIO_new_bio_pair", bio_pair);
  }
};

// Anonymous key agreement: a check needs no certificate, and nobody else takes part.
bool connect(const OpenSsl& api, void*& client, void*& server) {
  void* context = api.new_context(api.method());
  if (context == nullptr || api.set_ciphers(context, "ADH:AECDH:@SECLEVEL=0") != 1) return false;
  api.control(context, kSetMaxVersion, kTls12, nullptr);
  api.control(context, kSetDhAuto, 1, nullptr);
  client = api.new_session(context);
  server = api.new_session(context);
  void* left = nullptr;
  void* right = nullptr;
  if (client == nullptr || server == nullptr ||
      api.bio_pair(&left, kBufferBytes, &right, kBufferBytes) != 1)
    return false;
  api.set_bio(client, left, left);
  api.set_bio(server, right, right);
  api.connect_state(client);
  api.accept_state(server);
  for (int round = 0; round < 20; ++round) {
    const int one = api.handshake(client);
    if (api.handshake(server) == 1 && one == 1) return true;
  }
  return false;
}

double thread_cpu_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

bool drop_privileges() {
  const rlimit cpu{kMaxCpuSeconds, kMaxCpuSeconds};
  if (::setrlimit(RLIMIT_CPU, &cpu) != 0 || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return false;
  return ::getuid() != 0 ||
         (::setgroups(0, nullptr) == 0 && ::setresgid(kNobody, kNobody, kNobody) == 0 &&
          ::setresuid(kNobody, kNobody, kNobody) == 0);
}

}  // namespace

std::string library_text() {
  const std::string block = make_payload('l', kLibraryBlockBytes);
  std::string text;
  for (int i = 0; i < kLibraryWrites; ++i) text += block;
  return text;
}

std::optional<std::string> why_not_checkable(const ProbedLibrary& library) {
  if (library.library != "openssl") return "no workload for " + library.library;
  if (library.path.find(".so") == std::string::npos) return "a program, not a library";
  struct stat facts {};
  if (::stat(library.path.c_str(), &facts) != 0) return "not in this mount namespace";
  if (facts.st_uid != 0 || (facts.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return "not only root's to write: its code is not run";
  return std::nullopt;
}

Result<LibraryRun> run_library_child(const std::string& path) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno("pipe");
  const UniqueFd output(ends[0]);
  UniqueFd input(ends[1]);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input.get(), STDOUT_FILENO);
  const char* arguments[] = {"aispm-sensord", "--selftest-library", path.c_str(), nullptr};
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, "/proc/self/exe", &actions, nullptr,
                                  const_cast<char* const*>(arguments), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return fail_errno("start the library check", error);
  input.reset();
  std::array<char, 64> text{};
  const ssize_t size = ::read(output.get(), text.data(), text.size() - 1);
  int status = 0;
  ::waitpid(pid, &status, 0);
  LibraryRun run;
  run.pid = static_cast<std::uint32_t>(pid);
  run.write_ns = size > 0 ? std::strtod(text.data(), nullptr) : 0;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || run.write_ns <= 0)
    return fail(Errc::kUnavailable, "its workload failed");
  return run;
}

int work_with_library(const std::string& path) {
  OpenSsl api{};
  void* client = nullptr;
  void* server = nullptr;
  if (!drop_privileges() || !api.load(path) || !connect(api, client, server)) return 1;
  const std::string block = make_payload('l', kLibraryBlockBytes);
  std::string received(kLibraryBlockBytes, '\0');
  double cost = 0;
  for (int i = 0; i < kLibraryWrites; ++i) {
    const double start = thread_cpu_ns();
    if (api.write(client, block.data(), static_cast<int>(block.size())) !=
        static_cast<int>(block.size()))
      return 1;
    cost += thread_cpu_ns() - start;
    if (api.read(server, received.data(), static_cast<int>(received.size())) !=
            static_cast<int>(received.size()) ||
        received != block)
      return 1;
  }
  std::printf("%.0f\n", cost / kLibraryWrites);
  return 0;
}

}  // namespace aispm::sensor
