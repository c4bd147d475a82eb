#include "checksum.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

#include "native-error.h"

namespace rpmem {
namespace {

constexpr size_t kPage = 4096;
constexpr uint32_t kPolynomial = 0x82f63b78;  // reflected

constexpr std::array<uint32_t, 256> Table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? kPolynomial : 0);
    table[byte] = value;
  }
  return table;
}

constexpr std::array<uint32_t, 256> kTable = Table();

uint32_t ByTable(const uint8_t* bytes, size_t length) {
  uint32_t sum = ~0u;
  for (size_t at = 0; at < length; ++at) sum = (sum >> 8) ^ kTable[(sum ^ bytes[at]) & 0xff];
  return ~sum;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) uint64_t Step(uint64_t sum, const uint8_t* bytes) {
  uint64_t word;
  std::memcpy(&word, bytes, sizeof word);
  return _mm_crc32_u64(sum, word);
}

__attribute__((target("sse4.2"))) uint32_t ByInstruction(const uint8_t* bytes, size_t length) {
  uint64_t sum = ~0u;
  for (; length >= 8; bytes += 8, length -= 8) sum = Step(sum, bytes);
  for (; length > 0; ++bytes, --length) sum = _mm_crc32_u8(static_cast<uint32_t>(sum), *bytes);
  return ~static_cast<uint32_t>(sum);
}

// The instruction takes three cycles, but a new one can begin in each: three pages at once.
__attribute__((target("sse4.2"))) void ThreePages(const uint8_t* bytes, uint32_t* sums) {
  uint64_t first = ~0u;
  uint64_t second = ~0u;
  uint64_t third = ~0u;
  for (size_t at = 0; at < kPage; at += 8) {
    first = Step(first, bytes + at);
    second = Step(second, bytes + kPage + at);
    third = Step(third, bytes + 2 * kPage + at);
  }
  sums[0] = ~static_cast<uint32_t>(first);
  sums[1] = ~static_cast<uint32_t>(second);
  sums[2] = ~static_cast<uint32_t>(third);
}

bool HasInstruction() {
  static const bool has = __builtin_cpu_supports("sse4.2");
  return has;
}

#else

uint32_t ByInstruction(const uint8_t* bytes, size_t length) { return ByTable(bytes, length); }
void ThreePages(const uint8_t*, uint32_t*) {}
bool HasInstruction() { return false; }

#endif

void PageSums(const uint8_t* bytes, size_t pages, uint32_t* sums) {
  size_t page = 0;
  if (HasInstruction())
    for (; page + 3 <= pages; page += 3) ThreePages(bytes + page * kPage, sums + page);
  for (; page < pages; ++page) sums[page] = Crc32c(bytes + page * kPage, kPage);
}

Napi::Uint8Array RequireBytes(const Napi::CallbackInfo& info, size_t multiple) {
  bool good = info[0].IsTypedArray() && info[0].As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array &&
              info[0].As<Napi::Uint8Array>().ByteLength() % multiple == 0;
  if (!good) throw Napi::TypeError::New(info.Env(), "a checksum is taken over a Uint8Array of whole units");
  return info[0].As<Napi::Uint8Array>();
}

Napi::Value ChecksumOf(const Napi::CallbackInfo& info) {
  Napi::Uint8Array bytes = RequireBytes(info, 1);
  return Napi::Number::New(info.Env(), Crc32c(bytes.Data(), bytes.ByteLength()));
}

// For tests on machines that have the instruction.
Napi::Value ChecksumByTable(const Napi::CallbackInfo& info) {
  Napi::Uint8Array bytes = RequireBytes(info, 1);
  return Napi::Number::New(info.Env(), ByTable(bytes.Data(), bytes.ByteLength()));
}

Napi::Value ChecksumsOfPages(const Napi::CallbackInfo& info) {
  Napi::Uint8Array bytes = RequireBytes(info, kPage);
  Napi::Uint32Array sums = Napi::Uint32Array::New(info.Env(), bytes.ByteLength() / kPage);
  PageSums(bytes.Data(), bytes.ByteLength() / kPage, sums.Data());
  return sums;
}

}  // namespace

uint32_t Crc32c(const uint8_t* bytes, size_t length) {
  return HasInstruction() ? ByInstruction(bytes, length) : ByTable(bytes, length);
}

void InitChecksum(Napi::Env env, Napi::Object exports) {
  exports.Set("checksum", Napi::Function::New<ChecksumOf>(env, "checksum"));
  exports.Set("checksumByTable", Napi::Function::New<ChecksumByTable>(env, "checksumByTable"));
  exports.Set("pageChecksums", Napi::Function::New<ChecksumsOfPages>(env, "pageChecksums"));
}

}  // namespace rpmem
