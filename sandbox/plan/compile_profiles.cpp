// SPDX-License-Identifier: Apache-2.0
// Build tool: turns policies/sandbox/*.yaml into C++, so that a start reads and parses no file and
// a wrong profile does not build. A test compares what is compiled with what the parser reads.
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include "sandbox/plan/profile_file.hpp"

namespace aispm::sandbox {
namespace {

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    char escaped[8];
    (void)std::snprintf(escaped, sizeof(escaped), "\\%03o",
                        static_cast<unsigned>(static_cast<unsigned char>(c)));
    const bool is_plain = c >= 0x20 && c < 0x7F && c != '"' && c != '\\' && c != '?';
    result += is_plain ? std::string(1, c) : std::string(escaped);
  }
  return result + "\"";
}

class Writer {
 public:
  explicit Writer(std::ostream& out) : out_(out) {}
  void number(const std::string& member, std::uint64_t value) {
    if (value != 0) out_ << "  profile." << member << " = " << value << "U;\n";
  }
  void flag(const std::string& member, bool value) {
    if (value) out_ << "  profile." << member << " = true;\n";
  }
  void texts(const std::string& member, const std::vector<std::string>& items) {
    if (items.empty()) return;
    out_ << "  profile." << member << " = {";
    for (const auto& item : items) out_ << "\n      " << quoted(item) << ",";
    out_ << "};\n";
  }
  void time(const std::string& member, std::chrono::milliseconds value) {
    out_ << "  profile." << member << " = std::chrono::milliseconds(" << value.count() << ");\n";
  }

 private:
  std::ostream& out_;
};

void write_limits(Writer& writer, std::ostream& out, const Limits& limits) {
  // 0 means none, so none of these is left to its default.
  const std::pair<const char*, std::uint64_t> numbers[] = {
      {"memory_bytes", limits.memory_bytes}, {"pids", limits.pids},
      {"open_files", limits.open_files},     {"file_size_bytes", limits.file_size_bytes},
      {"tmp_bytes", limits.tmp_bytes},       {"shm_bytes", limits.shm_bytes},
      {"home_bytes", limits.home_bytes},     {"disk_bytes", limits.disk_bytes},
      {"output_bytes", limits.output_bytes}, {"runs", limits.runs},
      {"cpu_milli", limits.cpu_milli}};
  for (const auto& [member, value] : numbers)
    out << "  profile.limits." << member << " = " << value << "U;\n";
  writer.time("limits.cpu_time", limits.cpu_time);
  writer.time("limits.wall_time", limits.wall_time);
}

void write_profile(std::ostream& out, std::size_t index, const Profile& profile) {
  Writer writer(out);
  out << "[[maybe_unused]] constexpr std::array<std::string_view, " << profile.programs.size()
      << "> kPrograms" << index << " = {";
  for (const auto& program : profile.programs) out << quoted(program) << ", ";
  out << "};\nProfile make" << index
      << "() {\n  Profile profile;\n  profile.name = " << quoted(profile.name) << ";\n";
  writer.texts("programs", profile.programs);
  writer.number("landlock_min_abi", profile.landlock_min_abi);
  writer.flag("is_offline", profile.is_offline);
  for (const auto& rule : profile.allow_hosts)
    out << "  profile.allow_hosts.push_back(*parse_host_rule(" << quoted(to_text(rule)) << "));\n";
  writer.flag("current_folder_is_workspace", profile.current_folder_is_workspace);
  writer.texts("protect", profile.protect);
  writer.texts("protect_home", profile.protect_home);
  out << "  profile.isolation = static_cast<Isolation>(" << static_cast<unsigned>(profile.isolation)
      << ");\n";
  out << "  profile.home = static_cast<Home>(" << static_cast<unsigned>(profile.home) << ");\n";
  for (const auto& file : profile.home_files)
    out << "  profile.home_files.push_back({" << quoted(file.path) << ", " << quoted(file.content)
        << "});\n";
  writer.texts("admit", profile.admit);
  writer.texts("read_only", profile.read_only);
  writer.texts("read_write", profile.read_write);
  writer.texts("pass_environment", profile.pass_environment);
  writer.texts("set_environment", profile.set_environment);
  write_limits(writer, out, profile.limits);
  writer.flag("dangerous.sensitive_paths", profile.dangerous.sensitive_paths);
  writer.flag("dangerous.secret_environment", profile.dangerous.secret_environment);
  writer.texts("dangerous.unprotected_paths", profile.dangerous.unprotected_paths);
  out << "  return profile;\n}\n";
}

using Paths = std::map<std::string, std::string>;  // name -> file

Result<Profile> load(const Paths& paths, const std::string& name) {
  const auto found = paths.find(name);
  if (found == paths.end()) return fail(Errc::kNotFound, "no profile " + name);
  std::ifstream file(found->second);
  std::stringstream content;
  content << file.rdbuf();
  if (!file) return fail(Errc::kUnavailable, "cannot read " + found->second);
  return parse_profile(content.str(), found->second,
                       [&](const std::string& base) -> Result<Profile> {
                         if (name != "default") return load(paths, base);
                         return Profile{};  // the one that extends nothing
                       });
}

int compile(const Paths& paths, const std::string& target) {
  std::ostringstream out;
  std::string rows;
  std::size_t index = 0;
  out << "// SPDX-License-Identifier: Apache-2.0\n// Generated from policies/sandbox.\n"
         "#include <array>\n\n#include \"sandbox/plan/profiles.hpp\"\n\n"
         "namespace aispm::sandbox {\nnamespace {\n\n";
  for (const auto& [name, path] : paths) {
    const auto profile = load(paths, name);
    if (!profile || profile->name != name) {
      std::cerr << (profile ? path + ": its name must be " + name : profile.error().message)
                << "\n";
      return 1;
    }
    write_profile(out, index, *profile);
    const std::string number = std::to_string(index++);
    rows +=
        "    BuiltInProfile{" + quoted(name) + ", kPrograms" + number + ", make" + number + "},\n";
  }
  out << "\nconstexpr std::array<BuiltInProfile, " << index << "> kProfiles = {\n"
      << rows
      << "};\n\n}  // namespace\n\nstd::span<const BuiltInProfile> built_in_profiles() { return "
         "kProfiles; }\n\n}  // namespace aispm::sandbox\n";
  std::ofstream(target) << out.str();
  return 0;
}

}  // namespace
}  // namespace aispm::sandbox

// compile_profiles OUT.cpp NAME.yaml...
int main(int argc, char** argv) {
  if (argc < 3) return 2;
  aispm::sandbox::Paths paths;
  for (int i = 2; i < argc; ++i) {
    const std::string path = argv[i];
    const auto from = path.rfind('/') + 1;
    paths[path.substr(from, path.rfind('.') - from)] = path;
  }
  return aispm::sandbox::compile(paths, argv[1]);
}
