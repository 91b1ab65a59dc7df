// Arithmetic modulo a square N^2, eight numbers at a time, on AVX-512 IFMA. base_n.hpp explains the form
// of residues; R = 2^(52 K), with K digits of 52 bits holding N and at least 4 bits to spare, so that
// results up to 2 N need no subtraction before they are multiplied again.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__)
#define VFL_HAS_IFMA 1

#include <immintrin.h>

#include <algorithm>

#include "base_n.hpp"

#define VFL_AVX512 __attribute__((target("avx512f,avx512dq,avx512ifma,avx512vbmi2")))
#define VFL_AVX512_INLINE VFL_AVX512 __attribute__((always_inline)) inline

namespace vfl {

class IfmaField {
 public:
  static constexpr std::size_t lanes = 8;
  static constexpr std::size_t kMaxDigits = 60;  // of 52 bits: N has at most 3072

  // One digit of eight numbers.
  struct alignas(64) Digit {
    u64 lane[lanes];
  };
  struct Element {
    Digit low[kMaxDigits], high[kMaxDigits];
  };

  static bool available() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512ifma") && __builtin_cpu_supports("avx512vbmi2");
  }
  explicit IfmaField(const Words& root)
      : words_(root.size()), digits_((bit_length(root) + 4 + 51) / 52), root_(digits_of(root)),
        inverse_((u64(0) - inverse_word(root[0])) & kMask) {
    const BaseNConstants constants(root, 52 * digits_);
    one_ = constants.one.low;
    one_.insert(one_.end(), constants.one.high.begin(), constants.one.high.end());
    one_less_r_ = digits_of(constants.one_less_r);
    broadcast(square_, constants.square);
    broadcast(cube_, constants.cube);
  }

  std::size_t limbs() const { return 2 * words_; }
  const u64* one() const { return one_.data(); }

  VFL_AVX512 void load(Element& x, const u64* const* rows, unsigned mask) const {
    Digit words[2 * kMaxWords];
    transpose_in(words, rows, 2 * words_);
    digits_from_words(x.low, words, words_, digits_, mask);
    digits_from_words(x.high, words + words_, words_, digits_, mask);
  }

  VFL_AVX512 void store(const Element& x, u64* const* rows, unsigned mask) const {
    Element canonical = x;
    make_canonical(canonical);
    Digit words[2 * kMaxWords];
    words_from_digits(words, canonical.low, words_, digits_);
    words_from_digits(words + words_, canonical.high, words_, digits_);
    transpose_out(rows, words, 2 * words_, mask);
  }

  VFL_AVX512 void multiply(Element& out, const Element& a, const Element& b) const {
    if (&a == &b) return square(out, a);
    Digit low[kMaxDigits], high[kMaxDigits], quotient[kMaxDigits];
    zero(low);
    const Digit *x0[] = {a.low}, *y0[] = {b.low};
    reduce<1>(low, x0, y0, quotient);
    minus_quotient(high, quotient);
    const Digit *x1[] = {a.low, a.high}, *y1[] = {b.high, b.low};
    reduce<2>(high, x1, y1, quotient);
    carry(out.low, low);
    carry(out.high, high);
  }

  // Plain u + v R to residues: u R^2 / R + v R^3 / R.
  VFL_AVX512 void enter(const u64* const* in, u64* const* out, unsigned mask) const {
    Digit words[2 * kMaxWords], plain[2 * kMaxDigits], quotient[kMaxDigits];
    Element x;
    transpose_in(words, in, 2 * words_);
    digits_from_words(plain, words, 2 * words_, 2 * digits_, ~0u);
    const Digit *y[] = {plain, plain + digits_}, *low[] = {square_.low, cube_.low},
                *high[] = {square_.high, cube_.high};
    zero(x.low);
    reduce<2>(x.low, low, y, quotient);
    minus_quotient(x.high, quotient);
    reduce<2>(x.high, high, y, quotient);
    carry(x.low, x.low);
    carry(x.high, x.high);
    make_canonical(x);  // both digits are below 3 N: once here, once in store
    store(x, out, mask);
  }

