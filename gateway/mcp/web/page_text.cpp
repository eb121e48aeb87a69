// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/web/page_text.hpp"

#include <libxml/HTMLparser.h>

#include <algorithm>
#include <array>
#include <climits>
#include <optional>

#include "gateway/mcp/web/page_style.hpp"
#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/common/c_ptr.hpp"

namespace aispm::gateway {
namespace {

using Document = CPtr<xmlDoc, xmlFreeDoc>;
using XmlText = CPtr<xmlChar, [](xmlChar* text) { xmlFree(text); }>;

constexpr int kOptions = HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                         HTML_PARSE_NONET | HTML_PARSE_COMPACT;

constexpr std::array<std::string_view, 19> kUnread = {
    "script",   "style",  "noscript", "template", "head",    "iframe", "object",
    "embed",    "svg",    "canvas",   "audio",    "video",   "map",    "math",
    "textarea", "select", "datalist", "noembed",  "noframes"};
constexpr std::array<std::string_view, 30> kBlocks = {
    "address", "article",  "aside",      "blockquote", "br",     "dd",   "div", "dl",
    "dt",      "fieldset", "figcaption", "figure",     "footer", "form", "h1",  "h2",
    "h3",      "h4",       "h5",         "h6",         "header", "hr",   "li",  "main",
    "nav",     "p",        "pre",        "section",    "table",  "tr"};

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string_view name_of(const xmlNode& node) {
  return node.name == nullptr ? std::string_view() : reinterpret_cast<const char*>(node.name);
}

std::string_view text_of(const xmlNode& node) {
  return node.content == nullptr ? std::string_view() : reinterpret_cast<const char*>(node.content);
}

// Nothing: there is no such attribute.
std::optional<std::string> attribute(const xmlNode& node, const char* name) {
  const XmlText value(xmlGetProp(&node, reinterpret_cast<const xmlChar*>(name)));
  if (!value) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(value.get()));
}

// Letters, not bytes, one after the other, up to a limit; spaces are one.
class Writer {
 public:
  explicit Writer(std::size_t characters) : left_(characters) {}

  void add(std::string_view words) {
    for (std::size_t i = 0; i < words.size() && !is_cut_; ++i) {
      const char c = words[i];
      if (c == ' ' || (c >= '\t' && c <= '\r')) {
        is_space_ = true;
        continue;
      }
      const bool begins = (static_cast<unsigned char>(c) & 0xC0) != 0x80;
      if (begins && !take_gap()) return;
      if (begins && !count()) return;
      text_ += c;
    }
  }
  void end_line() { is_line_ = true; }
  bool is_full() const { return is_cut_; }
  std::string take() { return std::move(text_); }

 private:
  bool take_gap() {
    const bool is_gap = (is_space_ || is_line_) && !text_.empty();
    if (is_gap && !count()) return false;
    if (is_gap) text_ += is_line_ ? '\n' : ' ';
    is_space_ = is_line_ = false;
    return true;
  }
  bool count() {
    if (left_ == 0) is_cut_ = true;
    if (left_ > 0) --left_;
    return !is_cut_;
  }

  std::size_t left_;
  std::string text_;
  bool is_space_ = false;
  bool is_line_ = false;
  bool is_cut_ = false;
};

// Walks without recursion: pages may be nested as deeply as they like.
class PageReader {
 public:
  explicit PageReader(std::size_t characters) : writer_(characters) {}

  PageText read(xmlNode* root) {
    for (xmlNode* node = root; node != nullptr; node = next(node, root)) {
      if (name_of(*node) == "style") style_.add(inner_text(*node));
      if (name_of(*node) == "title" && page_.title.empty()) page_.title = inner_text(*node);
    }
    for (xmlNode* node = root; node != nullptr && !writer_.is_full();) {
      const bool enters = visit(*node) && node->children != nullptr;
      node = enters ? node->children : leave(node, root);
    }
    page_.is_cut = writer_.is_full();
    page_.text = writer_.take();
    return std::move(page_);
  }

 private:
  static xmlNode* skip(xmlNode* node, xmlNode* root) {
    while (node != root && node->next == nullptr) node = node->parent;
    return node == root ? nullptr : node->next;
  }
  static xmlNode* next(xmlNode* node, xmlNode* root) {
    const bool enters = node->type == XML_ELEMENT_NODE && node->children != nullptr;
    return enters ? node->children : skip(node, root);
  }

  // To what comes after the node; each block that ends there ends a line.
  xmlNode* leave(xmlNode* node, xmlNode* root) {
    for (;; node = node->parent) {
      if (is_one_of(kBlocks, name_of(*node))) writer_.end_line();
      if (node == root) return nullptr;
      if (node->next != nullptr) return node->next;
    }
  }

  // Only one level: neither of these elements has others in it.
  static std::string inner_text(const xmlNode& element) {
    Writer words(4096U << 4);
    for (const xmlNode* node = element.children; node != nullptr; node = node->next)
      words.add(text_of(*node));
    return words.take();
  }

  // False: nothing of what is in it.
  bool visit(const xmlNode& node) {
    const bool is_text = node.type == XML_TEXT_NODE || node.type == XML_CDATA_SECTION_NODE;
    if (is_text) writer_.add(text_of(node));
    if (node.type != XML_ELEMENT_NODE) return false;
    const std::string_view name = name_of(node);
    if (is_one_of(kBlocks, name)) writer_.end_line();
    if (name == "td" || name == "th") writer_.add(" ");
    if (is_one_of(kUnread, name)) return false;
    if (!is_hidden(node)) return true;
    ++page_.hidden_passages;
    return false;
  }

  bool is_hidden(const xmlNode& node) const {
    if (node.properties == nullptr) return false;
    if (attribute(node, "hidden") || attribute(node, "aria-hidden") == "true") return true;
    const auto style = attribute(node, "style");
    if (style && hides(*style)) return true;
    const auto classes = attribute(node, "class");
    if (classes && style_.hides_class(*classes)) return true;
    const auto id = attribute(node, "id");
    return id && style_.hides_id(*id);
  }

  PageText page_;
  PageStyle style_;
  Writer writer_;
};

}  // namespace

Result<PageText> read_page(std::string_view html, std::string_view charset,
                           std::size_t characters) {
  if (html.size() > INT_MAX) return fail(Errc::kTooLarge, "the page is too large");
  const bool is_utf8 = codec::find_invalid_utf8(html) == std::string_view::npos;
  const std::string said = is_utf8 ? "UTF-8" : std::string(charset);
  const auto parse = [&](const char* encoding) {
    return Document(
        htmlReadMemory(html.data(), static_cast<int>(html.size()), nullptr, encoding, kOptions));
  };
  Document document = parse(said.empty() ? nullptr : said.c_str());
  if (!document) document = parse(nullptr);  // a charset that nobody knows
  xmlNode* const root = document ? xmlDocGetRootElement(document.get()) : nullptr;
  if (root == nullptr) {
    if (html.find_first_not_of(" \t\r\n") == std::string_view::npos) return PageText{};
    return fail(Errc::kInvalid, "the page cannot be read");
  }
  return PageReader(characters).read(root);
}

PageText read_plain(std::string_view text, std::size_t characters) {
  PageText page;
  std::size_t left = characters;
  for (const char c : text) {
    const bool begins = (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    page.is_cut = begins && left == 0;
    if (page.is_cut) return page;
    if (begins) --left;
    page.text += c;
  }
  return page;
}

}  // namespace aispm::gateway
