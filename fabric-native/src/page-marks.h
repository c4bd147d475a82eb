// A bit for each page of a mapping, set by any thread and taken by one.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "page-tracker.h"

namespace rpmem {

class PageMarks {
 public:
  // Room for pages that come later costs addresses only.
  explicit PageMarks(size_t capacity) : words_(new std::atomic<uint64_t>[(capacity + 63) / 64]()) {}

  void Set(size_t first, size_t count) {
    for (size_t page = first; page < first + count; ++page) words_[page / 64].fetch_or(BitOf(page));
    if (count > 0) any_ = true;
  }

  void Clear(size_t first, size_t count) {
    for (size_t page = first; page < first + count; ++page) words_[page / 64].fetch_and(~BitOf(page));
  }

  // Of the first `pages` pages.
  void Collect(size_t pages, bool take, std::vector<PageRun>& runs) {
    // In this order: a mark that is set meanwhile is taken now or next time.
    if (take ? !any_.exchange(false) : !any_.load()) return;
    for (size_t word = 0; word < (pages + 63) / 64; ++word) {
      uint64_t bits = take ? Taken(words_[word]) : words_[word].load();
      for (; bits != 0; bits &= bits - 1)
        AppendRun(runs, static_cast<uint32_t>(word * 64 + static_cast<size_t>(std::countr_zero(bits))), 1);
    }
  }

 private:
  static uint64_t BitOf(size_t page) { return uint64_t{1} << (page % 64); }
  static uint64_t Taken(std::atomic<uint64_t>& word) { return word.load() == 0 ? 0 : word.exchange(0); }

  std::unique_ptr<std::atomic<uint64_t>[]> words_;
  std::atomic<bool> any_{false};
};

}  // namespace rpmem
