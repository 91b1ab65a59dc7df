// The batch algorithms, written once for every field: a field multiplies `lanes` numbers at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "limbs.hpp"
#include "parallel.hpp"

namespace vfl {

// The rows order[first, last) are to be multiplied into `out`.
struct Group {
  std::size_t first, last;
  u64* out;
};

class Engine {
 public:
  virtual ~Engine() = default;
  virtual void to_residues(const u64* in, u64* out, std::size_t n) const = 0;
  virtual void from_residues(const u64* in, u64* out, std::size_t n) const = 0;
  virtual void multiply(const u64* a, const u64* b, bool broadcast, u64* out, std::size_t n) const = 0;
  virtual void power(const u64* a, const Words& exponent, u64* out, std::size_t n) const = 0;
  virtual void products(const u64* rows, const std::vector<std::uint32_t>& order,
                        const std::vector<Group>& groups) const = 0;
  virtual void pack(const u64* rows, std::size_t n, std::size_t slots, std::size_t shift, u64* out) const = 0;
  virtual Words fixed_base_table(const u64* base, std::size_t windows, std::size_t window) const = 0;
  virtual void fixed_base_power(const Words& table, std::size_t windows, std::size_t window,
                                const u64* exponents, std::size_t words, u64* out, std::size_t n) const = 0;
};

template <class Field>
class BatchEngine final : public Engine {
 public:
  static constexpr std::size_t lanes = Field::lanes;
  static constexpr unsigned all = (1u << lanes) - 1;
  using Element = typename Field::Element;

  explicit BatchEngine(const Words& modulus) : field_(modulus), limbs_(field_.limbs()) {}

  void to_residues(const u64* in, u64* out, std::size_t n) const override {
    each(n, 16, [&](std::size_t first, unsigned mask) {
      field_.enter(Rows(in, limbs_, first, mask).at, RowsOut(out, limbs_, first, mask).at, mask);
    });
  }

  void from_residues(const u64* in, u64* out, std::size_t n) const override {
    each(n, 16, [&](std::size_t first, unsigned mask) {
      field_.leave(Rows(in, limbs_, first, mask).at, RowsOut(out, limbs_, first, mask).at, mask);
    });
  }

  void multiply(const u64* a, const u64* b, bool broadcast, u64* out, std::size_t n) const override {
    each(n, 16, [&](std::size_t first, unsigned mask) {
      Element x, y;
      field_.load(x, Rows(a, limbs_, first, mask).at, all);
      field_.load(y, broadcast ? Rows(b, 0, 0, all).at : Rows(b, limbs_, first, mask).at, all);
      field_.multiply(x, x, y);
      field_.store(x, RowsOut(out, limbs_, first, mask).at, mask);
    });
  }

  // One exponent for all rows, by fixed windows of 5 bits: the sequence of operations depends on the
  // exponent's length alone.
  void power(const u64* a, const Words& exponent, u64* out, std::size_t n) const override {
    constexpr std::size_t window = 5;
    const std::size_t windows = (64 * exponent.size() + window - 1) / window;
    each(n, 1, [&](std::size_t first, unsigned mask) {
      std::unique_ptr<Element[]> powers(new Element[std::size_t(1) << window]);
      field_.load(powers[0], Rows(field_.one(), 0, 0, all).at, all);
      field_.load(powers[1], Rows(a, limbs_, first, mask).at, all);
      for (std::size_t i = 2; i < std::size_t(1) << window; ++i)
        field_.multiply(powers[i], powers[i - 1], powers[1]);
      Element x = powers[bits_at(exponent.data(), exponent.size(), (windows - 1) * window, window)];
      for (std::size_t i = windows - 1; i-- > 0;) {
        for (std::size_t square = 0; square < window; ++square) field_.multiply(x, x, x);
        field_.multiply(x, x, powers[bits_at(exponent.data(), exponent.size(), i * window, window)]);
      }
      field_.store(x, RowsOut(out, limbs_, first, mask).at, mask);
    });
  }

