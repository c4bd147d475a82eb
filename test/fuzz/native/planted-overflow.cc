// links:
// must-fail
//
// A write behind the end of a buffer, which the fuzzer must lead to and the sanitizer must see.
#include <cstdint>
#include <cstdlib>
#include <cstring>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  char* buffer = static_cast<char*>(std::malloc(8));
  if (size > 3 && data[0] == 'R' && data[1] == 'P' && data[2] == 'M') std::memcpy(buffer + 7, data, 2);
  std::free(buffer);
  return 0;
}
