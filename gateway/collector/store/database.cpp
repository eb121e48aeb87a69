// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/store/database.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdint>
#include <thread>
#include <utility>

#include "gateway/collector/embedded.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::collector::store {
namespace {

constexpr std::int64_t kApplicationId = 0x41495350;  // "AISP"

Errc code_of(int status) {
  switch (status & 0xff) {
    case SQLITE_FULL:
      return Errc::kExhausted;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_NOMEM:
    case SQLITE_READONLY:
      return Errc::kUnavailable;
    case SQLITE_INTERRUPT:
      return Errc::kDeadlineExceeded;
    case SQLITE_CONSTRAINT:
      return Errc::kExists;
    case SQLITE_TOOBIG:
      return Errc::kTooLarge;
    case SQLITE_NOTADB:
      return Errc::kUnsupported;
    default:
      return Errc::kInternal;
  }
}

tl::unexpected<Error> fail_sqlite(sqlite3* connection, int status) {
  const char* const words =
      connection != nullptr ? sqlite3_errmsg(connection) : sqlite3_errstr(status);
  return fail(code_of(status), std::string("store: ") + words,
              connection != nullptr ? sqlite3_system_errno(connection) : 0);
}

// Called while another connection writes; `limit` milliseconds in all, `looked` times before. The
// waits of SQLite's own handler grow up to 100 ms: too late for what must be heard at once.
int wait_for_writer(void* limit, int looked) {
  constexpr std::chrono::milliseconds kLook{1};
  if (looked * kLook.count() >= static_cast<std::int64_t>(reinterpret_cast<std::intptr_t>(limit)))
    return 0;
  std::this_thread::sleep_for(kLook);
  return 1;
}

Result<std::int64_t> read_integer(Database& database, const char* sql) {
  AISPM_TRY(Statement statement, database.prepare(sql));
  AISPM_TRY(const bool is_row, statement.step());
  return is_row ? statement.integer(0) : 0;
}

}  // namespace

void Statement::Free::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
void Database::Close::operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }

void Statement::reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
  bind_error_ = SQLITE_OK;
}

void Statement::bind_integer(int index, std::int64_t value) {
  if (const int status = sqlite3_bind_int64(statement_.get(), index, value); status != SQLITE_OK)
    bind_error_ = status;
}
void Statement::bind_number(int index, double value) {
  if (const int status = sqlite3_bind_double(statement_.get(), index, value); status != SQLITE_OK)
    bind_error_ = status;
}
void Statement::bind_text(int index, std::string_view value) {
  const int status =
      sqlite3_bind_text64(statement_.get(), index, value.data() == nullptr ? "" : value.data(),
                          value.size(), SQLITE_STATIC, SQLITE_UTF8);
  if (status != SQLITE_OK) bind_error_ = status;
}
void Statement::bind_blob(int index, std::string_view value) {
  const int status = value.empty() ? sqlite3_bind_zeroblob(statement_.get(), index, 0)
                                   : sqlite3_bind_blob64(statement_.get(), index, value.data(),
                                                         value.size(), SQLITE_STATIC);
  if (status != SQLITE_OK) bind_error_ = status;
}

Result<bool> Statement::step() {
  sqlite3* const connection = sqlite3_db_handle(statement_.get());
  if (bind_error_ != SQLITE_OK) return fail_sqlite(connection, bind_error_);
  const int status = sqlite3_step(statement_.get());
  if (status == SQLITE_ROW) return true;
  if (status == SQLITE_DONE) {
    sqlite3_reset(statement_.get());
    return false;
  }
  auto error = fail_sqlite(connection, status);
  sqlite3_reset(statement_.get());
  return error;
}

Result<> Statement::run() {
  for (;;) {
    AISPM_TRY(const bool is_row, step());
    if (!is_row) return {};
  }
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}
double Statement::number(int column) const {
  return sqlite3_column_double(statement_.get(), column);
}
bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}
std::string Statement::text(int column) const {
  const auto* const bytes =
      reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}