  // Every group's product with one multiplication per row after a group's first. The rows, sorted by
  // group, are cut into as many runs of equal work as there are lanes on all threads; groups that a cut
  // went through are finished by a second, much smaller call.
  void products(const u64* rows, const std::vector<std::uint32_t>& order,
                const std::vector<Group>& groups) const override {
    std::size_t work = 0;
    for (const Group& group : groups) {
      const std::size_t size = group.last - group.first;
      if (size == 0) std::copy_n(field_.one(), limbs_, group.out);
      if (size == 1) std::copy_n(rows + limbs_ * order[group.first], limbs_, group.out);
      if (size > 1) work += size - 1;
    }
    if (work == 0) return;
    const std::size_t threads = std::max<std::size_t>(1, std::min(thread_count().load(), work / 64));
    const std::size_t n_lanes = std::min(lanes * threads, (work + 1) / 2);

    std::vector<Group> runs, rest;
    std::vector<std::size_t> first_run{0};
    Words partial(2 * (n_lanes + 1) * limbs_);
    std::size_t done = 0, n_partial = 0;
    auto target = [&](std::size_t lane) { return work / n_lanes * lane + work % n_lanes * lane / n_lanes; };
    for (const Group& group : groups) {
      if (group.last - group.first < 2) continue;
      std::size_t first = group.first;
      const std::size_t first_partial = n_partial;
      while (first < group.last) {
        const std::size_t left = group.last - first - 1;
        const std::size_t room = target(first_run.size()) - done;
        const bool ends_here = left <= room;
        const std::size_t last = ends_here ? group.last : first + room + 1;
        u64* out = group.out;
        if (!ends_here || n_partial > first_partial) out = &partial[limbs_ * n_partial++];
        if (last - first == 1)
          std::copy_n(rows + limbs_ * order[first], limbs_, out);
        else
          runs.push_back({first, last, out});
        done += ends_here ? left : room + 1;
        while (first_run.size() < n_lanes && done >= target(first_run.size())) first_run.push_back(runs.size());
        first = last;
      }
      if (n_partial > first_partial) rest.push_back({first_partial, n_partial, group.out});
    }
    first_run.resize(n_lanes, runs.size());
    first_run.push_back(runs.size());

    parallel_for((n_lanes + lanes - 1) / lanes, 1, [&](std::size_t first, std::size_t last) {
      for (std::size_t block = first; block < last; ++block)
        run_lanes(rows, order, runs, &first_run[block * lanes], std::min(lanes, n_lanes - block * lanes));
    });
    if (rest.empty()) return;
    std::vector<std::uint32_t> partial_order(n_partial);
    for (std::size_t i = 0; i < n_partial; ++i) partial_order[i] = static_cast<std::uint32_t>(i);
    products(partial.data(), partial_order, rest);
  }

  void pack(const u64* rows, std::size_t n, std::size_t slots, std::size_t shift, u64* out) const override {
    each((n + slots - 1) / slots, 1, [&](std::size_t first, unsigned mask) {
      Element x, y;
      for (std::size_t slot = slots; slot-- > 0;) {
        const u64* at[lanes];
        for (std::size_t lane = 0; lane < lanes; ++lane) {
          const std::size_t row = (first + lane) * slots + slot;
          at[lane] = row < n ? rows + limbs_ * row : field_.one();
        }
        field_.load(slot + 1 == slots ? x : y, at, all);
        if (slot + 1 < slots) field_.multiply(x, x, y);
        for (std::size_t i = 0; slot > 0 && i < shift; ++i) field_.multiply(x, x, x);
      }
      field_.store(x, RowsOut(out, limbs_, first, mask).at, mask);
    });
  }

  // Row (i << window) + d holds base^(d << (i * window)).
  Words fixed_base_table(const u64* base, std::size_t windows, std::size_t window) const override {
    const std::size_t digits = std::size_t(1) << window;
    Words table(windows * digits * limbs_);
    Element x;
    field_.load(x, Rows(base, 0, 0, all).at, all);
    for (std::size_t i = 0; i < windows; ++i) {
      field_.store(x, RowsOut(&table[(i * digits + 1) * limbs_], 0, 0, 1).at, 1);
      for (std::size_t square = 0; square < window; ++square) field_.multiply(x, x, x);
    }
    each(windows, 1, [&](std::size_t first, unsigned mask) {
      const std::size_t stride = digits * limbs_;
      Element step, y;
      field_.load(step, Rows(&table[limbs_], stride, first, mask).at, all);
      field_.load(y, Rows(field_.one(), 0, 0, all).at, all);
      for (std::size_t digit = 0; digit < digits; ++digit) {
        if (digit != 1) field_.store(y, RowsOut(&table[digit * limbs_], stride, first, mask).at, mask);
        field_.multiply(y, y, step);
      }
    });
    return table;
  }

