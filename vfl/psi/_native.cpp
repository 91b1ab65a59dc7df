// Batches of ristretto255 points, eight at a time; vfl/psi/group.py documents what everything does.

#include <pybind11/pybind11.h>

#include <algorithm>
#include <stdexcept>
#include <string>

namespace py = pybind11;

#if defined(__x86_64__) && defined(__GNUC__)

#include "native/ristretto.hpp"

namespace vfl {
namespace {

constexpr std::size_t kPoint = 32, kUniform = 64;

VFL_LANES_CALL Mask multiply_eight(const std::uint8_t* in, std::uint8_t* out, const std::int8_t (&digits)[kDigits]) {
  Point p;
  const Mask valid = decode(in, p);
  encode(times(p, digits), out);
  return valid;
}

VFL_LANES_CALL Mask check_eight(const std::uint8_t* in) {
  Point p;
  return decode(in, p);
}

VFL_LANES_CALL void hash_eight(const std::uint8_t* in, std::uint8_t* out) { from_uniform(in, out); }

bool has_ifma() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512ifma");
}

std::size_t count_of(const std::string& bytes, std::size_t width) {
  if (bytes.size() % width) throw std::invalid_argument("not a whole number of elements");
  if (!has_ifma()) throw std::runtime_error("this CPU lacks AVX-512 IFMA");
  return bytes.size() / width;
}

// Calls work(eight inputs, room for eight outputs, number of them that count) until all are done.
template <std::size_t kWidth, typename Work>
std::string by_eights(const std::string& in, Work work) {
  const std::size_t count = count_of(in, kWidth);
  std::string out(count * kPoint, '\0');
  alignas(64) std::uint8_t block[kLanes * kWidth], result[kLanes * kPoint];
  for (std::size_t at = 0; at < count; at += kLanes) {
    const std::size_t n = std::min<std::size_t>(kLanes, count - at);
    std::memset(block, 0, sizeof block);
    std::memcpy(block, in.data() + at * kWidth, n * kWidth);
    work(block, result, static_cast<Mask>((1u << n) - 1));
    std::memcpy(&out[at * kPoint], result, n * kPoint);
  }
  return out;
}

py::bytes multiply_points(const std::string& points, const std::string& scalar) {
  if (scalar.size() != 32 || scalar[31] & 0x80) throw std::invalid_argument("a scalar is below 2^255");
  std::int8_t digits[kDigits];
  signed_digits(reinterpret_cast<const std::uint8_t*>(scalar.data()), digits);
  std::string out;
  {
    py::gil_scoped_release release;
    out = by_eights<kPoint>(points, [&](const std::uint8_t* in, std::uint8_t* result, Mask wanted) {
      if (~multiply_eight(in, result, digits) & wanted) throw std::invalid_argument("not a point");
    });
  }
  return py::bytes(out);
}

py::bytes points_from_uniform(const std::string& uniform) {
  std::string out;
  {
    py::gil_scoped_release release;
    out = by_eights<kUniform>(
        uniform, [](const std::uint8_t* in, std::uint8_t* result, Mask) { hash_eight(in, result); });
  }
  return py::bytes(out);
}

bool are_points(const std::string& points) {
  bool valid = true;
  py::gil_scoped_release release;
  by_eights<kPoint>(points, [&](const std::uint8_t* in, std::uint8_t*, Mask wanted) {
    valid = valid && !(~check_eight(in) & wanted);
  });
  return valid;
}

}  // namespace
}  // namespace vfl

PYBIND11_MODULE(_native, module) {
  module.def("has_ifma", &vfl::has_ifma);
  module.def("multiply", &vfl::multiply_points);
  module.def("from_uniform", &vfl::points_from_uniform);
  module.def("are_points", &vfl::are_points);
}

#else  // elsewhere vfl/psi/_reference.py does the arithmetic

PYBIND11_MODULE(_native, module) {
  module.def("has_ifma", [] { return false; });
}

#endif
