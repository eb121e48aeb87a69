// SPDX-License-Identifier: Apache-2.0
// The net against the same sums written out in loops.
#include "sdk/core/detect/semantic_net.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace aispm::detect::net {
namespace {

using Row = std::vector<double>;
using Floats = std::vector<float>;
constexpr std::size_t kAll = kBranches * kBranch;

struct Net {
  std::vector<Floats> owned;
  Weights weights;
  std::mt19937 random{1};

  const float* fill(std::size_t count, double spread) {
    std::normal_distribution<double> any(0, spread);
    Floats values(count);
    for (float& value : values) value = static_cast<float>(any(random));
    owned.push_back(std::move(values));
    return owned.back().data();
  }

  Net() {
    owned.reserve(64);
    weights.projection = fill(kToken * kAll, .05);
    weights.projection_bias = fill(kAll, .1);
    weights.projection_gain = fill(kAll, 1);
    weights.projection_shift = fill(kAll, .1);
    for (std::size_t i = 0; i < kBranches; ++i) {
      weights.first[i] = fill(kOrder[i] * kBranch * kBranch, .03);
      weights.first_bias[i] = fill(kBranch, .1);
      weights.second[i] = fill(kOrder[i] * kBranch * kBranch, .03);
      weights.second_bias[i] = fill(kBranch, .1);
    }
    weights.gain = fill(kWide, 1);
    weights.shift = fill(kWide, .1);
    weights.pooled = fill(kWide * kPooled, .02);
    weights.pooled_bias = fill(kPooled, .1);
    weights.dense1 = fill(kPooled * kHidden, .03);
    weights.dense2 = fill(kHidden * kHidden, .03);
    weights.dense2_skip = fill(kPooled * kHidden, .03);
    weights.dense3 = fill(kHidden * kLast, .03);
    weights.dense4 = fill(kLast * kLast, .03);
    weights.dense4_skip = fill(kHidden * kLast, .03);
  }
};

Row times(const Row& row, const float* matrix, std::size_t outputs) {
  Row out(outputs, 0);
  for (std::size_t i = 0; i < row.size(); ++i)
    for (std::size_t j = 0; j < outputs; ++j) out[j] += row[i] * matrix[i * outputs + j];
  return out;
}

Row plus(Row left, const Row& right) {
  for (std::size_t i = 0; i < left.size(); ++i) left[i] += right[i];
  return left;
}

Row relu(Row row) {
  for (double& value : row) value = std::max(value, 0.0);
  return row;
}

Row normalised(const Row& row, const float* gain, const float* shift) {
  double mean = 0;
  for (const double value : row) mean += value / static_cast<double>(row.size());
  double variance = 0;
  for (const double value : row)
    variance += (value - mean) * (value - mean) / static_cast<double>(row.size());
  Row out(row.size());
  for (std::size_t i = 0; i < row.size(); ++i)
    out[i] = (row[i] - mean) / std::sqrt(variance + 1e-12) * gain[i] + shift[i];
  return out;
}

std::vector<Row> convolved(const std::vector<Row>& rows, std::size_t branch, const float* weights,
                           const float* bias) {
  std::vector<Row> out;
  for (std::size_t t = 0; t < rows.size(); ++t) {
    Row input;
    for (std::size_t k = 0; k < kOrder[branch]; ++k) {
      const std::size_t at = t + k;  // + kLeft
      const bool inside = at >= kLeft[branch] && at - kLeft[branch] < rows.size();
      const Row& near = inside ? rows[at - kLeft[branch]] : Row(kBranch, 0);
      input.insert(input.end(), near.begin(), near.end());
    }
    Row sum = times(input, weights, kBranch);
    for (std::size_t i = 0; i < kBranch; ++i) sum[i] += bias[i];
    out.push_back(plus(relu(sum), rows[t]));
  }
  return out;
}

Row expected(const Weights& w, const std::vector<Row>& tokens) {
  std::vector<Row> wide = tokens;
  std::vector<Row> projected;
  for (const Row& token : tokens) {
    Row row = times(token, w.projection, kAll);
    for (std::size_t i = 0; i < kAll; ++i) row[i] += w.projection_bias[i];
    projected.push_back(normalised(row, w.projection_gain, w.projection_shift));
  }
  for (std::size_t i = 0; i < kBranches; ++i) {
    std::vector<Row> part;
    for (const Row& row : projected) {
      const auto begin = row.begin() + static_cast<std::ptrdiff_t>(i * kBranch);
      part.emplace_back(begin, begin + kBranch);
    }
    part = convolved(part, i, w.first[i], w.first_bias[i]);
    part = convolved(part, i, w.second[i], w.second_bias[i]);
    for (std::size_t t = 0; t < wide.size(); ++t)
      wide[t].insert(wide[t].end(), part[t].begin(), part[t].end());
  }
  Row sum(kWide, 0);
  for (Row& row : wide) {
    row = normalised(row, w.gain, w.shift);
    sum = plus(sum, row);
  }
  const auto count = static_cast<double>(tokens.size());
  Row pooled = times(sum, w.pooled, kPooled);
  for (std::size_t i = 0; i < kPooled; ++i)
    pooled[i] = (pooled[i] + count * w.pooled_bias[i]) / std::sqrt(count);
  const Row first = relu(times(pooled, w.dense1, kHidden));
  const Row second =
      relu(plus(times(pooled, w.dense2_skip, kHidden), times(first, w.dense2, kHidden)));
  const Row third = relu(times(second, w.dense3, kLast));
  Row last = plus(times(second, w.dense4_skip, kLast), times(third, w.dense4, kLast));
  double length = 0;
  for (double& value : last) {
    value = std::tanh(value);
    length += value * value;
  }
  for (double& value : last) value /= std::sqrt(length);

  Row out;
  for (const Row& part : {pooled, second, last}) out.insert(out.end(), part.begin(), part.end());
  return out;
}

class SemanticNet : public testing::TestWithParam<std::size_t> {};

TEST_P(SemanticNet, ComputesTheSameAsLoops) {
  if (!is_supported()) GTEST_SKIP() << "this processor has no AVX2 and FMA";
  const std::size_t count = GetParam();
  Net net;
  std::vector<Row> tokens;
  Floats wide(count * kWide, 7.0F);  // what stands behind the token vectors must not matter
  for (std::size_t t = 0; t < count; ++t) {
    const float* values = net.fill(kToken, .5);
    tokens.emplace_back(values, values + kToken);
    std::copy(values, values + kToken, wide.begin() + static_cast<std::ptrdiff_t>(t * kWide));
  }
  Floats projected(count * kAll);
  Floats padded(2 * (count + kPadding) * kBranch, 7.0F);
  Floats product(std::max(count * kBranch, kWide + kHidden + kLast));
  Floats out(kFeatures);
  features(net.weights, {wide.data(), projected.data(), padded.data(), product.data()}, count,
           out.data());
  const Row reference = expected(net.weights, tokens);
  ASSERT_EQ(reference.size(), kFeatures);
  for (std::size_t i = 0; i < kFeatures; ++i)
    ASSERT_NEAR(out[i], reference[i], 2e-3 + 1e-3 * std::abs(reference[i])) << "feature " << i;
}

INSTANTIATE_TEST_SUITE_P(Tokens, SemanticNet, testing::Values(1, 2, 3, 7, 20));

}  // namespace
}  // namespace aispm::detect::net