  // Every window costs one multiplication, a zero digit too: the time says nothing about the exponents.
  void fixed_base_power(const Words& table, std::size_t windows, std::size_t window, const u64* exponents,
                        std::size_t words, u64* out, std::size_t n) const override {
    each(n, 4, [&](std::size_t first, unsigned mask) {
      const Rows exponent(exponents, words, first, mask);
      Element x, y;
      for (std::size_t i = 0; i < windows; ++i) {
        const u64* at[lanes];
        for (std::size_t lane = 0; lane < lanes; ++lane) {
          const std::size_t digit = bits_at(exponent.at[lane], words, i * window, window);
          at[lane] = &table[((i << window) + digit) * limbs_];
        }
        field_.load(i == 0 ? x : y, at, all);
        if (i > 0) field_.multiply(x, x, y);
      }
      field_.store(x, RowsOut(out, limbs_, first, mask).at, mask);
    });
  }

 private:
  // One pointer a lane; lanes beyond the last row point at the block's first row and are never stored.
  template <class Word>
  struct RowPointers {
    Word* at[lanes];
    RowPointers(Word* base, std::size_t stride, std::size_t first, unsigned mask) {
      for (std::size_t lane = 0; lane < lanes; ++lane)
        at[lane] = base + stride * (first + ((mask >> lane & 1) ? lane : 0));
    }
  };
  using Rows = RowPointers<const u64>;
  using RowsOut = RowPointers<u64>;

  // body(first row, mask of the lanes in use) over n rows, `lanes` at a time.
  template <class Body>
  void each(std::size_t n, std::size_t grain, const Body& body) const {
    parallel_for((n + lanes - 1) / lanes, grain, [&](std::size_t first, std::size_t last) {
      for (std::size_t block = first; block < last; ++block) {
        const std::size_t used = std::min(lanes, n - block * lanes);
        body(block * lanes, (1u << used) - 1);
      }
    });
  }

  void prefetch(const u64* row) const {
    for (std::size_t i = 0; i < limbs_; i += 8) __builtin_prefetch(row + i);
  }

  // Each lane works through its own runs; a lane whose group is complete starts the next one in the same
  // step, so that no lane waits for another.
  void run_lanes(const u64* rows, const std::vector<std::uint32_t>& order, const std::vector<Group>& runs,
                 const std::size_t* first_run, std::size_t used) const {
    std::size_t run[lanes] = {}, entry[lanes] = {};
    for (std::size_t lane = 0; lane < used; ++lane) {
      run[lane] = first_run[lane];
      if (run[lane] < first_run[lane + 1]) entry[lane] = runs[run[lane]].first;
    }
    Element sum{}, x;
    for (;;) {
      Rows starts(field_.one(), 0, 0, 0), operands(field_.one(), 0, 0, 0);
      u64* finished[lanes] = {};
      unsigned active = 0, starting = 0, finishing = 0;
      for (std::size_t lane = 0; lane < used; ++lane) {
        if (run[lane] == first_run[lane + 1]) continue;
        const Group& current = runs[run[lane]];
        active |= 1u << lane;
        if (entry[lane] == current.first) {
          starts.at[lane] = rows + limbs_ * order[entry[lane]++];
          starting |= 1u << lane;
        }
        operands.at[lane] = rows + limbs_ * order[entry[lane]++];
        if (entry[lane] < order.size()) prefetch(rows + limbs_ * order[entry[lane]]);
        if (entry[lane] == current.last) {
          finished[lane] = current.out;
          finishing |= 1u << lane;
          if (++run[lane] < first_run[lane + 1]) entry[lane] = runs[run[lane]].first;
        }
      }
      if (!active) return;
      if (starting) field_.load(sum, starts.at, starting);
      field_.load(x, operands.at, all);
      field_.multiply(sum, sum, x);
      if (finishing) field_.store(sum, finished, finishing);
    }
  }

  Field field_;
  std::size_t limbs_;
};

}  // namespace vfl
