// Arithmetic modulo p = 2^255 - 19 on eight numbers at once, one in each 64-bit lane of a vector.
//
// A number is five limbs of radix 2^51. Between operations limbs stay below 2^51 + 2^15, hence below the
// 52 bits that the multiplier reads. No branch and no address depends on a value.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#define VFL_AVX512 __attribute__((target("avx512f,avx512dq,avx512ifma")))
#define VFL_LANES VFL_AVX512 __attribute__((always_inline)) inline
#define VFL_LANES_CALL VFL_AVX512 __attribute__((noinline)) inline  // long, and called few times

namespace vfl {

using Vector = __m512i;
using Mask = __mmask8;  // one bit for each of the eight numbers

struct Field {
  Vector limb[5];
};

constexpr int kLanes = 8;
constexpr int kBits = 51;
constexpr std::uint64_t kLimbMask = (std::uint64_t{1} << kBits) - 1;

VFL_LANES Vector all(std::uint64_t value) { return _mm512_set1_epi64(static_cast<long long>(value)); }

VFL_LANES Field constant(const std::uint64_t (&limbs)[5]) {
  Field r;
  for (int i = 0; i < 5; ++i) r.limb[i] = all(limbs[i]);
  return r;
}

VFL_LANES Field small(std::uint64_t value) { return constant({value, 0, 0, 0, 0}); }

VFL_LANES Vector times19(Vector x) {
  return _mm512_add_epi64(_mm512_add_epi64(x, _mm512_slli_epi64(x, 1)), _mm512_slli_epi64(x, 4));
}

// Brings limbs below 2^61 under the bound: every limb hands its excess to the next, the last one to the
// first, where 2^255 is 19.
VFL_LANES Field carry(const Field& a) {
  Field r;
  Vector excess[5];
  for (int i = 0; i < 5; ++i) {
    excess[i] = _mm512_srli_epi64(a.limb[i], kBits);
    r.limb[i] = _mm512_and_si512(a.limb[i], all(kLimbMask));
  }
  r.limb[0] = _mm512_add_epi64(r.limb[0], times19(excess[4]));
  for (int i = 1; i < 5; ++i) r.limb[i] = _mm512_add_epi64(r.limb[i], excess[i - 1]);
  return r;
}

VFL_LANES Field add(const Field& a, const Field& b) {
  Field r;
  for (int i = 0; i < 5; ++i) r.limb[i] = _mm512_add_epi64(a.limb[i], b.limb[i]);
  return carry(r);
}

VFL_LANES Field subtract(const Field& a, const Field& b) {
  const Field twice_p = constant({2 * kLimbMask - 36, 2 * kLimbMask, 2 * kLimbMask, 2 * kLimbMask, 2 * kLimbMask});
  Field r;
  for (int i = 0; i < 5; ++i) {
    r.limb[i] = _mm512_sub_epi64(_mm512_add_epi64(a.limb[i], twice_p.limb[i]), b.limb[i]);
  }
  return carry(r);
}

VFL_LANES Field negate(const Field& a) { return subtract(small(0), a); }

// Low halves weigh 2^(51 (i + j)); high halves start at bit 52, so they count double one limb higher.
VFL_LANES Field fold(const Vector (&low)[10], const Vector (&high)[10]) {
  Vector wide[10];
  for (int k = 0; k < 10; ++k) wide[k] = _mm512_add_epi64(low[k], _mm512_slli_epi64(high[k], 1));
  Field r;
  for (int k = 0; k < 5; ++k) r.limb[k] = _mm512_add_epi64(wide[k], times19(wide[k + 5]));
  return carry(r);
}

VFL_LANES Field multiply(const Field& a, const Field& b) {
  Vector low[10], high[10];
  for (int k = 0; k < 10; ++k) low[k] = high[k] = _mm512_setzero_si512();
  for (int i = 0; i < 5; ++i) {
    for (int j = 0; j < 5; ++j) {
      low[i + j] = _mm512_madd52lo_epu64(low[i + j], a.limb[i], b.limb[j]);
      high[i + j + 1] = _mm512_madd52hi_epu64(high[i + j + 1], a.limb[i], b.limb[j]);
    }
  }
  return fold(low, high);
}

VFL_LANES Field square(const Field& a) {
  Vector low[10], high[10];
  for (int k = 0; k < 10; ++k) low[k] = high[k] = _mm512_setzero_si512();
  for (int i = 0; i < 5; ++i) {
    for (int j = i + 1; j < 5; ++j) {
      low[i + j] = _mm512_madd52lo_epu64(low[i + j], a.limb[i], a.limb[j]);
      high[i + j + 1] = _mm512_madd52hi_epu64(high[i + j + 1], a.limb[i], a.limb[j]);
    }
  }
  for (int k = 0; k < 10; ++k) {
    low[k] = _mm512_slli_epi64(low[k], 1);
    high[k] = _mm512_slli_epi64(high[k], 1);
  }
  for (int i = 0; i < 5; ++i) {
    low[2 * i] = _mm512_madd52lo_epu64(low[2 * i], a.limb[i], a.limb[i]);
    high[2 * i + 1] = _mm512_madd52hi_epu64(high[2 * i + 1], a.limb[i], a.limb[i]);
  }
  return fold(low, high);
}

VFL_LANES Field square_times(Field a, int times) {
  for (int i = 0; i < times; ++i) a = square(a);
  return a;
}

// a^((p - 5) / 8) = a^(2^252 - 3), by exponents of the form 2^k - 1.
VFL_LANES_CALL Field power_p58(const Field& a) {
  const Field two = square(a);
  const Field nine = multiply(a, square_times(two, 2));
  const Field ones5 = multiply(nine, square(multiply(two, nine)));
  const Field ones10 = multiply(square_times(ones5, 5), ones5);
  const Field ones20 = multiply(square_times(ones10, 10), ones10);
  const Field ones40 = multiply(square_times(ones20, 20), ones20);
  const Field ones50 = multiply(square_times(ones40, 10), ones10);
  const Field ones100 = multiply(square_times(ones50, 50), ones50);
  const Field ones200 = multiply(square_times(ones100, 100), ones100);
  const Field ones250 = multiply(square_times(ones200, 50), ones50);
  return multiply(square_times(ones250, 2), a);
}

// The one representative below p.
VFL_LANES Field freeze(const Field& a) {
  Field r = carry(a);
  Vector over = all(19);
  for (int i = 0; i < 5; ++i) over = _mm512_srli_epi64(_mm512_add_epi64(r.limb[i], over), kBits);
  over = times19(over);
  for (int i = 0; i < 5; ++i) {
    const Vector sum = _mm512_add_epi64(r.limb[i], over);
    r.limb[i] = _mm512_and_si512(sum, all(kLimbMask));
    over = _mm512_srli_epi64(sum, kBits);
  }
  return r;
}

VFL_LANES Mask is_zero(const Field& a) {
  const Field f = freeze(a);
  Vector any = f.limb[0];
  for (int i = 1; i < 5; ++i) any = _mm512_or_si512(any, f.limb[i]);
  return _mm512_testn_epi64_mask(any, any);
}

VFL_LANES Mask is_equal(const Field& a, const Field& b) { return is_zero(subtract(a, b)); }

// "Negative" in RFC 9496: the representative below p is odd.
VFL_LANES Mask is_negative(const Field& a) { return _mm512_test_epi64_mask(freeze(a).limb[0], all(1)); }

VFL_LANES Field select(Mask condition, const Field& yes, const Field& no) {
  Field r;
  for (int i = 0; i < 5; ++i) r.limb[i] = _mm512_mask_mov_epi64(no.limb[i], condition, yes.limb[i]);
  return r;
}

VFL_LANES Field negate_if(Mask condition, const Field& a) { return select(condition, negate(a), a); }

VFL_LANES Field absolute(const Field& a) { return negate_if(is_negative(a), a); }

// Eight numbers of 32 little-endian bytes, `stride` bytes apart; bit 255 is ignored.
VFL_LANES Field load(const std::uint8_t* bytes, std::size_t stride) {
  alignas(64) std::uint64_t limbs[5][kLanes];
  for (int lane = 0; lane < kLanes; ++lane) {
    std::uint64_t w[4];
    std::memcpy(w, bytes + stride * lane, 32);
    limbs[0][lane] = w[0] & kLimbMask;
    limbs[1][lane] = (w[0] >> 51 | w[1] << 13) & kLimbMask;
    limbs[2][lane] = (w[1] >> 38 | w[2] << 26) & kLimbMask;
    limbs[3][lane] = (w[2] >> 25 | w[3] << 39) & kLimbMask;
    limbs[4][lane] = w[3] >> 12 & kLimbMask;
  }
  Field r;
  for (int i = 0; i < 5; ++i) r.limb[i] = _mm512_load_si512(limbs[i]);
  return r;
}

// Writes eight numbers of 32 bytes, one after another.
VFL_LANES void store(const Field& a, std::uint8_t* bytes) {
  alignas(64) std::uint64_t limbs[5][kLanes];
  const Field f = freeze(a);
  for (int i = 0; i < 5; ++i) _mm512_store_si512(limbs[i], f.limb[i]);
  for (int lane = 0; lane < kLanes; ++lane) {
    const std::uint64_t w[4] = {
        limbs[0][lane] | limbs[1][lane] << 51,
        limbs[1][lane] >> 13 | limbs[2][lane] << 38,
        limbs[2][lane] >> 26 | limbs[3][lane] << 25,
        limbs[3][lane] >> 39 | limbs[4][lane] << 12,
    };
    std::memcpy(bytes + 32 * lane, w, 32);
  }
}

}  // namespace vfl
