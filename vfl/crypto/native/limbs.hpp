// Little-endian multi-word integers: the few operations that every path of the kernel needs.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace vfl {

using u64 = std::uint64_t;
using u128 = unsigned __int128;
using Words = std::vector<u64>;

constexpr std::size_t kMaxBits = 6144;
constexpr std::size_t kMaxLimbs = kMaxBits / 64;

inline bool less(const u64* a, const u64* b, std::size_t n) {
  u64 borrow = 0;  // no early exit: the numbers compared may be secret
  for (std::size_t i = 0; i < n; ++i) borrow = static_cast<u64>((u128(a[i]) - b[i] - borrow) >> 127);
  return borrow != 0;
}

inline u64 add(u64* out, const u64* a, const u64* b, std::size_t n) {
  u64 carry = 0;
  for (std::size_t i = 0; i < n; ++i) {
    u128 sum = u128(a[i]) + b[i] + carry;
    out[i] = static_cast<u64>(sum);
    carry = static_cast<u64>(sum >> 64);
  }
  return carry;
}

inline u64 subtract(u64* out, const u64* a, const u64* b, std::size_t n) {
  u64 borrow = 0;
  for (std::size_t i = 0; i < n; ++i) {
    u128 d = u128(a[i]) - b[i] - borrow;
    out[i] = static_cast<u64>(d);
    borrow = static_cast<u64>(d >> 127);
  }
  return borrow;
}

// out = (top, a) - m unless that is negative; returns the new top word. By mask: its time says nothing
// about a.
inline u64 subtract_once(u64* out, const u64* a, u64 top, const u64* m, std::size_t n) {
  u64 difference[kMaxLimbs];
  const u64 borrow = subtract(difference, a, m, n);
  const u64 keep = u64(0) - static_cast<u64>(top < borrow);
  for (std::size_t i = 0; i < n; ++i) out[i] = (a[i] & keep) | (difference[i] & ~keep);
  return top - (borrow & ~keep);
}

// out[0, n + k) += a[0, n) * b[0, k); the caller leaves room for the carry.
inline void multiply_add(u64* out, const u64* a, std::size_t n, const u64* b, std::size_t k) {
  for (std::size_t i = 0; i < k; ++i) {
    u64 carry = 0;
    for (std::size_t j = 0; j < n; ++j) {
      u128 sum = u128(a[j]) * b[i] + out[i + j] + carry;
      out[i + j] = static_cast<u64>(sum);
      carry = static_cast<u64>(sum >> 64);
    }
    for (std::size_t j = i + n; carry != 0; ++j) {
      out[j] += carry;
      carry = out[j] < carry;
    }
  }
}

// The inverse of an odd number modulo 2^64, by Newton's iteration (3 correct bits to start with).
inline u64 inverse_word(u64 odd) {
  u64 x = odd * 3 ^ 2;
  for (int step = 0; step < 5; ++step) x *= 2 - odd * x;
  return x;
}

// `width` bits of a little-endian number from bit `first` on.
inline u64 bits_at(const u64* number, std::size_t words, std::size_t first, std::size_t width) {
  const std::size_t word = first / 64, shift = first % 64;
  if (word >= words) return 0;
  u64 value = number[word] >> shift;
  if (shift + width > 64 && word + 1 < words) value |= number[word + 1] << (64 - shift);
  return value & ((u64(1) << width) - 1);
}

inline std::size_t bit_length(const Words& a) {
  for (std::size_t i = a.size(); i-- > 0;)
    if (a[i] != 0) return 64 * i + 64 - static_cast<std::size_t>(__builtin_clzll(a[i]));
  return 0;
}

}  // namespace vfl
