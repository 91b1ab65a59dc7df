// Python's door to the native kernel: checks shapes and bounds, releases the GIL, picks a path.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include "native/engine.hpp"
#include "native/ifma.hpp"
#include "native/portable.hpp"

namespace py = pybind11;

namespace vfl {
namespace {

// Contiguous and aligned: what is not, such as a slice of a message, is copied on the way in.
constexpr int kDense = py::array::c_style | py::detail::npy_api::NPY_ARRAY_ALIGNED_;
template <class Number>
using Dense = py::array_t<Number, kDense>;
using Array = Dense<u64>;

bool portable_forced() {
  const char* kernel = std::getenv("VFL_KERNEL");
  return kernel != nullptr && std::strcmp(kernel, "portable") == 0;
}

void require(bool condition, const char* message) {
  if (!condition) throw std::invalid_argument(message);
}

Words words_from(const py::bytes& number) {
  const std::string_view text = number;
  Words words((text.size() + 7) / 8, 0);
  for (std::size_t i = 0; i < text.size(); ++i)
    words[i / 8] |= u64(static_cast<unsigned char>(text[i])) << (8 * (i % 8));
  while (!words.empty() && words.back() == 0) words.pop_back();
  return words;
}

std::size_t rows_of(const Array& array, std::size_t limbs, const char* message) {
  require(array.ndim() == 2 && static_cast<std::size_t>(array.shape(1)) == limbs, message);
  return static_cast<std::size_t>(array.shape(0));
}

Array empty_rows(std::size_t n, std::size_t limbs) {
  return Array({static_cast<py::ssize_t>(n), static_cast<py::ssize_t>(limbs)});
}

bool has_ifma() {
#ifdef VFL_HAS_IFMA
  return IfmaField::available();
#else
  return false;
#endif
}

// N where the modulus is a square N^2 that both paths can split into base-N digits, else nothing.
Words square_root(const Words& modulus, const py::bytes& number) {
  const py::object value = py::type::of(py::int_()).attr("from_bytes")(number, "little");
  const py::object root = py::module_::import("math").attr("isqrt")(value);
  if (!(root * root).equal(value)) return {};
  const Words words = words_from(root.attr("to_bytes")(8 * modulus.size(), "little"));
  return splits_into_digits(words, modulus.size()) ? words : Words{};
}

// Null where the CPU or the modulus does not suit.
std::unique_ptr<Engine> ifma_engine(const Words& root) {
#ifdef VFL_HAS_IFMA
  if (!root.empty() && IfmaField::available()) return std::make_unique<BatchEngine<IfmaField>>(root);
#endif
  return nullptr;
}

std::unique_ptr<Engine> portable_engine(const Words& modulus, const Words& root) {
  switch (root.size()) {
    case 0: return std::make_unique<BatchEngine<PortableField>>(modulus);
    case 16: return std::make_unique<BatchEngine<PortableSquareField<16>>>(root);
    case 24: return std::make_unique<BatchEngine<PortableSquareField<24>>>(root);
    case 32: return std::make_unique<BatchEngine<PortableSquareField<32>>>(root);
    case 48: return std::make_unique<BatchEngine<PortableSquareField<48>>>(root);
    default: return std::make_unique<BatchEngine<PortableSquareField<0>>>(root);
  }
}

Words odd_modulus(const py::bytes& number) {
  Words words = words_from(number);
  require(!words.empty() && words[0] % 2 == 1 && bit_length(words) > 1, "the modulus must be odd and at least 3");
  require(bit_length(words) <= kMaxBits, "the modulus must have at most 6144 bits");
  return words;
}

class Modulus {
 public:
  Modulus(const py::bytes& modulus, const std::string& path)
      : modulus_(odd_modulus(modulus)), limbs_(modulus_.size()), plain_(modulus_) {
    require(path == "auto" || path == "portable" || path == "ifma", "path must be auto, portable or ifma");
    const Words root = square_root(modulus_, modulus);
    if (path == "ifma" || (path == "auto" && !portable_forced())) engine_ = ifma_engine(root);
    require(path != "ifma" || engine_, "the ifma path needs its CPU instructions and a square modulus");
    if (!engine_) engine_ = portable_engine(modulus_, root);
  }

  std::size_t limbs() const { return limbs_; }
  const Engine& engine() const { return *engine_; }

