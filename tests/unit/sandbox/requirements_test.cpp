// SPDX-License-Identifier: Apache-2.0
#include "sandbox/requirements/requirements.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sandbox/model/sha256.hpp"
#include "sandbox/requirements/lock_entry.hpp"
#include "sandbox/requirements/recipe.hpp"

namespace aispm::sandbox {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const std::string kHash(64, 'a');
const std::string kSha512 = "sha512-" + std::string(86, 'A') + "==";

std::string refusal(const std::string& text) {
  const auto parsed = parse_requirements_txt(text, "requirements.txt");
  return parsed ? "accepted: " + parsed->text : parsed.error().message;
}

TEST(RequirementsTxt, WritesWhatItReadInOneForm) {
  const auto parsed = parse_requirements_txt(
      "# what we need\n"
      "requests == 2.32.3\n\n"
      "  uvicorn[standard , http2] >=0.20 , <1   # a server\r\n"
      "tomli==2.0.1 ; python_version < \"3.11\" and (sys_platform == 'linux' or os_name not in "
      "\"nt\")\n"
      "idna==3.7 \\\n    --hash=sha256:" +
          kHash + "\n",
      "requirements.txt");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->count, 4U);
  EXPECT_EQ(parsed->text,
            "requests==2.32.3\n"
            "uvicorn[standard,http2]>=0.20,<1\n"
            "tomli==2.0.1 ; python_version < \"3.11\" and (sys_platform == \"linux\" or os_name "
            "not in \"nt\")\n"
            "idna==3.7 --hash=sha256:" +
                kHash + "\n");
}

TEST(RequirementsTxt, ReadsItsOwnTextAgainToTheSame) {
  const auto once = parse_requirements_txt("A_b.c[x]~=1.0;extra=='y'\nd\n", "r.txt");
  ASSERT_TRUE(once);
  const auto twice = parse_requirements_txt(once->text, "r.txt");
  ASSERT_TRUE(twice);
  EXPECT_EQ(twice->text, once->text);
}

// SANDBOX.md attempt 98: each line, and the word that tells what to do.
TEST(RequirementsTxt, RefusesHostileLinesWithTheirLineAndARemedy) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"-e git+ssh://git@host/x.git", "share the folder"},
      {"-e.", "editable"},
      {"--editable=./x", "editable"},
      {"-r /etc/passwd", "Put their lines"},
      {"-r/etc/passwd", "Put their lines"},
      {"--requirement=/etc/passwd", "Put their lines"},
      {"-c c.txt", "Put their lines"},
      {"--extra-index-url https://evil.example/", "aispm-run --index"},
      {"--index-url=https://evil.example/", "aispm-run --index"},
      {"-i https://evil.example/", "aispm-run --index"},
      {"--find-links /tmp", "aispm-run --index"},
      {"--trusted-host evil.example", "aispm-run --index"},
      {"--pre", "Remove the line"},
      {"--no-binary :all:", "Remove the line"},
      {"--config-settings x", "Remove the line"},
      {"file:///etc/passwd", "come from the index"},
      {"x @ file:///tmp/x.whl", "come from the index"},
      {"x@https://user:secret@host/x.whl", "come from the index"},
      {"git+https://host/x", "published version"},
      {"x @ git+https://host/x@main", "published version"},
      {"hg+http://host/x", "published version"},
      {"./x", "paths are refused"},
      {"/tmp/x", "paths are refused"},
      {"..\\x", "paths are refused"},
      {"x-1.0-py3-none-any.whl", "is a file"},
      {"x.tar.gz", "is a file"},
      {"${HOME}", "not expanded"},
      {"x==$VERSION", "not expanded"},
      {"x==1 ; python_version", "must compare"},
      {"x==1 ; __import__ == 'x'", "environment marker"},
      {"x==1 ; os.name == 'posix'", "environment marker"},
      {"x==1 ; python_version == 3", "environment marker"},
      {"x==1 ; python_version > '3' nonsense", "unexpected text"},
      {"x==1 --hash=md5:abc", "only sha256"},
      {"x==1 --hash=sha256:abc", "64 hex digits"},
      {"x==1 --global-option=x", "unexpected text"},
      {"x==1 y==2", "unexpected text"},
      {"x==", "no version"},
      {"x==1,", "a version must follow"},
      {"x[", "no name"},
      {"x[a", "']'"},
      {"==1", "begins with the name"},
      {"-", "Remove the line"},
      {std::string("x\0y", 3), "plain text"},
      {"x\xC3\xA9", "plain text"},
      {"x==1\x0bh", "plain text"},
  };
  for (const auto& [line, remedy] : cases) {
    const std::string said = refusal("good==1\n" + line + "\n");
    EXPECT_THAT(said, AllOf(HasSubstr("requirements.txt:2: "), HasSubstr(remedy))) << line;
    EXPECT_THAT(said, Not(HasSubstr("secret"))) << line;
  }
}

