// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "sdk/core/common/result.hpp"

struct sqlite3;
struct sqlite3_stmt;

// SQLite behind Result and owners; sqlite3.h is included by database.cpp alone.
namespace aispm::collector::store {

// Bytes to bind as a BLOB; text binds as TEXT.
struct Blob {
  std::string_view bytes;
};

// A prepared statement. Views handed out by the getters live until the next step or bind. Not
// thread-safe.
class Statement {
 public:
  Statement() = default;

  // Resets and binds parameters 1..n. Arguments: integers, double, text, Blob, std::optional of
  // these, nullptr. The bytes must live until the statement was stepped to its end or bound again.
  template <typename... Args>
  Statement& bind(const Args&... args) {
    reset();
    int index = 0;
    (bind_one(++index, args), ...);
    return *this;
  }
  // True: a row is there. False: the end, and the statement is reset. kExhausted: the disk or the
  // allowed size is full.
  Result<bool> step();
  // Steps to the end.
  Result<> run();

  std::int64_t integer(int column) const;
  std::uint64_t count(int column) const { return static_cast<std::uint64_t>(integer(column)); }
  double number(int column) const;
  std::string text(int column) const;
  std::string_view blob(int column) const;
  bool is_null(int column) const;
  void reset();

 private:
  friend class Database;
  struct Free {
    void operator()(sqlite3_stmt* statement) const;
  };
  void bind_integer(int index, std::int64_t value);
  void bind_number(int index, double value);
  void bind_text(int index, std::string_view value);
  void bind_blob(int index, std::string_view value);

  template <typename T>
  void bind_one(int index, const T& value) {
    if constexpr (std::is_same_v<T, std::nullptr_t>)
      return;  // reset() cleared it to NULL
    else if constexpr (std::is_integral_v<T>)
      bind_integer(index, static_cast<std::int64_t>(value));
    else if constexpr (std::is_floating_point_v<T>)
      bind_number(index, value);
    else if constexpr (std::is_same_v<T, Blob>)
      bind_blob(index, value.bytes);
    else
      bind_text(index, value);
  }
  template <typename T>
  void bind_one(int index, const std::optional<T>& value) {
    if (value) bind_one(index, *value);
  }

  std::unique_ptr<sqlite3_stmt, Free> statement_;
  int bind_error_ = 0;
};

struct DatabaseOptions {
  // Largest size of the file in pages of 8 KiB, 0 for SQLite's own limit. Beyond it writes fail
  // with kExhausted.
  std::uint32_t max_pages = 0;
  // How long to wait for another connection's write.
  std::chrono::milliseconds busy{5000};
};

// One connection. Used by one thread at a time.
class Database {
 public:
  // Opens or makes the file with mode 0600, in WAL mode with synchronous=FULL: a committed
  // transaction survives both kill -9 and loss of power, because the log is synced before the
  // commit returns.
  static Result<Database> open(const std::string& path, const DatabaseOptions& options = {});

  // Brings the schema to the newest version this program knows, step by step, each in a
  // transaction. kUnsupported when the file has a newer one or belongs to another program.
  Result<> migrate();
  Result<std::uint32_t> schema_version();

  Result<> execute(const char* sql);
  Result<Statement> prepare(std::string_view sql);
  // The same, kept for the next time; reset. The pointer lives as long as the connection. For SQL
  // without data in it.
  Result<Statement*> cached(std::string_view sql);
  // Rows changed by the last statement.
  std::int64_t changes() const;
  std::int64_t last_row() const;
  // Bytes of the file in use (free pages do not count).
  Result<std::uint64_t> used_bytes();
  // Statements started from now on end with kDeadlineExceeded after that time; nullopt lifts it.
  void set_deadline(std::optional<std::chrono::milliseconds> limit);

 private:
  struct Close {
    void operator()(sqlite3* connection) const;
  };
  Database() = default;
  Result<> run_pragmas(const DatabaseOptions& options);

  std::unique_ptr<std::chrono::steady_clock::time_point>
      deadline_;  // address known to SQLite's progress handler
  std::unique_ptr<sqlite3, Close> connection_;
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  std::unordered_map<std::string, Statement, TextHash, std::equal_to<>>
      statements_;  // ends before the connection
};

// cached + bind + run.
template <typename... Args>
Result<> run_sql(Database& database, std::string_view sql, const Args&... args) {
  AISPM_TRY(Statement* const statement, database.cached(sql));
  return statement->bind(args...).run();
}

// Counters by name, kept over restarts: versions of what is distributed, and sums.
Result<> raise_counter(Database& database, std::string_view name, std::uint64_t by = 1);
// 0: never raised.
Result<std::uint64_t> read_counter(Database& database, std::string_view name);

// The newest schema this program knows.
std::uint32_t newest_schema();

// Begins a write transaction; rolls back unless committed.
class Transaction {
 public:
  static Result<Transaction> begin(Database& database);
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Result<> commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace aispm::collector::store