  // Residues to plain: both digits divided by R, then c0 + c1 N.
  VFL_AVX512 void leave(const u64* const* in, u64* const* out, unsigned mask) const {
    Digit words[2 * kMaxWords], plain[2 * kMaxDigits + 2], quotient[kMaxDigits];
    Element x, difference;
    load(x, in, ~0u);
    reduce<0>(x.low, nullptr, nullptr, quotient);
    minus_quotient(difference.high, quotient);
    for (std::size_t i = 0; i < digits_; ++i) put(difference.high[i], _mm512_add_epi64(get(difference.high[i]), get(x.high[i])));
    reduce<0>(difference.high, nullptr, nullptr, quotient);
    carry(x.low, x.low);
    carry(x.high, difference.high);
    make_canonical(x);
    for (std::size_t i = 0; i < 2 * digits_; ++i) put(plain[i], i < digits_ ? get(x.low[i]) : _mm512_setzero_si512());
    for (std::size_t i = 0; i < digits_; ++i) {
      const __m512i n = _mm512_set1_epi64(static_cast<long long>(root_[i]));
      for (std::size_t j = 0; j < digits_; ++j) {
        put(plain[i + j], _mm512_madd52lo_epu64(get(plain[i + j]), get(x.high[j]), n));
        put(plain[i + j + 1], _mm512_madd52hi_epu64(get(plain[i + j + 1]), get(x.high[j]), n));
      }
    }
    carry(plain, plain, 2 * digits_);
    words_from_digits(words, plain, 2 * words_, 2 * digits_);
    transpose_out(out, words, 2 * words_, mask);
  }

 private:
  static constexpr u64 kMask = (u64(1) << 52) - 1;
  static constexpr std::size_t kMaxWords = 48;

  VFL_AVX512_INLINE static __m512i get(const Digit& digit) { return _mm512_load_si512(&digit); }
  VFL_AVX512_INLINE static void put(Digit& digit, __m512i value) { _mm512_store_si512(&digit, value); }

  VFL_AVX512 void square(Element& out, const Element& a) const {
    Digit low[kMaxDigits], high[kMaxDigits], quotient[kMaxDigits], twice[kMaxDigits];
    for (std::size_t i = 0; i < digits_; ++i) put(twice[i], _mm512_slli_epi64(get(a.low[i]), 1));
    carry(twice, twice);
    zero(low);
    const Digit *x0[] = {a.low}, *x1[] = {twice}, *y1[] = {a.high};
    reduce<1>(low, x0, x0, quotient);
    minus_quotient(high, quotient);
    reduce<1>(high, x1, y1, quotient);
    carry(out.low, low);
    carry(out.high, high);
  }

  // sum = (sum + x[0] y[0] + ... + x[Products - 1] y[Products - 1] + quotient N) / R, with the digits of
  // sum not yet carried: each collects at most 6 K + 4 terms below 2^52, which 64 bits hold.
  template <int Products>
  VFL_AVX512 void reduce(Digit* sum, const Digit* const* x, const Digit* const* y, Digit* quotient) const {
    std::size_t row = 0;
    for (; row + 4 <= digits_; row += 4) rows<4, Products>(sum, x, y, row, quotient);
    switch (digits_ - row) {
      case 3: return rows<3, Products>(sum, x, y, row, quotient);
      case 2: return rows<2, Products>(sum, x, y, row, quotient);
      case 1: return rows<1, Products>(sum, x, y, row, quotient);
    }
  }