TEST(RequirementsTxt, NamesTheFirstLineOfAContinuedOne) {
  EXPECT_THAT(refusal("a==1\nb \\\n ==\n"), HasSubstr("requirements.txt:2: "));
}

TEST(RequirementsTxt, HidesNothingBehindAContinuationOrAComment) {
  EXPECT_THAT(refusal("a==1 \\\n--index-url https://evil.example\n"), HasSubstr("addresses"));
  EXPECT_THAT(refusal("# quiet \\\n-r /etc/passwd\n"), HasSubstr("other files"));
}

TEST(RequirementsTxt, HasLimits) {
  std::string many;
  for (std::size_t i = 0; i <= kMaxRequirements; ++i) many += "a\n";
  EXPECT_THAT(refusal(many), HasSubstr("more than 1024"));
  EXPECT_THAT(refusal(std::string(kMaxRequirementsBytes + 1, '\n')), HasSubstr("larger than"));
  EXPECT_THAT(refusal("a" + std::string(20'000, ' ')), HasSubstr("longer than"));
  EXPECT_THAT(refusal("a==1 ; " + std::string(40, '(') + "os_name == 'x'"),
              HasSubstr("nested too deeply"));
}

TEST(Pyproject, TakesTheDependenciesOfTheProject) {
  const auto parsed = parse_pyproject(
      "[project]\nname = 'x'\ndependencies = [\n  'requests>=2', # one\n  \"idna\",\n]\n"
      "[[project.authors]]\nname = 'Zo\u00eb' # \u00e9\n[project.optional-dependencies]\ndev = "
      "['-r /etc/passwd']\n",
      "pyproject.toml");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->text, "requests>=2\nidna\n");
  EXPECT_EQ(parsed->count, 2U);
}

TEST(Pyproject, RefusesWithTheLine) {
  const auto said = [](const std::string& text) {
    const auto parsed = parse_pyproject(text, "pyproject.toml");
    return parsed ? "accepted: " + parsed->text : parsed.error().message;
  };
  EXPECT_THAT(said("[project]\ndependencies = [\n'ok',\n'x @ git+https://h/x']\n"),
              AllOf(HasSubstr("pyproject.toml:4: "), HasSubstr("published version")));
  EXPECT_THAT(said("[project]\ndynamic = ['dependencies']\n"), HasSubstr("pyproject.toml:2: "));
  EXPECT_THAT(said("[project]\ndependencies = 'x'\n"), HasSubstr("must be a list"));
  EXPECT_THAT(said("[project]\ndependencies = ['x', 3]\n"), HasSubstr("must be a text"));
  EXPECT_THAT(said("[project]\ndependencies = [\"x\\n--pre\"]\n"), HasSubstr("holds a byte"));
  EXPECT_THAT(said("[project]\ndependencies = ['x\u00e9']\n"), HasSubstr("holds a byte"));
  EXPECT_THAT(said("["), HasSubstr("pyproject.toml"));
  EXPECT_THAT(said("[(\n"), HasSubstr("pyproject.toml"));
  EXPECT_THAT(said("\u2005a = 1\n[\u00e9]\n"), HasSubstr("pyproject.toml:1: "));
  EXPECT_THAT(said("[tool.x]\n"), HasSubstr("no [project]"));
  EXPECT_THAT(said("[project\n"), HasSubstr("pyproject.toml:1: "));
}

const std::string kRegistry = "https://registry.npmjs.org";

std::string lock_of(const std::string& entry) {
  return R"({"name":"a","lockfileVersion":3,"packages":{"":{"dependencies":{"left-pad":"^1"}},)" +
         entry + "}}";
}
std::string good_entry() {
  return "\n\"node_modules/left-pad\":{\"version\":\"1.3.0\",\"resolved\":\"" + kRegistry +
         "/left-pad/-/left-pad-1.3.0.tgz\",\"integrity\":\"" + kSha512 + "\"}";
}
std::string npm_refusal(const std::string& manifest, const std::string& lock) {
  const auto parsed = parse_package_json(manifest, lock, "package.json", kRegistry);
  return parsed ? "accepted: " + parsed->text : parsed.error().message;
}

TEST(PackageJson, KeepsDependenciesAndLeavesScriptsOut) {
  const auto parsed = parse_package_json(
      R"({"name":"a","scripts":{"preinstall":"curl x"},"dependencies":{"left-pad":"^1"}})",
      lock_of(good_entry()), "package.json", kRegistry);
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->text, R"({"name":"a","dependencies":{"left-pad":"^1"}})");
  EXPECT_EQ(parsed->count, 1U);
  EXPECT_THAT(parsed->packages, ElementsAre(Package{"left-pad", "1.3.0", kSha512,
                                                    kRegistry + "/left-pad/-/left-pad-1.3.0.tgz"}));
}

TEST(PackageJson, RefusesEverythingThatIsNotTheRegistry) {
  const std::string lock = lock_of(good_entry());
  for (const char* range : {"git+ssh://git@h/x.git", "file:../x", "http://h/x.tgz", "user/repo",
                            "npm:other@1", "workspace:*", "link:x", "github:u/r"})
    EXPECT_THAT(npm_refusal(std::string("{\n\"dependencies\":{\n\"x\":\"") + range + "\"}}", lock),
                AllOf(HasSubstr("package.json:3: "), HasSubstr("registry")))
        << range;
  EXPECT_THAT(npm_refusal("{\"workspaces\":[\"x\"]}", lock), HasSubstr("workspaces"));
  EXPECT_THAT(npm_refusal("{\"dependencies\":{\"../x\":\"1\"}}", lock), HasSubstr("no name"));
}

TEST(PackageJson, RefusesLocksThatLeadElsewhere) {
  const auto said = [](std::string entry) { return npm_refusal("{}", lock_of(entry)); };
  std::string other = good_entry();
  other.replace(other.find(kRegistry), kRegistry.size(), "https://evil.example");
  EXPECT_THAT(said(other), AllOf(HasSubstr("package-lock.json:2: "), HasSubstr("--index")));
  std::string alike = good_entry();
  alike.replace(alike.find(kRegistry), kRegistry.size(), kRegistry + ".evil.example");
  EXPECT_THAT(said(alike), HasSubstr("does not come from the registry"));
  std::string weak = good_entry();
  weak.replace(weak.find("sha512-"), 7, "sha1-");
  EXPECT_THAT(said(weak), HasSubstr("no sha512"));
  EXPECT_THAT(said(R"("../x":{"version":"1"})"), HasSubstr("outside of node_modules"));
  EXPECT_THAT(said(R"("node_modules/../../x":{"version":"1"})"), HasSubstr("outside"));
  EXPECT_THAT(said(R"("node_modules/x":{"link":true,"resolved":"../x"})"), HasSubstr("links"));
  EXPECT_THAT(npm_refusal("{}", R"({"lockfileVersion":1,"dependencies":{}})"),
              HasSubstr("version 2 or 3"));
  EXPECT_THAT(npm_refusal("{}", "[]"), HasSubstr("must be a JSON object"));
}

TEST(PipReport, GivesPackagesWithTheirHashes) {
  const auto resolved = parse_pip_report(
      R"({"version":"1","environment":{"implementation_name":"cpython","python_full_version":"3.11.2",
      "sys_platform":"linux","platform_machine":"x86_64"},"install":[
      {"metadata":{"name":"Zope.X","version":"1"},"download_info":{"url":"https://u:p@h/z","archive_info":{"hash":"sha256=)" +
      kHash + R"("}}},
      {"metadata":{"name":"a_b","version":"2"},"download_info":{"url":"https://h/a.whl?token=x","archive_info":{"hashes":{"sha256":")" +
      kHash + R"("}}}}]})");
  ASSERT_TRUE(resolved) << resolved.error().message;
  EXPECT_EQ(resolved->environment, "cpython 3.11.2 linux x86_64 ");
  EXPECT_THAT(resolved->packages,
              ElementsAre(Package{"a-b", "2", "sha256:" + kHash, "https://h/a.whl"},
                          Package{"zope-x", "1", "sha256:" + kHash, ""}));
}

