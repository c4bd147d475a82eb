// CRC-32C (RFC 3720, appendix B.4), by the processor's instruction where there is one.
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>

namespace rpmem {

uint32_t Crc32c(const uint8_t* bytes, size_t length);

void InitChecksum(Napi::Env env, Napi::Object exports);

}  // namespace rpmem