  Array to_residues(const Array& values) const {
    const std::size_t n = rows_of(values, limbs_, kShape);
    Array out = empty_rows(n, limbs_);
    const u64* in = values.data();
    u64* to = out.mutable_data();
    py::gil_scoped_release release;
    bool below = true;
    for (std::size_t i = 0; i < n; ++i) below &= less(in + limbs_ * i, modulus_.data(), limbs_);
    require(below, "every value must be below the modulus");
    engine_->to_residues(in, to, n);
    return out;
  }

  Array from_residues(const Array& residues) const {
    const std::size_t n = rows_of(residues, limbs_, kShape);
    Array out = empty_rows(n, limbs_);
    const u64* in = residues.data();
    u64* to = out.mutable_data();
    py::gil_scoped_release release;
    engine_->from_residues(in, to, n);
    return out;
  }

  Array reduce(const Array& values) const {
    require(values.ndim() == 2, kShape);
    const std::size_t n = values.shape(0), words = values.shape(1);
    Array out = empty_rows(n, limbs_);
    const u64* in = values.data();
    u64* to = out.mutable_data();
    py::gil_scoped_release release;
    parallel_for(n, 64, [&](std::size_t first, std::size_t last) {
      for (std::size_t i = first; i < last; ++i) plain_.reduce(to + limbs_ * i, in + words * i, words);
    });
    return out;
  }

  Array multiply(const Array& a, const Array& b) const {
    const std::size_t n = rows_of(a, limbs_, kShape), n_b = rows_of(b, limbs_, kShape);
    require(n == n_b || n_b == 1, "b must have as many rows as a, or one");
    Array out = empty_rows(n, limbs_);
    const u64 *x = a.data(), *y = b.data();
    u64* to = out.mutable_data();
    py::gil_scoped_release release;
    engine_->multiply(x, y, n != n_b, to, n);
    return out;
  }

  Array power(const Array& a, const py::bytes& exponent) const {
    const std::size_t n = rows_of(a, limbs_, kShape);
    Words words = words_from(exponent);
    words.resize(std::max<std::size_t>(1, words.size()));
    Array out = empty_rows(n, limbs_);
    const u64* in = a.data();
    u64* to = out.mutable_data();
    py::gil_scoped_release release;
    engine_->power(in, words, to, n);
    return out;
  }

  Array product(const Array& a) const {
    const std::size_t n = rows_of(a, limbs_, kShape);
    require(n < kMaxRows, "too many rows");
    Array out = empty_rows(1, limbs_);
    const u64* in = a.data();
    u64* to = out.mutable_data();
    py::gil_scoped_release release;
    std::vector<std::uint32_t> order(n);
    for (std::size_t i = 0; i < n; ++i) order[i] = static_cast<std::uint32_t>(i);
    engine_->products(in, order, {{0, n, to}});
    return out;
  }

  Array sum_by_group(const Array& residues, const Dense<std::int64_t>& rows, const Dense<std::int32_t>& groups,
                     std::int64_t n_groups) const {
    const std::size_t n = rows_of(residues, limbs_, kShape);
    require(n < kMaxRows, "too many rows");
    require(rows.ndim() == 1 && groups.ndim() == 1 && rows.shape(0) == groups.shape(0),
            "rows and groups must be one-dimensional and of equal length");
    require(n_groups >= 0 && n_groups <= INT32_MAX, "n_groups must be between 0 and 2^31 - 1");
    const std::size_t m = rows.shape(0), k = n_groups;
    Array out = empty_rows(k, limbs_);
    const u64* in = residues.data();
    const std::int64_t* row = rows.data();
    const std::int32_t* group = groups.data();
    u64* to = out.mutable_data();
    py::gil_scoped_release release;
    std::vector<std::size_t> next(k + 1, 0);
    bool inside = true;
    for (std::size_t i = 0; i < m; ++i) {
      const bool ok = row[i] >= 0 && static_cast<u64>(row[i]) < n && group[i] >= 0 && group[i] < n_groups;
      inside &= ok;
      if (ok) ++next[group[i] + 1];
    }
    require(inside, "rows and groups must be indices of residues and of groups");
    std::vector<Group> sorted(k);
    for (std::size_t g = 0; g < k; ++g) {
      next[g + 1] += next[g];
      sorted[g] = {next[g], next[g + 1], to + limbs_ * g};
    }
    std::vector<std::uint32_t> order(m);
    for (std::size_t i = 0; i < m; ++i) order[next[group[i]]++] = static_cast<std::uint32_t>(row[i]);
    engine_->products(in, order, sorted);
    return out;
  }

