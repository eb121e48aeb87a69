// SPDX-License-Identifier: Apache-2.0
#include "sensor/classify/model_format.hpp"

#include <algorithm>

namespace aispm::sensor {
namespace {

constexpr std::size_t kTellingMagicBytes = 4;
constexpr std::uint64_t kMaxSafetensorsHead = 100U << 20;
constexpr std::uint64_t kMaxGgufCount = 1U << 24;
constexpr std::uint32_t kMaxGgufVersion = 100;

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  return result;
}

bool fits_name(const ModelSignature& model, std::string_view name) {
  return std::any_of(model.extensions.begin(), model.extensions.end(), [&](const auto& end) {
    if (end.ends_with('*'))
      return name.starts_with(std::string_view(end).substr(0, end.size() - 1));
    return end.starts_with('.') ? name.ends_with(end) && name.size() > end.size() : name == end;
  });
}

std::uint64_t little_endian(std::string_view bytes, std::size_t at, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count && at + i < bytes.size(); ++i)
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  return value;
}

bool is_zip(const ModelSignature& model) { return model.magic == "PK\x03\x04"; }

// "GGUF", u32 version, u64 tensors, u64 keys. Source: ggml docs/gguf.md.
bool check_gguf(std::string_view head, ModelFormat& found) {
  const std::uint64_t version = little_endian(head, 4, 4);
  const std::uint64_t tensors = little_endian(head, 8, 8);
  const std::uint64_t keys = little_endian(head, 16, 8);
  if (head.size() < 24 || version == 0 || version > kMaxGgufVersion || tensors > kMaxGgufCount ||
      keys > kMaxGgufCount)
    return false;
  found.attributes["format_version"] = std::to_string(version);
  found.attributes["tensors"] = std::to_string(tensors);
  return true;
}

// u64 length of a JSON object, then that. Source: huggingface/safetensors README.
bool check_safetensors(std::string_view head, std::uint64_t size) {
  const std::uint64_t length = little_endian(head, 0, 8);
  return head.size() > 8 && length >= 2 && length <= kMaxSafetensorsHead && length <= size - 8;
}

// ModelProto begins with field 1, ir_version, a small number; field 2 is producer_name or 8 is the
// opset.
bool check_onnx(std::string_view head) {
  return head.size() > 3 && static_cast<unsigned char>(head[1]) < 32 &&
         (head[2] == 0x12 || head[2] == 0x42 || head[2] == 0x3a);
}

bool fits_bytes(const ModelSignature& model, std::string_view head) {
  return head.size() >= model.offset + model.magic.size() &&
         head.substr(model.offset, model.magic.size()) == model.magic;
}

bool check_structure(const ModelSignature& model, std::string_view head, std::uint64_t size,
                     ModelFormat& found) {
  if (model.magic == "GGUF") return check_gguf(head, found);
  if (model.magic == "{\"" && model.offset == 8) return check_safetensors(head, size);
  if (model.signature->id == "model.onnx") return check_onnx(head);
  // PyTorch's archive holds NAME/data.pkl first; the name stands in the first local header.
  if (model.signature->id == "model.pytorch-zip")
    return head.substr(0, 512).find("data.pkl") != std::string_view::npos;
  if (model.signature->id == "model.torchscript-archive")
    return head.find("code/") != std::string_view::npos ||
           head.find("constants.pkl") != std::string_view::npos;
  return true;
}

}  // namespace

bool has_model_name(std::string_view name, const Signatures& signatures) {
  const std::string text = lower(name);
  return std::any_of(signatures.models().begin(), signatures.models().end(),
                     [&](const ModelSignature& model) { return fits_name(model, text); });
}

ModelFormat find_model_format(std::string_view name, std::string_view head, std::uint64_t size,
                              const Signatures& signatures) {
  const std::string text = lower(name);
  ModelFormat best;
  for (const ModelSignature& model : signatures.models()) {
    const bool has_name = fits_name(model, text);
    const bool is_telling =
        model.by == "magic" && model.magic.size() >= kTellingMagicBytes && !is_zip(model);
    if (model.by == "structure" ? true : !fits_bytes(model, head)) {
      if (model.by != "structure" || !has_name || size == 0) continue;
    }
    if (!has_name && !is_telling) continue;
    ModelFormat found;
    found.format = &model;
    found.confidence = model.signature->confidence;
    if (model.by != "structure" && !check_structure(model, head, size, found)) continue;
    // Name and bytes together beat bytes alone.
    if (!has_name) found.confidence *= 0.9;
    if (best.format == nullptr || found.confidence > best.confidence) best = std::move(found);
  }
  return best;
}

}  // namespace aispm::sensor