TEST(PipReport, RefusesWhatCouldForgeALine) {
  const auto with = [](const std::string& name, const std::string& hash) {
    return parse_pip_report(
        R"({"version":"1","environment":{},"install":[{"metadata":{"name":")" + name +
        R"(","version":"1"},"download_info":{"url":"","archive_info":{"hashes":{"sha256":")" +
        hash + R"("}}}}]})");
  };
  EXPECT_TRUE(with("a", kHash));
  EXPECT_FALSE(with("a b", kHash));
  EXPECT_FALSE(with("a\\npackage b 1 x -", kHash));
  EXPECT_FALSE(with("", kHash));
  EXPECT_FALSE(with("a", ""));
  EXPECT_FALSE(with("a", std::string(64, 'g')));
  EXPECT_FALSE(parse_pip_report(R"({"version":"2","environment":{},"install":[]})"));
}

TEST(LockEntry, ComesBackAsItWasWritten) {
  const LockEntry entry{
      kHash, 12, 34, {{"a", "1", "sha256:" + kHash, ""}, {"b", "2", "h", "https://h/b"}}};
  const auto read = parse_lock_entry(to_text(entry));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, entry);
}

TEST(LockEntry, NoticesEveryChangedByte) {
  const std::string good = to_text({kHash, 12, 34, {{"a", "1", "sha256:" + kHash, ""}}});
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    EXPECT_FALSE(parse_lock_entry(bad)) << i;
    EXPECT_FALSE(parse_lock_entry(good.substr(0, i))) << i;
  }
  EXPECT_FALSE(parse_lock_entry(good + good));
}

