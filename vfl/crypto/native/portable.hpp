// Montgomery arithmetic on 64-bit words: the path of every machine without AVX-512 IFMA.
#pragma once

#include <algorithm>

#include "limbs.hpp"

namespace vfl {

// Residues modulo an odd m as x * 2^(64 limbs) mod m. Width is the number of limbs when the compiler
// may know it (it unrolls), 0 when it is only known at run time.
template <std::size_t Width>
class PortableField {
 public:
  static constexpr std::size_t lanes = 1;
  struct Element {
    u64 words[Width ? Width : kMaxLimbs];
  };

  explicit PortableField(const Words& modulus)
      : limbs_(modulus.size()), modulus_(modulus), inverse_(u64(0) - inverse_word(modulus[0])) {
    Words power(limbs_, 0);
    power[0] = 1;
    subtract_once(power.data(), power.data(), 0, modulus_.data(), limbs_);  // 1 mod 1 is 0
    double_times(power, 64 * limbs_);
    one_ = power;
    double_times(power, 64 * limbs_);
    square_ = power;
  }

  std::size_t limbs() const { return Width ? Width : limbs_; }
  const u64* one() const { return one_.data(); }

  void load(Element& x, const u64* const* rows, unsigned mask) const {
    if (mask) std::copy_n(rows[0], limbs(), x.words);
  }
  void store(const Element& x, u64* const* rows, unsigned mask) const {
    if (mask) std::copy_n(x.words, limbs(), rows[0]);
  }
  void multiply(Element& out, const Element& a, const Element& b) const {
    montgomery(out.words, a.words, b.words);
  }
  void enter(const u64* const* in, u64* const* out, unsigned mask) const {
    if (mask) montgomery(out[0], in[0], square_.data());
  }
  void leave(const u64* const* in, u64* const* out, unsigned mask) const {
    u64 unit[kMaxLimbs] = {1};
    if (mask) montgomery(out[0], in[0], unit);
  }

  // x mod m for a plain x of any number of words. Each limbs-wide digit d_i of x goes through one
  // multiplication by 2^(64 limbs (i + 1)) mod m, which brings d_i * 2^(64 limbs i) mod m back plain.
  void reduce(u64* out, const u64* x, std::size_t words) const {
    Words scale = square_;
    std::fill_n(out, limbs(), 0);
    for (std::size_t first = 0; first < words; first += limbs()) {
      u64 digit[kMaxLimbs] = {0}, part[kMaxLimbs];
      std::copy_n(x + first, std::min(limbs(), words - first), digit);
      montgomery(part, digit, first ? scale.data() : one_.data());
      if (first) montgomery(scale.data(), scale.data(), square_.data());
      u64 carry = add(out, out, part, limbs());
      subtract_once(out, out, carry, modulus_.data(), limbs());
    }
  }

  // a * b / 2^(64 limbs) mod m, word by word (coarsely integrated operand scanning; Koc, Acar, Kaliski
  // 1996). b must be below m; a may be any number of that many words.
  void montgomery(u64* out, const u64* a, const u64* b) const {
    const std::size_t n = limbs();
    const u64* m = modulus_.data();
    u64 t[(Width ? Width : kMaxLimbs) + 2] = {0};
    for (std::size_t i = 0; i < n; ++i) {
      u64 carry = 0;
      for (std::size_t j = 0; j < n; ++j) {
        u128 sum = u128(b[j]) * a[i] + t[j] + carry;
        t[j] = static_cast<u64>(sum);
        carry = static_cast<u64>(sum >> 64);
      }
      u128 top = u128(t[n]) + carry;
      t[n] = static_cast<u64>(top);
      t[n + 1] = static_cast<u64>(top >> 64);
      const u64 quotient = t[0] * inverse_;
      carry = static_cast<u64>((u128(quotient) * m[0] + t[0]) >> 64);
      for (std::size_t j = 1; j < n; ++j) {
        u128 sum = u128(quotient) * m[j] + t[j] + carry;
        t[j - 1] = static_cast<u64>(sum);
        carry = static_cast<u64>(sum >> 64);
      }
      top = u128(t[n]) + carry;
      t[n - 1] = static_cast<u64>(top);
      t[n] = t[n + 1] + static_cast<u64>(top >> 64);
    }
    subtract_once(out, t, t[n], m, n);
  }

 private:
  void double_times(Words& x, std::size_t times) const {
    for (; times > 0; --times) {
      u64 carry = add(x.data(), x.data(), x.data(), limbs_);
      subtract_once(x.data(), x.data(), carry, modulus_.data(), limbs_);
    }
  }

  std::size_t limbs_;
  Words modulus_;
  u64 inverse_;  // -1/m mod 2^64
  Words one_, square_;
};

}  // namespace vfl
