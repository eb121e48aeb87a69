// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/database_cache.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <thread>

#include "sdk/core/common/crypto.hpp"
#include "sdk/core/detect/compile_jobs.hpp"
#include "sdk/core/detect/pattern.hpp"

namespace aispm::detect {
namespace {

void add(Sha256Stream& hash, std::string_view text) {
  hash.update(std::to_string(text.size()) + ":");
  hash.update(text);
}

// Everything that the compiled form depends on.
std::string key_of(const std::vector<HsPattern>& patterns) {
  Sha256Stream hash;
  add(hash, "aispm database 3");
  add(hash, hs_version());
  hs_platform_info_t platform{};
  if (hs_populate_platform(&platform) == HS_SUCCESS)
    add(hash, std::to_string(platform.cpu_features) + "," + std::to_string(platform.tune));
  for (const HsPattern& pattern : patterns) {
    add(hash, pattern.text);
    add(hash, (pattern.caseless ? "i" : "") + std::to_string(pattern.id));
  }
  return hash.finish_hex();
}

std::string key_of(const DfaSource& source) {
  Sha256Stream hash;
  add(hash, source.caseless ? "aispm automaton 3 i" : "aispm automaton 3");
  for (const std::string& pattern : source.patterns) add(hash, pattern);
  return hash.finish_hex();
}

std::optional<HsDatabase> read_database(const std::string& content) {
  hs_database_t* database = nullptr;
  if (hs_deserialize_database(content.data(), content.size(), &database) != HS_SUCCESS)
    return std::nullopt;
  return HsDatabase(database, &hs_free_database);
}

Result<> write_database(const CacheFiles& files, const std::string& name,
                        const hs_database_t* database) {
  char* bytes = nullptr;
  std::size_t size = 0;
  if (hs_serialize_database(database, &bytes, &size) != HS_SUCCESS)
    return fail(Errc::kInternal, "Hyperscan: cannot serialise");
  const std::unique_ptr<char, decltype(&std::free)> owner(bytes, &std::free);
  return files.write(name, {bytes, size});
}

Result<Dfa> compile_automaton(const std::vector<Rule>& rules, const DfaSource& source) {
  std::vector<Node> nodes;
  for (const std::string& pattern : source.patterns) {
    AISPM_TRY(Node node, parse_pattern(pattern, source.caseless));
    nodes.push_back(std::move(node));
  }
  auto made = Dfa::compile(nodes);
  if (made) return made;
  const Rule& rule = rules[source.rule];
  return fail(made.error().code, rule.where + ": " + rule.id + ": " + made.error().message);
}

// Runs the tasks on all cores; the caller's thread is one of them.
void run_all(const std::vector<std::function<void()>>& tasks) {
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t task = next++; task < tasks.size(); task = next++) tasks[task]();
  };
  const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < std::min(cores, tasks.size()); ++i) others.emplace_back(work);
  work();
  for (std::thread& other : others) other.join();
}

}  // namespace

// One make(): loads what is on disk, compiles the rest, keeps that.
class DatabaseCache::Run {
 public:
  Run(DatabaseCache& cache, const std::vector<Rule>& rules, const CompileJobs& jobs)
      : cache_(cache), rules_(rules), jobs_(jobs) {
    compiled_.databases.resize(jobs.databases.size());
    compiled_.automata.resize(jobs.automata.size());
  }

  Result<Compiled> run() {
    take_known();
    std::vector<std::function<void()>> tasks;
    for (std::size_t i = 0; i < jobs_.databases.size(); ++i)
      tasks.emplace_back([this, i] { make_database(i); });
    if (!missing_.empty() && !load_automata()) {
      for (std::size_t from = 0; from < missing_.size(); from += kAtOnce)
        tasks.emplace_back([this, from] { compile_automata(from); });
    }
    run_all(tasks);
    if (error_) return tl::unexpected(std::move(*error_));
    keep_automata();
    if (cache_.files_ && has_written_) cache_.files_->prune();
    return std::move(compiled_);
  }

 private:
  static constexpr std::size_t kAtOnce = 8;  // automata of one task

  // Automata of engines that live.
  void take_known() {
    const auto is_gone = [](const auto& entry) { return entry.second.expired(); };
    std::erase_if(cache_.databases_, is_gone);
    std::erase_if(cache_.automata_, is_gone);
    const auto& known = cache_.automata_;
    Sha256Stream all;
    for (std::size_t i = 0; i < jobs_.automata.size(); ++i) {
      keys_.push_back(key_of(jobs_.automata[i]));
      const auto found = known.find(keys_.back());
      if (found != known.end()) compiled_.automata[i] = found->second.lock();
      if (compiled_.automata[i]) continue;
      missing_.push_back(i);
      add(all, keys_.back());
    }
    bundle_ = all.finish_hex();
  }

  std::optional<std::string> read(const std::string& name) {
    if (!cache_.files_) return std::nullopt;
    auto content = cache_.files_->read(name);
    if (content) return std::move(*content);
    const std::lock_guard lock(mutex_);
    ++cache_.counts_.damaged;
    return std::nullopt;
  }

