// Montgomery arithmetic on 64-bit words: the path of every machine without AVX-512 IFMA.
#pragma once

#include "base_n.hpp"

namespace vfl {

// Montgomery's reduction by an odd m, R = 2^(64 n). Width is n when the compiler may know it (it
// unrolls), 0 when it is only known at run time.
template <std::size_t Width>
class WordReduction {
 public:
  explicit WordReduction(const Words& modulus)
      : size_(modulus.size()), modulus_(modulus), inverse_(u64(0) - inverse_word(modulus[0])) {}

  std::size_t size() const { return Width ? Width : size_; }
  const u64* modulus() const { return modulus_.data(); }

  // (top, out) = (start + x[0] y[0] + ... + x[Products - 1] y[Products - 1] + quotient m) / R, column by
  // column (finely integrated product scanning; Koc, Acar, Kaliski 1996); start has n + 1 words or is
  // null. Returns top.
  template <int Products>
  u64 reduce(u64* out, const u64* start, const u64* const* x, const u64* const* y, u64* quotient) const {
    const std::size_t n = size();
    const u64* m = modulus_.data();
    u64 result[Width ? Width : kMaxLimbs];
    u128 sum = 0;  // of a column, with `top` the bits above
    u64 top = 0;
    auto accumulate = [&](u64 a, u64 b) {
      const u128 product = u128(a) * b;
      sum += product;
      top += sum < product;
    };
    auto next_column = [&] {
      sum = (sum >> 64) | u128(top) << 64;
      top = 0;
    };
    for (std::size_t column = 0; column < n; ++column) {
      if (start) accumulate(start[column], 1);
      for (std::size_t j = 0; j < column; ++j) {
        for (int p = 0; p < Products; ++p) accumulate(x[p][j], y[p][column - j]);
        accumulate(quotient[j], m[column - j]);
      }
      for (int p = 0; p < Products; ++p) accumulate(x[p][column], y[p][0]);
      quotient[column] = static_cast<u64>(sum) * inverse_;
      accumulate(quotient[column], m[0]);
      next_column();
    }
    if (start) accumulate(start[n], 1);
    for (std::size_t column = n; column < 2 * n - 1; ++column) {
      for (std::size_t j = column - n + 1; j < n; ++j) {
        for (int p = 0; p < Products; ++p) accumulate(x[p][j], y[p][column - j]);
        accumulate(quotient[j], m[column - j]);
      }
      result[column - n] = static_cast<u64>(sum);
      next_column();
    }
    result[n - 1] = static_cast<u64>(sum);
    std::copy_n(result, n, out);
    return static_cast<u64>(sum >> 64);
  }

 private:
  std::size_t size_;
  Words modulus_;
  u64 inverse_;  // -1/m mod 2^64
};

// Residues modulo any odd m as x R mod m.
class PortableField {
 public:
  static constexpr std::size_t lanes = 1;
  struct Element {
    u64 words[kMaxLimbs];
  };

  explicit PortableField(const Words& modulus) : reduction_(modulus), one_(modulus.size(), 0) {
    one_[0] = 1;
    double_times(one_, 64 * limbs());
    square_ = one_;
    double_times(square_, 64 * limbs());
  }

  std::size_t limbs() const { return reduction_.size(); }
  const u64* one() const { return one_.data(); }

  void load(Element& x, const u64* const* rows, unsigned mask) const {
    if (mask) std::copy_n(rows[0], limbs(), x.words);
  }
  void store(const Element& x, u64* const* rows, unsigned mask) const {
    if (mask) std::copy_n(x.words, limbs(), rows[0]);
  }
  void multiply(Element& out, const Element& a, const Element& b) const { montgomery(out.words, a.words, b.words); }
  void enter(const u64* const* in, u64* const* out, unsigned) const { montgomery(out[0], in[0], square_.data()); }
  void leave(const u64* const* in, u64* const* out, unsigned) const {
    u64 unit[kMaxLimbs] = {1};
    montgomery(out[0], in[0], unit);
  }

  // x mod m for a plain x of any number of words. Each limbs-wide digit d_i of x goes through one
  // multiplication by R^(i + 1) mod m, which brings d_i R^i mod m back plain.
  void reduce(u64* out, const u64* x, std::size_t words) const {
    Words scale = one_;
    std::fill_n(out, limbs(), 0);
    for (std::size_t first = 0; first < words; first += limbs()) {
      u64 digit[kMaxLimbs] = {0}, part[kMaxLimbs];
      std::copy_n(x + first, std::min(limbs(), words - first), digit);
      montgomery(part, digit, scale.data());
      montgomery(scale.data(), scale.data(), square_.data());
      const u64 carry = add(out, out, part, limbs());
      subtract_once(out, out, carry, reduction_.modulus(), limbs());
    }
  }

 private:
  // a b / R mod m; b must be below m, a may be any number of that many words.
  void montgomery(u64* out, const u64* a, const u64* b) const {
    u64 quotient[kMaxLimbs];
    const u64 top = reduction_.reduce<1>(out, nullptr, &a, &b, quotient);
    subtract_once(out, out, top, reduction_.modulus(), limbs());
  }

