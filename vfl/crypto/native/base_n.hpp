// Residues modulo a square N^2 as two digits in base N: what both paths share.
//
// Every modulus on Paillier's hot paths is a square: n^2, p^2, q^2. A residue c R mod N^2 is kept as
// c0 + c1 N with both digits below N, in Montgomery form. Montgomery's reduction of c0 d0 gives r and a
// quotient q with c0 d0 = r R - q N, so
//
//   c d / R = r + N ((c0 d1 + c1 d0 - q) / R)   mod N^2:
//
// two reductions and three products of half the width, five eighths of the work on the whole width.
#pragma once

#include "limbs.hpp"

namespace vfl {

// N as words; both digits must fill whole words of a row as wide as N^2.
inline bool splits_into_digits(const Words& root, std::size_t limbs) {
  return root.size() >= 2 && 2 * root.size() == limbs;
}

struct BaseN {
  Words low, high;
};

// The powers of R = 2^r_bits that residues need, and what turns a quotient q into -q mod N.
struct BaseNConstants {
  BaseN one, square, cube;  // R, R^2, R^3 mod N^2
  Words one_less_r;         // 1 - R mod N, from 1 to N: the complement of q is R - 1 - q

  BaseNConstants(const Words& root, std::size_t r_bits) : one{root, root}, one_less_r(root) {
    std::fill(one.low.begin(), one.low.end(), 0);
    std::fill(one.high.begin(), one.high.end(), 0);
    one.low[0] = 1;
    double_times(one, root, r_bits);
    square = one;
    double_times(square, root, r_bits);
    cube = square;
    double_times(cube, root, r_bits);
    Words unit(root.size(), 0);
    unit[0] = 1;
    subtract(one_less_r.data(), root.data(), one.low.data(), root.size());
    add(one_less_r.data(), one_less_r.data(), unit.data(), root.size());
  }

 private:
  static void double_times(BaseN& x, const Words& root, std::size_t times) {
    const std::size_t n = root.size();
    Words unit(n, 0);
    for (; times > 0; --times) {
      u64 top = add(x.low.data(), x.low.data(), x.low.data(), n);
      unit[0] = top != 0 || !less(x.low.data(), root.data(), n);
      subtract_once(x.low.data(), x.low.data(), top, root.data(), n);
      top = add(x.high.data(), x.high.data(), x.high.data(), n);
      subtract_once(x.high.data(), x.high.data(), top, root.data(), n);
      top = add(x.high.data(), x.high.data(), unit.data(), n);
      subtract_once(x.high.data(), x.high.data(), top, root.data(), n);
    }
  }
};

}  // namespace vfl
