// SPDX-License-Identifier: Apache-2.0
#include "sensor/discover/model_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace aispm::sensor {
namespace {

UniqueFd open_regular(const std::string& path, struct stat& facts) {
  // O_NONBLOCK: a FIFO put where a file should be must not hold us.
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file && (::fstat(file.get(), &facts) != 0 || !S_ISREG(facts.st_mode))) file.reset();
  return file;
}

std::string read_up_to(int file, std::size_t limit_bytes) {
  std::string text(limit_bytes, '\0');
  std::size_t size = 0;
  while (size < limit_bytes) {
    const ssize_t got =
        ::pread(file, text.data() + size, limit_bytes - size, static_cast<off_t>(size));
    if (got <= 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  return text;
}

}  // namespace

std::string read_head(const std::string& path, std::size_t limit_bytes) {
  struct stat facts {};
  const UniqueFd file = open_regular(path, facts);
  return file ? read_up_to(file.get(), limit_bytes) : "";
}

std::optional<ModelFile> look_at_model(const std::string& open_path, const std::string& path,
                                       const Signatures& signatures) {
  struct stat facts {};
  const UniqueFd file = open_regular(open_path, facts);
  if (!file) return std::nullopt;
  const auto size = static_cast<std::uint64_t>(facts.st_size);
  const std::string_view name = std::string_view(path).substr(path.rfind('/') + 1);
  const ModelFormat found =
      find_model_format(name, read_up_to(file.get(), kModelHeadBytes), size, signatures);
  if (found.format == nullptr) return std::nullopt;
  ModelFile model;
  model.path = path;
  model.format = found.format->signature->name;
  model.provider = found.format->signature->provider;
  model.rule = found.format->signature->id;
  model.confidence = found.confidence;
  model.load_risk = found.format->load_risk;
  model.size_bytes = size;
  model.attributes = found.attributes;
  return model;
}

std::optional<std::string> ModelHasher::find(const std::string& open_path, const ModelFile& model) {
  struct stat facts {};
  UniqueFd file = open_regular(open_path, facts);
  if (!file) return std::nullopt;
  const Key key{facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtim.tv_sec,
                facts.st_mtim.tv_nsec};
  if (const auto known = known_.find(key); known != known_.end()) return known->second;
  const bool is_waiting =
      std::any_of(waiting_.begin(), waiting_.end(), [&](const Job& job) { return job.key == key; });
  if (is_waiting) return std::nullopt;
  if (waiting_.size() >= kMaxWaiting) {
    ++refused_;  // the next scan asks again
    return std::nullopt;
  }
  waiting_.push_back({std::move(file), key, model, Sha256Stream(), 0});
  return std::nullopt;
}

std::optional<ModelFile> ModelHasher::work() {
  if (waiting_.empty()) return std::nullopt;
  Job& job = waiting_.front();
  std::string slice(kSliceBytes, '\0');
  const ssize_t got =
      ::pread(job.file.get(), slice.data(), slice.size(), static_cast<off_t>(job.offset));
  if (got > 0) {
    job.stream.update(std::string_view(slice).substr(0, static_cast<std::size_t>(got)));
    // Gigabytes read once must not push out what programs need.
    ::posix_fadvise(job.file.get(), static_cast<off_t>(job.offset), got, POSIX_FADV_DONTNEED);
    job.offset += static_cast<std::uint64_t>(got);
    return std::nullopt;
  }
  ModelFile model = std::move(job.model);
  const bool is_whole = got == 0 && job.offset == std::get<2>(job.key);
  if (is_whole) {
    model.sha256 = job.stream.finish_hex();
    if (known_.size() >= kMaxRemembered) known_.clear();
    known_.emplace(job.key, model.sha256);
    ++hashed_;
  } else {
    ++refused_;  // it changed meanwhile or could not be read: the next scan asks again
  }
  waiting_.pop_front();
  if (!is_whole) return std::nullopt;
  return model;
}

}  // namespace aispm::sensor