  Array pack(const Array& residues, std::int64_t slots, std::int64_t shift_bits) const {
    const std::size_t n = rows_of(residues, limbs_, kShape);
    require(slots >= 1 && slots <= 65536 && shift_bits >= 0 && shift_bits <= 65536,
            "slots must be 1..65536 and shift_bits 0..65536");
    Array out = empty_rows((n + slots - 1) / slots, limbs_);
    const u64* in = residues.data();
    u64* to = out.mutable_data();
    py::gil_scoped_release release;
    engine_->pack(in, n, slots, shift_bits, to);
    return out;
  }

  // base mod m as one residue row
  Words residue_of(const py::bytes& base) const {
    const Words plain = words_from(base);
    Words out(limbs_);
    plain_.reduce(out.data(), plain.data(), plain.size());
    engine_->to_residues(out.data(), out.data(), 1);
    return out;
  }

 private:
  static constexpr const char* kShape = "expected a two-dimensional uint64 array with one row of limbs a number";
  static constexpr std::size_t kMaxRows = std::size_t(1) << 32;

  Words modulus_;
  std::size_t limbs_;
  PortableField plain_;
  std::unique_ptr<Engine> engine_;
};

class FixedBase {
 public:
  FixedBase(std::shared_ptr<Modulus> modulus, const py::bytes& base, std::int64_t exponent_bits, std::int64_t window)
      : modulus_(std::move(modulus)) {
    require(exponent_bits >= 1 && exponent_bits <= 2 * std::int64_t(kMaxBits), "exponent_bits must be 1..12288");
    require(window >= 1 && window <= 12, "window must be 1..12");
    bits_ = exponent_bits;
    window_ = window;
    windows_ = (bits_ + window_ - 1) / window_;
    const Words residue = modulus_->residue_of(base);
    py::gil_scoped_release release;
    table_ = modulus_->engine().fixed_base_table(residue.data(), windows_, window_);
  }

  Array power(const Array& exponents) const {
    const std::size_t words = (bits_ + 63) / 64;
    const std::size_t n = rows_of(exponents, words, "exponents must be uint64 rows of ceil(exponent_bits / 64) words");
    Array out = empty_rows(n, modulus_->limbs());
    const u64* in = exponents.data();
    u64* to = out.mutable_data();
    py::gil_scoped_release release;
    u64 excess = 0;
    for (std::size_t i = 0; bits_ % 64 != 0 && i < n; ++i) excess |= in[words * (i + 1) - 1] >> (bits_ % 64);
    require(excess == 0, "an exponent is longer than exponent_bits");
    modulus_->engine().fixed_base_power(table_, windows_, window_, in, words, to, n);
    return out;
  }