std::string_view Statement::blob(int column) const {
  const void* const bytes = sqlite3_column_blob(statement_.get(), column);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

Result<Database> Database::open(const std::string& path, const DatabaseOptions& options) {
  {  // SQLite would make the file, its log and its index with the umask's mode: they take the mode
     // of the file. One that is there must not be opened beside SQLite: closing it would drop the
     // locks that this process's connections hold (fcntl(2)), and another process that closes the
     // file would then take itself for the last and remove the log.
    const UniqueFd file(
        ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file && errno != EEXIST) return fail_errno("open " + path);
    struct stat found {};
    if (!file && ::lstat(path.c_str(), &found) == 0 && S_ISLNK(found.st_mode))
      return fail(Errc::kInvalid, path + ": is a symbolic link");
  }
  Database database;
  sqlite3* connection = nullptr;
  const int status =
      sqlite3_open_v2(path.c_str(), &connection,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  database.connection_.reset(connection);
  if (status != SQLITE_OK) return fail_sqlite(connection, status);
  AISPM_CHECK(database.run_pragmas(options));
  return database;
}

Result<> Database::run_pragmas(const DatabaseOptions& options) {
  sqlite3_busy_handler(connection_.get(), &wait_for_writer,
                       reinterpret_cast<void*>(static_cast<std::intptr_t>(options.busy.count())));
  AISPM_CHECK(execute("PRAGMA page_size=8192"));
  AISPM_CHECK(execute("PRAGMA journal_mode=WAL"));
  AISPM_CHECK(execute("PRAGMA synchronous=FULL"));
  AISPM_CHECK(execute("PRAGMA wal_autocheckpoint=4096"));  // 32 MiB: each checkpoint syncs twice
  AISPM_CHECK(execute("PRAGMA journal_size_limit=134217728"));
  AISPM_CHECK(execute("PRAGMA cache_size=-65536"));  // KiB
  AISPM_CHECK(execute("PRAGMA foreign_keys=OFF"));
  AISPM_CHECK(execute("PRAGMA trusted_schema=OFF"));
  if (options.max_pages > 0)
    AISPM_CHECK(execute(("PRAGMA max_page_count=" + std::to_string(options.max_pages)).c_str()));
  return {};
}

std::uint32_t newest_schema() { return static_cast<std::uint32_t>(embedded_migrations().size()); }

Result<std::uint32_t> Database::schema_version() {
  AISPM_TRY(const std::int64_t version, read_integer(*this, "PRAGMA user_version"));
  return static_cast<std::uint32_t>(version);
}

Result<> Database::migrate() {
  AISPM_TRY(const std::int64_t application, read_integer(*this, "PRAGMA application_id"));
  AISPM_TRY(const std::int64_t tables, read_integer(*this, "SELECT COUNT(*) FROM sqlite_master"));
  if (application != kApplicationId && (application != 0 || tables != 0))
    return fail(Errc::kUnsupported, "store: the database file belongs to another program");
  for (;;) {
    // Inside the transaction, so that two programs that start together do not both apply a step.
    AISPM_TRY(Transaction transaction, Transaction::begin(*this));
    AISPM_TRY(const std::uint32_t version, schema_version());
    if (version > newest_schema())
      return fail(Errc::kUnsupported, "store: its schema version is " + std::to_string(version) +
                                          ", this aispm-collector knows up to " +
                                          std::to_string(newest_schema()) +
                                          ": start the newer aispm-collector, or restore a backup");
    if (version == newest_schema()) return {};
    const std::string sql(embedded_migrations().at(version).content);
    AISPM_CHECK(execute(sql.c_str()));
    AISPM_CHECK(execute(("PRAGMA user_version=" + std::to_string(version + 1)).c_str()));
    AISPM_CHECK(execute(("PRAGMA application_id=" + std::to_string(kApplicationId)).c_str()));
    AISPM_CHECK(transaction.commit());
  }
}

Result<> Database::execute(const char* sql) {
  const int status = sqlite3_exec(connection_.get(), sql, nullptr, nullptr, nullptr);
  if (status != SQLITE_OK) return fail_sqlite(connection_.get(), status);
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
  Statement statement;
  sqlite3_stmt* prepared = nullptr;
  const int status = sqlite3_prepare_v3(connection_.get(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &prepared, nullptr);
  statement.statement_.reset(prepared);
  if (status != SQLITE_OK) return fail_sqlite(connection_.get(), status);
  return statement;
}

Result<Statement*> Database::cached(std::string_view sql) {
  auto found = statements_.find(sql);
  if (found == statements_.end()) {
    AISPM_TRY(Statement statement, prepare(sql));
    found = statements_.emplace(std::string(sql), std::move(statement)).first;
  }
  found->second.reset();
  return &found->second;
}

std::int64_t Database::changes() const { return sqlite3_changes64(connection_.get()); }
std::int64_t Database::last_row() const { return sqlite3_last_insert_rowid(connection_.get()); }

Result<std::uint64_t> Database::used_bytes() {
  AISPM_TRY(const std::int64_t pages, read_integer(*this, "PRAGMA page_count"));
  AISPM_TRY(const std::int64_t unused, read_integer(*this, "PRAGMA freelist_count"));
  AISPM_TRY(const std::int64_t size, read_integer(*this, "PRAGMA page_size"));
  return static_cast<std::uint64_t>((pages - unused) * size);
}

void Database::set_deadline(std::optional<std::chrono::milliseconds> limit) {
  constexpr int kInstructionsBetweenLooks = 10000;
  if (!limit) return sqlite3_progress_handler(connection_.get(), 0, nullptr, nullptr);
  deadline_ = std::make_unique<std::chrono::steady_clock::time_point>(
      std::chrono::steady_clock::now() + *limit);
  sqlite3_progress_handler(
      connection_.get(), kInstructionsBetweenLooks,
      [](void* deadline) {
        return std::chrono::steady_clock::now() >
                       *static_cast<std::chrono::steady_clock::time_point*>(deadline)
                   ? 1
                   : 0;
      },
      deadline_.get());
}

Result<Transaction> Transaction::begin(Database& database) {
  AISPM_CHECK(database.execute("BEGIN IMMEDIATE"));
  return Transaction(database);
}

Transaction::~Transaction() {
  // Fails only when SQLite has rolled back by itself, which is what is wanted.
  if (database_ != nullptr) (void)database_->execute("ROLLBACK").has_value();
}

Result<> Transaction::commit() {
  AISPM_CHECK(database_->execute("COMMIT"));
  database_ = nullptr;
  return {};
}

Result<> raise_counter(Database& database, std::string_view name, std::uint64_t by) {
  return run_sql(database,
                 "INSERT INTO counters (name, value) VALUES (?,?) ON CONFLICT DO UPDATE SET "
                 "value=value+excluded.value",
                 name, by);
}

Result<std::uint64_t> read_counter(Database& database, std::string_view name) {
  AISPM_TRY(Statement* const find, database.cached("SELECT value FROM counters WHERE name=?"));
  AISPM_TRY(const bool is_row, find->bind(name).step());
  const std::uint64_t value = is_row ? find->count(0) : 0;
  find->reset();
  return value;
}

}  // namespace aispm::collector::store