  void double_times(Words& x, std::size_t times) const {
    for (; times > 0; --times) {
      const u64 carry = add(x.data(), x.data(), x.data(), limbs());
      subtract_once(x.data(), x.data(), carry, reduction_.modulus(), limbs());
    }
  }

  WordReduction<0> reduction_;
  Words one_, square_;  // R and R^2 mod m
};

// Residues modulo a square N^2 as base_n.hpp explains; Width is the number of words of N, or 0.
template <std::size_t Width>
class PortableSquareField {
 public:
  static constexpr std::size_t lanes = 1;
  struct Element {
    u64 words[Width ? 2 * Width : kMaxLimbs];
  };

  explicit PortableSquareField(const Words& root) : reduction_(root), constants_(root, 64 * root.size()) {
    one_ = constants_.one.low;
    one_.insert(one_.end(), constants_.one.high.begin(), constants_.one.high.end());
  }

  std::size_t limbs() const { return 2 * half(); }
  const u64* one() const { return one_.data(); }

  void load(Element& x, const u64* const* rows, unsigned mask) const {
    if (mask) std::copy_n(rows[0], limbs(), x.words);
  }
  void store(const Element& x, u64* const* rows, unsigned mask) const {
    if (mask) std::copy_n(x.words, limbs(), rows[0]);
  }

  void multiply(Element& out, const Element& a, const Element& b) const {
    const u64 *a_high = a.words + half(), *b_high = b.words + half();
    const u64 *x[] = {a.words, a_high}, *y[] = {b_high, b.words};
    const u64 *low_x[] = {a.words}, *low_y[] = {b.words};
    u64 digits[kMaxLimbs], quotient[kMaxHalf], minus_quotient[kMaxHalf + 1];
    const u64 low_top = reduction_.template reduce<1>(digits, nullptr, low_x, low_y, quotient);
    negate(minus_quotient, quotient);
    const u64 high_top = reduction_.template reduce<2>(digits + half(), minus_quotient, x, y, quotient);
    make_canonical(out.words, digits, low_top, high_top);
  }

  // Plain u + v R to residues: u R^2 / R + v R^3 / R.
  void enter(const u64* const* in, u64* const* out, unsigned) const {
    const u64 *x[] = {in[0], in[0] + half()};
    const u64 *low[] = {constants_.square.low.data(), constants_.cube.low.data()};
    const u64 *high[] = {constants_.square.high.data(), constants_.cube.high.data()};
    u64 digits[kMaxLimbs], quotient[kMaxHalf], minus_quotient[kMaxHalf + 1];
    const u64 low_top = reduction_.template reduce<2>(digits, nullptr, x, low, quotient);
    negate(minus_quotient, quotient);
    const u64 high_top = reduction_.template reduce<2>(digits + half(), minus_quotient, x, high, quotient);
    make_canonical(out[0], digits, low_top, high_top);
  }

  // Residues to plain: both digits divided by R, then c0 + c1 N.
  void leave(const u64* const* in, u64* const* out, unsigned) const {
    const u64 unit[kMaxHalf] = {1};
    const u64 *x[] = {in[0]}, *high[] = {in[0] + half()}, *y[] = {unit};
    u64 digits[kMaxLimbs], plain[kMaxLimbs + 1] = {0}, quotient[kMaxHalf], minus_quotient[kMaxHalf + 1];
    const u64 low_top = reduction_.template reduce<1>(digits, nullptr, x, y, quotient);
    negate(minus_quotient, quotient);
    const u64 high_top = reduction_.template reduce<1>(digits + half(), minus_quotient, high, y, quotient);
    make_canonical(digits, digits, low_top, high_top);
    std::copy_n(digits, half(), plain);
    multiply_add(plain, digits + half(), half(), reduction_.modulus(), half());
    std::copy_n(plain, limbs(), out[0]);
  }

 private:
  static constexpr std::size_t kMaxHalf = kMaxLimbs / 2;

  std::size_t half() const { return reduction_.size(); }

  // -q mod N, below R + N.
  void negate(u64* out, const u64* quotient) const {
    for (std::size_t i = 0; i < half(); ++i) out[i] = ~quotient[i];
    out[half()] = add(out, out, constants_.one_less_r.data(), half());
  }

  // From a low digit below 3 N and a high one below 3 N + 2, each with its top word, to digits below N.
  void make_canonical(u64* out, u64* digits, u64 low_top, u64 high_top) const {
    u64 *high = digits + half(), taken[kMaxHalf] = {0};
    for (int pass = 0; pass < 2; ++pass) {
      taken[0] += low_top != 0 || !less(digits, reduction_.modulus(), half());
      low_top = subtract_once(digits, digits, low_top, reduction_.modulus(), half());
    }
    high_top += add(high, high, taken, half());
    for (int pass = 0; pass < 3; ++pass)
      high_top = subtract_once(high, high, high_top, reduction_.modulus(), half());
    std::copy_n(digits, limbs(), out);
  }

  WordReduction<Width> reduction_;
  BaseNConstants constants_;
  Words one_;
};

}  // namespace vfl
