// SPDX-License-Identifier: Apache-2.0
// Compiled for AVX2 and FMA (CMakeLists.txt). A template instantiated here could be the copy that
// the linker keeps for the whole program, which must also start on older processors: so this file
// uses Eigen, which no other one does, and nothing of the standard library.
#include "sdk/core/detect/semantic_net.hpp"

#include <Eigen/Core>

namespace aispm::detect::net {

namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using In = Eigen::Map<const Matrix, 0, Eigen::OuterStride<>>;
using Out = Eigen::Map<Matrix, 0, Eigen::OuterStride<>>;
using Row = Eigen::Map<const Eigen::Array<float, 1, Eigen::Dynamic>>;
using Rows = Eigen::Map<Eigen::Array<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>, 0,
                        Eigen::OuterStride<>>;
using Values = Eigen::Map<Eigen::Array<float, 1, Eigen::Dynamic>>;
using Index = Eigen::Index;

constexpr float kEpsilon = 1e-12F;
constexpr auto kAll = static_cast<Index>(kBranches * kBranch);

Index index(std::size_t value) { return static_cast<Index>(value); }

void normalise_rows(Rows rows, const float* gain, const float* shift) {
  const Row scale(gain, rows.cols());
  const Row offset(shift, rows.cols());
  for (Index i = 0; i < rows.rows(); ++i) {
    auto row = rows.row(i);
    row -= row.mean();
    row = row * (1.0F / std::sqrt(row.square().mean() + kEpsilon)) * scale + offset;
  }
}

// out = relu(convolution of `padded` + bias) + `skip`. Row t of a convolution's input is the
// kOrder rows that begin kLeft before t: they lie side by side in memory.
void convolve(const float* padded, std::size_t branch, const float* weights, const float* bias,
              std::size_t tokens, float* product, const Rows& skip, Rows out) {
  const Index width = index(kOrder[branch] * kBranch);
  const In input(padded + (kPadding / 2 - kLeft[branch]) * kBranch, index(tokens), width,
                 Eigen::OuterStride<>(index(kBranch)));
  const In matrix(weights, width, index(kBranch), Eigen::OuterStride<>(index(kBranch)));
  Out(product, index(tokens), index(kBranch), Eigen::OuterStride<>(index(kBranch))).noalias() =
      input * matrix;
  const Rows result(product, index(tokens), index(kBranch), Eigen::OuterStride<>(index(kBranch)));
  out = (result.rowwise() + Row(bias, index(kBranch))).max(0.0F) + skip;
}

auto times(const float* row, const float* matrix, std::size_t inputs, std::size_t outputs) {
  return Eigen::Map<const Eigen::RowVectorXf>(row, index(inputs)) *
         In(matrix, index(inputs), index(outputs), Eigen::OuterStride<>(index(outputs)));
}

// From the sum over `tokens` (kWide) to kPooled + kHidden + kLast features; uses what lies behind
// the sum in its buffer.
void dense_layers(const Weights& weights, float* sum, std::size_t tokens, float* out) {
  using Vector = Eigen::Map<Eigen::RowVectorXf>;
  const auto count = static_cast<float>(tokens);
  Vector pooled(out, index(kPooled));
  Vector second(out + kPooled, index(kHidden));
  Vector last(out + kPooled + kHidden, index(kLast));
  Vector first(sum + kWide, index(kHidden));
  Vector third(sum + kWide + kHidden, index(kLast));

  pooled.noalias() = times(sum, weights.pooled, kWide, kPooled);
  pooled.array() =
      (pooled.array() + count * Row(weights.pooled_bias, index(kPooled))) / std::sqrt(count);
  first.noalias() = times(out, weights.dense1, kPooled, kHidden);
  first = first.cwiseMax(0.0F);
  second.noalias() = times(out, weights.dense2_skip, kPooled, kHidden);
  second.noalias() += times(first.data(), weights.dense2, kHidden, kHidden);
  second = second.cwiseMax(0.0F);
  third.noalias() = times(second.data(), weights.dense3, kHidden, kLast);
  third = third.cwiseMax(0.0F);
  last.noalias() = times(second.data(), weights.dense4_skip, kHidden, kLast);
  last.noalias() += times(third.data(), weights.dense4, kLast, kLast);
  last.array() = last.array().tanh();
  const float length = last.squaredNorm();
  last /= std::sqrt(length > kEpsilon ? length : kEpsilon);
}

}  // namespace

bool is_supported() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return true;
#endif
}

void features(const Weights& weights, const Buffers& buffers, std::size_t tokens, float* out) {
  const Index count = index(tokens);
  const Index wide_stride = index(kWide);
  Rows projected(buffers.projected, count, kAll, Eigen::OuterStride<>(kAll));
  Out(buffers.projected, count, kAll, Eigen::OuterStride<>(kAll)).noalias() =
      In(buffers.wide, count, index(kToken), Eigen::OuterStride<>(wide_stride)) *
      In(weights.projection, index(kToken), kAll, Eigen::OuterStride<>(kAll));
  projected.rowwise() += Row(weights.projection_bias, kAll);
  normalise_rows(projected, weights.projection_gain, weights.projection_shift);

  const std::size_t padded_size = (tokens + kPadding) * kBranch;
  const Eigen::OuterStride<> narrow(index(kBranch));
  Rows all_first(buffers.padded, index(tokens + kPadding), index(kBranch), narrow);
  Rows all_second(buffers.padded + padded_size, index(tokens + kPadding), index(kBranch), narrow);
  all_first.setZero();
  all_second.setZero();
  Rows first(buffers.padded + kPadding / 2 * kBranch, count, index(kBranch), narrow);
  Rows second(buffers.padded + padded_size + kPadding / 2 * kBranch, count, index(kBranch), narrow);
  for (std::size_t branch = 0; branch < kBranches; ++branch) {
    first = projected.middleCols(index(branch * kBranch), index(kBranch));
    convolve(buffers.padded, branch, weights.first[branch], weights.first_bias[branch], tokens,
             buffers.product, first, second);
    convolve(buffers.padded + padded_size, branch, weights.second[branch],
             weights.second_bias[branch], tokens, buffers.product, second,
             Rows(buffers.wide + kToken + branch * kBranch, count, index(kBranch),
                  Eigen::OuterStride<>(wide_stride)));
  }

  Rows wide(buffers.wide, count, wide_stride, Eigen::OuterStride<>(wide_stride));
  normalise_rows(wide, weights.gain, weights.shift);
  Values sum(buffers.product, wide_stride);
  sum = wide.colwise().sum();
  dense_layers(weights, buffers.product, tokens, out);
}

}  // namespace aispm::detect::net
