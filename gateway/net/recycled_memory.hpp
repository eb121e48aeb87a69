// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <malloc.h>

#include <array>
#include <cstddef>
#include <cstdlib>

namespace aispm::net {

// What a thread's exchanges give back, kept for the next ones of this thread: their coroutines are
// larger than what the C library keeps for a thread, and there are more at once than the seven of a
// size that it keeps. Blocks are malloc's own, so that anybody may free them.
//
// While one is there, the `new` and `delete` of its thread go through it (operator_new.cpp, ADR
// 0099). At most one a thread; it is used and ended by the thread that made it.
class RecycledMemory {
 public:
  static constexpr std::size_t kMaxBlockBytes = 8U << 10;
  static constexpr std::size_t kMaxKeptBytes = 1U << 20;

  RecycledMemory() { current_ = this; }
  ~RecycledMemory() {
    current_ = nullptr;
    drop();
  }
  RecycledMemory(const RecycledMemory&) = delete;
  RecycledMemory& operator=(const RecycledMemory&) = delete;

  // The calling thread's, if it has one.
  static RecycledMemory* current() { return current_; }

  // How many bytes to ask malloc for, so that the block will serve for all requests of its class.
  static std::size_t rounded(std::size_t bytes) {
    return bytes > kMaxBlockBytes ? bytes : chunk_for(bytes) - kHeaderBytes;
  }

  // Room for so many bytes, or null: ask malloc.
  void* take(std::size_t bytes) {
    if (bytes > kMaxBlockBytes) return nullptr;
    const std::size_t chunk = chunk_for(bytes);
    Block*& first = free_[class_of(chunk)];
    if (first == nullptr) return nullptr;
    Block* const block = first;
    first = block->next;
    kept_bytes_ -= chunk;
    return block;
  }

  // False: it is not kept, free it. `memory` is malloc's.
  bool give(void* memory) {
    // A class below its own where malloc gave more than it was asked for.
    std::size_t chunk = malloc_usable_size(memory) + kHeaderBytes;
    if (chunk > kFineBytes) chunk -= chunk % kCoarseStep;
    if (chunk > kMaxChunkBytes) return false;
    if (kept_bytes_ + chunk > kMaxKeptBytes) drop();
    auto* const block = static_cast<Block*>(memory);
    Block*& first = free_[class_of(chunk)];
    block->next = first;
    first = block;
    kept_bytes_ += chunk;
    return true;
  }

  std::size_t kept_bytes() const { return kept_bytes_; }

 private:
  // malloc's chunk is what it gives and eight bytes, a multiple of 16 and no less than 32.
  static constexpr std::size_t kHeaderBytes = sizeof(std::size_t);
  static constexpr std::size_t kFineStep = 16;
  static constexpr std::size_t kFineBytes = 1024;
  static constexpr std::size_t kCoarseStep = 64;
  static constexpr std::size_t kMinChunkBytes = 32;
  static constexpr std::size_t kMaxChunkBytes = kMaxBlockBytes + kCoarseStep;
  static constexpr std::size_t kFineClasses = kFineBytes / kFineStep + 1;
  static constexpr std::size_t kClasses =
      kFineClasses + (kMaxChunkBytes - kFineBytes) / kCoarseStep;

  struct Block {
    Block* next;
  };

  static std::size_t chunk_for(std::size_t bytes) {
    const std::size_t needed = bytes + kHeaderBytes;
    if (needed <= kMinChunkBytes) return kMinChunkBytes;
    const std::size_t step = needed <= kFineBytes ? kFineStep : kCoarseStep;
    return (needed + step - 1) / step * step;
  }
  static std::size_t class_of(std::size_t chunk) {
    if (chunk <= kFineBytes) return chunk / kFineStep;
    return kFineClasses - 1 + (chunk - kFineBytes) / kCoarseStep;
  }

  // All of it goes back to malloc: what is kept is not what is asked for.
  void drop() {
    for (Block*& first : free_) {
      while (first != nullptr) {
        Block* const block = first;
        first = block->next;
        std::free(block);
      }
    }
    kept_bytes_ = 0;
  }

  static inline constinit thread_local RecycledMemory* current_ = nullptr;

  std::array<Block*, kClasses> free_{};
  std::size_t kept_bytes_ = 0;
};

}  // namespace aispm::net