TEST(LockEntry, NamesATreeByAllThatItIs) {
  const std::vector<Package> packages = {{"a", "1", "sha256:" + kHash, ""}};
  const std::string name = name_tree("cpython 3.11", packages, "manifest");
  EXPECT_EQ(name, name_tree("cpython 3.11", packages, "manifest"));
  EXPECT_NE(name, name_tree("cpython 3.12", packages, "manifest"));
  EXPECT_NE(name, name_tree("cpython 3.11", {}, "manifest"));
  EXPECT_NE(name, name_tree("cpython 3.11", packages, "another"));
}

TEST(Recipe, ReachesTheNamedIndexAndNothingElse) {
  Recipe recipe;
  recipe.interpreter = "/usr/bin/python3";
  recipe.index = *parse_index("https://pypi.example.com:8443/simple/", Ecosystem::kPython);
  Profile profile;
  profile.allow_hosts = {HostRule{"pypi.org", false, 443}};
  const auto request = make_build_request(recipe, "/stage", profile);
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_THAT(request->profile.allow_hosts, ElementsAre(HostRule{"pypi.example.com", false, 8443}));
  EXPECT_THAT(request->command, Contains("--only-binary=:all:"));
  EXPECT_THAT(request->command, Contains("https://pypi.example.com:8443/simple/"));
  EXPECT_THAT(request->read_write, ElementsAre("/stage"));
  EXPECT_TRUE(request->workspace.empty());
  recipe.build_from_source = true;
  EXPECT_THAT(make_build_request(recipe, "/stage", profile)->command,
              Not(Contains("--only-binary=:all:")));
}

TEST(Recipe, ReachesOnlyTheHostsOfItsEcosystem) {
  Recipe recipe;
  Profile profile;
  const HostRule pypi{"pypi.org", false, 443};
  const HostRule files{"files.pythonhosted.org", false, 443};
  const HostRule npm{"registry.npmjs.org", false, 443};
  profile.allow_hosts = {pypi, files, npm};
  recipe.index = *parse_index("", Ecosystem::kPython);
  EXPECT_THAT(make_build_request(recipe, "/stage", profile)->profile.allow_hosts,
              ElementsAre(pypi, files));
  recipe.requirements.ecosystem = Ecosystem::kNode;
  recipe.index = *parse_index("", Ecosystem::kNode);
  const auto request = make_build_request(recipe, "/stage", profile);
  EXPECT_THAT(request->profile.allow_hosts, ElementsAre(npm));
  EXPECT_THAT(request->command, Contains("--ignore-scripts"));
}

TEST(Recipe, RefusesIndexesThatProveNothing) {
  for (const char* url : {"http://pypi.org/simple", "https://u:p@pypi.org/", "https://10.0.0.1/x",
                          "https://localhost/x", "ftp://h.example/", "https://h.example/?a=b",
                          "https://h.example/../x", "https://"})
    EXPECT_FALSE(parse_index(url, Ecosystem::kPython)) << url;
  EXPECT_TRUE(parse_index("/srv/wheels", Ecosystem::kPython));
  EXPECT_FALSE(parse_index("/srv/wheels", Ecosystem::kNode));
  EXPECT_TRUE(parse_index("", Ecosystem::kNode)->is_default);
}

}  // namespace
}  // namespace aispm::sandbox
