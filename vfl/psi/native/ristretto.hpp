// ristretto255 (RFC 9496) on eight points at once. Names of variables are those of the RFC.
#pragma once

#include "field.hpp"

namespace vfl {

// On the curve -x^2 + y^2 = 1 + d x^2 y^2 in extended coordinates: x = X/Z, y = Y/Z, T = XY/Z
// (Hisil, Wong, Carter and Dawson 2008).
struct Point {
  Field x, y, z, t;
};

// A point as the second operand of an addition.
struct Addend {
  Field y_plus_x, y_minus_x, t_2d, z_2;
};

// RFC 9496, section 4.1.
constexpr std::uint64_t kD[5] = {0x34dca135978a3, 0x1a8283b156ebd, 0x5e7a26001c029, 0x739c663a03cbb,
                                 0x52036cee2b6ff};
constexpr std::uint64_t k2D[5] = {0x69b9426b2f159, 0x35050762add7a, 0x3cf44c0038052, 0x6738cc7407977,
                                  0x2406d9dc56dff};
constexpr std::uint64_t kSqrtM1[5] = {0x61b274a0ea0b0, 0x0d5a5fc8f189d, 0x7ef5e9cbd0c60, 0x78595a6804c9e,
                                      0x2b8324804fc1d};
constexpr std::uint64_t kSqrtAdMinusOne[5] = {0x7f6a0497b2e1b, 0x1836f0a97afd2, 0x7d747f6be7638, 0x456079e7e6498,
                                              0x376931bf2b834};
constexpr std::uint64_t kInvsqrtAMinusD[5] = {0x0fdaa805d40ea, 0x2eb482e57d339, 0x007610274bc58, 0x6510b613dc8ff,
                                              0x786c8905cfaff};
constexpr std::uint64_t kOneMinusDSq[5] = {0x409c1945fc176, 0x719abc6a1fc4f, 0x1c37f90b20684, 0x06bccca55eedf,
                                           0x029072a8b2b3e};
constexpr std::uint64_t kDMinusOneSq[5] = {0x55aaa44ed4d20, 0x59603c3332635, 0x26d3baf4a7928, 0x120a66e6997a9,
                                           0x5968b37af66c2};

VFL_LANES Addend addend(const Point& p) {
  return {add(p.y, p.x), subtract(p.y, p.x), multiply(p.t, constant(k2D)), add(p.z, p.z)};
}

template <bool kWithT>
VFL_LANES Point finish(const Field& e, const Field& f, const Field& g, const Field& h) {
  return {multiply(e, f), multiply(g, h), multiply(f, g), kWithT ? multiply(e, h) : e};
}

template <bool kWithT>
VFL_LANES Point twice(const Point& p) {
  const Field a = square(p.x), b = square(p.y), zz = square(p.z);
  const Field h = add(a, b);  // every sign of the textbook formula is turned round
  const Field e = subtract(h, square(add(p.x, p.y)));
  const Field g = subtract(a, b);
  const Field f = add(add(zz, zz), g);
  return finish<kWithT>(e, f, g, h);
}

template <bool kWithT>
VFL_LANES Point plus(const Point& p, const Addend& q) {
  const Field a = multiply(subtract(p.y, p.x), q.y_minus_x);
  const Field b = multiply(add(p.y, p.x), q.y_plus_x);
  const Field c = multiply(p.t, q.t_2d), d = multiply(p.z, q.z_2);
  return finish<kWithT>(subtract(b, a), subtract(d, c), add(d, c), add(b, a));
}

// Section 4.2, SQRT_RATIO_M1: sets `root` to the non-negative square root of u/v, or of i u/v where u/v
// is not square, and returns where it is.
VFL_LANES_CALL Mask square_root_of_ratio(const Field& u, const Field& v, Field& root) {
  const Field v3 = multiply(square(v), v);
  const Field v7 = multiply(square(v3), v);
  const Field r = multiply(multiply(u, v3), power_p58(multiply(u, v7)));
  const Field check = multiply(v, square(r));
  const Field minus_u = negate(u), i = constant(kSqrtM1);
  const Mask correct = is_equal(check, u), flipped = is_equal(check, minus_u);
  const Mask flipped_i = is_equal(check, multiply(minus_u, i));
  root = absolute(select(flipped | flipped_i, multiply(r, i), r));
  return correct | flipped;
}

// Which of eight encodings are below p and even.
inline Mask canonical(const std::uint8_t* bytes) {
  unsigned result = 0;
  for (int lane = 0; lane < kLanes; ++lane) {
    std::uint64_t w[4];
    std::memcpy(w, bytes + 32 * lane, 32);
    const std::uint64_t top = 0x7fffffffffffffff;
    const bool at_least_p = w[3] > top || (w[3] == top && !~w[2] && !~w[1] && w[0] >= ~std::uint64_t{18});
    result |= static_cast<unsigned>(!at_least_p && !(w[0] & 1)) << lane;
  }
  return static_cast<Mask>(result);
}

// Section 4.3.1; returns which encodings are of a point other than the identity.
VFL_LANES_CALL Mask decode(const std::uint8_t* bytes, Point& p) {
  const Field s = load(bytes, 32), one = small(1);
  const Field ss = square(s);
  const Field u1 = subtract(one, ss), u2 = add(one, ss);
  const Field u2_sqr = square(u2);
  const Field v = negate(add(multiply(constant(kD), square(u1)), u2_sqr));
  Field invsqrt;
  const Mask was_square = square_root_of_ratio(one, multiply(v, u2_sqr), invsqrt);
  const Field den_x = multiply(invsqrt, u2), den_y = multiply(multiply(invsqrt, den_x), v);
  p.x = absolute(multiply(add(s, s), den_x));
  p.y = multiply(u1, den_y);
  p.z = one;
  p.t = multiply(p.x, p.y);
  return canonical(bytes) & was_square & ~(is_negative(p.t) | is_zero(p.y) | is_zero(s));
}

// Section 4.3.2.
VFL_LANES_CALL void encode(const Point& p, std::uint8_t* bytes) {
  const Field u1 = multiply(add(p.z, p.y), subtract(p.z, p.y)), u2 = multiply(p.x, p.y);
  Field invsqrt;
  square_root_of_ratio(small(1), multiply(u1, square(u2)), invsqrt);
  const Field den1 = multiply(invsqrt, u1), den2 = multiply(invsqrt, u2);
  const Field z_inv = multiply(multiply(den1, den2), p.t);
  const Field i = constant(kSqrtM1);
  const Mask rotate = is_negative(multiply(p.t, z_inv));
  const Field x = select(rotate, multiply(p.y, i), p.x);
  Field y = select(rotate, multiply(p.x, i), p.y);
  const Field den_inv = select(rotate, multiply(den1, constant(kInvsqrtAMinusD)), den2);
  y = negate_if(is_negative(multiply(x, z_inv)), y);
  store(absolute(multiply(den_inv, subtract(p.z, y))), bytes);
}

// Section 4.3.4, MAP.
VFL_LANES_CALL Point map(const Field& t) {
  const Field one = small(1), d = constant(kD);
  const Field r = multiply(constant(kSqrtM1), square(t));
  const Field u = multiply(add(r, one), constant(kOneMinusDSq));
  const Field v = multiply(subtract(negate(one), multiply(r, d)), add(r, d));
  Field s;
  const Mask was_square = square_root_of_ratio(u, v, s);
  s = select(was_square, s, negate(absolute(multiply(s, t))));
  const Field c = select(was_square, negate(one), r);
  const Field n = subtract(multiply(multiply(c, subtract(r, one)), constant(kDMinusOneSq)), v);
  const Field sv = multiply(s, v), ss = square(s);
  const Field w0 = add(sv, sv), w1 = multiply(n, constant(kSqrtAdMinusOne));
  const Field w2 = subtract(one, ss), w3 = add(one, ss);
  return {multiply(w0, w3), multiply(w2, w1), multiply(w1, w3), multiply(w0, w2)};
}

// Section 4.3.4: eight times 64 uniform bytes to eight encodings.
VFL_LANES void from_uniform(const std::uint8_t* uniform, std::uint8_t* encodings) {
  const Point first = map(load(uniform, 64)), second = map(load(uniform + 32, 64));
  encode(plus<true>(first, addend(second)), encodings);
}

constexpr int kDigits = 64;

// A little-endian scalar below 2^255 as digits between -8 and 8, each worth 16 of the one before.
inline void signed_digits(const std::uint8_t* scalar, std::int8_t (&digits)[kDigits]) {
  int excess = 0;
  for (int i = 0; i < kDigits; ++i) {
    const int digit = (scalar[i / 2] >> (4 * (i % 2)) & 15) + excess;
    excess = i + 1 < kDigits ? (digit + 8) >> 4 : 0;
    digits[i] = static_cast<std::int8_t>(digit - 16 * excess);
  }
}

// The multiple 0, 1, ..., 8 that a digit asks for, with its sign; reads the whole table whatever the digit.
VFL_LANES Addend pick(const Addend (&multiples)[8], int digit) {
  const int sign = digit >> 31, size = (digit ^ sign) - sign;
  Addend r = {small(1), small(1), small(0), small(2)};
  for (int k = 1; k <= 8; ++k) {
    const Mask here = static_cast<Mask>(((size ^ k) - 1) >> 31);
    r.y_plus_x = select(here, multiples[k - 1].y_plus_x, r.y_plus_x);
    r.y_minus_x = select(here, multiples[k - 1].y_minus_x, r.y_minus_x);
    r.t_2d = select(here, multiples[k - 1].t_2d, r.t_2d);
    r.z_2 = select(here, multiples[k - 1].z_2, r.z_2);
  }
  const Mask negative = static_cast<Mask>(sign);
  return {select(negative, r.y_minus_x, r.y_plus_x), select(negative, r.y_plus_x, r.y_minus_x),
          negate_if(negative, r.t_2d), r.z_2};
}

// Windows of four bits, the same steps for every scalar.
VFL_LANES Point times(const Point& p, const std::int8_t (&digits)[kDigits]) {
  Addend multiples[8];
  multiples[0] = addend(p);
  Point multiple = twice<true>(p);
  for (int k = 1; k < 8; ++k) {
    multiples[k] = addend(multiple);
    multiple = plus<true>(multiple, multiples[0]);
  }
  Point r = {small(0), small(1), small(1), small(0)};
  for (int i = kDigits - 1; i > 0; --i) {
    r = plus<false>(r, pick(multiples, digits[i]));
    r = twice<false>(twice<false>(twice<false>(r)));
    r = twice<true>(r);
  }
  return plus<true>(r, pick(multiples, digits[0]));
}

}  // namespace vfl
