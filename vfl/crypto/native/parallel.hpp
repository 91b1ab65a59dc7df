// Fork-join over contiguous ranges. Threads live for one call, so a forked process starts clean.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

namespace vfl {

inline std::atomic<std::size_t>& thread_count() {
  static std::atomic<std::size_t> count{std::max(1u, std::thread::hardware_concurrency())};
  return count;
}

// body(first, last) over [0, items), at most thread_count() ranges of at least `grain` items each.
template <class Body>
void parallel_for(std::size_t items, std::size_t grain, const Body& body) {
  const std::size_t parts = std::max<std::size_t>(1, std::min(thread_count().load(), items / grain));
  std::vector<std::thread> threads;
  threads.reserve(parts);
  for (std::size_t part = 1; part < parts; ++part)
    threads.emplace_back(body, items * part / parts, items * (part + 1) / parts);
  body(std::size_t(0), items / parts);
  for (auto& thread : threads) thread.join();
}

}  // namespace vfl