  void note_written(const Result<>& written) {
    const std::lock_guard lock(mutex_);
    if (written) has_written_ = true;
    if (!written) ++cache_.counts_.unwritten;
  }

  void note(std::uint64_t Counts::*counter) {
    const std::lock_guard lock(mutex_);
    ++(cache_.counts_.*counter);
  }

  // The first in the order of the jobs is told.
  void note_error(std::size_t job, Error error) {
    const std::lock_guard lock(mutex_);
    if (error_ && job > failed_job_) return;
    failed_job_ = job;
    error_ = std::move(error);
  }

  void make_database(std::size_t index) {
    const std::string name = key_of(jobs_.databases[index]);
    HsDatabase& database = compiled_.databases[index];
    database = find_known(name);
    if (database) return;
    if (const auto content = read(name)) {
      if (auto loaded = read_database(*content)) {
        database = std::move(*loaded);
        remember(name, database);
        return note(&Counts::loaded);
      }
      note(&Counts::damaged);
    }
    auto made = compile_block(rules_, jobs_.databases[index]);
    if (!made) return note_error(index, std::move(made.error()));
    note(&Counts::compiled);
    if (cache_.files_) note_written(write_database(*cache_.files_, name, made->get()));
    database = std::move(*made);
    remember(name, database);
  }

  HsDatabase find_known(const std::string& name) {
    const std::lock_guard lock(mutex_);
    const auto found = cache_.databases_.find(name);
    return found == cache_.databases_.end() ? nullptr : found->second.lock();
  }

  void remember(const std::string& name, const HsDatabase& database) {
    const std::lock_guard lock(mutex_);
    cache_.databases_[name] = database;
  }

  bool load_automata() {
    const auto content = read(bundle_);
    if (!content) return false;
    std::string_view rest = *content;
    std::vector<std::shared_ptr<const Dfa>> loaded;
    for (std::size_t i = 0; i < missing_.size(); ++i) {
      auto one = Dfa::take_from(rest);
      if (!one) break;
      loaded.push_back(std::make_shared<const Dfa>(std::move(*one)));
    }
    if (loaded.size() < missing_.size() || !rest.empty()) {
      note(&Counts::damaged);
      return false;
    }
    for (std::size_t i = 0; i < missing_.size(); ++i)
      compiled_.automata[missing_[i]] = std::move(loaded[i]);
    note(&Counts::loaded);
    return true;
  }

  void compile_automata(std::size_t from) {
    const std::size_t end = std::min(from + kAtOnce, missing_.size());
    for (std::size_t i = from; i < end; ++i) {
      auto made = compile_automaton(rules_, jobs_.automata[missing_[i]]);
      if (!made) return note_error(jobs_.databases.size() + missing_[i], std::move(made.error()));
      compiled_.automata[missing_[i]] = std::make_shared<const Dfa>(std::move(*made));
    }
    are_new_ = true;
  }

  void keep_automata() {
    for (const std::size_t i : missing_) cache_.automata_[keys_[i]] = compiled_.automata[i];
    if (!are_new_) return;
    note(&Counts::compiled);
    if (!cache_.files_) return;
    std::string content;
    for (const std::size_t i : missing_) compiled_.automata[i]->append_to(content);
    note_written(cache_.files_->write(bundle_, content));
  }

  DatabaseCache& cache_;
  const std::vector<Rule>& rules_;
  const CompileJobs& jobs_;
  Compiled compiled_;
  std::vector<std::string> keys_;     // of automata
  std::vector<std::size_t> missing_;  // automata that no living engine has
  std::string bundle_;                // file of the missing ones
  std::atomic<bool> are_new_ = false;
  std::mutex mutex_;  // guards the rest, and the cache's counts and known databases
  std::optional<Error> error_;
  std::size_t failed_job_ = 0;
  bool has_written_ = false;
};

Result<DatabaseCache> DatabaseCache::open(const std::string& folder) {
  DatabaseCache cache;
  AISPM_TRY(cache.files_, CacheFiles::open(folder));
  return cache;
}

Result<Compiled> DatabaseCache::make(const std::vector<Rule>& rules, const CompileJobs& jobs) {
  return Run(*this, rules, jobs).run();
}

std::string usual_cache_folder(const std::string& name) {
  const auto folder_of = [](const char* variable, const std::string& below) -> std::string {
    const char* value = std::getenv(variable);
    return value != nullptr && value[0] == '/' ? std::string(value) + below : std::string();
  };
  if (std::string given = folder_of("CACHE_DIRECTORY", ""); !given.empty()) return given;
  if (::geteuid() == 0) return "/var/cache/aispm/" + name;
  if (std::string own = folder_of("XDG_CACHE_HOME", "/aispm/" + name); !own.empty()) return own;
  return folder_of("HOME", "/.cache/aispm/" + name);
}

}  // namespace aispm::detect
