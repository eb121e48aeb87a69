// SPDX-License-Identifier: Apache-2.0
// GW-019, GW-020, MCP-003: which pages may be read, and what of them a model gets.
#include <gmock/gmock.h>

#include "gateway/mcp/web/page_text.hpp"
#include "gateway/mcp/web/web_search.hpp"
#include "gateway/mcp/web/web_url.hpp"

namespace aispm::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string text_of(std::string_view html) { return read_page(html, "", 4000)->text; }

TEST(WebUrls, AreReadInOneWay) {
  const auto url = parse_web_url("HTTPS://Example.COM/a b?q=\xC3\xA9#part");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->text(), "https://example.com/a%20b?q=%C3%A9");
  EXPECT_EQ(parse_web_url("http://[::1]:8080")->text(), "http://[::1]:8080/");
  EXPECT_EQ(parse_web_url("http://example.com?x")->text(), "http://example.com/?x");
}

TEST(WebUrls, ThatTwoReadersCouldTakeForTwoAreRefused) {
  for (const char* const text :
       {"", "ftp://example.com", "file:///etc/passwd", "https://", "https://user@example.com",
        "https://good.example@evil.example", "https://example.com\\@evil.example",
        "https://example.com\r\nhost: evil", "http://example.com:0/", "http://example.com:99999/",
        "http://exa mple.com", "http://ex%61mple.com", "http://[::1", "http://[::1]x/",
        "javascript:alert(1)"})
    EXPECT_FALSE(parse_web_url(text)) << text;
  EXPECT_FALSE(parse_web_url("https://example.com/" + std::string(3000, 'a')));
}

TEST(WebUrls, RedirectsAreReadFromWhereTheyStand) {
  const WebUrl from = *parse_web_url("http://example.com/a/b?c");
  const auto to = [&](std::string_view location) {
    const auto url = resolve_web_url(from, location);
    return url ? url->text() : "refused";
  };
  EXPECT_EQ(to("/x"), "http://example.com/x");
  EXPECT_EQ(to("x"), "http://example.com/a/x");
  EXPECT_EQ(to("?y"), "http://example.com/a/b?y");
  EXPECT_EQ(to("//other.example/z"), "http://other.example/z");
  EXPECT_EQ(to("https://169.254.169.254/latest"), "https://169.254.169.254/latest");
  EXPECT_EQ(to("file:///etc/passwd"), "refused");
  EXPECT_EQ(to("javascript:x"), "refused");
}

TEST(WebUrls, ASiteIsTheSameWithWwwAndWithTls) {
  const WebUrl from = *parse_web_url("http://example.com/");
  EXPECT_TRUE(is_same_site(from, *parse_web_url("https://www.example.com/x")));
  EXPECT_FALSE(is_same_site(*parse_web_url("https://example.com"), from));
  EXPECT_FALSE(is_same_site(from, *parse_web_url("http://example.com:8080/")));
  EXPECT_FALSE(is_same_site(from, *parse_web_url("http://evil.example/")));
}

TEST(WebUrls, MayBeReadWhereTheConfigurationSays) {
  FetchConfig config;
  config.deny_hosts = {"*.bad.example"};
  config.private_hosts = {"127.0.0.1:8080"};
  const auto may = [&](const char* url) {
    return check_web_host(config, *parse_web_url(url)).has_value();
  };
  EXPECT_TRUE(may("https://good.example/"));
  EXPECT_FALSE(may("https://www.bad.example/"));
  EXPECT_FALSE(may("https://good.example:22/"));
  EXPECT_TRUE(may("http://127.0.0.1:8080/"));
  config.hosts = {"*.docs.example"};
  EXPECT_TRUE(may("https://x.docs.example/"));
  EXPECT_FALSE(may("https://good.example/"));
}

TEST(PageText, IsWhatAPersonReads) {
  const auto page = read_page(
      "<html><head><title>A  page</title><style>b{}</style></head><body><h1>Top</h1><p>One "
      "<b>two</b>\n three</p><div>four</div>five<br>six<script>evil()</script><!-- evil --></body>",
      "", 4000);
  ASSERT_TRUE(page);
  EXPECT_EQ(page->title, "A page");
  EXPECT_EQ(page->text, "Top\nOne two three\nfour\nfive\nsix");
  EXPECT_EQ(page->hidden_passages, 0U);
  EXPECT_FALSE(page->is_cut);
}