  // Rows digits of every y at once: their products with all of x, and the multiple of N that clears the
  // low Rows digits of sum, which then moves down by as many. The columns in progress stay in registers,
  // one set for the products and one for N, so that no chain of additions is too long.
  template <int Rows, int Products>
  VFL_AVX512_INLINE void rows(Digit* sum, const Digit* const* x, const Digit* const* y, std::size_t row,
                              Digit* quotient) const {
    constexpr int P = Products ? Products : 1;
    const __m512i zero = _mm512_setzero_si512();
    __m512i factor[P][Rows], q[Rows], column[2 * Rows];
#pragma GCC unroll 8
    for (int t = 0; t < Rows; ++t) {
#pragma GCC unroll 2
      for (int p = 0; p < Products; ++p) factor[p][t] = get(y[p][row + t]);
      column[t] = get(sum[t]);
      column[Rows + t] = zero;
    }
#pragma GCC unroll 8
    for (int j = 0; j < Rows; ++j)
#pragma GCC unroll 8
      for (int t = 0; t < Rows; ++t)
#pragma GCC unroll 2
        for (int p = 0; p < Products; ++p) {
          const __m512i digit = get(x[p][j]);
          column[j + t] = _mm512_madd52lo_epu64(column[j + t], digit, factor[p][t]);
          column[j + t + 1] = _mm512_madd52hi_epu64(column[j + t + 1], digit, factor[p][t]);
        }
    const __m512i inverse = _mm512_set1_epi64(static_cast<long long>(inverse_));
#pragma GCC unroll 8
    for (int t = 0; t < Rows; ++t) {
      q[t] = _mm512_madd52lo_epu64(zero, column[t], inverse);
      put(quotient[row + t], q[t]);
#pragma GCC unroll 8
      for (int j = 0; j < Rows; ++j) {
        const __m512i n = _mm512_set1_epi64(static_cast<long long>(root_[j]));
        column[t + j] = _mm512_madd52lo_epu64(column[t + j], n, q[t]);
        column[t + j + 1] = _mm512_madd52hi_epu64(column[t + j + 1], n, q[t]);
      }
      column[t + 1] = _mm512_add_epi64(column[t + 1], _mm512_srli_epi64(column[t], 52));
    }
    __m512i a[Rows + 1], b[Rows + 1];
#pragma GCC unroll 8
    for (int t = 0; t < Rows; ++t) {
      a[t] = column[Rows + t];
      b[t] = zero;
    }
    a[Rows] = b[Rows] = zero;
    for (std::size_t j = Rows; j < digits_; ++j) {
      const __m512i n = _mm512_set1_epi64(static_cast<long long>(root_[j]));
#pragma GCC unroll 8
      for (int t = 0; t < Rows; ++t) {
#pragma GCC unroll 2
        for (int p = 0; p < Products; ++p) {
          const __m512i digit = get(x[p][j]);
          a[t] = _mm512_madd52lo_epu64(a[t], digit, factor[p][t]);
          a[t + 1] = _mm512_madd52hi_epu64(a[t + 1], digit, factor[p][t]);
        }
        b[t] = _mm512_madd52lo_epu64(b[t], n, q[t]);
        b[t + 1] = _mm512_madd52hi_epu64(b[t + 1], n, q[t]);
      }
      put(sum[j - Rows], _mm512_add_epi64(_mm512_add_epi64(a[0], b[0]), get(sum[j])));
#pragma GCC unroll 8
      for (int t = 0; t < Rows; ++t) {
        a[t] = a[t + 1];
        b[t] = b[t + 1];
      }
      a[Rows] = b[Rows] = zero;
    }
#pragma GCC unroll 8
    for (int t = 0; t < Rows; ++t) put(sum[digits_ - Rows + t], _mm512_add_epi64(a[t], b[t]));
  }

  VFL_AVX512_INLINE void zero(Digit* digits) const {
    for (std::size_t i = 0; i < digits_; ++i) put(digits[i], _mm512_setzero_si512());
  }