 private:
  std::shared_ptr<Modulus> modulus_;
  std::size_t bits_, window_, windows_;
  Words table_;
};

Array combine(const Array& a, const py::bytes& x, const Array& b, const py::bytes& y, const py::bytes& modulus) {
  require(a.ndim() == 2 && b.ndim() == 2 && (a.shape(0) == b.shape(0) || b.shape(0) == 1),
          "b must have as many rows as a, or one");
  const Words x_words = words_from(x), y_words = words_from(y), m = odd_modulus(modulus);
  const std::size_t n = a.shape(0), a_limbs = a.shape(1), b_limbs = b.shape(1), limbs = m.size();
  const std::size_t room = std::max(a_limbs + x_words.size(), b_limbs + y_words.size()) + 1;
  const bool broadcast = b.shape(0) != a.shape(0);
  Array out = empty_rows(n, limbs);
  const u64 *in_a = a.data(), *in_b = b.data();
  u64* to = out.mutable_data();
  py::gil_scoped_release release;
  std::atomic<bool> fits{true};
  parallel_for(n, 64, [&](std::size_t first, std::size_t last) {
    Words sum(std::max(room, limbs + 1));
    for (std::size_t i = first; i < last; ++i) {
      std::fill(sum.begin(), sum.end(), 0);
      multiply_add(sum.data(), in_a + a_limbs * i, a_limbs, x_words.data(), x_words.size());
      multiply_add(sum.data(), in_b + (broadcast ? 0 : b_limbs * i), b_limbs, y_words.data(), y_words.size());
      u64 above = 0;
      for (std::size_t j = limbs + 1; j < sum.size(); ++j) above |= sum[j];
      subtract_once(to + limbs * i, sum.data(), sum[limbs], m.data(), limbs);
      if (above != 0 || sum[limbs] > 1 || !less(to + limbs * i, m.data(), limbs)) fits = false;
    }
  });
  require(fits, "a * x + b * y must be below twice the modulus");
  return out;
}

Array divide_exact(const Array& values, const py::bytes& divisor) {
  require(values.ndim() == 2, "values must be two-dimensional");
  const Words d = odd_modulus(divisor);
  const u64 inverse = inverse_word(d[0]);
  const std::size_t n = values.shape(0), words = values.shape(1);
  require(words >= d.size(), "values must be at least as wide as the divisor");
  const std::size_t limbs = words - d.size() + 1;
  Array out = empty_rows(n, limbs);
  const u64* in = values.data();
  u64* to = out.mutable_data();
  py::gil_scoped_release release;
  u64 remainder = 0;
  Words rest(words + 1);
  for (std::size_t i = 0; i < n; ++i) {
    std::copy_n(in + words * i, words, rest.begin());
    for (std::size_t j = 0; j < limbs; ++j) {  // from the low end: each step clears one word
      const u64 quotient = to[limbs * i + j] = rest[j] * inverse;
      u64 carry = 0, borrow = 0;
      for (std::size_t k = 0; j + k < words; ++k) {
        const u128 product = u128(quotient) * (k < d.size() ? d[k] : 0) + carry;
        carry = static_cast<u64>(product >> 64);
        const u128 difference = u128(rest[j + k]) - static_cast<u64>(product) - borrow;
        rest[j + k] = static_cast<u64>(difference);
        borrow = static_cast<u64>(difference >> 127);
      }
      remainder |= carry | borrow;
    }
    for (std::size_t j = 0; j < words; ++j) remainder |= rest[j];
  }
  require(remainder == 0, "a value is not a multiple of the divisor");
  return out;
}

void set_threads(std::int64_t count) {
  require(count >= 1 && count <= 1024, "the number of threads must be 1..1024");
  thread_count() = static_cast<std::size_t>(count);
}

std::string kernel_name() { return has_ifma() && !portable_forced() ? "native-ifma" : "native-portable"; }

}  // namespace
}  // namespace vfl

PYBIND11_MODULE(_native, module) {
  using namespace pybind11::literals;
  using vfl::FixedBase;
  using vfl::Modulus;
  module.doc() = "The native kernel; vfl.crypto.kernel documents it.";
  py::class_<Modulus, std::shared_ptr<Modulus>>(module, "Modulus")
      .def(py::init<const py::bytes&, const std::string&>(), "modulus"_a, "path"_a = "auto")
      .def_property_readonly("limbs", &Modulus::limbs)
      .def("to_residues", &Modulus::to_residues, "values"_a)
      .def("from_residues", &Modulus::from_residues, "residues"_a)
      .def("reduce", &Modulus::reduce, "values"_a)
      .def("multiply", &Modulus::multiply, "a"_a, "b"_a)
      .def("power", &Modulus::power, "a"_a, "exponent"_a)
      .def("product", &Modulus::product, "a"_a)
      .def("sum_by_group", &Modulus::sum_by_group, "residues"_a, "rows"_a, "groups"_a, "n_groups"_a)
      .def("pack", &Modulus::pack, "residues"_a, "slots"_a, "shift_bits"_a);
  py::class_<FixedBase>(module, "FixedBase")
      .def(py::init<std::shared_ptr<Modulus>, const py::bytes&, std::int64_t, std::int64_t>(), "modulus"_a, "base"_a,
           "exponent_bits"_a, "window"_a = 8)
      .def("power", &FixedBase::power, "exponents"_a);
  module.def("combine", &vfl::combine, "a"_a, "x"_a, "b"_a, "y"_a, "modulus"_a);
  module.def("divide_exact", &vfl::divide_exact, "values"_a, "divisor"_a);
  module.def("set_threads", &vfl::set_threads, "count"_a);
  module.def("has_ifma", &vfl::has_ifma);
  module.def("kernel_name", &vfl::kernel_name);
}