TEST(PageText, LeavesOutWhatIsHidden) {
  for (const char* const hidden :
       {"<div hidden>evil</div>",
        "<div aria-hidden=true>evil</div>",
        "<p style='display:none'>evil</p>",
        "<p style='DISPLAY : NoNe !important'>evil</p>",
        "<p style='disp/**/lay:none'>evil</p>",
        "<p style='visibility:hidden'>evil</p>",
        "<p style='opacity:0.0'>evil</p>",
        "<p style='font-size:0'>evil</p>",
        "<p style='font-size:1px'>evil</p>",
        "<p style='height:0;overflow:hidden'>evil</p>",
        "<p style='position:absolute;left:-9999px'>evil</p>",
        "<p style='text-indent:-999em'>evil</p>",
        "<p style='clip-path:inset(100%)'>evil</p>",
        "<p style='color:transparent'>evil</p>",
        "<p style='color:#fff;background:#fff'>evil</p>",
        "<p style='transform:scale(0)'>evil</p>",
        "<style>.x{display:none}</style><p class='a x'>evil</p>",
        "<style>a{} @media screen{#y , .z {visibility:hidden}}</style><p id=Y>evil</p>",
        "<style>p.x{/*c*/left:-999px;position:fixed}</style><p class=x><b>evil</b></p>",
        "<template>evil</template>",
        "<noscript>evil</noscript>",
        "<svg><text>evil</text></svg>",
        "<textarea>evil</textarea>",
        "<input type=hidden value=evil>",
        "<img alt=evil>"}) {
    const std::string page = std::string("<body><p>good</p>") + hidden + "<p>end</p></body>";
    EXPECT_EQ(text_of(page), "good\nend") << hidden;
  }
}

TEST(PageText, KeepsWhatIsSeen) {
  for (const char* const seen :
       {"<p style='display:block'>seen</p>", "<p style='font-size:12px'>seen</p>",
        "<p style='position:absolute;left:-5px'>seen</p>", "<p style='opacity:0.8'>seen</p>",
        "<p style='width:0'>seen</p>", "<p style='color:#fff;background:#000'>seen</p>",
        "<style>.x{display:none}</style><p class=xx>seen</p>",
        "<style>@media print{.x{display:none}}</style><p class=x>seen</p>",
        "<style>.menu .x{display:none}</style><p class=x>seen</p>",
        "<p aria-hidden=false>seen</p>"})
    EXPECT_THAT(text_of(seen), HasSubstr("seen")) << seen;
}

TEST(PageText, CountsWhatItLeftOutAndIsCutByLetters) {
  EXPECT_EQ(read_page("<p hidden>a</p><p hidden>b</p>c", "", 4000)->hidden_passages, 2U);
  const auto page = read_page("<p>\xC3\xA4\xC3\xB6\xC3\xBC!</p>", "", 3);
  EXPECT_EQ(page->text, "\xC3\xA4\xC3\xB6\xC3\xBC");
  EXPECT_TRUE(page->is_cut);
  EXPECT_EQ(read_plain("abc", 3).is_cut, false);
  EXPECT_EQ(read_plain("abcd", 3).text, "abc");
}

TEST(PageText, KnowsOtherCharsets) {
  EXPECT_EQ(read_page("<p>caf\xE9</p>", "iso-8859-1", 4000)->text, "caf\xC3\xA9");
  EXPECT_THAT(read_page("<p>caf\xE9 open</p>", "no-such-charset", 4000)->text, HasSubstr("open"));
}

TEST(PageText, EndsWithPagesThatAreNestedDeeply) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "<div>";
  const auto page = read_page("<p>top</p>" + deep + "x", "", 4000);
  ASSERT_TRUE(page);
  EXPECT_THAT(page->text, HasSubstr("top"));
  EXPECT_TRUE(read_page("", "", 10)->text.empty());
}

TEST(WebSearch, AsksAsTheEngineWantsIt) {
  SearchConfig config;
  config.path = "/search";
  EXPECT_EQ(search_question(config, "a \"b\"").body, R"({"query":"a \"b\"","max_results":5})");
  config.form = SearchForm::kSearxng;
  EXPECT_EQ(search_question(config, "a&b").target, "/search?q=a%26b&format=json");
}

TEST(WebSearch, TellsOfTheFirstResultsBriefly) {
  SearchConfig config;
  config.results = 2;
  config.characters = 20;
  const auto words = search_words(config,
                                  R"({"results":[{"title":"No","url":"javascript:x","content":"c"},
          {"title":"One\ntwo","url":"https://a.example/","content":"0123456789012345678901234"},
          {"title":"Two","url":"https://b.example/x","content":"short"},
          {"title":"Three","url":"https://c.example/","content":"more"}]})");
  ASSERT_TRUE(words);
  EXPECT_EQ(
      *words,
      "1. One two\nhttps://a.example/\n01234567890123456789\n\n2. Two\nhttps://b.example/x\nshort");
  EXPECT_EQ(*search_words(config, R"({"results":[]})"), "Nothing was found.");
  EXPECT_FALSE(search_words(config, "{}"));
  EXPECT_FALSE(search_words(config, "<html>"));
}

}  // namespace
}  // namespace aispm::gateway