  // -q mod N, not carried: the complement of q is R - 1 - q.
  VFL_AVX512_INLINE void minus_quotient(Digit* out, const Digit* quotient) const {
    const __m512i mask = _mm512_set1_epi64(kMask);
    for (std::size_t i = 0; i < digits_; ++i) {
      const __m512i complement = _mm512_xor_si512(get(quotient[i]), mask);
      put(out[i], _mm512_add_epi64(complement, _mm512_set1_epi64(static_cast<long long>(one_less_r_[i]))));
    }
  }

  VFL_AVX512_INLINE void carry(Digit* out, const Digit* in) const { carry(out, in, digits_); }
  VFL_AVX512_INLINE static void carry(Digit* out, const Digit* in, std::size_t digits) {
    const __m512i mask = _mm512_set1_epi64(kMask);
    __m512i carried = _mm512_setzero_si512();
    for (std::size_t i = 0; i < digits; ++i) {
      const __m512i value = _mm512_add_epi64(get(in[i]), carried);
      put(out[i], _mm512_and_si512(value, mask));
      carried = _mm512_srli_epi64(value, 52);
    }
  }

  // Bring both digits below N, if each was below 2 N.
  VFL_AVX512 void make_canonical(Element& x) const {
    const __mmask8 taken = subtract_root(x.low);
    put(x.high[0], _mm512_mask_add_epi64(get(x.high[0]), taken, get(x.high[0]), _mm512_set1_epi64(1)));
    carry(x.high, x.high);
    subtract_root(x.high);
  }

  // x - N in the lanes where x >= N; returns those lanes.
  VFL_AVX512_INLINE __mmask8 subtract_root(Digit* x) const {
    const __m512i mask = _mm512_set1_epi64(kMask);
    Digit difference[kMaxDigits];
    __m512i borrow = _mm512_setzero_si512();
    for (std::size_t i = 0; i < digits_; ++i) {
      const __m512i n = _mm512_set1_epi64(static_cast<long long>(root_[i]));
      const __m512i d = _mm512_sub_epi64(_mm512_sub_epi64(get(x[i]), n), borrow);
      put(difference[i], _mm512_and_si512(d, mask));
      borrow = _mm512_srli_epi64(d, 63);
    }
    const __mmask8 taken = _mm512_testn_epi64_mask(borrow, borrow);
    for (std::size_t i = 0; i < digits_; ++i) put(x[i], _mm512_mask_mov_epi64(get(x[i]), taken, get(difference[i])));
    return taken;
  }

  // 64-bit words to 52-bit digits, in the lanes of `lane_mask`; words beyond `n_words` are zero.
  VFL_AVX512_INLINE static void digits_from_words(Digit* out, const Digit* words, std::size_t n_words,
                                                  std::size_t digits, unsigned lane_mask) {
    const __m512i mask = _mm512_set1_epi64(kMask), zero = _mm512_setzero_si512();
    for (std::size_t i = 0; i < digits; ++i) {
      const std::size_t word = 52 * i / 64;
      const __m512i low = word < n_words ? get(words[word]) : zero;
      const __m512i high = word + 1 < n_words ? get(words[word + 1]) : zero;
      const __m512i shift = _mm512_set1_epi64(static_cast<long long>(52 * i % 64));
      const __m512i digit = _mm512_and_si512(_mm512_shrdv_epi64(low, high, shift), mask);
      _mm512_mask_store_epi64(&out[i], static_cast<__mmask8>(lane_mask), digit);
    }
  }

  VFL_AVX512_INLINE static void words_from_digits(Digit* out, const Digit* digits, std::size_t n_words,
                                                  std::size_t n_digits) {
    const __m512i zero = _mm512_setzero_si512();
    auto digit = [&](std::size_t i) VFL_AVX512 { return i < n_digits ? get(digits[i]) : zero; };
    for (std::size_t i = 0; i < n_words; ++i) {
      const std::size_t first = 64 * i / 52;
      const long long shift = static_cast<long long>(64 * i % 52);
      __m512i word = _mm512_srlv_epi64(digit(first), _mm512_set1_epi64(shift));
      word = _mm512_or_si512(word, _mm512_sllv_epi64(digit(first + 1), _mm512_set1_epi64(52 - shift)));
      word = _mm512_or_si512(word, _mm512_sllv_epi64(digit(first + 2), _mm512_set1_epi64(104 - shift)));
      put(out[i], word);
    }
  }

