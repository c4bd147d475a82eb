#include "store.h"

#include <algorithm>

namespace rpmem {
namespace {

constexpr size_t kWord = 8;

struct Split {
  size_t head;
  size_t middle;
  size_t tail;
};

Split SplitAtWords(const uint8_t* to, size_t length) {
  size_t head = std::min(length, (kWord - reinterpret_cast<uintptr_t>(to) % kWord) % kWord);
  size_t tail = (length - head) % kWord;
  return {head, length - head - tail, tail};
}

// libpmem2 hands out its functions by mapping only; what it gives for anonymous memory works on any memory.
StoreFunctions FromAnonymousPage() {
  StoreFunctions functions{nullptr, nullptr};
  pmem2_source* source = nullptr;
  pmem2_config* config = nullptr;
  pmem2_map* map = nullptr;
  if (pmem2_source_from_anon(&source, 4096) == 0 && pmem2_config_new(&config) == 0 &&
      pmem2_config_set_required_store_granularity(config, PMEM2_GRANULARITY_PAGE) == 0 &&
      pmem2_config_set_length(config, 4096) == 0 &&
      pmem2_config_set_sharing(config, PMEM2_PRIVATE) == 0 && pmem2_map_new(&map, config, source) == 0)
    functions = StoreFunctions::Of(map);
  if (map != nullptr) pmem2_map_delete(&map);
  if (config != nullptr) pmem2_config_delete(&config);
  if (source != nullptr) pmem2_source_delete(&source);
  return functions;
}

}  // namespace

void StoreFunctions::Move(uint8_t* to, const uint8_t* from, size_t length, unsigned flags) const {
  Split split = SplitAtWords(to, length);
  size_t tail = split.head + split.middle;
  // Of an overlapping move towards higher addresses the end must go first, before it is overwritten.
  bool backwards = to > from;
  if (backwards && split.tail != 0) move(to + tail, from + tail, split.tail, flags);
  if (!backwards && split.head != 0) move(to, from, split.head, flags);
  if (split.middle != 0) move(to + split.head, from + split.head, split.middle, flags);
  if (backwards && split.head != 0) move(to, from, split.head, flags);
  if (!backwards && split.tail != 0) move(to + tail, from + tail, split.tail, flags);
}

void StoreFunctions::Fill(uint8_t* to, uint8_t byte, size_t length, unsigned flags) const {
  Split split = SplitAtWords(to, length);
  if (split.head != 0) set(to, byte, split.head, flags);
  if (split.middle != 0) set(to + split.head, byte, split.middle, flags);
  if (split.tail != 0) set(to + split.head + split.middle, byte, split.tail, flags);
}

StoreFunctions StoreFunctions::Of(pmem2_map* map) {
  return {pmem2_get_memmove_fn(map), pmem2_get_memset_fn(map)};
}

const StoreFunctions& StoreFunctions::Plain() {
  static const StoreFunctions functions = FromAnonymousPage();
  return functions;
}

}  // namespace rpmem