  VFL_AVX512_INLINE static void transpose(__m512i* r) {
    __m512i a[8], b[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i += 2) {
      a[i] = _mm512_unpacklo_epi64(r[i], r[i + 1]);
      a[i + 1] = _mm512_unpackhi_epi64(r[i], r[i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
      b[0] = _mm512_shuffle_i64x2(a[i], a[i + 2], 0x88);
      b[1] = _mm512_shuffle_i64x2(a[i], a[i + 2], 0xdd);
      b[2] = _mm512_shuffle_i64x2(a[i + 4], a[i + 6], 0x88);
      b[3] = _mm512_shuffle_i64x2(a[i + 4], a[i + 6], 0xdd);
      r[i] = _mm512_shuffle_i64x2(b[0], b[2], 0x88);
      r[i + 2] = _mm512_shuffle_i64x2(b[1], b[3], 0x88);
      r[i + 4] = _mm512_shuffle_i64x2(b[0], b[2], 0xdd);
      r[i + 6] = _mm512_shuffle_i64x2(b[1], b[3], 0xdd);
    }
  }

  VFL_AVX512_INLINE static void transpose_in(Digit* out, const u64* const* rows, std::size_t n_words) {
    for (std::size_t first = 0; first < n_words; first += 8) {
      const std::size_t count = std::min<std::size_t>(8, n_words - first);
      const __mmask8 used = static_cast<__mmask8>((1u << count) - 1);
      __m512i r[8];
#pragma GCC unroll 8
      for (int lane = 0; lane < 8; ++lane) r[lane] = _mm512_maskz_loadu_epi64(used, rows[lane] + first);
      transpose(r);
#pragma GCC unroll 8
      for (std::size_t i = 0; i < 8; ++i)
        if (i < count) put(out[first + i], r[i]);
    }
  }

  VFL_AVX512_INLINE static void transpose_out(u64* const* rows, const Digit* words, std::size_t n_words,
                                              unsigned mask) {
    for (std::size_t first = 0; first < n_words; first += 8) {
      const std::size_t count = std::min<std::size_t>(8, n_words - first);
      const __mmask8 used = static_cast<__mmask8>((1u << count) - 1);
      __m512i r[8];
#pragma GCC unroll 8
      for (std::size_t i = 0; i < 8; ++i) r[i] = i < count ? get(words[first + i]) : _mm512_setzero_si512();
      transpose(r);
#pragma GCC unroll 8
      for (int lane = 0; lane < 8; ++lane)
        if (mask >> lane & 1) _mm512_mask_storeu_epi64(rows[lane] + first, used, r[lane]);
    }
  }

  Words digits_of(const Words& words) const {
    Words digits(digits_);
    for (std::size_t i = 0; i < digits_; ++i) digits[i] = bits_at(words.data(), words.size(), 52 * i, 52);
    return digits;
  }

  void broadcast(Element& out, const BaseN& x) const {
    const Words low = digits_of(x.low), high = digits_of(x.high);
    for (std::size_t i = 0; i < digits_; ++i) {
      std::fill_n(out.low[i].lane, lanes, low[i]);
      std::fill_n(out.high[i].lane, lanes, high[i]);
    }
  }

  std::size_t words_, digits_;  // of N
  Words root_;                // N, as digits
  u64 inverse_;                 // -1/N mod 2^52
  Words one_;                   // R mod N^2, as a row
  Words one_less_r_;          // 1 - R mod N
  Element square_, cube_;       // R^2 and R^3 mod N^2, in every lane
};

}  // namespace vfl

#endif
